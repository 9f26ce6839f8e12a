//! The structure of a verdict in JSON, written by [`compose`](super::compose) and read by
//! [`receive`](super::receive). A field that is not here is an error.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::files::Serialization;
use crate::attestation::{AcceptedAttestation, published_name};
use crate::hash::Sha256Digest;
use crate::json;
use crate::pki::Certificate;
use crate::reason::{Printable, Reason};

/// The in-toto statement of a verdict. `F` is the list of files, as it is written or as it is read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerdictStatement<F> {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "json::at_most::<1, _, _>")]
    pub(super) subject: Vec<DigestOf>,
    pub(super) predicate_type: String,
    pub(super) predicate: Predicate<F>,
}

/// Of a verdict that nobody has verified: the intermediates that it offers, and nothing else.
#[derive(Deserialize)]
pub(super) struct OfferedChain {
    predicate: OfferedPredicate,
}

#[derive(Deserialize)]
struct OfferedPredicate {
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    detail: OfferedDetail,
}

#[derive(Deserialize)]
struct OfferedDetail {
    #[serde(default, deserialize_with = "json::at_most::<16, _, _>")]
    intermediates: Vec<String>,
}

impl OfferedChain {
    /// Certificates in base64.
    pub(super) fn intermediates(&self) -> &[String] {
        &self.predicate.detail.intermediates
    }
}

/// The Verification Summary predicate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Predicate<F> {
    pub(super) verifier: Verifier,
    pub(super) time_verified: String,
    pub(super) resource_uri: String,
    pub(super) policy: DigestOf,
    #[serde(deserialize_with = "json::at_most::<1024, _, _>")]
    pub(super) input_attestations: Vec<DigestOf>,
    pub(super) verification_result: String,
    #[serde(deserialize_with = "json::at_most::<8, _, _>")]
    pub(super) verified_levels: Vec<String>,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    pub(super) detail: Detail<F>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verifier {
    pub(super) id: String,
    pub(super) version: BTreeMap<String, String>,
}

/// An in-toto resource descriptor with a SHA-256 digest.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigestOf {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) uri: Option<String>,
    pub(super) digest: BTreeMap<String, String>,
}

impl DigestOf {
    pub(super) fn sha256(digest: Sha256Digest) -> Self {
        DigestOf::of_hex(digest.to_hex())
    }

    pub(super) fn of_hex(sha256: String) -> Self {
        DigestOf { digest: BTreeMap::from([("sha256".to_owned(), sha256)]), ..DigestOf::default() }
    }
}

/// What stands under [`VERDICT_EXTENSION`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Detail<F> {
    pub(super) mode: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) previous: Option<String>,
    /// The number of the verdict whose model is sent again, by the decision that it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) resend_of: Option<u64>,
    pub(super) policy: PolicyDetail,
    pub(super) reasons: Vec<ReasonDetail>,
    pub(super) warnings: Vec<ReasonDetail>,
    pub(super) bundles: Vec<BundleDetail>,
    pub(super) signers: Vec<SignerDetail>,
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        default,
        deserialize_with = "json::at_most::<1024, _, _>"
    )]
    pub(super) attestations: Vec<AttestationDetail>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) serialization: Option<Serialization>,
    /// The root as the source's signer listed the resources.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) source_root: Option<String>,
    pub(super) files: F,
    pub(super) checks: Vec<String>,
    /// What the virus scanner calls itself and its signatures, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) scanner: Option<String>,
    /// How the carrier was read. The first verdicts of a station may lack it: it came later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) media: Option<MediaDetail>,
    pub(super) revocation: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) resigned: Option<ResignedDetail>,
    pub(super) protection: Protection,
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        default,
        deserialize_with = "json::at_most::<16, _, _>"
    )]
    pub(super) intermediates: Vec<String>,
    /// `system`, `given` or `guarded`.
    pub(super) clock: String,
    /// The highest time that the station has seen, where a guard holds the clock to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) clock_highest: Option<String>,
    pub(super) sandbox: String,
}

/// A policy with all that it drew in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDetail {
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its text.
    pub sha256: String,
    /// Every key, anchor and trusted root that it drew in.
    pub inputs: Vec<InputDetail>,
    /// SHA-256 of every CRL that was at hand.
    pub crls: Vec<String>,
}

/// A file outside the policy that its meaning depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDetail {
    /// `anchor`, `key` or `trusted-root`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// A reason as a verdict and the commands' JSON show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonDetail {
    /// The stable code.
    pub code: String,
    /// The file it concerns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// Where in the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// The policy rule that was broken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// The particulars.
    pub detail: String,
    /// What to do next.
    pub remedy: String,
}

