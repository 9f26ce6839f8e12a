//! The verdict on the receiving side: whom it must come from, and what it says.

use std::collections::BTreeMap;

use super::error::VerdictError;
use super::files::{FileEntry, Serialization};
use super::schema::{AttestationDetail, Detail, OfferedChain, VerdictStatement};
use super::{Mode, VERDICT_PREDICATE_TYPE};
use crate::attestation::published_name;
use crate::budget::Budget;
use crate::bundle::{Bundle, Material, TrustedKey, TrustedSigner};
use crate::dsse::Message;
use crate::hash::{HashAlgorithm, Sha256Digest};
use crate::json;
use crate::key::PublicKey;
use crate::pki::{self, Anchor, Certificate, CrlSet, PathInput, Profile, Revocation};
use crate::statement::{Manifest, ManifestFile, Method, STATEMENT_TYPE};
use crate::time::UnixTime;

/// Whom a verdict must come from.
pub enum VerdictTrust<'a> {
    /// This very key.
    Key(&'a PublicKey),
    /// A certificate under one of these anchors, which are all of purpose `verdict`, with the
    /// verifier's URI in its subjectAltName.
    Anchors {
        /// The anchors.
        anchors: &'a [Anchor],
        /// CRLs at hand.
        crls: &'a CrlSet,
        /// How revocation is checked.
        revocation: &'a Revocation,
        /// The time of validation.
        time: UnixTime,
    },
}

/// A verdict that a trusted station made about an ingest. Only [`receive`] makes one.
#[derive(Clone, Debug)]
pub struct ReceivedVerdict {
    /// Whether the model passed.
    pub passed: bool,
    /// The model's name.
    pub subject_name: String,
    /// The root digest of what was published, or the digest of the bundle that was refused.
    pub subject_digest: Sha256Digest,
    /// The place in the station's record.
    pub sequence: u64,
    /// SHA-256 of the payload of the verdict before; zeros for the first.
    pub previous: Sha256Digest,
    /// The number of the verdict whose model is sent again, by that decision and with its time.
    pub resend_of: Option<u64>,
    /// The verifier's URI.
    pub verifier: String,
    /// When the decision was made, RFC 3339.
    pub time: String,
    /// Why the model was refused: codes and particulars.
    pub reasons: Vec<String>,
    /// The files that were published, with their sizes; empty when the model was refused.
    pub files: Vec<(ManifestFile, u64)>,
    /// How the files were hashed, when there are any.
    pub method: Method,
    /// The hash of the files.
    pub hash: HashAlgorithm,
    /// The re-signed bundle: its digest and the fingerprint of its key.
    pub resigned: Option<(Sha256Digest, Sha256Digest)>,
    /// The digests of the bundles that the station found.
    pub sources: Vec<Sha256Digest>,
    /// The attestations that were published; empty when the model was refused.
    pub attestations: Vec<ReceivedAttestation>,
    payload: Option<Message>,
}

/// An attestation that was published with a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedAttestation {
    /// Its file name in the entry's folder `attestations`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub digest: Sha256Digest,
}

impl ReceivedVerdict {
    /// The payload that the station signed, in JSON: what all else of an entry is rendered from.
    ///
    /// Empty after [`ReceivedVerdict::drop_payload`].
    pub fn payload(&self) -> &[u8] {
        self.payload.as_ref().map(Message::payload).unwrap_or_default()
    }

    /// Lets go of the payload, which lists every file a second time.
    pub fn drop_payload(&mut self) {
        self.payload = None;
    }
}

/// Reads a verdict of an ingest by `verifier`. `bytes` that are given away are dropped as soon as
/// they have been decoded.
///
/// # Errors
/// When the bytes are anything else: another signer, another verifier, a verdict in place.
pub fn receive(
    bytes: impl AsRef<[u8]>,
    verifier: &str,
    trust: &VerdictTrust<'_>,
    budget: &Budget,
) -> Result<ReceivedVerdict, VerdictError> {
    let bundle = Bundle::parse(bytes.as_ref(), budget)?;
    drop(bytes);
    let signer = establish(&bundle, verifier, trust, budget)?;
    let payload = bundle.signed_payload(&signer).map_err(|_| VerdictError::Signature)?;
    let statement = json::from_slice(payload, budget.json_depth)?;
    let verdict = read(statement, verifier, budget)?;
    Ok(ReceivedVerdict { payload: Some(bundle.into_message()), ..verdict })
}

