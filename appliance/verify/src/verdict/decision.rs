//! A decision as it is written down: what a station signs, without the list of files, which may be
//! long and goes beside it.
//!
//! ```text
//!  decide ──▶ Verdict ──▶ Decision ──▶ (another process) ──▶ compose ──▶ payload
//!                    └──▶ files    ──▶ (the same way)    ──┘
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::files::Serialization;
use super::schema::{
    AttestationDetail, BundleDetail, InputDetail, PolicyDetail, ReasonDetail, SignerDetail,
};
use super::{Mode, Verdict, VerdictError};
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::json;
use crate::reason::{Code, Reason};
use crate::statement::{Manifest, ManifestFile};
use crate::time::UnixTime;

/// What was decided about one model, and from what.
///
/// [`Verdict::decision`] makes one. [`Decision::read`] reads one that another process of the same
/// station made: who may hand one over is for the station to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// The time of the decision.
    pub time: UnixTime,
    /// The mode of the decision.
    pub mode: Mode,
    /// The model's signed name, or the alleged one when no bundle could be opened.
    pub model: String,
    /// The policy that decided, with all that it drew in.
    pub policy: PolicyDetail,
    /// `[revocation] mode`.
    pub revocation: String,
    /// What the policy adds to the re-signed bundle.
    pub annotations: BTreeMap<String, String>,
    /// The bundles that were found.
    pub bundles: Vec<BundleDetail>,
    /// SHA-256 of the bundle whose manifest was decided about.
    pub admitted_bundle: Option<Sha256Digest>,
    /// SHA-256 of every attestation that was found and could be read.
    pub attestations_found: Vec<Sha256Digest>,
    /// The signers that were admitted.
    pub signers: Vec<SignerDetail>,
    /// The attestations that a rule accepts, in the order in which they are published.
    pub attestations: Vec<AttestationDetail>,
    /// How the files are hashed, when a bundle was admitted.
    pub serialization: Option<Serialization>,
    /// The root digest as the source's signer listed the resources.
    pub source_root: Option<Sha256Digest>,
    /// The root digest of the same resources in the order in which they are published.
    pub root: Option<Sha256Digest>,
    /// How many files the manifest lists.
    pub listed: usize,
    /// How many of them were read and have the signed digests.
    pub matching: usize,
    /// Bytes of these together.
    pub bytes: u64,
    /// The checks that content inspection ran.
    pub checks: Vec<String>,
    /// What the virus scanner calls itself and its signatures, where one was asked.
    pub scanner: Option<String>,
    /// How many reads of the carrier were repeated; `None` when no file was read.
    pub retries: Option<u32>,
    /// The reasons for the refusal; empty when the model passes.
    pub reasons: Vec<ReasonDetail>,
    /// What does not refuse and should be known.
    pub warnings: Vec<ReasonDetail>,
    /// The number of the verdict that this decision was given by before: its model is sent again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resend_of: Option<u64>,
}

impl Verdict {
    /// The decision, with the SHA-256 of every CRL that was at hand.
    pub fn decision(&self, crls: &[Sha256Digest]) -> Decision {
        let policy = &self.policy;
        let hex = |digest: &Sha256Digest| digest.to_hex();
        let input = |input: &crate::policy::PolicyInput| InputDetail {
            kind: input.kind.to_owned(),
            name: input.name.clone(),
            sha256: hex(&input.sha256),
        };
        let bundle = |(file, digest): &(String, Option<Sha256Digest>)| BundleDetail {
            file: file.clone(),
            sha256: digest.as_ref().map(hex),
        };
        Decision {
            time: self.time,
            mode: self.mode,
            model: self.subject_name.clone(),
            policy: PolicyDetail {
                id: policy.id.clone(),
                version: policy.version,
                sha256: hex(&policy.digest),
                inputs: policy.inputs.iter().map(input).collect(),
                crls: crls.iter().map(hex).collect(),
            },
            revocation: policy.revocation.mode.to_string(),
            annotations: policy.resign.annotations.clone(),
            bundles: self.bundles.iter().map(bundle).collect(),
            admitted_bundle: self.admitted_bundle(),
            attestations_found: self.attestations_found.clone(),
            signers: self.signers().map(SignerDetail::from).collect(),
            attestations: self.attestations.iter().map(AttestationDetail::from).collect(),
            serialization: self.manifest().map(Serialization::from),
            source_root: self.source_root(),
            root: self.manifest().map(Manifest::root),
            listed: self.manifest().map_or(0, |manifest| manifest.files().len()),
            matching: self.files.len(),
            bytes: self.files.iter().map(|(_, size)| size).sum(),
            checks: self.checks.clone(),
            scanner: self.scanner.clone(),
            retries: self.retries,
            reasons: details(&self.reasons),
            warnings: details(&self.warnings),
            resend_of: None,
        }
    }
}

fn details(reasons: &[Reason]) -> Vec<ReasonDetail> {
    reasons.iter().map(ReasonDetail::from).collect()
}

impl Decision {
    /// Reads a decision that another process wrote as JSON.
    ///
    /// # Errors
    /// When it is not one: other fields, a code that is in no table, a digest that is none, a pass
    /// without an admitted bundle.
    pub fn read(bytes: &[u8]) -> Result<Self, VerdictError> {
        let decision: Decision = json::from_slice(bytes, Budget::default().json_depth)?;
        let mut reasons = decision.reasons.iter().chain(&decision.warnings);
        if reasons.any(|reason| Code::from_id(&reason.code).is_none()) {
            return Err(VerdictError::Field("reasons"));
        }
        // The station names entries and files by these.
        let is_digest = |text: &str| Sha256Digest::from_hex(text).is_some();
        if !decision.bundles.iter().filter_map(|one| one.sha256.as_deref()).all(is_digest) {
            return Err(VerdictError::Field("bundles"));
        }
        if !decision.attestations.iter().all(|one| is_digest(&one.sha256)) {
            return Err(VerdictError::Field("attestations"));
        }
        let is_admitted = decision.admitted_bundle.is_some()
            && decision.serialization.is_some()
            && !decision.signers.is_empty();
        let is_whole = decision.listed > 0 && decision.matching == decision.listed;
        if decision.passed() && !(is_admitted && is_whole) {
            return Err(VerdictError::Field("reasons"));
        }
        Ok(decision)
    }

    /// Its JSON. The same decision gives the same bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        json::to_vec(self)
    }

    /// Whether the model passes.
    pub fn passed(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The manifest of what is published: exactly the files of a decision that passed, without the
    /// source's ignored paths, since nothing of them is there. `None` when nothing is.
    ///
    /// # Errors
    /// When `files` are not those of the decision.
    pub fn released(
        &self,
        files: &[(ManifestFile, u64)],
        budget: &Budget,
    ) -> Result<Option<Manifest>, VerdictError> {
        let Some(serialization) = self.serialization.as_ref().filter(|_| self.passed()) else {
            return Ok(None);
        };
        if files.len() != self.matching {
            return Err(VerdictError::Field("files"));
        }
        let (method, hash) = serialization.read()?;
        let files = files.iter().map(|(file, _)| file.clone()).collect();
        let manifest = Manifest::new(hash, method, Vec::new(), files, budget)?;
        if self.root != Some(manifest.root()) {
            return Err(VerdictError::Field("files"));
        }
        Ok(Some(manifest))
    }
}
