//! Runs the sides of a contest in turn.

use std::path::PathBuf;

use oms_testkit::model::flip_bit;
use oms_testkit::peak::Peak;
use serde::Serialize;
use tempfile::TempDir;

use super::Options;
use super::figures::Times;
use super::side::Side;
use crate::failure::Failure;

/// A contest that is ready to be run.
pub(super) struct Work {
    /// As the command line calls it.
    pub(super) name: &'static str,
    /// What is done.
    pub(super) what: String,
    /// Bytes of the model.
    pub(super) bytes: u64,
    /// The appliance.
    pub(super) ours: Side,
    /// Whom it is compared with, and how many times as fast it must be at the least.
    pub(super) others: Vec<(Side, Option<f64>)>,
    /// A file of the model, and the offset of the bit to flip.
    pub(super) flip: (PathBuf, u64),
    /// The data, which go with this.
    pub(super) data: TempDir,
}

/// What came out of a contest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// As the command line calls it.
    pub(super) name: &'static str,
    /// What was done.
    pub(super) what: String,
    /// Bytes of the model.
    pub(super) bytes: u64,
    /// The appliance.
    pub(super) ours: SideOutcome,
    /// The others, each with how the appliance compares.
    pub(super) others: Vec<Comparison>,
}

/// What one side needed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SideOutcome {
    /// As the table calls it.
    pub(super) name: String,
    /// What was run.
    pub(super) command: String,
    /// Seconds from start to end.
    pub(super) time: Times,
    /// Seconds of processor time.
    pub(super) processor: Times,
    /// The memory of the program and of those that it started, in bytes, in a run that was not timed.
    pub(super) peak_bytes: Option<u64>,
}

/// The appliance beside another.
#[derive(Serialize)]
pub(super) struct Comparison {
    /// The other.
    #[serde(flatten)]
    pub(super) side: SideOutcome,
    /// How many times as fast the appliance is: the other's median by its own.
    pub(super) ratio: f64,
    /// What the design asks for.
    #[serde(flatten)]
    pub(super) goal: Option<Goal>,
}

/// The least ratio.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Goal {
    /// What the design asks for.
    pub(super) least: f64,
    /// Whether it was reached.
    pub(super) reached: bool,
}

/// What was measured of one side so far.
struct Running<'a> {
    side: &'a Side,
    seconds: Vec<f64>,
    processor: Vec<f64>,
    peak: Option<u64>,
    stdout: Vec<u8>,
}

/// Runs every side once to warm the cache and to see its memory; then in turn, forwards and
/// backwards, with a clock; and at last with a flipped bit, which each must notice.
pub(super) fn run(work: Work, options: &Options) -> Result<Outcome, Failure> {
    rustix::fs::sync();
    let mut sides = Vec::new();
    for side in std::iter::once(&work.ours).chain(work.others.iter().map(|(side, _)| side)) {
        let ran = side.watched()?;
        sides.push(Running {
            side,
            seconds: Vec::new(),
            processor: Vec::new(),
            peak: ran.peak.filter(|_| side.one_process).map(Peak::most),
            stdout: ran.stdout,
        });
    }
    for _ in 0..options.rounds {
        for running in &mut sides {
            let ran = running.side.timed()?;
            running.seconds.push(ran.seconds);
            running.processor.push(ran.processor);
        }
        sides.reverse();
    }
    if options.rounds % 2 == 1 {
        sides.reverse();
    }
    let (file, offset) = &work.flip;
    flip_bit(file, *offset);
    for running in &sides {
        running.side.notices(file, *offset, &running.stdout)?;
    }
    let mut outcomes = sides.into_iter().map(Running::outcome);
    let no_side = || Failure::Bench { what: "a contest without a side".to_owned() };
    let ours = outcomes.next().ok_or_else(no_side)?;
    let others = outcomes
        .zip(&work.others)
        .map(|(side, (_, least))| Comparison::new(&ours, side, *least))
        .collect();
    let Work { name, what, bytes, data, .. } = work;
    data.close().map_err(|source| Failure::Write { path: PathBuf::from(name), source })?;
    Ok(Outcome { name, what, bytes, ours, others })
}

impl Running<'_> {
    fn outcome(self) -> SideOutcome {
        SideOutcome {
            name: self.side.name.clone(),
            command: self.side.line.shown(),
            time: Times::new(self.seconds),
            processor: Times::new(self.processor),
            peak_bytes: self.peak,
        }
    }
}

impl Comparison {
    fn new(ours: &SideOutcome, side: SideOutcome, least: Option<f64>) -> Comparison {
        let ratio = side.time.median / ours.time.median;
        let goal = least.map(|least| Goal { least, reached: ratio >= least });
        Comparison { side, ratio, goal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(seconds: f64) -> SideOutcome {
        SideOutcome {
            name: String::new(),
            command: String::new(),
            time: Times::new(vec![seconds]),
            processor: Times::new(vec![seconds]),
            peak_bytes: None,
        }
    }

    #[test]
    fn who_needs_half_the_time_is_twice_as_fast() {
        let comparison = Comparison::new(&took(1.0), took(2.0), Some(2.0));
        assert_eq!(comparison.ratio, 2.0);
        assert!(comparison.goal.is_some_and(|goal| goal.reached));
        let slower = Comparison::new(&took(1.3), took(1.0), Some(1.0 / 1.2));
        assert!(slower.goal.is_some_and(|goal| !goal.reached));
    }
}
