//! `cargo xtask crash`: crashes a station again and again, and checks what is left each time. The
//! work is done by `tests/crash`.

use std::num::NonZeroU32;

use oms_testkit::run::binary;

use crate::failure::Failure;
use crate::process::{cargo, command, run as run_command};

/// How often, how long, and with which seed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many crashes
    #[arg(long, value_name = "N", default_value = "200")]
    runs: NonZeroU32,
    /// Begin no other run after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Draw the same faults again: the seed of an earlier report
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// Cut the power instead of killing processes: what was not flushed to the drive is lost, in
    /// part or as a whole. Needs root, /dev/fuse and loop devices
    #[arg(long)]
    power: bool,
    /// Crash the daemon, while carriers come to its hot folder
    #[arg(long, conflicts_with = "power")]
    daemon: bool,
}

impl Options {
    /// As much as a check of every change may take.
    pub(crate) fn of_ci() -> Options {
        let runs = NonZeroU32::MIN.saturating_add(199);
        Options { runs, seconds: Some(150), seed: None, power: false, daemon: false }
    }
}

/// Builds the appliance and what crashes it, and runs that.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    build()?;
    let Options { runs, seconds, seed, power, daemon } = options;
    let mut crash = command(binary("oms-crash"), &["--runs", &runs.to_string()]);
    for (flag, value) in [("--seconds", seconds), ("--seed", seed)] {
        if let Some(value) = value {
            crash.args([flag, &value.to_string()]);
        }
    }
    for (flag, is_given) in [("--power", power), ("--daemon", daemon)] {
        if *is_given {
            crash.arg(flag);
        }
    }
    run_command(&mut crash)
}

fn build() -> Result<(), Failure> {
    run_command(&mut cargo(&[
        "build",
        "--locked",
        "--package",
        "oms-station",
        "--package",
        "oms-crash",
        "--bin",
        "oms-appliance",
        "--bin",
        "oms-crash",
    ]))
}
