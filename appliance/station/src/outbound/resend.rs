//! Sending a model again that is still kept: a new entry, under a new number, by the old decision.
//!
//! ```text
//!  journal: decision N, its payload's digest ─▶ archive: that verdict ─▶ the decision it states
//!                                              its policy is today's?
//!  spool/kept/<entry N>/ ──hard links──▶ spool/ingest-resend-N/ ──hashed again──▶ as decided?
//!     └─ the way of every decision: number, payload with `resendOf`, signatures, archive, rename
//! ```
//!
//! Nothing is appraised again: the time of the decision stays, with the CRLs that were at hand then.
//! So it is only done while the policy is the one that decided. Who wants today's answer about the
//! signer brings the carrier again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{BeneathError, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;
use oms_verify::hash::{HashAlgorithm, Sha256Digest};
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Method, Pieces};
use oms_verify::verdict::{Decision, Given};

use super::{Outbound, Published, VERDICT, keep, name_of};
use crate::config::Profile;
use crate::handover::{self, files_to_json, sealed_with};
use crate::intake::{self, ATTESTATIONS, Quarantine, Reading, SOURCE, Source, refusal_or_failure};
use crate::journal::{IntakeId, Kept, Origin, Sent};
use crate::progress::Progress;
use crate::storage::failed;

/// Bytes of a verdict, a bundle or an attestation in the station's own folders.
const PAPER: u64 = 1 << 30;

/// The policy by which a model may be sent again: today's.
#[derive(Debug)]
pub struct Today<'a> {
    /// SHA-256 of its text.
    pub policy: Sha256Digest,
    /// What it adds to re-signed bundles.
    pub annotations: &'a BTreeMap<String, String>,
    /// Its limits, within which it decided.
    pub budget: &'a Budget,
}

impl Outbound {
    /// Publishes the model of decision `sequence` once more, under a new number.
    ///
    /// # Errors
    /// When there is no such decision, it was a refusal or a resend itself, its model is kept no
    /// longer or has changed, or another policy decided; and as [`Outbound::publish`]. No number is
    /// used unless the decision is begun.
    pub fn resend(
        &mut self,
        sequence: u64,
        today: &Today<'_>,
        reading: &Reading<'_>,
    ) -> Result<(Decision, Published), Reason> {
        self.check_unused(self.journal.next()?)?;
        let (sent, kept) = self.to_be_sent(sequence)?;
        let place = keep::folder(&self.spool, &kept);
        let given = self.given(&sent, &place, today)?;
        let quarantine = self.linked(sequence, &place, given.decision.bytes)?;
        check_files(quarantine.folder(), &given, today.budget, reading)?;
        let Given { mut decision, files, sandbox, highest } = given;
        decision.resend_of = Some(sequence);
        // The last moment: what was begun to be published is ended.
        reading.progress.check()?;
        let origin = Origin::ResendOf(sequence);
        let listed = sealed_with(|writer| files_to_json(&files, writer))?;
        let made = handover::made(&decision.to_vec(), listed.as_slice(), &sandbox, highest)?;
        drop(listed);
        let published = self.issue(&decision, made, origin, quarantine)?;
        Ok((decision, published))
    }

    /// The decision, if its model can be sent again.
    fn to_be_sent(&self, sequence: u64) -> Result<(Sent, Kept), Reason> {
        let wrong = |code, detail: String| Err(Reason::new(code, detail));
        let Some(sent) = self.journal.sent(sequence)? else {
            return wrong(Code::ResendUnknown, format!("there is no verdict {sequence}"));
        };
        if !sent.passed {
            return wrong(Code::ResendRefused, format!("verdict {sequence} is a refusal"));
        }
        if let Some(first) = sent.resend_of {
            let detail = format!("verdict {sequence} sent the model of verdict {first} again");
            return wrong(Code::ResendUnknown, format!("{detail}: resend {first}"));
        }
        match sent.kept.clone() {
            Some(kept) => Ok((sent, kept)),
            None => wrong(Code::ResendGone, format!("the model of verdict {sequence} is not kept")),
        }
    }

