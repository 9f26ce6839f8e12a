//! The verdict as an in-toto statement with the SLSA Verification Summary predicate.
//!
//! What SLSA does not define stands under one extension field, [`VERDICT_EXTENSION`].

use std::collections::BTreeMap;

use super::files::{FilesOf, Serialization};
use super::schema::{
    AttestationDetail, Detail, DigestOf, MediaDetail, Predicate, Protection, ResignedDetail,
    VerdictStatement, Verifier,
};
use super::{Decision, Mode};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::Certificate;
use crate::statement::{Manifest, ManifestFile, STATEMENT_TYPE};
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
    /// What held the processes that decided: `none` when nothing did.
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

/// The payload to be signed as a verdict about a model with these files, those that were read and
/// have the signed digests. The same input gives the same bytes.
pub fn compose(
    decision: &Decision,
    files: &[(ManifestFile, u64)],
    facts: &StationFacts<'_>,
) -> Vec<u8> {
    let passed = decision.passed();
    let (subject_name, subject_digest) = subject(decision);
    let policy = &decision.policy;
    let found = decision.bundles.iter().filter_map(|bundle| bundle.sha256.clone());
    let attestations = decision.attestations_found.iter().map(|digest| digest.to_hex());
    let statement = VerdictStatement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![DigestOf { name: Some(subject_name), ..DigestOf::sha256(subject_digest) }],
        predicate_type: VERDICT_PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            verifier: Verifier {
                id: facts.verifier.to_owned(),
                version: BTreeMap::from([("oms-appliance".to_owned(), facts.version.to_owned())]),
            },
            time_verified: decision.time.to_string(),
            resource_uri: format!("urn:oms-appliance:model:sha256:{subject_digest}"),
            policy: DigestOf {
                uri: Some(format!("urn:oms-appliance:policy:{}:{}", policy.id, policy.version)),
                ..DigestOf::of_hex(policy.sha256.clone())
            },
            input_attestations: found.chain(attestations).map(DigestOf::of_hex).collect(),
            verification_result: if passed { "PASSED" } else { "FAILED" }.to_owned(),
            verified_levels: vec![
                if passed { "SLSA_BUILD_LEVEL_UNEVALUATED" } else { "FAILED" }.to_owned(),
            ],
            detail: detail(decision, files, facts),
        },
    };
    crate::json::to_vec(&statement)
}

/// What a verdict is about: the model's name and root digest, as it is published when it passes; for
/// a bundle that was never opened, the file's name and digest.
pub fn subject(decision: &Decision) -> (String, Sha256Digest) {
    let published = decision.root.filter(|_| decision.passed() && decision.mode == Mode::Ingest);
    if let Some(root) = published.or(decision.source_root) {
        return (decision.model.clone(), root);
    }
    match decision.bundles.first() {
        Some(bundle) => {
            let digest = bundle.sha256.as_deref().and_then(Sha256Digest::from_hex);
            (bundle.file.clone(), digest.unwrap_or(Sha256Digest::ZERO))
        }
        None => (decision.model.clone(), Sha256Digest::ZERO),
    }
}

fn detail<'a>(
    decision: &Decision,
    files: &'a [(ManifestFile, u64)],
    facts: &StationFacts<'_>,
) -> Detail<FilesOf<'a>> {
    let resigned = facts.resigned.as_ref();
    let published = |(at, one): (usize, &AttestationDetail)| {
        let number = resigned.is_some().then_some(at.saturating_add(1));
        one.clone().numbered(number)
    };
    Detail {
        mode: decision.mode.name().to_owned(),
        sequence: facts.ledger.map(|ledger| ledger.sequence),
        previous: facts.ledger.map(|ledger| ledger.previous.to_hex()),
        resend_of: decision.resend_of,
        policy: decision.policy.clone(),
        reasons: decision.reasons.clone(),
        warnings: decision.warnings.clone(),
        bundles: decision.bundles.clone(),
        signers: decision.signers.clone(),
        attestations: decision.attestations.iter().enumerate().map(published).collect(),
        serialization: match resigned {
            Some(resigned) => Some(Serialization::from(resigned.manifest)),
            None => decision.serialization.clone(),
        },
        source_root: decision.source_root.map(Sha256Digest::to_hex),
        files: FilesOf(files),
        checks: decision.checks.clone(),
        scanner: decision.scanner.clone(),
        media: decision.retries.map(|retries| MediaDetail { retries }),
        revocation: decision.revocation.clone(),
        resigned: resigned.map(|resigned| ResignedDetail {
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
