//! `oms-conformance`: drives the appliance's library by the protocol of the public OMS conformance
//! suite. Only the exit code counts there: 0 done, 1 refused, 2 usage or configuration, 3 nothing
//! could be decided. Reasons go to standard error, by their codes.
//!
//! ```text
//!  sign-model   ──▶ sign::hash_model ──▶ Signer::sign_model ──▶ bundle
//!  verify-model ──▶ settings ──▶ pipeline::examine ──▶ verdict
//! ```

mod settings;
mod sign;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use oms_station::present::{Outcome, reasons_text};
use oms_verify::reason::{Code, Reason};

/// Signs and verifies models as the public OMS conformance suite asks.
#[derive(Parser)]
#[command(name = "oms-conformance")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign a model
    SignModel(sign::Args),
    /// Verify a model
    VerifyModel(verify::Args),
}

/// How signer and verifier know each other.
#[derive(Clone, Copy, ValueEnum)]
enum Method {
    Key,
    Certificate,
    Sigstore,
}

fn main() -> ExitCode {
    // A wrong command line ends here, with 2.
    let reasons = match Cli::parse().command {
        Command::SignModel(args) => sign::run(&args).err().unwrap_or_default(),
        Command::VerifyModel(args) => verify::run(&args).unwrap_or_else(|reasons| reasons),
    };
    if !reasons.is_empty() {
        let _ = std::io::stderr().write_all(reasons_text("reason", &reasons).as_bytes());
    }
    ExitCode::from(Outcome::of(&reasons).exit_code())
}

/// What an option holds that its method needs.
fn needed<'a, T>(option: &'a Option<T>, name: &str) -> Result<&'a T, Reason> {
    option
        .as_ref()
        .ok_or_else(|| Reason::new(Code::ConfigUsage, format!("the method needs {name}")))
}
