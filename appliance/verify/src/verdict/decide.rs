//! The decision.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::judge::Judge;
use crate::appraise::{Admitted, Signer};
use crate::attestation::{AcceptedAttestation, AttestationOutcome};
use crate::hash::Sha256Digest;
use crate::observe::{Finding, Observed};
use crate::policy::Policy;
use crate::reason::{Code, Reason};
use crate::statement::{Manifest, ManifestFile};
use crate::time::UnixTime;

/// In which mode a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A station copied the files and decided about the copies.
    Ingest,
    /// The files were read where they lie and may have changed since.
    InPlace,
}

impl Mode {
    /// The word for the mode in a verdict.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Ingest => "ingest",
            Mode::InPlace => "in-place",
        }
    }
}

/// What became of one bundle of a model.
#[derive(Clone, Debug)]
pub struct BundleOutcome {
    /// The bundle's file name.
    pub file: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
    /// SHA-256 of the bytes that were read of it; `None` when it was too large to be read.
    pub digest: Option<Sha256Digest>,
    /// The admitted signer, or every reason against it.
    pub result: Result<Admitted, Vec<Reason>>,
}

/// All that a decision is made from.
#[derive(Debug)]
pub struct Case<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The time of the decision.
    pub time: UnixTime,
    /// The mode.
    pub mode: Mode,
    /// The name to use when no bundle could be opened: unsigned, for people to find the model.
    pub alleged_name: String,
    /// The model's bundles.
    pub bundles: Vec<BundleOutcome>,
    /// The attestations that were found for the model of an admitted bundle.
    pub attestations: Vec<AttestationOutcome>,
    /// How many more there were than the budget lets be looked at.
    pub attestations_left: usize,
    /// What was observed of the files; `None` when no bundle was admitted and none was read.
    pub observed: Option<Observed>,
    /// What content inspection found; every file with the signed digest must
    /// have a finding when content is restricted.
    pub findings: Vec<Finding>,
    /// The checks that content inspection ran.
    pub checks: Vec<String>,
    /// What the virus scanner calls itself and its signatures, where one was asked.
    pub scanner: Option<String>,
}

/// A decision about a model. Only [`decide`] makes one.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) time: UnixTime,
    pub(super) mode: Mode,
    pub(super) policy: Policy,
    pub(super) subject_name: String,
    pub(super) bundles: Vec<(String, Option<Sha256Digest>)>,
    pub(super) admitted: Vec<Admitted>,
    pub(super) attestations: Vec<AcceptedAttestation>,
    pub(super) attestations_found: Vec<Sha256Digest>,
    pub(super) files: Vec<(ManifestFile, u64)>,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<Reason>,
    pub(super) checks: Vec<String>,
    pub(super) scanner: Option<String>,
    pub(super) retries: Option<u32>,
}

impl Verdict {
    /// Whether the model passes.
    pub fn passed(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons for the refusal, at most [`MOST_OF_A_CODE`](crate::reason::MOST_OF_A_CODE) of
    /// each code and how many more there were; empty when the model passes.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What does not refuse and should be known, bounded like the reasons.
    pub fn warnings(&self) -> &[Reason] {
        &self.warnings
    }

    /// The model's signed name, or the alleged one when no bundle could be opened.
    pub fn subject_name(&self) -> &str {
        &self.subject_name
    }

    /// The time of the decision.
    pub fn time(&self) -> UnixTime {
        self.time
    }

    /// The mode of the decision.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The policy that decided.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The bundles that were found: file names and digests.
    pub fn bundles(&self) -> &[(String, Option<Sha256Digest>)] {
        &self.bundles
    }

    /// The attestations that a rule accepts, in the order in which they are published.
    pub fn attestations(&self) -> &[AcceptedAttestation] {
        &self.attestations
    }

    /// The signers that were admitted.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.admitted.iter().map(Admitted::signer)
    }

