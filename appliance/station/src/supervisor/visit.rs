//! One visit of a carrier: its models, one after the other, and its end in the record.

use std::sync::Mutex;

use oms_sys::sealed::Sealed;
use oms_verify::pki::CrlFloors;
use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::Decision;

use super::{Event, Means, Observer, Served, locked};
use crate::cancel::Cancel;
use crate::chain::{self, Folder, Task};
use crate::clock::system_time;
use crate::handover::Survey;
use crate::journal::CarrierId;
use crate::media::Candidate;
use crate::outbound::{Intake, Outbound, Published};
use crate::progress::Progress;

/// A carrier that is recorded as present.
pub(super) struct Visit<'a> {
    pub(super) outbound: &'a Mutex<Outbound>,
    pub(super) id: CarrierId,
    /// What people know it by.
    pub(super) source: &'a str,
    /// The models that have their verdicts from before an interruption, by their paths, in order.
    pub(super) done: Vec<String>,
    /// What the CRLs that were used before rule out.
    pub(super) floors: CrlFloors,
    pub(super) means: &'a Means<'a>,
    pub(super) cancel: &'a Cancel,
}

impl Visit<'_> {
    /// Every model beneath `folder`. Gives the reasons that are no model's; none at all when it was
    /// stopped.
    pub(super) fn models(
        &self,
        folder: Folder<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Vec<Reason>>, Reason> {
        let Means { trust, policy, settings, scanner, is_sandboxed } = *self.means;
        let task = Task {
            carrier: folder,
            trust,
            floors: &self.floors,
            policy,
            settings,
            scanner,
            is_sandboxed,
        };
        let (found, sealed) = match chain::survey(&task, self.cancel) {
            Ok(found) => found,
            Err(reason) => return self.is_in_trouble(reason, observer),
        };
        let (candidates, own) = self.surveyed(found, observer);
        for (number, candidate) in candidates.iter().enumerate() {
            self.cancel.check()?;
            if self.is_done(candidate) {
                continue;
            }
            let progress = observer.begin(candidate);
            let done = self.model(&task, (&sealed, number, candidate), &progress);
            let summary = progress.summary();
            drop(progress);
            match done {
                Ok((path, decision, published)) => observer.tell(Event::Published {
                    path: &path,
                    decision: &decision,
                    published: &published,
                    summary: &summary,
                }),
                Err(reason) => {
                    let goes_on = observer.failed(candidate, &reason);
                    // A verdict that was begun and is not out: the next one must follow it.
                    if locked(self.outbound).is_unfinished()? || !goes_on {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(own))
    }

    /// What is wrong with a carrier as a whole is told and ends nothing else, unless it was cancelled.
    pub(super) fn is_in_trouble(
        &self,
        reason: Reason,
        observer: &mut dyn Observer,
    ) -> Result<Option<Vec<Reason>>, Reason> {
        self.cancel.check()?;
        observer.tell(Event::Troubled(std::slice::from_ref(&reason)));
        Ok(Some(vec![reason]))
    }

    /// Records the end, with the first of its `own` reasons, after the carrier was let go or was not.
    pub(super) fn end(
        self,
        mut own: Vec<Reason>,
        let_go: Result<(), Reason>,
        observer: &mut dyn Observer,
    ) -> Result<Served, Reason> {
        let served = match let_go {
            Ok(()) => Served::Released,
            Err(reason) => {
                observer.tell(Event::Troubled(std::slice::from_ref(&reason)));
                own.push(reason);
                Served::Held
            }
        };
        locked(self.outbound).journal.released(self.id, &own, system_time())?;
        if served == Served::Released {
            observer.tell(Event::Released);
        }
        Ok(served)
    }

    /// Tells what a survey found. Gives the models, and the reasons that are no model's.
    fn surveyed(
        &self,
        found: Survey,
        observer: &mut dyn Observer,
    ) -> (Vec<Candidate>, Vec<Reason>) {
        let Survey { candidates, attestations, mut reasons, mut unclaimed } = found;
        if candidates.is_empty() && reasons.is_empty() {
            let detail = "there is no OMS bundle (*.sig) on the carrier";
            reasons.push(Reason::new(Code::BundleMissing, detail).about(self.source));
        }
        observer.tell(Event::Troubled(&reasons));
        // Attestations beside a model are looked at with it, where the policy asks for any.
        let beside = !self.means.policy.attestations.is_empty()
            && candidates.iter().any(|candidate| !candidate.model.contains('/'));
        unclaimed.retain(|path| !(beside && attestations.at_top(path)));
        let models = candidates.iter().filter(|candidate| !self.is_done(candidate)).count();
        observer.tell(Event::Surveyed { models, unclaimed: &unclaimed });
        (candidates, reasons)
    }

    /// Whether it has its verdict from before an interruption.
    fn is_done(&self, candidate: &Candidate) -> bool {
        self.done.binary_search(&candidate.model).is_ok()
    }

    /// Brings one model from the carrier to an entry in outbound. Gives where it lay on the carrier,
    /// what was decided, and its entry.
    fn model(
        &self,
        task: &Task<'_>,
        one: (&Sealed, usize, &Candidate),
        progress: &Progress,
    ) -> Result<(String, Decision, Published), Reason> {
        let intake = locked(self.outbound).begin(self.id, &one.2.model)?;
        let id = intake.id;
        let served = self.into(intake, task, one, progress);
        served.or_else(|reason| locked(self.outbound).fail(id, reason))
    }

    /// The way of a model whose reading has been recorded.
    fn into(
        &self,
        intake: Intake,
        task: &Task<'_>,
        one: (&Sealed, usize, &Candidate),
        progress: &Progress,
    ) -> Result<(String, Decision, Published), Reason> {
        let time = locked(self.outbound).clock.now()?;
        let decided = chain::decide(task, one, &intake.quarantine, time, progress)?;
        let mut outbound = locked(self.outbound);
        // The last moment: what was begun to be published is ended.
        progress.check()?;
        outbound.crl_memory.keep(decided.floors.clone())?;
        let path = one.2.path(decided.elsewhere).to_owned();
        let (decision, published) = outbound.publish(decided, intake)?;
        Ok((path, decision, published))
    }
}
