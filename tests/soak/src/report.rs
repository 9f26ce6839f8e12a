//! What came of it: for people, and as a document.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::flat::Course;

/// The figures, and what must not be.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    /// Carriers by kind, and by what was done to them.
    pub(crate) carriers: BTreeMap<String, usize>,
    pub(crate) verdicts: usize,
    pub(crate) samples: usize,
    pub(crate) courses: Vec<Course>,
    /// The most KiB of a process of each role.
    pub(crate) peaks: BTreeMap<String, u64>,
    pub(crate) violations: Vec<String>,
}

impl Report {
    /// The same for programs.
    pub(crate) fn document(&self) -> Value {
        let course = |course: &Course| {
            json!({
                "name": course.name, "firstThird": course.first, "lastThird": course.last,
                "most": course.most, "mayBe": course.may, "isFlat": course.is_flat(),
                "tenths": course.tenths
            })
        };
        json!({
            "seed": self.seed,
            "seconds": self.took.as_secs(),
            "carriers": self.carriers,
            "verdicts": self.verdicts,
            "samples": self.samples,
            "courses": self.courses.iter().map(course).collect::<Vec<_>>(),
            "peaks": self.peaks,
            "violations": self.violations
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.carriers {
            writeln!(f, "soak: {kind:<24} {count:>6} carriers")?;
        }
        let [first, last, most, may] = ["first third", "last third", "most", "may be"];
        writeln!(f, "soak: {:<24} {first:>12} {last:>12} {most:>12} {may:>12}", "")?;
        for course in &self.courses {
            let Course { name, first, last, most, may, .. } = course;
            let word = if course.is_flat() { "flat" } else { "GROWS" };
            writeln!(f, "soak: {name:<24} {first:>12} {last:>12} {most:>12} {may:>12} {word}")?;
        }
        if let Some(memory) = self.courses.first() {
            writeln!(f, "soak: {} by tenths of the time: {:?}", memory.name, memory.tenths)?;
        }
        for (role, peak) in &self.peaks {
            writeln!(f, "soak: peak of {role:<16} {peak:>10} KiB")?;
        }
        for violation in &self.violations {
            writeln!(f, "soak: VIOLATION: {violation}")?;
        }
        write!(
            f,
            "soak: {} carriers, {} verdicts, {} samples in {} s, {} violations, seed {}",
            self.carriers.values().sum::<usize>(),
            self.verdicts,
            self.samples,
            self.took.as_secs(),
            self.violations.len(),
            self.seed
        )
    }
}