fn establish(
    bundle: &Bundle,
    verifier: &str,
    trust: &VerdictTrust<'_>,
    budget: &Budget,
) -> Result<TrustedSigner, VerdictError> {
    match (trust, bundle.material()) {
        (VerdictTrust::Key(key), Material::PublicKey(identifier)) => {
            let key = TrustedKey::new((*key).clone(), identifier).map_err(|_| VerdictError::Key)?;
            Ok(TrustedSigner::Key(key))
        }
        // The key alone is trusted, whatever certificate stands beside it.
        (VerdictTrust::Key(key), Material::Certificates(chain)) => {
            let leaf = chain.first().and_then(|leaf| leaf.public_key().ok());
            if leaf.as_ref() != Some(key) {
                return Err(VerdictError::Key);
            }
            let key = TrustedKey::new((*key).clone(), &Default::default());
            Ok(TrustedSigner::Key(key.map_err(|_| VerdictError::Key)?))
        }
        (VerdictTrust::Anchors { anchors, crls, revocation, time }, Material::Certificates(_)) => {
            let chain = chain_with_intermediates(bundle, budget)?;
            let path = pki::validate(&PathInput {
                chain: &chain,
                intermediates: &[],
                anchors,
                crls,
                revocation,
                time: *time,
                proof: None,
                budget,
                profile: Profile::CODE_SIGNING,
                policies: None,
            })?;
            // Another code-signing certificate of the same PKI must not be able to make a
            // verdict: the issuer vouches for the verifier's URI.
            let uris = path.leaf().san_uris();
            if !uris.iter().any(|uri| uri == verifier) {
                return Err(VerdictError::NotAVerifier {
                    subject: path.leaf().subject(),
                    verifier: verifier.to_owned(),
                    uris: uris.to_vec(),
                });
            }
            Ok(TrustedSigner::Certificate(Box::new(path)))
        }
        _ => Err(VerdictError::NoCertificate),
    }
}

/// The leaf of the bundle with the intermediates that the unverified payload offers. They are
/// candidates for the path, like any certificate that comes with a bundle, and nothing more.
fn chain_with_intermediates(
    bundle: &Bundle,
    budget: &Budget,
) -> Result<Vec<Certificate>, VerdictError> {
    let Material::Certificates(chain) = bundle.material() else {
        return Err(VerdictError::NoCertificate);
    };
    let mut chain = chain.clone();
    let offered: OfferedChain = json::from_slice(bundle.alleged_payload(), budget.json_depth)?;
    for text in offered.intermediates() {
        if chain.len() >= budget.certificates {
            break;
        }
        let der = crate::dsse::decode_some(text)
            .filter(|der| der.len() <= budget.certificate_bytes)
            .ok_or(VerdictError::Field("intermediates"))?;
        let certificate =
            Certificate::from_der(&der).map_err(|_| VerdictError::Field("intermediates"))?;
        chain.push(certificate);
    }
    Ok(chain)
}

