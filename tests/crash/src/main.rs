//! Crashes a station again and again, and looks at what is left. `cargo xtask crash` builds and runs
//! it.
//!
//! ```text
//!  Stage (station, carriers) ──ingest──▶ Fault: SIGKILL of one of its processes
//!        │                                    │
//!        └──◀── the next ingest ──◀── Record: what is out is complete, nothing was lost or changed
//!
//!  daemon: the same of `run`, to which carriers come by a hot folder
//!  power: the same on a drive that forgets what was not flushed to it
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it talks to a person, and what it cannot set up ends it as a failed test"
)]

mod calls;
mod daemon;
mod fault;
mod kill;
mod power;
mod processes;
mod record;
mod report;
mod stage;
mod steps;
mod violation;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oms_tests::dice;

/// What is to be done.
#[derive(Parser)]
struct Arguments {
    /// How many crashes
    #[arg(long, value_name = "N", default_value_t = 200)]
    runs: u32,
    /// Begin no run after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// What chance is made of; another each time when it is not given
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// Cut the power instead: what was not flushed to the drive is lost, in part or as a whole
    #[arg(long)]
    power: bool,
    /// Crash the daemon, while carriers come to its hot folder
    #[arg(long, conflicts_with = "power")]
    daemon: bool,
}

fn main() -> ExitCode {
    let Arguments { runs, seconds, seed, power, daemon } = Arguments::parse();
    let within = seconds.map_or(Duration::MAX, Duration::from_secs);
    let seed = seed.unwrap_or_else(dice::any_seed);
    let report = match (power, daemon) {
        (true, _) => power::cut(runs, within, seed),
        (_, true) => Some(daemon::run(runs, within, seed)),
        _ => Some(kill::run(runs, within, seed)),
    };
    let Some(report) = report else {
        println!("the power cannot be cut here");
        return ExitCode::FAILURE;
    };
    println!("{report}");
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
