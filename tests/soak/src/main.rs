//! Gives a daemon carriers for a set time, good and hostile ones mixed, and sees that nothing grows.
//! `cargo xtask soak` builds and runs it.
//!
//! ```text
//!  carriers ──rename──▶ hot folder ──▶ Daemon ──▶ outbound ──▶ Sender, the diode's side
//!      ▲                                │  ▲                      │
//!      └── removed when it may be       │  └── SIGKILL of one     │ verdicts
//!          pulled, or while it is read  ▼      of its processes   ▼
//!                              Samples of /proc             Record: every carrier has its end
//!                                       └───────▶ Report ◀────────┘
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "it talks to a person, and what it cannot set up ends it as a failed test"
)]

mod carriers;
mod daemon;
mod flat;
mod record;
mod report;
mod run;
mod samples;
mod sender;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oms_tests::dice;

/// What is to be done.
#[derive(Parser)]
struct Arguments {
    /// For how many seconds carriers come
    #[arg(long, value_name = "N", default_value_t = 900)]
    seconds: u64,
    /// What chance is made of; another each time when it is not given
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// Only carriers of this kind (repeatable)
    #[arg(long = "only", value_name = "KIND")]
    only: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Arguments { seconds, seed, only, json } = Arguments::parse();
    let seed = seed.unwrap_or_else(dice::any_seed);
    eprintln!("soak: seed {seed}, {seconds} s");
    let report = run::soak(Duration::from_secs(seconds), seed, &only);
    if json {
        println!("{:#}", report.document());
    } else {
        println!("{report}");
    }
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
