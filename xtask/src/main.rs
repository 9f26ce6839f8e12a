//! The project's own commands: `cargo xtask --help` lists them. Each is a file of its own; this one
//! only parses the command line and hands over.

#![expect(clippy::print_stdout, reason = "these commands talk to a person")]

mod bench;
mod ci;
mod conformance;
mod crash;
mod demo;
mod deny;
mod doc;
mod environment;
mod failure;
mod firmware_roots;
mod fmt;
mod fuzz;
mod limbo;
mod models;
mod packages;
mod peer;
mod process;
mod purity;
mod reasons;
mod sanitize;
mod scanners;
mod setup;
mod soak;
mod source;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Sets up, builds, tests, checks and shows the appliance.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the Debian packages that the tests and the demo need
    Setup,
    /// Prepare the Python implementation of OMS that the tests compare with
    Peer,
    /// Set up, build everything, and run all tests
    Test,
    /// Run every check that a change must pass
    Ci {
        /// Leave a check out (repeatable)
        #[arg(long, value_name = "CHECK", value_parser = ci::names())]
        skip: Vec<String>,
    },
    /// Lay out all source files
    Fmt {
        /// Only say which file is not laid out
        #[arg(long)]
        check: bool,
    },
    /// Build the reference of the workspace's packages
    Doc,
    /// Check the rules of the repository that no compiler checks
    Tidy,
    /// Check that oms-verify and oms-inspect can do no I/O
    Purity,
    /// Check licences, sources and banned crates among the dependencies
    Deny,
    /// Write the documentation of the reason codes
    Reasons {
        /// Only compare it with what is there
        #[arg(long)]
        check: bool,
    },
    /// Add to the anchors that are built into the binary, or check them
    #[command(subcommand)]
    FirmwareRoots(firmware_roots::Command),
    /// Run the offline cases of the public OMS conformance suite
    Conformance {
        /// A checkout of the suite [default: oms-conformance in the test vectors]
        #[arg(long, value_name = "DIR")]
        suite: Option<PathBuf>,
    },
    /// Run the cases of x509-limbo through `oms-appliance cert verify`
    Limbo {
        /// The file with the cases [default: x509-limbo/limbo.json in the test vectors]
        #[arg(long, value_name = "FILE")]
        cases: Option<PathBuf>,
        /// Build with optimisation, and allow 100 ms of processor time for a case
        #[arg(long)]
        release: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Feed the parsers with inputs that a fuzzer makes
    Fuzz {
        /// The targets [default: all]
        #[arg(value_name = "TARGET", value_parser = fuzz::names())]
        targets: Vec<String>,
        /// How long each target runs
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u64,
        /// How many targets run at a time
        #[arg(long, value_name = "N", default_value_t = 1)]
        jobs: usize,
    },
    /// Show the hostile models of the corpus to other scanners of models, and compare
    Scanners,
    /// Sign and verify real models from the Python package index, as a production station would
    Models,
    /// Kill the processes of a station at random moments, and check that nothing is lost
    Crash(crash::Options),
    /// Give a daemon good and hostile carriers for a set time, and check that nothing grows
    Soak(soak::Options),
    /// Measure the appliance beside openssl, cp, b3sum and the Python model_signing
    Bench(bench::Options),
    /// Run the tests of oms-sys under AddressSanitizer and Miri
    Sanitize {
        /// Only under this one (repeatable); it is a failure then if it is not installed
        #[arg(long = "with", value_name = "WATCHER")]
        watchers: Vec<sanitize::Watcher>,
        /// Only tests with this in their name
        filter: Option<String>,
    },
    /// Show the whole way of a model: sign, ingest, verify; and a refusal
    Demo {
        /// A model of your own: a folder or a file
        #[arg(long, value_name = "PATH")]
        model: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::compile() {
        return code;
    }
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Setup => setup::for_tests(),
        Command::Peer => peer::run().map(drop),
        Command::Test => test::run(),
        Command::Ci { skip } => ci::run(&skip),
        Command::Fmt { check } => fmt::run(check),
        Command::Doc => doc::run(),
        Command::Tidy => tidy::run(),
        Command::Purity => purity::run(),
        Command::Deny => deny::run(),
        Command::Reasons { check } => reasons::run(check),
        Command::FirmwareRoots(command) => firmware_roots::run(&command),
        Command::Conformance { suite } => conformance::run(suite.as_deref()),
        Command::Limbo { cases, release, json } => {
            limbo::run(cases.as_deref(), limbo::Options { release, json })
        }
        Command::Fuzz { targets, seconds, jobs } => fuzz::run(&targets, seconds, jobs),
        Command::Scanners => scanners::run(),
        Command::Models => models::run(),
        Command::Crash(options) => crash::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Sanitize { watchers, filter } => sanitize::run(&watchers, filter.as_deref()),
        Command::Demo { model } => demo::run(model.as_deref()),
    }
}