    /// The manifest that was decided about, when a bundle was admitted.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.admitted.first().map(|admitted| admitted.statement().manifest().as_ref())
    }

    /// The files that were read and have the signed digests, with their sizes in bytes.
    pub fn files(&self) -> &[(ManifestFile, u64)] {
        &self.files
    }

    /// The checks that content inspection ran.
    pub fn checks(&self) -> &[String] {
        &self.checks
    }

    /// How many reads of the carrier were repeated; `None` when no file was read.
    pub fn retries(&self) -> Option<u32> {
        self.retries
    }

    /// SHA-256 of the bundle whose manifest was decided about, when one was admitted.
    pub fn admitted_bundle(&self) -> Option<Sha256Digest> {
        self.admitted.first().map(Admitted::digest)
    }

    /// The root digest of the first admitted bundle as its signer listed the resources.
    pub fn source_root(&self) -> Option<Sha256Digest> {
        self.admitted.first().map(|admitted| admitted.statement().root())
    }
}

/// Decides.
pub fn decide(case: Case<'_>) -> Verdict {
    let Case {
        policy, time, mode, alleged_name, bundles, observed, findings, checks, scanner, ..
    } = case;
    let (attestations, attestations_left) = (case.attestations, case.attestations_left);
    let mut judge = Judge::new(policy);
    let found = bundles.iter().map(|bundle| (bundle.file.clone(), bundle.digest)).collect();
    // A bundle whose signer is admitted is no unsigned file; a refused one is.
    let in_model = |is_admitted: bool| -> BTreeSet<String> {
        let alike = bundles.iter().filter(|bundle| bundle.result.is_ok() == is_admitted);
        alike.filter_map(|bundle| bundle.in_model.clone()).collect()
    };
    let (mut counted, discounted) = (in_model(true), in_model(false));
    let (admitted, refused) = split(bundles);

    judge.signatures(&admitted, refused);
    if !admitted.is_empty() {
        judge.attestations(&attestations, attestations_left);
    }
    let attestations_found = attestations.iter().filter_map(AttestationOutcome::found).collect();
    let attestations: Vec<_> = attestations.into_iter().filter_map(|one| one.accepted).collect();
    counted.extend(attestations.iter().filter_map(|one| one.source.in_model.clone()));
    let retries = observed.as_ref().map(|observed| observed.retries);
    let mut files = Vec::new();
    match (admitted.first(), observed) {
        (Some(first), Some(observed)) => {
            let manifest = first.statement().manifest();
            files = judge.files(manifest, &observed);
            judge.unlisted(&observed, &counted, &discounted);
            judge.content(&files, &findings);
            judge.reasons.append(observed.problems);
        }
        // Deny by default: a decision without an observation is a refusal, whatever was admitted.
        (Some(first), None) if judge.reasons.is_empty() => {
            let detail = "no file of the model was read";
            judge.reasons.push(Reason::new(Code::ManifestMissingFile, detail).about(first.file()));
        }
        _ => {}
    }
    // An admitted model is named after signed data or, in the legacy format, which signs no name,
    // by a constant: never after the carrier's folder.
    let subject_name = match admitted.first() {
        Some(admitted) => admitted.statement().subject_name().unwrap_or("model").to_owned(),
        None => alleged_name,
    };
    let Judge { reasons, warnings, .. } = judge;
    Verdict {
        time,
        mode,
        policy: policy.clone(),
        subject_name,
        bundles: found,
        admitted,
        attestations,
        attestations_found,
        files,
        reasons: reasons.into_vec(),
        warnings: warnings.into_vec(),
        checks,
        scanner,
        retries,
    }
}

fn split(bundles: Vec<BundleOutcome>) -> (Vec<Admitted>, Vec<Vec<Reason>>) {
    let mut admitted = Vec::new();
    let mut refused = Vec::new();
    for bundle in bundles {
        match bundle.result {
            Ok(one) => admitted.push(one),
            Err(reasons) => refused.push(reasons),
        }
    }
    (admitted, refused)
}
