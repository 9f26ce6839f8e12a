//! The verdict as an in-toto statement with the SLSA Verification Summary predicate.
//!
//! What SLSA does not define stands under one extension field, [`VERDICT_EXTENSION`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::Certificate;
use crate::reason::Reason;
use crate::statement::{Manifest, ManifestFile, Method, Pieces, STATEMENT_TYPE};

/// `predicateType` of a verdict: the Verification Summary Attestation of SLSA v1.
pub const VERDICT_PREDICATE_TYPE: &str = "https://slsa.dev/verification_summary/v1";
/// The field that holds this project's detail.
pub const VERDICT_EXTENSION: &str = "urn:oms-appliance:verdict:1";

/// The place of a verdict in its station's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// From 1, without holes.
    pub sequence: u64,
    /// SHA-256 of the payload of the verdict before; zeros for the first.
    pub previous: Sha256Digest,
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

/// The bundle that the station made for a model that passes.
#[derive(Clone, Debug)]
pub struct Resigned<'a> {
    /// SHA-256 of its bytes.
    pub digest: Sha256Digest,
    /// The key that signed it.
    pub key: &'a PublicKey,
    /// The leaf of its chain, for the method `certificate`.
    pub certificate: Option<&'a Certificate>,
    /// How its key is kept.
    pub protection: Protection,
    /// Its manifest.
    pub manifest: &'a Manifest,
}

/// What the station says about itself and this decision.
#[derive(Clone, Debug)]
pub struct StationFacts<'a> {
    /// `verifier.id`.
    pub verifier: &'a str,
    /// The software's version.
    pub version: &'a str,
    /// Where the decision stands in the record; `None` for a decision in place.
    pub ledger: Option<Ledger>,
    /// The re-signed bundle, when the model passes an ingest.
    pub resigned: Option<Resigned<'a>>,
    /// How the key that signs the verdict is kept.
    pub protection: Protection,
    /// Intermediates of the key that signs the verdict.
    pub intermediates: &'a [Certificate],
    /// CRLs that were at hand: digests of their files.
    pub crls: &'a [Sha256Digest],
    /// Whether the process was sandboxed: `none` until the station separates its processes.
    pub sandbox: &'a str,
    /// Where the time comes from.
    pub clock: &'a str,
}

/// One file of a model, as a verdict lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictFile {
    /// The path inside the model.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The digest of the whole file, `algorithm:hex`, with the method `files`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// The digests of its shards in order, `algorithm:hex`, with the method `shards`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shards: Vec<String>,
}

impl VerdictFile {
    /// The file as a verdict lists it.
    pub fn new(file: &ManifestFile, size: u64) -> Self {
        let (digest, shards) = match &file.pieces {
            Pieces::Whole(digest) => (Some(digest.to_string()), Vec::new()),
            Pieces::Shards(shards) => {
                (None, shards.iter().map(|shard| shard.digest.to_string()).collect())
            }
        };
        VerdictFile { name: file.path.to_string(), size, digest, shards }
    }
}

/// The payload to be signed as a verdict. The same input gives the same bytes.
pub fn compose(verdict: &Verdict, facts: &StationFacts<'_>) -> Vec<u8> {
    let passed = verdict.passed();
    let (subject_name, subject_digest) = subject(verdict, facts);
    let statement = VerdictStatement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![DigestOf {
            name: Some(subject_name.clone()),
            ..DigestOf::sha256(subject_digest)
        }],
        predicate_type: VERDICT_PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            verifier: Verifier {
                id: facts.verifier.to_owned(),
                version: BTreeMap::from([("oms-appliance".to_owned(), facts.version.to_owned())]),
            },
            time_verified: verdict.time.to_string(),
            resource_uri: format!("urn:oms-appliance:model:sha256:{subject_digest}"),
            policy: DigestOf {
                uri: Some(format!(
                    "urn:oms-appliance:policy:{}:{}",
                    verdict.policy.id, verdict.policy.version
                )),
                ..DigestOf::sha256(verdict.policy.digest)
            },
            input_attestations: verdict
                .bundles
                .iter()
                .filter_map(|(_, digest)| digest.map(DigestOf::sha256))
                .collect(),
            verification_result: if passed { "PASSED" } else { "FAILED" }.to_owned(),
            verified_levels: vec![
                if passed { "SLSA_BUILD_LEVEL_UNEVALUATED" } else { "FAILED" }.to_owned(),
            ],
            detail: detail(verdict, facts),
        },
    };
    crate::json::to_vec(&statement)
}

/// The model's name and root digest as it is published; for a bundle that was never opened, the
/// file's name and digest.
fn subject(verdict: &Verdict, facts: &StationFacts<'_>) -> (String, Sha256Digest) {
    if let Some(manifest) = facts.resigned.as_ref().map(|resigned| resigned.manifest) {
        return (verdict.subject_name.clone(), manifest.root());
    }
    if let Some(root) = verdict.source_root() {
        return (verdict.subject_name.clone(), root);
    }
    match verdict.bundles.first() {
        Some((file, Some(digest))) => (file.clone(), *digest),
        Some((file, None)) => (file.clone(), Sha256Digest::ZERO),
        None => (verdict.subject_name.clone(), Sha256Digest::ZERO),
    }
}

