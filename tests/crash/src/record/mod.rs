//! What is known of a station from outside, and what must hold of it after each crash.
//!
//! ```text
//!  outbound ──┐
//!  journal  ──┤ each against what was seen before, against the others,
//!  signer   ──┤ and against what was on the carriers
//!  archive  ──┤
//!  spool    ──┘
//! ```

mod entry;
mod journal;
mod signer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use oms_station::receive::ReceiverTrust;
use oms_station::trust::{Anchors, Guard};
use oms_testkit::run;
use oms_tests::scene::{STATION, Scene, appliance};

pub(crate) use self::entry::Originals;
use self::entry::{Seen, belong_together, beside, digests};
pub(crate) use self::journal::to_be_sent_again;
use self::journal::{Decision, Journal};
use self::signer::Line;
use crate::stage::{Carrier, Stage};
use crate::violation::Violation;

/// What is archived of a model that passed, and of one that did not.
const PASSED: [&str; 3] = ["model.sig", "source.sig", VERDICT];
const REFUSED: [&str; 1] = [VERDICT];
const VERDICT: &str = "verdict.sigstore.json";
/// The folders of intakes in the spool.
const INTAKE: &str = "ingest-";
/// The folder of kept models in the spool.
const KEPT: &str = "kept";

/// What was ever seen of a station.
#[derive(Debug)]
pub(crate) struct Record {
    trust: ReceiverTrust,
    originals: Originals,
    /// Whether models are kept.
    keeps: bool,
    /// By number.
    verdicts: BTreeMap<u64, Verdict>,
    /// By number, the payloads that were visible.
    promised: BTreeMap<u64, String>,
    /// By number, as the journal has it.
    decisions: BTreeMap<u64, Decision>,
    /// What the signer wrote down.
    signed: Vec<Line>,
    /// Whether a sender took anything.
    is_taken: bool,
}

/// A verdict that was in outbound.
#[derive(Debug, Default)]
struct Verdict {
    /// SHA-256 of its payload.
    payload: String,
    /// The payload before it.
    previous: String,
    /// What was in outbound, by name.
    names: BTreeMap<String, Seen>,
    /// Those that a sender took.
    taken: BTreeSet<String>,
}

impl Record {
    /// Nothing was seen yet.
    ///
    /// # Panics
    /// When the station's roots cannot be read.
    pub(crate) fn of(stage: &Stage) -> Record {
        let roots = &stage.scene.station.roots;
        let anchors = Anchors::load(Some(roots), &Guard::default()).expect("roots");
        let trust =
            ReceiverTrust::Anchors { anchors: anchors.certificates, crls: Default::default() };
        Record {
            trust,
            originals: stage.originals(),
            keeps: stage.keeps,
            verdicts: BTreeMap::new(),
            promised: BTreeMap::new(),
            decisions: BTreeMap::new(),
            signed: Vec::new(),
            is_taken: false,
        }
    }

    /// How many verdicts were seen.
    pub(crate) fn entries(&self) -> usize {
        self.verdicts.len()
    }

