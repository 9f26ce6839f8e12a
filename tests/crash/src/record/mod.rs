//! What is known of a station from outside, and what must hold of it after each crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_station::clock::system_time;
use oms_station::intake::Reading;
use oms_station::progress::Progress;
use oms_station::receive::{ReceiverTrust, check_entry};
use oms_station::trust::{Anchors, Guard};
use oms_testkit::{files, run};
use oms_tests::scene::{STATION, Scene, appliance};
use oms_tests::{entry, journal};
use oms_verify::reason::Code;

use crate::stage::BROKEN;
use crate::violation::Violation;

/// How the names of verdicts end that stand beside their entries.
const BESIDE: &str = ".verdict.json";

/// What was ever seen of a station.
#[derive(Debug)]
pub(crate) struct Record {
    trust: ReceiverTrust,
    /// By number.
    verdicts: BTreeMap<u64, Verdict>,
    /// By number, as the journal has it.
    decisions: BTreeMap<u64, String>,
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
    /// The names in outbound.
    names: BTreeSet<String>,
    /// Those that a sender took.
    taken: BTreeSet<String>,
}

impl Record {
    /// Nothing was seen yet.
    ///
    /// # Panics
    /// When the station's roots cannot be read.
    pub(crate) fn of(scene: &Scene) -> Record {
        let anchors = Anchors::load(Some(&scene.station.roots), &Guard::default()).expect("roots");
        let trust =
            ReceiverTrust::Anchors { anchors: anchors.certificates, crls: Default::default() };
        Record { trust, verdicts: BTreeMap::new(), decisions: BTreeMap::new(), is_taken: false }
    }

    /// How many verdicts were seen.
    pub(crate) fn entries(&self) -> usize {
        self.verdicts.len()
    }

    /// At once after a crash: what is visible is complete, and what was written down before is
    /// there as it was.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn after_crash(&mut self, scene: &Scene) -> Result<(), Violation> {
        self.check_outbound(scene)?;
        self.check_journal(&Journal::copy(scene)?)
    }

    /// Forgets what nobody outside has seen: `is_seen` tells of a name in outbound.
    pub(crate) fn only(&mut self, is_seen: impl Fn(&str) -> bool) {
        for verdict in self.verdicts.values_mut() {
            verdict.names.retain(|name| is_seen(name));
        }
        self.verdicts.retain(|_, verdict| !verdict.names.is_empty());
        self.decisions.retain(|sequence, _| self.verdicts.contains_key(sequence));
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
        self.check_outbound(scene)?;
        let journal = Journal::copy(scene)?;
        self.check_journal(&journal)?;
        journal.is_at_rest()?;
        let mut left = names(&scene.station.spool);
        left.extend(names(&scene.station.state.join("open")));
        if !left.is_empty() {
            return Err(Violation::Left(left));
        }
        let mut previous = "0".repeat(64);
        for (sequence, entry) in journal.entries() {
            let Some(verdict) = self.verdicts.get(&sequence) else {
                return Err(Violation::Gone(entry));
            };
            if verdict.previous != previous {
                return Err(Violation::Changed(entry));
            }
            previous.clone_from(&verdict.payload);
            if entry.ends_with(".tar") && !verdict.names.iter().any(|name| *name == entry) {
                return Err(Violation::Gone(entry));
            }
            let folder = entry.split('.').next().unwrap_or_default();
            let archived = entry::verdict(&scene.station.state.join("archive").join(folder));
            let is_same = || files::sha256_hex(&entry::signed_bytes(&archived)) == verdict.payload;
            if !archived.is_file() || !is_same() {
                return Err(Violation::Archive(entry));
            }
        }
        check_ledger(scene, &scene.station.state.join("archive"))?;
        if self.is_taken { Ok(()) } else { check_ledger(scene, &scene.station.outbound) }
    }

    fn check_outbound(&mut self, scene: &Scene) -> Result<(), Violation> {
        let there: BTreeSet<String> = scene.station.entries().into_iter().collect();
        for name in &there {
            let sequence = number(name).ok_or_else(|| Violation::Entry {
                name: name.clone(),
                why: "it is not a number's".to_owned(),
            })?;
            let verdict = self.verdicts.entry(sequence).or_default();
            if verdict.taken.contains(name) || !belong_together(&verdict.names, name) {
                return Err(Violation::Twice(sequence));
            }
            let seen = looked_at(scene, &self.trust, name, !verdict.names.contains(name));
            let (payload, previous) =
                seen.map_err(|why| Violation::Entry { name: name.clone(), why })?;
            if verdict.names.is_empty() {
                (verdict.payload, verdict.previous) = (payload, previous);
            } else if verdict.payload != payload {
                return Err(Violation::Changed(name.clone()));
            }
            verdict.names.insert(name.clone());
        }
        for verdict in self.verdicts.values() {
            let gone = |name: &&String| !there.contains(*name) && !verdict.taken.contains(*name);
            if let Some(name) = verdict.names.iter().find(gone) {
                return Err(Violation::Gone(name.clone()));
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
            let after = now.get(sequence).map_or("gone", String::as_str);
            if after != before {
                let (before, after) = (before.clone(), after.to_owned());
                return Err(Violation::Decision { sequence: *sequence, before, after });
            }
        }
        for (sequence, verdict) in &self.verdicts {
            let after = now.get(sequence).map_or("gone", String::as_str);
            if !after.contains(&verdict.payload) {
                let (before, after) = (verdict.payload.clone(), after.to_owned());
                return Err(Violation::Decision { sequence: *sequence, before, after });
            }
        }
        self.decisions = now;
        Ok(())
    }
}