fn read(
    statement: VerdictStatement<Vec<FileEntry<'_>>>,
    verifier: &str,
    budget: &Budget,
) -> Result<ReceivedVerdict, VerdictError> {
    if statement.kind != STATEMENT_TYPE {
        return Err(VerdictError::Field("_type"));
    }
    if statement.predicate_type != VERDICT_PREDICATE_TYPE {
        return Err(VerdictError::Field("predicateType"));
    }
    let predicate = statement.predicate;
    if predicate.verifier.id != verifier {
        return Err(VerdictError::Verifier { found: predicate.verifier.id });
    }
    let mut detail = predicate.detail;
    if detail.mode != Mode::Ingest.name() {
        return Err(VerdictError::InPlace);
    }
    let passed = match predicate.verification_result.as_str() {
        "PASSED" => true,
        "FAILED" => false,
        _ => return Err(VerdictError::Field("verificationResult")),
    };
    let [subject] = statement.subject.as_slice() else {
        return Err(VerdictError::Field("subject"));
    };
    let subject_digest = sha256(&subject.digest).ok_or(VerdictError::Field("subject"))?;
    let resigned = resigned(&detail)?;
    let (method, hash) = serialization(&detail)?;
    let files = if passed {
        files(std::mem::take(&mut detail.files), method, hash, budget)?
    } else {
        Vec::new()
    };
    let attestations = if passed { attestations(&detail)? } else { Vec::new() };
    if passed {
        // A pass without a re-signed bundle, or with files that are not the subject, is none.
        let manifest = Manifest::new(
            hash,
            method,
            Vec::new(),
            files.iter().map(|(file, _)| file.clone()).collect(),
            budget,
        )?;
        if resigned.is_none() || manifest.root() != subject_digest || !detail.reasons.is_empty() {
            return Err(VerdictError::Field("verificationResult"));
        }
    } else if resigned.is_some() || detail.reasons.is_empty() {
        // A refusal says why, and releases nothing.
        return Err(VerdictError::Field("verificationResult"));
    }
    // Sequence numbers start at 1.
    let sequence = detail.sequence.filter(|n| *n > 0).ok_or(VerdictError::Field("sequence"))?;
    let previous = detail.previous.as_deref().and_then(Sha256Digest::from_hex);
    let previous = previous.ok_or(VerdictError::Field("previous"))?;
    // Only what passed and came before is sent again.
    if detail.resend_of.is_some_and(|first| !passed || first == 0 || first >= sequence) {
        return Err(VerdictError::Field("resendOf"));
    }
    if UnixTime::parse_rfc3339(&predicate.time_verified).is_none() {
        return Err(VerdictError::Field("timeVerified"));
    }
    Ok(ReceivedVerdict {
        passed,
        subject_name: subject.name.clone().unwrap_or_default(),
        subject_digest,
        sequence,
        previous,
        resend_of: detail.resend_of,
        verifier: predicate.verifier.id,
        time: predicate.time_verified,
        reasons: detail
            .reasons
            .iter()
            .map(|reason| match &reason.file {
                Some(file) => format!("{}: {file}: {}", reason.code, reason.detail),
                None => format!("{}: {}", reason.code, reason.detail),
            })
            .collect(),
        files,
        method,
        hash,
        resigned,
        sources: detail
            .bundles
            .iter()
            .filter_map(|bundle| Sha256Digest::from_hex(bundle.sha256.as_deref()?))
            .collect(),
        attestations,
        payload: None,
    })
}

fn sha256(digest: &BTreeMap<String, String>) -> Option<Sha256Digest> {
    digest.get("sha256").and_then(|text| Sha256Digest::from_hex(text))
}

fn resigned<F>(detail: &Detail<F>) -> Result<Option<(Sha256Digest, Sha256Digest)>, VerdictError> {
    let Some(resigned) = &detail.resigned else { return Ok(None) };
    let digest = Sha256Digest::from_hex(&resigned.sha256);
    let key = Sha256Digest::from_hex(&resigned.key);
    digest.zip(key).map(Some).ok_or(VerdictError::Field("resigned"))
}

fn serialization<F>(detail: &Detail<F>) -> Result<(Method, HashAlgorithm), VerdictError> {
    let none = Ok((Method::Files, HashAlgorithm::Sha256));
    detail.serialization.as_ref().map_or(none, Serialization::read)
}

fn files(
    files: Vec<FileEntry<'_>>,
    method: Method,
    hash: HashAlgorithm,
    budget: &Budget,
) -> Result<Vec<(ManifestFile, u64)>, VerdictError> {
    files.iter().map(|file| file.read(method, hash, budget)).collect()
}

/// The attestations, each under the name that is the station's to give.
fn attestations<F>(detail: &Detail<F>) -> Result<Vec<ReceivedAttestation>, VerdictError> {
    let attestation = |(at, one): (usize, &AttestationDetail)| {
        let digest = Sha256Digest::from_hex(&one.sha256)?;
        let name = published_name(at.saturating_add(1), digest);
        let named = one.published.as_ref() == Some(&name);
        named.then_some(ReceivedAttestation { name, size: one.size, digest })
    };
    let all = detail.attestations.iter().enumerate().map(attestation);
    all.collect::<Option<_>>().ok_or(VerdictError::Field("attestations"))
}
