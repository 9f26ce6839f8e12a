//! The station's processes are killed.

use std::fs;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::processes;
use crate::record::Record;
use crate::report::Report;
use crate::stage::{Running, Stage};
use crate::steps::Steps;
use crate::violation::Violation;

/// Crashes that one station goes through.
const A_STATION: u32 = 25;
/// How long the processes of one that was killed may take to end.
const MOMENT: Duration = Duration::from_secs(5);
/// The exit code of an ingest that could not decide about a model.
const UNDECIDED: i32 = 3;

/// Crashes stations, at most `runs` times, and begins nothing new after `within`.
pub(crate) fn run(runs: u32, within: Duration, seed: u64) -> Report {
    let start = Instant::now();
    let mut report = Report::new("crash", seed);
    let mut dice = Dice::new(seed);
    let folder = tempfile::Builder::new().prefix("oms-crash-").tempdir().expect("a folder");
    while report.runs < runs && start.elapsed() < within {
        let profile = *dice.one_of(&["tree", "tree", "tar"]);
        let mut station = match Stage::new(folder.path(), profile) {
            Ok(stage) => Station { record: Record::of(&stage.scene), stage },
            Err(violation) => {
                report.violation(violation, folder.path());
                break;
            }
        };
        let before = report.violations.len();
        let last = report.runs.saturating_add(A_STATION).min(runs);
        while report.runs < last && start.elapsed() < within && report.violations.len() == before {
            let done = station.crash(&mut dice, &mut report);
            report.check(done, || station.stage.scene.path(""));
        }
        if report.violations.len() == before {
            let done = station.recover(&mut dice);
            report.check(done, || station.stage.scene.path(""));
        }
        report.entries += station.record.entries();
        if report.violations.len() > before {
            // It is kept, to be looked at.
            std::mem::forget(station);
        }
    }
    if !report.violations.is_empty() {
        let _ = folder.keep();
    }
    report.took = start.elapsed();
    report
}

/// A station, and what is known of it.
struct Station {
    stage: Stage,
    record: Record,
}

impl Station {
    /// One run with a fault, and what is there after it; half the time also after a recovery.
    fn crash(&mut self, dice: &mut Dice, report: &mut Report) -> Result<(), Violation> {
        let Station { stage, record } = self;
        let carrier = dice.one_of(&stage.carriers);
        let fault = Fault::any(carrier, dice);
        let mounts = mounts();
        report.runs += 1;
        let mut steps = Steps::of(&stage.scene.station);
        let mut running = Running::start(stage, carrier);
        let struck = fault.strike(&mut running, &mut steps);
        let status = running.wait()?;
        let may = match (&struck, fault.is_for_supervisor()) {
            (Some(_), true) => vec![None, Some(carrier.status)],
            (Some(_), false) => vec![Some(UNDECIDED), Some(carrier.status)],
            (None, _) => vec![Some(carrier.status)],
        };
        report.struck(struck);
        if !may.contains(&status) {
            return Err(running.ended_with(status.unwrap_or(-1)));
        }
        nobody_is_left(running.pid())?;
        let after = self::mounts();
        if after != mounts {
            return Err(Violation::Mounts { before: mounts, after });
        }
        record.after_crash(&stage.scene)?;
        if dice.once_in(4) {
            record.is_taken(&stage.scene);
        }
        if dice.once_in(2) { self.recover(dice) } else { Ok(()) }
    }

    fn recover(&mut self, dice: &mut Dice) -> Result<(), Violation> {
        self.stage.recover(dice)?;
        self.record.after_recovery(&self.stage.scene)
    }
}

/// The processes of a supervisor end with it.
fn nobody_is_left(supervisor: u32) -> Result<(), Violation> {
    let start = Instant::now();
    loop {
        let left = processes::of(supervisor);
        if left.is_empty() {
            return Ok(());
        }
        if start.elapsed() > MOMENT {
            for process in &left {
                processes::kill(process.pid);
            }
            let named = left.iter().map(|one| format!("{} {}", one.role, one.pid));
            return Err(Violation::Processes(named.collect()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How much is mounted.
fn mounts() -> usize {
    fs::read_to_string("/proc/self/mountinfo").expect("the list of mounts").lines().count()
}