/// The journal as it was left, in a copy: to open it is to change it.
struct Journal {
    _folder: tempfile::TempDir,
    state: PathBuf,
}

impl Journal {
    fn copy(scene: &Scene) -> Result<Journal, Violation> {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            let from = scene.station.state.join(name);
            if from.exists() {
                fs::copy(&from, folder.path().join(name))
                    .map_err(|error| Violation::Journal(error.to_string()))?;
            }
        }
        let state = folder.path().to_owned();
        Ok(Journal { _folder: folder, state })
    }

    fn column(&self, query: &str) -> Vec<String> {
        if journal::file(&self.state).metadata().is_ok_and(|file| file.len() > 0) {
            journal::column(&self.state, query)
        } else {
            Vec::new()
        }
    }

    fn is_sound(&self) -> Result<(), Violation> {
        for (query, due) in [("PRAGMA integrity_check", "ok"), ("PRAGMA foreign_key_check", "")] {
            let found = self.column(query).join("\n");
            if found != due && !found.is_empty() {
                return Err(Violation::Journal(found));
            }
        }
        let twice = "SELECT intake FROM decision WHERE intake IS NOT NULL
                     GROUP BY intake HAVING count(*) > 1";
        if let Some(intake) = self.column(twice).first() {
            return Err(Violation::TwoDecisions(intake.parse().unwrap_or_default()));
        }
        let query = "SELECT intake.model || ' ' || result FROM decision
                     JOIN intake ON intake.id = decision.intake";
        for line in self.column(query) {
            let (model, result) = line.split_once(' ').unwrap_or((&line, ""));
            let due = if model == BROKEN { "refused" } else { "passed" };
            if result != due {
                let (model, result) = (model.to_owned(), result.to_owned());
                return Err(Violation::Result { model, result });
            }
        }
        Ok(())
    }

    /// Each decision that has a payload, with what must never change of it; by number.
    fn decisions(&self) -> BTreeMap<u64, String> {
        let query = "SELECT sequence || ' ' || concat_ws(' ', intake, resend_of, result, entry,
                     payload_sha256) FROM decision WHERE payload_sha256 IS NOT NULL
                     ORDER BY sequence";
        self.column(query).iter().filter_map(|line| numbered(line)).collect()
    }

    /// The names of all entries, by number.
    fn entries(&self) -> Vec<(u64, String)> {
        let lines = self.column("SELECT sequence || ' ' || entry FROM decision ORDER BY sequence");
        let named = lines.iter().filter_map(|line| numbered(line));
        named.map(|(number, path)| (number, last(Path::new(&path)))).collect()
    }

    fn is_at_rest(&self) -> Result<(), Violation> {
        let mut begun = self.column("SELECT entry FROM decision WHERE state <> 'published'");
        begun.extend(self.column("SELECT 'intake ' || model FROM intake WHERE ended IS NULL"));
        begun.extend(self.column("SELECT 'carrier ' || source FROM carrier WHERE ended IS NULL"));
        if begun.is_empty() { Ok(()) } else { Err(Violation::Unfinished(begun)) }
    }
}

