//! Recovery: what a crash, or an HSM that was away, left begun is ended as it was begun.

use std::io;

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};

use super::release::out_folder;
use super::stated::StatedPlace;
use super::{Begun, Outbound, Published, VERDICT, keep, name_of};
use crate::clock::system_time;
use crate::handover;
use crate::intake::Reading;
use crate::journal::{IntakeId, Numbered, Payload, Step, Unfinished};
use crate::progress::Progress;
use crate::receive::{ReceiverTrust, check_entry};
use crate::storage::failed;

impl Outbound {
    /// Ends what a crash left: publishes the decisions that were begun, in order, and removes
    /// quarantines that nobody owns. `progress` is asked for when there is something to be read.
    ///
    /// # Errors
    /// When that fails, or is cancelled. Nothing new may be begun before.
    pub fn recover(
        &mut self,
        progress: impl FnMut() -> Progress,
    ) -> Result<Vec<Published>, Reason> {
        let ended = self.catch_up(progress)?;
        self.sweep()?;
        keep::expire(&self.spool, &mut self.journal, system_time())?;
        self.journal.interrupt(system_time())?;
        Ok(ended)
    }

    /// Publishes the decisions that were begun and are not out, in order.
    ///
    /// # Errors
    /// When that fails, or is cancelled.
    pub fn catch_up(
        &mut self,
        mut progress: impl FnMut() -> Progress,
    ) -> Result<Vec<Published>, Reason> {
        let mut ended = Vec::new();
        for unfinished in self.journal.unfinished()? {
            let written = match unfinished.step {
                Step::Begun => None,
                Step::Composed | Step::Signed => Some(self.journal.payload(&unfinished)?),
            };
            self.check_begun(&unfinished, written.as_ref())?;
            let decision = &unfinished.decision;
            let sequence = decision.sequence;
            if decision.folder.is_dir() {
                let payload = match written {
                    // What may have gone out in part goes on with the verdict that it began with.
                    Some(payload) if out_folder(&decision.folder).is_dir() => payload,
                    written => {
                        let made = handover::sealed_copy(&self.journal.made(&unfinished)?)?;
                        self.sign(decision, made, written.as_ref())?
                    }
                };
                let begun = Begun { decision: unfinished.decision, payload };
                self.check_staged(&begun, &progress())?;
                ended.push(self.release(begun)?);
            } else if let Some(verdict) = self.archived_verdict(decision)? {
                // The archive is complete before the rename, and nothing but the rename takes
                // the folder out of the spool: it was published, and perhaps sent already.
                self.journal.signed(sequence, verdict)?;
                self.journal.published(sequence, system_time())?;
            } else {
                let detail = "the staged entry is gone";
                let reason = Reason::new(Code::StateDamaged, detail);
                return Err(reason.about(decision.folder.display().to_string()));
            }
        }
        Ok(ended)
    }

    /// The SHA-256 of the verdict that the archive keeps of a decision.
    fn archived_verdict(&self, decision: &Numbered) -> Result<Option<Sha256Digest>, Reason> {
        let name = name_of(&decision.entry);
        let path = self.journal.archive().folder(name).join(VERDICT);
        match std::fs::read(&path) {
            Ok(verdict) => Ok(Some(Sha256Digest::of(&verdict))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("reading the archive", &error, &path)),
        }
    }

    /// A decision that was begun is ended where and as it was begun, or not at all: the record
    /// alone does not make a payload worth signing.
    fn check_begun(
        &self,
        unfinished: &Unfinished,
        payload: Option<&Payload>,
    ) -> Result<(), Reason> {
        let Unfinished { decision, previous, .. } = unfinished;
        let expected = previous.map(|previous| StatedPlace {
            sequence: decision.sequence,
            previous: previous.to_hex(),
            verifier: decision.verifier.clone(),
        });
        let stated = payload.and_then(|payload| StatedPlace::of(payload.as_str()));
        let number = format!("{:012}-", decision.sequence);
        let named = name_of(&decision.entry).to_str().is_some_and(|name| name.starts_with(&number));
        if expected.is_some() != payload.is_some() || stated != expected || !named {
            let detail = "a payload that was begun is not the one of its place in the record";
            return Err(Reason::new(Code::StateDamaged, detail));
        }
        let other = [
            ("station.id", decision.verifier == self.id),
            ("the verdict key", decision.key == self.signer.key().fingerprint()),
            ("station.spool", decision.folder.parent() == Some(&self.spool)),
            ("station.outbound", decision.entry.parent() == Some(&self.outbound)),
        ]
        .into_iter()
        .find(|(_, same)| !same);
        match other {
            None => Ok(()),
            Some((setting, _)) => {
                let detail = format!(
                    "decision {} was begun with another value of {setting}",
                    decision.sequence
                );
                let place = decision.entry.display().to_string();
                Err(Reason::new(Code::StateUnfinished, detail).about(place))
            }
        }
    }

    /// What lay in the spool over a crash is looked at as the receiving side will.
    fn check_staged(&mut self, begun: &Begun, progress: &Progress) -> Result<(), Reason> {
        let trust = ReceiverTrust::Key(self.signer.key().clone());
        let time = self.clock.now()?;
        let reading = Reading::plain(progress);
        let checked = check_entry(&begun.decision.folder, &self.id, &trust, time, &reading);
        let checked = checked.map_err(damaged)?;
        match checked.reasons.into_iter().find(|reason| reason.code != Code::VerdictFailed) {
            Some(reason) => Err(damaged(reason)),
            None => Ok(()),
        }
    }

    fn sweep(&self) -> Result<(), Reason> {
        let entries = std::fs::read_dir(&self.spool)
            .map_err(|error| failed("reading the spool", &error, &self.spool))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed("reading the spool", &error, &self.spool))?;
            if entry.file_name().as_encoded_bytes().starts_with(IntakeId::FOLDER.as_bytes()) {
                std::fs::remove_dir_all(entry.path())
                    .map_err(|error| failed("clearing the spool", &error, &entry.path()))?;
            }
        }
        Ok(())
    }
}

/// A staged entry that is not what was decided about, unless looking at it was cancelled. Nothing of
/// it goes out.
fn damaged(reason: Reason) -> Reason {
    if reason.code == Code::IntakeCancelled {
        // Nothing was found: the next run looks again.
        return reason;
    }
    let detail = format!("what was begun is not what is in the spool: {reason}");
    Reason { code: Code::StateDamaged, detail, ..reason }
}
