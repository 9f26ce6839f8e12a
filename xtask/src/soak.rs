//! `cargo xtask soak`: gives a daemon carriers for a set time, good and hostile ones mixed, and sees
//! that its memory, descriptors and processes stay as they are. The work is done by `tests/soak`.

use oms_testkit::run::binary;

use crate::failure::Failure;
use crate::process::{cargo, command, run as run_command};

/// How long, and with which seed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long carriers come, in seconds
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    seconds: Option<u64>,
    /// The same in minutes [default: 15]
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Draw the same carriers again: the seed of an earlier report
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// Only carriers of this kind (repeatable)
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Builds the appliance and what soaks it, and runs that.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    build()?;
    let Options { seconds, minutes, seed, only, json } = options;
    let seconds = seconds.unwrap_or_else(|| minutes.unwrap_or(15).saturating_mul(60));
    let mut soak = command(binary("oms-soak"), &["--seconds", &seconds.to_string()]);
    if let Some(seed) = seed {
        soak.args(["--seed", &seed.to_string()]);
    }
    for kind in only {
        soak.args(["--only", kind]);
    }
    if *json {
        soak.arg("--json");
    }
    run_command(&mut soak)
}

fn build() -> Result<(), Failure> {
    run_command(&mut cargo(&[
        "build",
        "--locked",
        "--package",
        "oms-station",
        "--package",
        "oms-soak",
        "--bin",
        "oms-appliance",
        "--bin",
        "oms-soak",
    ]))
}
