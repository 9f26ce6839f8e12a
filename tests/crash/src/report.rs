//! What came of all runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::violation::Violation;

/// The figures, and every violation with the place where the station is kept.
#[derive(Debug)]
pub(crate) struct Report {
    what: &'static str,
    seed: u64,
    /// Runs so far.
    pub(crate) runs: u32,
    /// By kind of fault.
    faults: BTreeMap<String, u32>,
    /// Runs that ended before the fault.
    missed: u32,
    /// Entries that came out.
    pub(crate) entries: usize,
    /// Times that a drive was flushed.
    pub(crate) flushes: usize,
    /// Entries that nobody had seen when the power failed.
    pub(crate) undone: usize,
    /// How long it all took.
    pub(crate) took: Duration,
    /// What must not be.
    pub(crate) violations: Vec<(u32, Violation, PathBuf)>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(what: &'static str, seed: u64) -> Report {
        println!("{what}: seed {seed}");
        Report {
            what,
            seed,
            runs: 0,
            faults: BTreeMap::new(),
            missed: 0,
            entries: 0,
            flushes: 0,
            undone: 0,
            took: Duration::ZERO,
            violations: Vec::new(),
        }
    }

    /// Counts a fault of this kind; none when nothing was struck.
    pub(crate) fn struck(&mut self, kind: Option<String>) {
        match kind {
            Some(kind) => *self.faults.entry(kind).or_default() += 1,
            None => self.missed += 1,
        }
    }

    /// Takes down what was found in the station at `place`.
    pub(crate) fn violation(&mut self, violation: Violation, place: &Path) {
        println!(
            "{}: run {}: VIOLATION: {violation}\n  see {}",
            self.what,
            self.runs,
            place.display()
        );
        self.violations.push((self.runs, violation, place.to_owned()));
    }

    /// The same of what was checked.
    pub(crate) fn check(&mut self, done: Result<(), Violation>, place: impl FnOnce() -> PathBuf) {
        if let Err(violation) = done {
            self.violation(violation, &place());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { what, seed, runs, faults, missed, entries, flushes, undone, took, violations } =
            self;
        for (kind, number) in faults {
            writeln!(f, "{what}:   {kind:<24} {number:>6}")?;
        }
        writeln!(f, "{what}:   {:<24} {missed:>6}", "ended before")?;
        if *flushes > 0 {
            writeln!(f, "{what}:   {:<24} {flushes:>6}", "flushes")?;
            writeln!(f, "{what}:   {:<24} {undone:>6}", "entries cut before seen")?;
        }
        for (run, violation, place) in violations {
            writeln!(f, "{what}: run {run}: {violation} ({})", place.display())?;
        }
        write!(
            f,
            "{what}: {runs} runs in {:.0} s, {entries} entries, {} violations, seed {seed}",
            took.as_secs_f32(),
            violations.len()
        )
    }
}
