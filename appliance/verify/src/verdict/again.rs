//! A verdict that was given, read back as the decision that it was composed from: a station sends a
//! model again by the old decision, not by a new one.

use std::collections::BTreeMap;

use super::files::FileEntry;
use super::schema::{DigestOf, VerdictStatement};
use super::{Decision, Mode, VERDICT_PREDICATE_TYPE, VerdictError};
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::json;
use crate::statement::{ManifestFile, STATEMENT_TYPE};
use crate::time::UnixTime;

/// A decision, and what else its station's verdict said that is not about the verdict itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The decision, with its time, under no new name: `resend_of` is absent.
    pub decision: Decision,
    /// Its files.
    pub files: Vec<(ManifestFile, u64)>,
    /// What held the processes that made it.
    pub sandbox: String,
    /// The highest time that the station had seen.
    pub highest: UnixTime,
}

impl Given {
    /// Reads the payload of a verdict of this very station, of a model that passed. Whether it is
    /// that payload is for the caller to know: its record has the digest.
    ///
    /// `admitted` is the SHA-256 of the source's bundle, and `annotations` are what the policy adds to
    /// the re-signed one; neither stands in a verdict.
    ///
    /// # Errors
    /// When it is not the payload of such a verdict, or names no bundle with this digest.
    pub fn read(
        payload: &[u8],
        admitted: Sha256Digest,
        annotations: BTreeMap<String, String>,
    ) -> Result<Self, VerdictError> {
        // The policy's budget was kept to when it was decided.
        let budget = Budget { resources: usize::MAX, ..Budget::default() };
        let statement: VerdictStatement<Vec<FileEntry<'_>>> =
            json::from_slice(payload, budget.json_depth)?;
        let predicate = statement.predicate;
        let detail = predicate.detail;
        let wrong = VerdictError::Field;
        if statement.kind != STATEMENT_TYPE
            || statement.predicate_type != VERDICT_PREDICATE_TYPE
            || detail.mode != Mode::Ingest.name()
            || predicate.verification_result != "PASSED"
        {
            return Err(wrong("verificationResult"));
        }
        let [subject] = statement.subject.as_slice() else { return Err(wrong("subject")) };
        let digest = |of: &DigestOf| Sha256Digest::from_hex(of.digest.get("sha256")?);
        let serialization = detail.serialization.ok_or(wrong("serialization"))?;
        let (method, hash) = serialization.read()?;
        let files = detail.files.iter().map(|file| file.read(method, hash, &budget));
        let files: Vec<_> = files.collect::<Result<_, _>>()?;
        let named = detail.bundles.iter().filter_map(|bundle| bundle.sha256.clone());
        let named: Vec<_> = named.collect();
        if !named.contains(&admitted.to_hex()) {
            return Err(wrong("bundles"));
        }
        // The bundles come first, then the attestations.
        let found = predicate.input_attestations.iter().skip(named.len()).map(digest);
        let found = found.collect::<Option<_>>().ok_or(wrong("inputAttestations"))?;
        let time = |text: &str| UnixTime::parse_rfc3339(text);
        let decision = Decision {
            time: time(&predicate.time_verified).ok_or(wrong("timeVerified"))?,
            mode: Mode::Ingest,
            model: subject.name.clone().unwrap_or_default(),
            policy: detail.policy,
            revocation: detail.revocation,
            annotations,
            bundles: detail.bundles,
            admitted_bundle: Some(admitted),
            attestations_found: found,
            signers: detail.signers,
            attestations: detail.attestations.into_iter().map(|one| one.numbered(None)).collect(),
            serialization: Some(serialization),
            source_root: detail.source_root.as_deref().and_then(Sha256Digest::from_hex),
            root: digest(subject),
            listed: files.len(),
            matching: files.len(),
            bytes: files.iter().map(|(_, size)| *size).fold(0, u64::saturating_add),
            checks: detail.checks,
            scanner: detail.scanner,
            retries: detail.media.map(|media| media.retries),
            reasons: detail.reasons,
            warnings: detail.warnings,
            resend_of: None,
        };
        // By the rules of a decision, and not only of a verdict.
        let decision = Decision::read(&decision.to_vec())?;
        let highest = detail.clock_highest.as_deref().and_then(time).unwrap_or(decision.time);
        Ok(Given { decision, files, sandbox: detail.sandbox, highest })
    }
}