fn detail(verdict: &Verdict, facts: &StationFacts<'_>) -> Detail {
    let manifest = facts.resigned.as_ref().map(|r| r.manifest).or_else(|| verdict.manifest());
    Detail {
        mode: verdict.mode.name().to_owned(),
        sequence: facts.ledger.map(|ledger| ledger.sequence),
        previous: facts.ledger.map(|ledger| ledger.previous.to_hex()),
        policy: PolicyDetail {
            id: verdict.policy.id.clone(),
            version: verdict.policy.version,
            sha256: verdict.policy.digest.to_hex(),
            inputs: verdict
                .policy
                .inputs
                .iter()
                .map(|input| InputDetail {
                    kind: input.kind.to_owned(),
                    name: input.name.clone(),
                    sha256: input.sha256.to_hex(),
                })
                .collect(),
            crls: facts.crls.iter().map(|digest| digest.to_hex()).collect(),
        },
        reasons: verdict.reasons.iter().map(ReasonDetail::from).collect(),
        warnings: verdict.warnings.iter().map(ReasonDetail::from).collect(),
        bundles: verdict
            .bundles
            .iter()
            .map(|(file, digest)| BundleDetail {
                file: file.clone(),
                sha256: digest.map(Sha256Digest::to_hex),
            })
            .collect(),
        signers: verdict.signers().map(SignerDetail::from).collect(),
        serialization: manifest.map(|manifest| SerializationDetail {
            method: match manifest.method() {
                Method::Files => "files".to_owned(),
                Method::Shards { .. } => "shards".to_owned(),
            },
            hash: manifest.hash().name().to_owned(),
            shard_size: match manifest.method() {
                Method::Files => None,
                Method::Shards { size } => Some(size),
            },
        }),
        source_root: verdict.source_root().map(Sha256Digest::to_hex),
        files: verdict.files.iter().map(|(file, size)| VerdictFile::new(file, *size)).collect(),
        checks: verdict.checks.clone(),
        revocation: verdict.policy.revocation.mode.to_string(),
        resigned: facts.resigned.as_ref().map(|resigned| ResignedDetail {
            sha256: resigned.digest.to_hex(),
            key: resigned.key.fingerprint().to_hex(),
            certificate: resigned.certificate.map(|c| c.fingerprint().to_hex()),
            protection: resigned.protection,
        }),
        protection: facts.protection,
        intermediates: facts
            .intermediates
            .iter()
            .map(|certificate| crate::dsse::encode(certificate.der()))
            .collect(),
        clock: facts.clock.to_owned(),
        sandbox: facts.sandbox.to_owned(),
    }
}

/// The in-toto statement of a verdict.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerdictStatement {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    pub(super) subject: Vec<DigestOf>,
    pub(super) predicate_type: String,
    pub(super) predicate: Predicate,
}

/// The Verification Summary predicate.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Predicate {
    pub(super) verifier: Verifier,
    pub(super) time_verified: String,
    pub(super) resource_uri: String,
    pub(super) policy: DigestOf,
    pub(super) input_attestations: Vec<DigestOf>,
    pub(super) verification_result: String,
    pub(super) verified_levels: Vec<String>,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    pub(super) detail: Detail,
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
    fn sha256(digest: Sha256Digest) -> Self {
        DigestOf {
            digest: BTreeMap::from([("sha256".to_owned(), digest.to_hex())]),
            ..DigestOf::default()
        }
    }
}

/// What stands under [`VERDICT_EXTENSION`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Detail {
    pub(super) mode: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) previous: Option<String>,
    policy: PolicyDetail,
    pub(super) reasons: Vec<ReasonDetail>,
    pub(super) warnings: Vec<ReasonDetail>,
    bundles: Vec<BundleDetail>,
    signers: Vec<SignerDetail>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) serialization: Option<SerializationDetail>,
    /// The root as the source's signer listed the resources.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    source_root: Option<String>,
    pub(super) files: Vec<VerdictFile>,
    checks: Vec<String>,
    revocation: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) resigned: Option<ResignedDetail>,
    protection: Protection,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) intermediates: Vec<String>,
    clock: String,
    sandbox: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDetail {
    id: String,
    version: u64,
    sha256: String,
    inputs: Vec<InputDetail>,
    crls: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputDetail {
    kind: String,
    name: String,
    sha256: String,
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
            rule: reason.rule.clone(),
            detail: reason.detail.clone(),
            remedy: reason.code.remedy().to_owned(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleDetail {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sha256: Option<String>,
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SerializationDetail {
    pub(super) method: String,
    pub(super) hash: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) shard_size: Option<u64>,
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
