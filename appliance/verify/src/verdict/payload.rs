//! The verdict as an in-toto statement with the SLSA Verification Summary predicate.
//!
//! What SLSA does not define stands under one extension field, [`VERDICT_EXTENSION`].

use std::collections::BTreeMap;

use super::Verdict;
use super::schema::{
    AttestationDetail, BundleDetail, Detail, DigestOf, FilesOf, InputDetail, MediaDetail,
    PolicyDetail, Predicate, Protection, ReasonDetail, ResignedDetail, SerializationDetail,
    SignerDetail, VerdictStatement, Verifier,
};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::Certificate;
use crate::statement::{Manifest, Method, STATEMENT_TYPE};
use crate::time::UnixTime;

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
    pub clock: ClockStatus,
}

/// Where the time of a decision comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStatus {
    /// The system's clock as it stands.
    System,
    /// Whoever asked for the decision.
    Given,
    /// The system's clock, which was not behind the highest time that the station has seen.
    Guarded {
        /// The highest time.
        highest: UnixTime,
    },
}

impl ClockStatus {
    /// The word in a verdict.
    fn name(self) -> &'static str {
        match self {
            ClockStatus::System => "system",
            ClockStatus::Given => "given",
            ClockStatus::Guarded { .. } => "guarded",
        }
    }

    /// The highest time, where there is a guard.
    fn highest(self) -> Option<UnixTime> {
        match self {
            ClockStatus::System | ClockStatus::Given => None,
            ClockStatus::Guarded { highest } => Some(highest),
        }
    }
}

/// The payload to be signed as a verdict. The same input gives the same bytes.
pub fn compose(verdict: &Verdict, facts: &StationFacts<'_>) -> Vec<u8> {
    let passed = verdict.passed();
    let published = facts.resigned.as_ref().map(|resigned| resigned.manifest);
    let (subject_name, subject_digest) = subject(verdict, published);
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
                .filter_map(|(_, digest)| *digest)
                .chain(verdict.attestations_found.iter().copied())
                .map(DigestOf::sha256)
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

/// What a verdict is about: the model's name and root digest as it is published; for a bundle that
/// was never opened, the file's name and digest. `published` is the manifest of what is published.
pub fn subject(verdict: &Verdict, published: Option<&Manifest>) -> (String, Sha256Digest) {
    if let Some(manifest) = published {
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

fn detail<'a>(verdict: &'a Verdict, facts: &StationFacts<'_>) -> Detail<FilesOf<'a>> {
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
        attestations: verdict
            .attestations
            .iter()
            .enumerate()
            .map(|(at, one)| {
                let number = facts.resigned.is_some().then_some(at.saturating_add(1));
                AttestationDetail::new(one, number)
            })
            .collect(),
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
        files: FilesOf(&verdict.files),
        checks: verdict.checks.clone(),
        media: verdict.retries.map(|retries| MediaDetail { retries }),
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
        clock: facts.clock.name().to_owned(),
        clock_highest: facts.clock.highest().map(|time| time.to_string()),
        sandbox: facts.sandbox.to_owned(),
    }
}