/// The digests of an entry's payload and of the one before. `is_new` ones are looked at whole.
fn looked_at(
    scene: &Scene,
    trust: &ReceiverTrust,
    name: &str,
    is_new: bool,
) -> Result<(String, String), String> {
    let path = scene.station.outbound.join(name);
    let unpacked = tempfile::tempdir().expect("a folder");
    let (folder, passed) = if name.ends_with(".tar") {
        let mut unpack = Command::new("tar");
        let _ = run::outcome(unpack.arg("-xf").arg(&path).arg("-C").arg(unpacked.path()))
            .expect_status(0);
        (unpacked.path().to_owned(), Some(true))
    } else if name.ends_with(BESIDE) {
        fs::copy(&path, entry::verdict(unpacked.path())).map_err(|error| error.to_string())?;
        (unpacked.path().to_owned(), None)
    } else {
        (path, Some(name.ends_with("-passed")))
    };
    if let (true, Some(passed)) = (is_new, passed) {
        let reading = &Progress::hidden();
        let found = check_entry(&folder, STATION, trust, system_time(), &Reading::plain(reading))
            .map_err(|reason| reason.to_string())?;
        let other = found.reasons.iter().find(|one| passed || one.code != Code::VerdictFailed);
        if let Some(other) = other {
            return Err(other.to_string());
        }
        if found.verdict.passed != passed {
            return Err("its name says otherwise".to_owned());
        }
    }
    let bytes = entry::signed_bytes(&entry::verdict(&folder));
    let payload = entry::payload(&folder);
    let previous = entry::detail(&payload)["previous"].as_str().unwrap_or_default();
    Ok((files::sha256_hex(&bytes), previous.to_owned()))
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

/// A verdict and the tar beside it are of one number, and nothing else is.
fn belong_together(names: &BTreeSet<String>, name: &str) -> bool {
    let id = |name: &str| name.get(..29).unwrap_or_default().to_owned();
    let as_files = |name: &str| name.ends_with(BESIDE) || name.ends_with("-passed.tar");
    names
        .iter()
        .all(|other| other == name || (id(other) == id(name) && as_files(other) && as_files(name)))
}

/// The number of an entry.
fn number(name: &str) -> Option<u64> {
    name.get(..12)?.parse().ok()
}

fn numbered(line: &str) -> Option<(u64, String)> {
    let (number, rest) = line.split_once(' ')?;
    Some((number.parse().ok()?, rest.to_owned()))
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).map_or(Vec::new(), |entries| {
        entries.filter_map(|entry| entry.ok().map(|entry| last(&entry.path()))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::stage::Stage;

    /// What the record says of a station in which `harm` was done.
    fn found(profile: &str, harm: impl FnOnce(&Scene, &[String])) -> Result<(), Violation> {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::new(folder.path(), profile).unwrap();
        let mut record = Record::of(&stage.scene);
        record.after_recovery(&stage.scene).unwrap();
        harm(&stage.scene, &stage.scene.station.entries());
        // What it says to the harm does not matter.
        let _ = stage.recover(&mut Dice::new(0));
        record.after_recovery(&stage.scene)
    }

    #[test]
    fn what_was_lost_or_changed_is_found() {
        let outbound = |scene: &Scene, name: &String| scene.station.outbound.join(name);
        let gone = found("tree", |scene, names| {
            fs::remove_dir_all(outbound(scene, &names[1])).unwrap();
        });
        assert!(matches!(gone, Err(Violation::Gone(_))), "{gone:?}");
        let changed = found("tree", |scene, names| {
            let other = entry::verdict(&outbound(scene, &names[0]));
            fs::copy(other, entry::verdict(&outbound(scene, &names[1]))).unwrap();
        });
        assert!(matches!(changed, Err(Violation::Changed(_))), "{changed:?}");
        let twice = found("tree", |scene, names| {
            fs::rename(outbound(scene, &names[0]), outbound(scene, &names[0]).with_extension("x"))
                .unwrap();
        });
        assert!(matches!(twice, Err(Violation::Twice(1))), "{twice:?}");
        let left = found("tree", |scene, _| {
            files::folder(scene.station.spool.join("other"));
        });
        assert!(matches!(left, Err(Violation::Left(_))), "{left:?}");
        let archive = found("tar", |scene, names| {
            let folder = scene.station.state.join("archive").join(&names[0][..36]);
            fs::remove_file(entry::verdict(&folder)).unwrap();
        });
        assert!(matches!(archive, Err(Violation::Archive(_))), "{archive:?}");
    }

    #[test]
    fn what_the_journal_should_not_say_is_found() {
        let found = |statements: &str| {
            found("tree", |scene, _| journal::change(&scene.station.state, statements))
        };
        let changed =
            found("UPDATE decision SET time = time, result = 'passed' WHERE sequence = 2");
        assert!(matches!(changed, Err(Violation::Result { .. })), "{changed:?}");
        let changed = found("UPDATE decision SET entry = entry || 'x' WHERE sequence = 3");
        assert!(matches!(changed, Err(Violation::Decision { sequence: 3, .. })), "{changed:?}");
        let begun = found("UPDATE intake SET state = 'reading', ended = NULL");
        assert!(begun.is_ok(), "the next run interrupts it: {begun:?}");
    }
}
