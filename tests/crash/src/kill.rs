//! The station's processes are killed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::processes;
use crate::record::Record;
use crate::report::Report;
use crate::stage::{MEMORY, QUOTA, Running, Stage, UNDECIDED};
use crate::steps::Steps;
use crate::violation::Violation;

/// Crashes that one station goes through.
const A_STATION: u32 = 25;
/// How long the processes of one that was killed may take to end.
const MOMENT: Duration = Duration::from_secs(5);

/// Crashes stations, at most `runs` times, and begins nothing new after `within`.
pub(crate) fn run(runs: u32, within: Duration, seed: u64) -> Report {
    let start = Instant::now();
    let mut report = Report::new("crash", seed);
    let mut dice = Dice::new(seed);
    let folder = tempfile::Builder::new().prefix("oms-crash-").tempdir().expect("a folder");
    while report.runs < runs && start.elapsed() < within {
        let mut station = match Stage::any(place(folder.path(), &mut dice), &mut dice) {
            Ok(stage) => Station { record: Record::of(&stage), stage },
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
        report.runs += 1;
        let mut steps = Steps::of(&stage.scene.station);
        let mut running = Running::with(stage, carrier, fault.command())?;
        let signal = if dice.once_in(6) { Signal::TERM } else { Signal::KILL };
        let struck = fault.strike(running.pid(), signal, &mut steps, || running.has_ended());
        let status = running.wait()?;
        let struck = struck.or_else(|| {
            let is_struck = matches!(fault, Fault::Call(_)) && status.is_none();
            is_struck.then(|| "supervisor at a call".to_owned())
        });
        let mut may = vec![Some(carrier.status)];
        if struck.is_some() && fault.is_for_supervisor() {
            // One that is told to end before it listens ends at once.
            may.push(None);
        }
        let is_told = signal == Signal::TERM || !fault.is_for_supervisor();
        if struck.is_some() && is_told || stage.has_quota {
            may.push(Some(UNDECIDED));
        }
        report.struck(struck);
        if !may.contains(&status) {
            return Err(running.ended_with(status.unwrap_or(-1)));
        }
        nobody_is_left(running.pid())?;
        nothing_is_mounted(&stage.scene.path(""))?;
        steps.are_moves()?;
        record.after_crash(&stage.scene)?;
        stage.check_quota()?;
        if status == Some(carrier.status) {
            record.after_visit(&stage.scene, carrier)?;
        }
        if dice.once_in(4) {
            record.is_taken(&stage.scene);
        }
        if dice.once_in(2) { self.recover(dice) } else { Ok(()) }
    }

    /// A run that nothing comes between ends what was begun, and its own carrier.
    fn recover(&mut self, dice: &mut Dice) -> Result<(), Violation> {
        let Station { stage, record } = self;
        let carrier = dice.one_of(&stage.carriers);
        if stage.recover(carrier)? != carrier.status {
            // Outbound was full.
            record.after_recovery(&stage.scene)?;
            record.is_taken(&stage.scene);
            if stage.recover(carrier)? != carrier.status {
                return Err(Violation::Quota { held: 0, quota: QUOTA });
            }
        }
        record.after_recovery(&stage.scene)?;
        record.after_visit(&stage.scene, carrier)?;
        stage.check_quota()
    }
}

/// Where a station is made: two of three in memory where that can be, which is quicker, and the
/// third where syncing takes its time.
pub(crate) fn place<'a>(folder: &'a Path, dice: &mut Dice) -> &'a Path {
    let memory = Path::new(MEMORY);
    if !dice.once_in(3) && memory.is_dir() { memory } else { folder }
}

/// The processes of a supervisor end with it.
pub(crate) fn nobody_is_left(supervisor: u32) -> Result<(), Violation> {
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

/// Nothing is mounted below a folder.
pub(crate) fn nothing_is_mounted(below: &Path) -> Result<(), Violation> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the list of mounts");
    let below = below.display().to_string();
    let mut lines = mounts.lines().filter(|line| line.contains(&below));
    lines.next().map_or(Ok(()), |line| Err(Violation::Mounts(line.to_owned())))
}
