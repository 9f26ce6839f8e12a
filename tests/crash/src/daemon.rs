//! The daemon's processes are killed, or it is told to end, while carriers come to its hot folder.
//!
//! ```text
//!  carriers ──rename──▶ hot folder ──▶ run ◀── Fault
//!                                       │ when it is gone: run again
//!                                       ▼
//!                     every carrier released, every model with its end, and the Record
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use oms_testkit::{files, run};
use rustix::process::Signal;

use crate::fault::Fault;
use crate::kill::{nobody_is_left, nothing_is_mounted, place};
use crate::processes;
use crate::record::Record;
use crate::report::Report;
use crate::stage::{Carrier, LIMIT, Running, Stage, UNDECIDED};
use crate::steps::Steps;
use crate::violation::Violation;
use oms_tests::dice::Dice;

/// Crashes that one station goes through.
const A_STATION: u32 = 10;
/// How often is looked at the log.
const PAUSE: Duration = Duration::from_millis(10);

/// Crashes daemons, at most `runs` times, and begins nothing new after `within`.
pub(crate) fn run(runs: u32, within: Duration, seed: u64) -> Report {
    let start = Instant::now();
    let mut report = Report::new("daemon", seed);
    let mut dice = Dice::new(seed);
    let folder = tempfile::Builder::new().prefix("oms-crash-").tempdir().expect("a folder");
    while report.runs < runs && start.elapsed() < within && report.violations.is_empty() {
        let mut station = match Station::new(place(folder.path(), &mut dice), &mut dice) {
            Ok(station) => station,
            Err(violation) => {
                report.violation(violation, folder.path());
                break;
            }
        };
        let last = report.runs.saturating_add(A_STATION).min(runs);
        let mut done = Ok(());
        while report.runs < last && start.elapsed() < within && done.is_ok() {
            report.runs += 1;
            done = station.crash(&mut dice, &mut report);
        }
        let done = done.and_then(|()| station.stop());
        report.check(done, || station.stage.scene.path(""));
        report.entries += station.record.entries();
        if !report.violations.is_empty() {
            // It is kept, to be looked at.
            station.daemon = None;
            std::mem::forget(station);
        }
    }
    if !report.violations.is_empty() {
        let _ = folder.keep();
    }
    report.took = start.elapsed();
    report
}

/// A station with its daemon.
struct Station {
    stage: Stage,
    record: Record,
    hot: PathBuf,
    log: PathBuf,
    daemon: Option<Running>,
    brought: u32,
}

/// What lies in the hot folder, and what it is.
type Brought = Vec<(PathBuf, Carrier)>;

impl Station {
    fn new(parent: &Path, dice: &mut Dice) -> Result<Station, Violation> {
        let profile = *dice.one_of(&["tree", "tar"]);
        let stage = Stage::new(parent, profile, dice.once_in(2), false)?;
        let (hot, log) = (files::folder(stage.scene.path("hot")), stage.scene.path("log"));
        stage.scene.station.configure(&format!(
            "[carriers]\nhot-folders = [{hot:?}]\nsettle = \"1s\"\nat-once = {}\n\
             [run]\nsocket = {:?}\nlog = \"json\"\nlog-file = {log:?}\n",
            1 + dice.below(2),
            stage.scene.path("status.sock"),
        ));
        let record = Record::of(&stage);
        Ok(Station { stage, record, hot, log, daemon: None, brought: 0 })
    }

    /// One run with a fault: whatever it was, in the end every carrier was served.
    fn crash(&mut self, dice: &mut Dice, report: &mut Report) -> Result<(), Violation> {
        if self.daemon.is_none() {
            self.daemon = Some(self.start()?);
        }
        let brought = self.bring(dice);
        let is_struck = self.strike(&brought, dice, report)?;
        self.served(&brought)?;
        self.record.after_recovery(&self.stage.scene)?;
        let named: Vec<(&Path, &Carrier)> =
            brought.iter().map(|(path, carrier)| (path.as_path(), carrier)).collect();
        self.record.after_visits(&self.stage.scene, &named, is_struck)?;
        if dice.once_in(8) {
            self.is_alone()?;
        }
        for (path, _) in &brought {
            let removed =
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.expect("a carrier that can be pulled");
        }
        if dice.once_in(4) {
            self.record.is_taken(&self.stage.scene);
        }
        Ok(())
    }