    /// What was decided, in the words of the verdict that the archive has.
    fn given(&self, sent: &Sent, place: &Path, today: &Today<'_>) -> Result<Given, Reason> {
        let path = self.journal.archive().folder(name_of(&sent.entry)).join(VERDICT);
        let damaged = |detail: String| {
            Reason::new(Code::StateDamaged, detail).about(path.display().to_string())
        };
        let bytes = crate::bounded::read(&path, PAPER)
            .map_err(|error| failed("reading the archive", &error, &path))?;
        let budget = Budget { resources: usize::MAX, bundle_bytes: PAPER, ..Budget::default() };
        let bundle = Bundle::parse(&bytes, &budget).map_err(|error| damaged(error.to_string()))?;
        let payload = bundle.alleged_payload();
        if Sha256Digest::of(payload) != sent.payload {
            return Err(damaged("it is not the verdict that the journal knows".to_owned()));
        }
        let root =
            Root::open(place).map_err(|error| failed("opening a kept model", &error, place))?;
        let source = digest_of(&root, SOURCE)?;
        let given = Given::read(payload, source, today.annotations.clone()).map_err(|error| {
            let detail = format!("the kept bundle or the verdict is not what was: {error}");
            Reason::new(Code::ResendChanged, detail).about(SOURCE)
        })?;
        if given.decision.policy.sha256 != today.policy.to_hex() {
            let policy = &given.decision.policy;
            let detail = format!(
                "{} version {}, SHA-256 {}, decided; today's policy has SHA-256 {}",
                policy.id, policy.version, policy.sha256, today.policy
            );
            return Err(Reason::new(Code::ResendPolicy, detail));
        }
        Ok(given)
    }

    /// A quarantine whose files are the kept ones.
    fn linked(&self, sequence: u64, place: &Path, bytes: u64) -> Result<Quarantine, Reason> {
        if let Some(room) = self.room()?.filter(|room| bytes > *room) {
            let detail = format!("the model has {bytes} bytes, the quota leaves {room}");
            return Err(Reason::new(Code::OutboundQuota, detail));
        }
        let name = format!("{}resend-{sequence}", IntakeId::FOLDER);
        let quarantine = Quarantine::create(&self.spool, &name)?;
        if self.profile == Profile::Tar {
            // It is a second copy, and must not fail after the number is used.
            quarantine.reserve(bytes, 0)?;
        }
        keep::copy(place, quarantine.folder())
            .map_err(|error| failed("linking a kept model", &error, place))?;
        Ok(quarantine)
    }
}

/// The files are those of the decision, each with its size and its digests, and there is no other.
fn check_files(
    folder: &Path,
    given: &Given,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<(), Reason> {
    let changed =
        |detail: &str, name: &str| Err(Reason::new(Code::ResendChanged, detail).about(name));
    let opening = |error: std::io::Error| failed("opening a kept model", &error, folder);
    let root = Root::open(folder).map_err(opening)?;
    let released = given.decision.released(&given.files, budget);
    let manifest = released
        .map_err(|error| Reason::new(Code::StateDamaged, error.to_string()))?
        .ok_or_else(|| Reason::new(Code::StateDamaged, "the decision releases nothing"))?;
    let model =
        root.directory(intake::MODEL).map_err(|error| refusal_or_failure(error, intake::MODEL))?;
    let source = Source::Folder(Arc::new(model));
    let observed = intake::read(&source, &Arc::new(manifest), &[], budget, None, reading)?;
    if let Some(problem) = observed.problems.into_vec().into_iter().next() {
        let name = problem.file.clone().unwrap_or_default();
        return changed(&problem.to_string(), &name);
    }
    if let Some(other) = observed.unlisted.first() {
        return changed("it was not there when the model was decided about", &other.path);
    }
    for (file, size) in &given.files {
        match observed.files.get(&file.path) {
            Some(seen) if seen.size == *size && seen.pieces == file.pieces => {}
            _ => {
                return changed(
                    "its bytes are not those that were decided about",
                    file.path.as_str(),
                );
            }
        }
    }
    for (at, attestation) in given.decision.attestations.iter().enumerate() {
        let name = attestation.clone().numbered(Some(at.saturating_add(1))).published;
        let name = format!("{ATTESTATIONS}/{}", name.unwrap_or_default());
        if digest_of(&root, &name)?.to_hex() != attestation.sha256 {
            return changed("its bytes are not those that were decided about", &name);
        }
    }
    Ok(())
}

/// The SHA-256 of a kept file beside the model.
fn digest_of(root: &Root, name: &str) -> Result<Sha256Digest, Reason> {
    let changed = |detail: String| Reason::new(Code::ResendChanged, detail).about(name);
    let file = root.file(name).map_err(|error| match error {
        BeneathError::Io(_) => refusal_or_failure(error, name),
        other => changed(other.to_string()),
    })?;
    if file.size() > PAPER {
        return Err(changed(format!("it has {} bytes", file.size())));
    }
    let (hash, method) = (HashAlgorithm::Sha256, Method::Files);
    let (_, pieces) = intake::hash_file(&file, hash, method, &Progress::hidden(), |_| Ok(()))
        .map_err(|reason| reason.about(name))?;
    let whole = match &pieces {
        Pieces::Whole(digest) => digest.as_bytes().try_into().ok().map(Sha256Digest),
        Pieces::Shards(_) => None,
    };
    whole.ok_or_else(|| changed("it has no digest".to_owned()))
}