    /// At once after a crash: what is visible is complete, what was written down before is there as
    /// it was, and what lies around belongs to something.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn after_crash(&mut self, scene: &Scene) -> Result<(), Violation> {
        self.look(scene).map(|_| ())
    }

    /// Goes back to what lasts: `lasts` tells whether a name in outbound does. What was visible and
    /// does not last may come again, but with no other payload; what `was_seen` by nobody may come in
    /// any way.
    pub(crate) fn only(&mut self, lasts: impl Fn(&str) -> bool, was_seen: impl Fn(&str) -> bool) {
        for (sequence, verdict) in &mut self.verdicts {
            if verdict.names.keys().any(|name| was_seen(name)) {
                self.promised.insert(*sequence, verdict.payload.clone());
            }
            verdict.names.retain(|name, _| lasts(name));
        }
        self.verdicts.retain(|_, verdict| !verdict.names.is_empty());
        self.decisions.retain(|sequence, _| self.promised.contains_key(sequence));
        for decision in self.decisions.values_mut() {
            // That it is out was perhaps not written down yet.
            decision.forget_publication();
        }
        self.signed.truncate(self.decisions.len());
    }

    /// A sender takes all that is visible.
    pub(crate) fn is_taken(&mut self, scene: &Scene) {
        for name in scene.station.entries() {
            let path = scene.station.outbound.join(&name);
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.expect("an entry that can be taken");
            self.is_taken = true;
            if let Some(verdict) = number(&name).and_then(|number| self.verdicts.get_mut(&number)) {
                verdict.taken.insert(name);
            }
        }
    }

    /// After a run that ended by itself: nothing is begun, and all that was decided is out.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn after_recovery(&mut self, scene: &Scene) -> Result<(), Violation> {
        let journal = self.look(scene)?;
        journal.is_at_rest()?;
        self.nothing_is_left(scene)?;
        let mut previous = "0".repeat(64);
        for (sequence, decision) in &self.decisions {
            let entry = || decision.entry.clone();
            let verdict = self.verdicts.get(sequence);
            let Some(verdict) = verdict.filter(|one| one.names.contains_key(&decision.entry))
            else {
                return Err(Violation::Gone(entry()));
            };
            if verdict.previous != previous {
                return Err(Violation::Changed(entry()));
            }
            previous.clone_from(&verdict.payload);
        }
        if self.signed.len() != self.decisions.len() {
            let found = (self.signed.len(), self.decisions.len());
            return Err(Violation::Signer(format!("lines and decisions: {found:?}")));
        }
        self.check_archives(scene)?;
        self.check_kept(scene)?;
        check_ledger(scene, &scene.station.state.join("archive"))?;
        if self.is_taken { Ok(()) } else { check_ledger(scene, &scene.station.outbound) }
    }

    /// After a visit of this carrier that nothing came between: each model was decided about.
    ///
    /// # Errors
    /// When one was not.
    pub(crate) fn after_visit(&self, scene: &Scene, carrier: &Carrier) -> Result<(), Violation> {
        let mut found = Journal::copy(scene)?.last_visit();
        found.sort();
        let mut due: Vec<_> = carrier.models.iter().map(|model| (*model).to_owned()).collect();
        due.sort();
        if carrier.is_ingested() && found != due {
            return Err(Violation::Visit { due, found });
        }
        Ok(())
    }

    /// After visits of carriers that came by themselves: no model was lost. One that a fault hit
    /// `may_fail`.
    ///
    /// # Errors
    /// When one was lost.
    pub(crate) fn after_visits(
        &self,
        scene: &Scene,
        brought: &[(&Path, &Carrier)],
        may_fail: bool,
    ) -> Result<(), Violation> {
        let journal = Journal::copy(scene)?;
        brought.iter().try_for_each(|(source, one)| journal.has_served(source, one, may_fail))
    }

    /// All that must hold at any time.
    fn look(&mut self, scene: &Scene) -> Result<Journal, Violation> {
        self.check_outbound(scene)?;
        let journal = Journal::copy(scene)?;
        self.check_journal(&journal)?;
        let lines = signer::lines(&scene.station.state);
        signer::check(&self.signed, &lines, &self.decisions)?;
        self.signed = lines;
        self.check_visible(scene)?;
        self.check_spool(scene, &journal)?;
        Ok(journal)
    }

    fn check_outbound(&mut self, scene: &Scene) -> Result<(), Violation> {
        let outbound = &scene.station.outbound;
        let there: BTreeSet<String> = scene.station.entries().into_iter().collect();
        for name in &there {
            let wrong = |why: String| Violation::Entry { name: name.clone(), why };
            let sequence = number(name).ok_or_else(|| wrong("it is not a number's".to_owned()))?;
            let verdict = self.verdicts.entry(sequence).or_default();
            let mut others = verdict.names.keys();
            if verdict.taken.contains(name) || !others.all(|other| belong_together(other, name)) {
                return Err(Violation::Twice(sequence));
            }
            if let Some(seen) = verdict.names.get(name) {
                if !seen.is_still(&outbound.join(name)) {
                    return Err(Violation::Changed(name.clone()));
                }
                continue;
            }
            let seen = Seen::of(outbound, name, &self.trust, &self.originals).map_err(wrong)?;
            let promised = self.promised.get(&sequence);
            if promised.is_some_and(|promised| *promised != seen.payload) {
                return Err(Violation::Changed(name.clone()));
            }
            let first = verdict.names.values().next();
            if first.is_some_and(|first| first.verdict() != seen.verdict()) {
                return Err(Violation::Changed(name.clone()));
            }
            verdict.payload.clone_from(&seen.payload);
            verdict.previous.clone_from(&seen.previous);
            verdict.names.insert(name.clone(), seen);
        }
        for verdict in self.verdicts.values() {
            let is_gone = |name: &&String| !there.contains(*name) && !verdict.taken.contains(*name);
            if let Some(name) = verdict.names.keys().find(is_gone) {
                return Err(Violation::Gone(name.clone()));
            }
            let is_first = |name: &&String| {
                beside(name).is_some_and(|beside| !verdict.names.contains_key(&beside))
            };
            if let Some(name) = verdict.names.keys().find(is_first) {
                let why = "it came before its verdict".to_owned();
                return Err(Violation::Entry { name: name.clone(), why });
            }
        }
        Ok(())
    }

    fn check_journal(&mut self, journal: &Journal) -> Result<(), Violation> {
        journal.is_sound()?;
        let now = journal.decisions();
        for (due, found) in (1..).zip(now.keys()) {
            if due != *found {
                return Err(Violation::Hole { due, found: *found });
            }
        }
        for (sequence, before) in &self.decisions {
            let is_same = |after: &&Decision| {
                after.fixed == before.fixed
                    && after.step >= before.step
                    && (before.payload.is_empty() || after.payload == before.payload)
                    && (!before.is_published() || after.verdict == before.verdict)
            };
            let after = now.get(sequence);
            if after.filter(is_same).is_none() {
                let (before, after) = (format!("{before:?}"), format!("{after:?}"));
                return Err(Violation::Decision { sequence: *sequence, before, after });
            }
        }
        self.decisions = now;
        Ok(())
    }

    /// What is or was visible is of a decision that was signed, and archived as it is.
    fn check_visible(&self, scene: &Scene) -> Result<(), Violation> {
        for (sequence, verdict) in &self.verdicts {
            let decision = self.decisions.get(sequence);
            let Some(decision) = decision.filter(|decision| decision.is_signed()) else {
                return Err(Violation::Early(*sequence));
            };
            let archived = digests(&scene.station.state.join("archive").join(decision.stem()));
            for (name, seen) in &verdict.names {
                if decision.payload != verdict.payload || decision.verdict != seen.verdict() {
                    let (before, after) = (format!("{seen:?}"), format!("{decision:?}"));
                    return Err(Violation::Decision { sequence: *sequence, before, after });
                }
                let mut due = PASSED.iter().filter_map(|part| seen.parts.get_key_value(*part));
                if !due.all(|(part, digest)| archived.get(part) == Some(digest)) {
                    return Err(Violation::Archive(name.clone()));
                }
            }
        }
        Ok(())
    }

    /// Whatever is in the spool is of an intake or a decision that the journal has, and what a
    /// decision needs that is not out is there.
    fn check_spool(&self, scene: &Scene, journal: &Journal) -> Result<(), Violation> {
        let is_known = |name: &str| {
            let Some(id) = name.strip_prefix(INTAKE) else { return name == KEPT && self.keeps };
            let id = id.split('.').next().unwrap_or_default();
            match id.strip_prefix("resend-") {
                Some(first) => first.parse().is_ok_and(|first| self.decisions.contains_key(&first)),
                // An archive is unpacked before anything is known of what it holds.
                None => id.starts_with("archive-") || journal.knows_intake(id),
            }
        };
        let mut left = names(&scene.station.spool);
        left.retain(|name| !is_known(name));
        if !left.is_empty() {
            return Err(Violation::Left(left));
        }
        let archive = scene.station.state.join("archive");
        let lost = self.decisions.values().find(|decision| {
            let is_archived = || archive.join(decision.stem()).join(VERDICT).is_file();
            !decision.is_published() && !decision.folder.is_dir() && !is_archived()
        });
        lost.map_or(Ok(()), |decision| Err(Violation::Lost(decision.entry.clone())))
    }

    fn nothing_is_left(&self, scene: &Scene) -> Result<(), Violation> {
        let (spool, state) = (&scene.station.spool, &scene.station.state);
        let mut left = names(spool);
        left.retain(|name| name != KEPT || !self.keeps);
        left.extend(names(&state.join("open")));
        left.extend(names(state).into_iter().filter(|name| name.ends_with(".new")));
        // The record stays, and the papers of the last number.
        let last = self.decisions.keys().next_back().map(|last| format!("{last:012}."));
        let is_last = |name: &str| last.as_ref().is_some_and(|last| name.starts_with(last));
        let stays = |name: &str| name == "record" || is_last(name) && !name.ends_with(".new");
        left.extend(names(&state.join("signer")).into_iter().filter(|name| !stays(name)));
        if left.is_empty() { Ok(()) } else { Err(Violation::Left(left)) }
    }

    /// The archive holds what went out of every decision, and nothing else.
    fn check_archives(&self, scene: &Scene) -> Result<(), Violation> {
        let archive = scene.station.state.join("archive");
        let due: BTreeSet<&str> = self.decisions.values().map(Decision::stem).collect();
        if let Some(other) = names(&archive).into_iter().find(|name| !due.contains(name.as_str())) {
            return Err(Violation::Archive(other));
        }
        for decision in self.decisions.values() {
            let parts = digests(&archive.join(decision.stem()));
            let due: &[&str] = if decision.has_passed() { &PASSED } else { &REFUSED };
            let is_there = parts.keys().map(String::as_str).eq(due.iter().copied());
            if !is_there || parts.get(VERDICT) != Some(&decision.verdict) {
                return Err(Violation::Archive(decision.entry.clone()));
            }
        }
        Ok(())
    }

    /// Every model that passed is kept, with the bytes that it had.
    fn check_kept(&self, scene: &Scene) -> Result<(), Violation> {
        let kept = scene.station.spool.join(KEPT);
        let found: BTreeSet<String> = names(&kept).into_iter().collect();
        let is_due = |decision: &&Decision| self.keeps && decision.is_kept;
        let due = self.decisions.values().filter(is_due).map(|one| one.stem().to_owned());
        let due: BTreeSet<String> = due.collect();
        if let Some(name) = found.symmetric_difference(&due).next() {
            return Err(Violation::Kept(name.clone()));
        }
        for name in due {
            let mut parts = digests(&kept.join(&name));
            let bundle = parts.remove("source.sig").unwrap_or_default();
            if parts != self.originals.model || !self.originals.bundles.contains(&bundle) {
                return Err(Violation::Kept(name));
            }
        }
        Ok(())
    }
}

fn check_ledger(scene: &Scene, folder: &Path) -> Result<(), Violation> {
    let mut command = appliance();
    command.args(["verdict", "verify", "--ledger"]).arg(folder);
    command.args(["--verifier", STATION, "--roots"]).arg(&scene.station.roots);
    let outcome = run::outcome(&mut command);
    if outcome.status == 0 {
        return Ok(());
    }
    Err(Violation::Ledger(format!("{}: {}{}", outcome.status, outcome.stderr, outcome.stdout)))
}

/// The number of an entry.
fn number(name: &str) -> Option<u64> {
    name.get(..12)?.parse().ok()
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).map_or(Vec::new(), |entries| {
        entries.filter_map(|entry| entry.ok().map(|entry| last(&entry.path()))).collect()
    })
}