impl From<&Reason> for ReasonDetail {
    fn from(reason: &Reason) -> Self {
        ReasonDetail {
            code: reason.code.id().to_owned(),
            file: reason.file.clone(),
            place: reason.place.clone(),
            rule: reason.rule.clone(),
            detail: reason.detail.clone(),
            remedy: reason.code.remedy().to_owned(),
        }
    }
}

/// As [`Reason`] is shown.
impl fmt::Display for ReasonDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        if let Some(file) = &self.file {
            write!(f, "{}: ", Printable(file))?;
        }
        if let Some(place) = &self.place {
            write!(f, "{}: ", Printable(place))?;
        }
        write!(f, "{}", Printable(&self.detail))?;
        self.rule.iter().try_for_each(|rule| write!(f, " (rule {rule})"))
    }
}

/// How the carrier was read, when files were read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaDetail {
    /// Reads that failed and were repeated.
    pub(super) retries: u32,
}

/// A bundle that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleDetail {
    /// Its file name.
    pub file: String,
    /// SHA-256 of its bytes; none when it was too large to be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
}

/// An accepted attestation as a verdict and the commands' JSON show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttestationDetail {
    /// Its file name on the carrier.
    pub file: String,
    /// SHA-256 of its bundle.
    pub sha256: String,
    /// Bytes of its bundle.
    pub size: u64,
    /// Its predicate type.
    pub predicate_type: String,
    /// The name that it gives the model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Who signed it, once for each rule that accepts it.
    pub signers: Vec<SignerDetail>,
    /// Its file name in the entry's folder `attestations`, where it is published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published: Option<String>,
}

impl AttestationDetail {
    /// The same attestation, published under this number unless there is none.
    #[must_use]
    pub fn numbered(mut self, number: Option<usize>) -> Self {
        let digest = Sha256Digest::from_hex(&self.sha256);
        let named = number.zip(digest).map(|(number, digest)| published_name(number, digest));
        self.published = named;
        self
    }
}

/// An attestation that is not published.
impl From<&AcceptedAttestation> for AttestationDetail {
    fn from(attestation: &AcceptedAttestation) -> Self {
        AttestationDetail {
            file: attestation.file().to_owned(),
            sha256: attestation.digest().to_hex(),
            size: attestation.size(),
            predicate_type: attestation.predicate_type().to_owned(),
            subject: attestation.subject_name().map(str::to_owned),
            signers: attestation.signers().iter().map(SignerDetail::from).collect(),
            published: None,
        }
    }
}

/// A signer as a verdict and the commands' JSON show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignerDetail {
    /// The rule that admitted it.
    pub rule: String,
    /// The method.
    pub method: String,
    /// Who it is, in the words of the rule.
    pub identity: String,
    /// When the signature existed, by the earliest word that the policy trusts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed: Option<SignedDetail>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: String,
    /// The key's type.
    pub key_type: String,
    /// The certification path, leaf first, anchor last.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub path: Vec<CertificateDetail>,
    /// The anchor's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor: Option<String>,
    /// Revocation of each certificate below the anchor, leaf first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub revocation: Vec<String>,
}

/// A trusted time of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDetail {
    /// The time (RFC 3339).
    pub time: String,
    /// Whose word it is, such as `timestamp:CN=TSA,O=Corp (corp-tsa)`.
    pub source: String,
}

/// A certificate of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateDetail {
    /// The subject (RFC 4514).
    pub subject: String,
    /// SHA-256 of the DER.
    pub sha256: String,
}

impl From<&crate::appraise::Signer> for SignerDetail {
    fn from(signer: &crate::appraise::Signer) -> Self {
        let path = signer.path.as_deref();
        SignerDetail {
            rule: signer.rule.clone(),
            method: signer.method.to_owned(),
            identity: signer.identity.clone(),
            signed: signer.time.as_ref().map(|signed| SignedDetail {
                time: signed.time.to_string(),
                source: signed.source.clone(),
            }),
            key: signer.key.fingerprint().to_hex(),
            key_type: signer.key.key_type().to_string(),
            path: path
                .into_iter()
                .flat_map(|path| path.certificates())
                .map(CertificateDetail::from)
                .collect(),
            anchor: path.map(|path| path.anchor().name.clone()),
            revocation: path
                .into_iter()
                .flat_map(|path| path.revocation())
                .map(|status| status.to_string())
                .collect(),
        }
    }
}

impl From<&Certificate> for CertificateDetail {
    fn from(certificate: &Certificate) -> Self {
        CertificateDetail {
            subject: certificate.subject(),
            sha256: certificate.fingerprint().to_hex(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResignedDetail {
    pub(super) sha256: String,
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) certificate: Option<String>,
    pub(super) protection: Protection,
}

/// How a private key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// In a PKCS #11 token.
    Pkcs11,
    /// In a file: laboratories only.
    File,
}