    /// Strikes while the carriers are served, and starts the daemon again when that ended it. Says
    /// whether a process of a model was struck.
    fn strike(
        &mut self,
        brought: &Brought,
        dice: &mut Dice,
        report: &mut Report,
    ) -> Result<bool, Violation> {
        let mut daemon = self.daemon.take().expect("it was started");
        let scene = &self.stage.scene;
        let carrier = brought.first().map(|(_, carrier)| carrier).expect("a carrier was brought");
        let fault = Fault::of_running(carrier, dice);
        let signal = if dice.once_in(4) { Signal::TERM } else { Signal::KILL };
        let (start, mut steps) = (Instant::now(), Steps::of(&scene.station));
        let struck = fault.strike(daemon.pid(), signal, &mut steps, || {
            are_released(&self.log, brought) || daemon.has_ended() || start.elapsed() > LIMIT
        });
        let is_struck = struck.is_some();
        report.struck(struck);
        if is_struck && fault.is_for_supervisor() {
            let status = daemon.wait()?;
            if status != (signal == Signal::TERM).then_some(0) {
                return Err(daemon.ended_with(status.unwrap_or(-1)));
            }
            nobody_is_left(daemon.pid())?;
            nothing_is_mounted(&scene.path(""))?;
            steps.are_moves()?;
            self.record.after_crash(scene)?;
            daemon = self.start()?;
        }
        self.daemon = Some(daemon);
        Ok(is_struck && !fault.is_for_supervisor())
    }

    /// Starts the daemon, and waits until it is ready to serve.
    fn start(&self) -> Result<Running, Violation> {
        let before = said(&self.log, "fit");
        let mut command = run::command();
        command.arg("run");
        let mut daemon = Running::of(&self.stage.scene, command);
        wait_until(&mut daemon, || said(&self.log, "fit") > before)?;
        Ok(daemon)
    }

    /// Puts one carrier or two into the hot folder, as folders or as tars.
    fn bring(&mut self, dice: &mut Dice) -> Brought {
        let mut brought = Vec::new();
        for _ in 0..=dice.below(2) {
            let all = self.stage.carriers.iter().filter(|carrier| carrier.is_ingested());
            let carrier = (*dice.one_of(&all.collect::<Vec<_>>())).clone();
            let from = carrier.path().expect("it is ingested");
            self.brought += 1;
            let is_tar = dice.once_in(3);
            let name = format!("{}{}", self.brought, if is_tar { ".tar" } else { "" });
            let hidden = self.hot.join(format!(".{name}"));
            let mut copy = Command::new(if is_tar { "tar" } else { "cp" });
            if is_tar {
                copy.arg("-cf").arg(&hidden).arg("-C").arg(from).arg(".");
            } else {
                copy.arg("-a").arg(from).arg(&hidden);
            }
            let _ = run::outcome(&mut copy).expect_status(0);
            let place = self.hot.join(name);
            fs::rename(hidden, &place).expect("a name that is free");
            brought.push((place, carrier));
        }
        brought
    }

    /// Waits until all carriers were served and nothing goes on any more.
    fn served(&mut self, brought: &Brought) -> Result<(), Violation> {
        let spool = &self.stage.scene.station.spool;
        let is_quiet = || {
            let mut names = fs::read_dir(spool).expect("a spool").flatten();
            !names.any(|name| name.file_name().to_string_lossy().starts_with("ingest-"))
        };
        let daemon = self.daemon.as_mut().expect("it was started");
        wait_until(daemon, || are_released(&self.log, brought) && is_quiet())
    }

    /// An ingest beside the daemon does nothing.
    fn is_alone(&self) -> Result<(), Violation> {
        let before = self.stage.scene.station.entries();
        let carrier = self.stage.carriers.first().expect("a carrier");
        Running::start(&self.stage, carrier)?.expect(UNDECIDED)?;
        let after = self.stage.scene.station.entries();
        if after == before { Ok(()) } else { Err(Violation::Beside) }
    }

    /// Ends the daemon as a service manager does.
    fn stop(&mut self) -> Result<(), Violation> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        processes::signal(daemon.pid(), Signal::TERM);
        daemon.expect(0)?;
        self.record.after_recovery(&self.stage.scene)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            processes::kill(daemon.pid());
        }
    }
}

fn wait_until(daemon: &mut Running, is_so: impl Fn() -> bool) -> Result<(), Violation> {
    let start = Instant::now();
    while !is_so() {
        if daemon.has_ended() {
            return Err(daemon.ended_with(-1));
        }
        if start.elapsed() > LIMIT {
            processes::kill(daemon.pid());
            return Err(Violation::Hang(LIMIT));
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// How often the log tells of an event.
fn said(log: &Path, event: &str) -> usize {
    let event = format!("\"event\":\"{event}\"");
    let log = fs::read_to_string(log).unwrap_or_default();
    log.lines().filter(|line| line.contains(&event)).count()
}

/// Whether the log tells of every carrier that it may be pulled.
fn are_released(log: &Path, brought: &Brought) -> bool {
    let log = fs::read_to_string(log).unwrap_or_default();
    let is_told = |line: &&str| line.contains("\"event\":\"carrier-released\"");
    let released: Vec<&str> = log.lines().filter(is_told).collect();
    brought.iter().all(|(path, _)| {
        let path = format!("\"{}\"", path.display());
        released.iter().any(|line| line.contains(&path))
    })
}
