//! The journal as it was left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use oms_tests::journal;
use oms_tests::scene::Scene;

use super::last;
use crate::stage::{BROKEN, Carrier};
use crate::violation::Violation;

/// What stands between two columns of a row.
const BETWEEN: char = '\u{1f}';
/// How far decisions come, in their order.
const STATES: [&str; 4] = ["begun", "composed", "signed", "published"];

/// A copy: to open the journal itself is to change it.
pub(super) struct Journal {
    _folder: tempfile::TempDir,
    state: PathBuf,
}

/// A decision.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    /// How far it has come.
    pub(super) step: usize,
    /// All that is decided with its number, in words.
    pub(super) fixed: String,
    /// Whether the model passed, and was read from a carrier for that.
    pub(super) is_kept: bool,
    /// Its folder in the spool.
    pub(super) folder: PathBuf,
    /// The name of its entry.
    pub(super) entry: String,
    /// SHA-256 of the decision as it was made.
    pub(super) made: String,
    /// SHA-256 of its payload; empty until there is one.
    pub(super) payload: String,
    /// SHA-256 of the file of its verdict; empty until there is one.
    pub(super) verdict: String,
}

impl Decision {
    /// Whether its verdict may be seen.
    pub(super) fn is_signed(&self) -> bool {
        self.step >= STATES.len() - 2
    }

    /// Whether its entry is out.
    pub(super) fn is_published(&self) -> bool {
        self.step == STATES.len() - 1
    }

    /// Whether the model passed.
    pub(super) fn has_passed(&self) -> bool {
        self.fixed.starts_with("passed")
    }

    /// It is not known any more that its entry is out.
    pub(super) fn forget_publication(&mut self) {
        self.step = self.step.min(STATES.len() - 2);
    }

    /// The name of its entry without what tells that it is a file.
    pub(super) fn stem(&self) -> &str {
        self.entry.split('.').next().unwrap_or_default()
    }
}

impl Journal {
    pub(super) fn copy(scene: &Scene) -> Result<Journal, Violation> {
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

    pub(super) fn column(&self, query: &str) -> Vec<String> {
        if journal::file(&self.state).metadata().is_ok_and(|file| file.len() > 0) {
            journal::column(&self.state, query)
        } else {
            Vec::new()
        }
    }

    /// That every page and reference is right, and that nothing was decided twice or wrongly.
    pub(super) fn is_sound(&self) -> Result<(), Violation> {
        for (query, due) in [("PRAGMA integrity_check", "ok"), ("PRAGMA foreign_key_check", "")] {
            let found = self.column(query).join("\n");
            if found != due && !found.is_empty() {
                return Err(Violation::Journal(found));
            }
        }
        let twice = "SELECT intake.model FROM decision JOIN intake ON intake.id = decision.intake
                     GROUP BY intake.carrier, intake.model HAVING count(*) > 1";
        if let Some(model) = self.column(twice).pop() {
            return Err(Violation::TwoDecisions(model));
        }
        let open = "SELECT decision.entry FROM decision JOIN intake ON intake.id = decision.intake
                    WHERE intake.state <> 'decided'";
        if let Some(entry) = self.column(open).pop() {
            return Err(Violation::Journal(format!("the model of {entry} is still to be decided")));
        }
        let query = "SELECT coalesce(intake.model, 'one that is sent again') || ' ' || result
                     FROM decision LEFT JOIN intake ON intake.id = decision.intake";
        for line in self.column(query) {
            let (model, result) = line.rsplit_once(' ').unwrap_or((&line, ""));
            let due = if model == BROKEN { "refused" } else { "passed" };
            if result != due {
                let (model, result) = (model.to_owned(), result.to_owned());
                return Err(Violation::Result { model, result });
            }
        }
        Ok(())
    }

    /// Every decision, by number.
    pub(super) fn decisions(&self) -> BTreeMap<u64, Decision> {
        let query = "SELECT concat_ws(char(31), sequence, state, result, folder, entry,
                     coalesce(decision_sha256, ''), coalesce(payload_sha256, ''),
                     coalesce(verdict_sha256, ''), coalesce(intake, ''), coalesce(resend_of, ''),
                     time, root, subject) FROM decision ORDER BY sequence";
        self.column(query).iter().filter_map(|line| decision(line)).collect()
    }

    /// Whether this intake was ever begun.
    pub(super) fn knows_intake(&self, id: &str) -> bool {
        id.parse::<u64>().is_ok()
            && !self.column(&format!("SELECT '' FROM intake WHERE id = {id}")).is_empty()
    }

    /// The models that the last visit decided about that came to its end.
    pub(super) fn last_visit(&self) -> Vec<String> {
        self.column(
            "SELECT intake.model FROM intake JOIN decision ON decision.intake = intake.id
             WHERE intake.carrier = (SELECT max(id) FROM carrier WHERE state = 'released')",
        )
    }

    /// That each model of a carrier which was brought under this name has its end in the record:
    /// its decision, or where it `may_fail`, why there is none.
    pub(super) fn has_served(
        &self,
        source: &Path,
        carrier: &Carrier,
        may_fail: bool,
    ) -> Result<(), Violation> {
        let source = source.display().to_string();
        let of = |more: &str| {
            self.column(&format!(
                "SELECT intake.model FROM intake JOIN carrier ON carrier.id = intake.carrier
                 WHERE carrier.source = '{source}' AND {more}"
            ))
        };
        let decided = of("intake.state = 'decided'");
        let failed = of("intake.state = 'failed' AND carrier.state = 'released'");
        let is_there = |found: &[String], model: &str| found.iter().any(|one| one == model);
        let lost = carrier
            .models
            .iter()
            .find(|model| !(is_there(&decided, model) || may_fail && is_there(&failed, model)));
        lost.map_or(Ok(()), |model| Err(Violation::Lost(format!("{source}: {model}"))))
    }

    pub(super) fn is_at_rest(&self) -> Result<(), Violation> {
        let mut begun = self.column("SELECT entry FROM decision WHERE state <> 'published'");
        begun.extend(self.column("SELECT 'intake ' || model FROM intake WHERE ended IS NULL"));
        begun.extend(self.column("SELECT 'carrier ' || source FROM carrier WHERE ended IS NULL"));
        if begun.is_empty() { Ok(()) } else { Err(Violation::Unfinished(begun)) }
    }
}

/// The number of a model that a station can send again: the newest.
pub(crate) fn to_be_sent_again(scene: &Scene) -> Result<String, Violation> {
    let query = "SELECT CAST(max(sequence) AS TEXT) FROM decision
                 WHERE result = 'passed' AND resend_of IS NULL AND state = 'published'";
    Ok(Journal::copy(scene)?.column(query).pop().unwrap_or_default())
}

fn decision(line: &str) -> Option<(u64, Decision)> {
    let columns: Vec<&str> = line.split(BETWEEN).collect();
    let [number, state, result, folder, entry, made, payload, verdict, origin @ ..] =
        columns.as_slice()
    else {
        return None;
    };
    let is_first = origin.get(1).is_some_and(|resend_of| resend_of.is_empty());
    let decision = Decision {
        step: STATES.iter().position(|known| known == state)?,
        fixed: format!("{result} {folder} {entry} {made} {}", origin.join(" ")),
        is_kept: *result == "passed" && is_first,
        folder: PathBuf::from(folder),
        entry: last(Path::new(entry)),
        made: (*made).to_owned(),
        payload: (*payload).to_owned(),
        verdict: (*verdict).to_owned(),
    };
    Some((number.parse().ok()?, decision))
}
