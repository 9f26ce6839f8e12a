//! What the station wrote down of each carrier, beside what has to come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use oms_tests::journal;
use oms_tests::scene::Scene;

use crate::carriers::Kind;
use crate::daemon;
use crate::sender::Sender;

/// What is done to a carrier that is removed while it is read: a model that goes is refused or
/// undecided, as it happens.
pub(crate) const PULLED: &str = "pulled";

/// A carrier that was brought.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    /// Its number, with which its name begins.
    pub(crate) number: usize,
    /// What it is.
    pub(crate) kind: Kind,
    /// What was done to it, if anything: then its models may also be undecided.
    pub(crate) done: Option<&'static str>,
}

impl Brought {
    /// How its name begins in the hot folder. Nothing else looks like that.
    pub(crate) fn mark(&self) -> String {
        format!("/{:06}-", self.number)
    }
}

/// What the journal has about one carrier.
#[derive(Debug, Default)]
struct Found {
    /// How each visit ended.
    states: Vec<String>,
    own: BTreeSet<String>,
    passed: usize,
    refused: usize,
    failed: usize,
    codes: BTreeSet<String>,
}

/// Checks the record, once the daemon has ended. Gives what is wrong.
pub(crate) fn check(scene: &Scene, brought: &[Brought], sender: &Sender) -> Vec<String> {
    let mut wrong = Vec::new();
    let state = &scene.station.state;
    for query in [
        "SELECT 'decision ' || entry FROM decision WHERE state <> 'published'",
        "SELECT 'intake ' || model FROM intake WHERE ended IS NULL",
        "SELECT 'carrier ' || source FROM carrier WHERE ended IS NULL",
        "SELECT 'damaged: ' || integrity_check FROM pragma_integrity_check
         WHERE integrity_check <> 'ok'",
    ] {
        wrong.extend(journal::column(state, query).iter().map(|line| format!("no end: {line}")));
    }
    let mut all = read(scene, sender);
    for one in brought {
        let found = all.remove(&one.number).unwrap_or_default();
        if let Some(why) = one.differs(&found) {
            let done = one.done.map_or(String::new(), |done| format!(", {done}"));
            wrong.push(format!("carrier {:06}-{}{done}: {why}", one.number, one.kind.name));
        }
    }
    wrong.extend(all.keys().map(|number| format!("carrier {number} was never brought")));
    for entry in fs::read_dir(&scene.station.spool).expect("the spool").flatten() {
        wrong.push(format!("in the spool: {}", entry.path().display()));
    }
    wrong.extend(sender.ledger(scene));
    for path in [daemon::log(scene), daemon::metrics(scene)] {
        let bytes = fs::read(&path).unwrap_or_default();
        let is_raw = |byte: &u8| byte.is_ascii_control() && *byte != b'\n';
        if bytes.is_empty() || bytes.iter().any(is_raw) || str::from_utf8(&bytes).is_err() {
            wrong.push(format!("{} is empty, or not harmless text", path.display()));
        }
    }
    wrong
}

/// Everything in the journal, by the numbers of the carriers.
fn read(scene: &Scene, sender: &Sender) -> BTreeMap<usize, Found> {
    let state = &scene.station.state;
    let hot = scene.path("hot");
    let hot = hot.to_str().expect("a path in UTF-8");
    let number = format!("substr(source, {}, 6)", hot.len() + 2);
    let mut all: BTreeMap<usize, Found> = BTreeMap::new();
    let carriers = format!(
        "SELECT {number} || ' ' || state || ' ' || coalesce(reason, '') FROM carrier ORDER BY id"
    );
    for line in journal::column(state, &carriers) {
        let words: Vec<&str> = line.split(' ').collect();
        let found = all.entry(words[0].parse().unwrap_or(usize::MAX)).or_default();
        found.states.push(words[1].to_owned());
        found.own.extend(words.get(2).filter(|own| !own.is_empty()).map(|own| (*own).to_owned()));
    }
    let models = format!(
        "SELECT {number} || ' ' || intake.state || ' ' ||
         coalesce(decision.sequence || ' ' || decision.result, intake.reason, '')
         FROM intake JOIN carrier ON carrier.id = intake.carrier
         LEFT JOIN decision ON decision.intake = intake.id ORDER BY intake.id"
    );
    for line in journal::column(state, &models) {
        let words: Vec<&str> = line.split(' ').collect();
        let found = all.entry(words[0].parse().unwrap_or(usize::MAX)).or_default();
        match words[1..] {
            ["decided", sequence, result] => {
                let codes = sequence.parse().ok().and_then(|number| sender.codes(number));
                let Some(codes) = codes else {
                    found.states.push(format!("verdict {sequence} did not come"));
                    continue;
                };
                found.codes.extend(codes.iter().cloned());
                let count = if result == "passed" { &mut found.passed } else { &mut found.refused };
                *count += 1;
            }
            // What was interrupted is read again.
            ["interrupted", ..] => {}
            _ => found.failed += 1,
        }
    }
    all
}

impl Brought {
    /// In what the record differs from what has to come of this carrier.
    fn differs(&self, found: &Found) -> Option<String> {
        let due = self.kind.due;
        let Found { states, own, passed, refused, failed, codes } = found;
        let is_ended = states.last().is_some_and(|state| state == "released");
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let is_due = match self.done {
            None => {
                (*passed, *refused, *failed) == (due.passed, due.refused, 0)
                    && codes == due.codes
                    && own == due.own.as_slice()
            }
            // No process can make more pass, and where the carrier stays, each model has its end.
            Some(done) => {
                *passed <= due.passed
                    && (done == PULLED || *refused <= due.refused)
                    && (done == PULLED || passed + refused + failed >= due.passed + due.refused)
            }
        };
        (!is_ended || !is_due).then(|| format!("{found:?}, and due is {due:?}"))
    }
}
