//! Crashes a station again and again, and looks at what is left. `cargo xtask crash` builds and runs
//! it.
//!
//! ```text
//!  Stage (station, carriers) ──ingest──▶ Fault: SIGKILL of one of its processes
//!        │                                    │
//!        └──◀── the next ingest ──◀── Record: what is out is complete, nothing was lost or changed
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it talks to a person, and what it cannot set up ends it as a failed test"
)]

mod dice;
mod fault;
mod kill;
mod processes;
mod record;
mod report;
mod stage;
mod steps;
mod violation;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

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
}

fn main() -> ExitCode {
    let Arguments { runs, seconds, seed } = Arguments::parse();
    let within = seconds.map_or(Duration::MAX, Duration::from_secs);
    let report = kill::run(runs, within, seed.unwrap_or_else(dice::any_seed));
    println!("{report}");
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
