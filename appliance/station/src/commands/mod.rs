//! The commands, one file each. Results go to standard output, everything else to standard error.

mod cert;
mod digest;
mod doctor;
mod hsm;
mod ingest;
mod inspect;
mod ledger;
mod output;
mod policy;
mod reading;
mod resend;
mod role;
mod roots;
mod run;
mod sign;
mod status;
mod verdict;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};
use oms_sys::sha256::{Lanes, Unusable};
use oms_verify::reason::{Code, Reason, printable_json};
use serde::Serialize;

use crate::outbound::VERSION;
use crate::present::{FailureDocument, Outcome, reasons_text};

/// Lets AI models into isolated networks: verifies OpenSSF Model Signing bundles offline, decides
/// by policy, re-signs under the corporate key and publishes for a data diode.
#[derive(Parser)]
#[command(name = "oms-appliance", version = VERSION, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 accepted or done, 1 refused, 2 wrong usage or configuration, \
3 could not decide (I/O, HSM, resources): nothing released.";

#[derive(Subcommand)]
enum Command {
    /// Decide about a model where it lies
    Verify(verify::Args),
    /// Ingest every model of a carrier: verify, copy, re-sign, publish
    Ingest(ingest::Args),
    /// Wait for carriers and ingest each: the daemon
    Run(run::Args),
    /// Ask the daemon what it does
    Status(status::Args),
    /// Sign a model: make an OMS bundle
    Sign(sign::Args),
    /// Show the root digest of a model
    Digest(digest::Args),
    /// Show what a bundle alleges, or what a model file is
    Inspect(inspect::Args),
    /// Explain certification paths
    #[command(subcommand)]
    Cert(cert::Command),
    /// Check and explain policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Check a verdict on the receiving side
    #[command(subcommand)]
    Verdict(verdict::Command),
    /// Send a model again that a station still keeps: a new entry by the old decision
    Resend(resend::Args),
    /// Export the station's record for auditors
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// List and check trust anchors
    #[command(subcommand)]
    Roots(roots::Command),
    /// List and check PKCS#11 tokens and keys
    #[command(subcommand)]
    Hsm(hsm::Command),
    /// Check whether this machine and this station are fit for their work
    Doctor(doctor::Args),
    /// Work as one of the station's processes
    #[command(subcommand, hide = true)]
    Role(role::Command),
}

impl Command {
    /// Whether the caller is owed a JSON document when the command gives only reasons.
    fn wants_json(&self) -> bool {
        match self {
            Command::Sign(args) => args.json,
            Command::Digest(args) => args.json,
            Command::Inspect(args) => args.json,
            Command::Doctor(args) => args.json,
            Command::Role(_) | Command::Run(_) => false,
            Command::Status(args) => args.json,
            Command::Roots(command) => command.wants_json(),
            Command::Hsm(command) => command.wants_json(),
            Command::Policy(command) => command.wants_json(),
            // Once these have begun, what they run into stands in a document of their own.
            Command::Verify(args) => args.json,
            Command::Ingest(args) => args.json,
            Command::Resend(args) => args.json,
            Command::Ledger(_) => false,
            Command::Cert(cert::Command::Verify(args)) => args.json,
            Command::Verdict(verdict::Command::Verify(args)) => args.json,
        }
    }
}

/// What a command gives: an outcome, after it has printed its result.
type Done = Result<Outcome, Vec<Reason>>;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints either where it belongs.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.command.wants_json();
    let fault = match cli.command {
        // It tells that, with all the rest.
        Command::Doctor(_) => None,
        _ => Lanes::of_this_machine().err(),
    };
    let done = hashing_works(fault).and_then(|()| perform(cli.command));
    let outcome = done.unwrap_or_else(|reasons| {
        if json {
            print_json(&FailureDocument::new(&reasons));
        } else {
            warn(&reasons_text("error", &reasons));
        }
        Outcome::of(&reasons)
    });
    let unheard = UNHEARD.load(Ordering::Relaxed);
    ExitCode::from(if unheard { outcome.exit_code().max(3) } else { outcome.exit_code() })
}

/// Every command hashes something, or shows digests: none is to do so wrongly.
fn hashing_works(fault: Option<Unusable>) -> Result<(), Vec<Reason>> {
    match fault {
        None => Ok(()),
        Some(fault) => Err(vec![Reason::new(Code::IntakeSha256, fault.to_string())]),
    }
}

fn perform(command: Command) -> Done {
    match command {
        Command::Verify(args) => verify::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Digest(args) => digest::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Cert(command) => cert::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Verdict(command) => verdict::run(&command),
        Command::Resend(args) => resend::run(&args),
        Command::Ledger(command) => ledger::run(&command),
        Command::Roots(command) => roots::run(&command),
        Command::Hsm(command) => hsm::run(&command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Role(command) => role::run(&command),
    }
}

/// Whether a result could not be printed: whoever waits for it must not take silence for success.
static UNHEARD: AtomicBool = AtomicBool::new(false);

/// Prints a result.
fn print(text: &str) {
    let mut out = std::io::stdout();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        UNHEARD.store(true, Ordering::Relaxed);
    }
}

/// Prints one JSON document.
fn print_json(document: &impl Serialize) {
    let mut text = printable_json(&serde_json::to_string_pretty(document).unwrap_or_default());
    text.push('\n');
    print(&text);
}

/// Prints what is not the result.
fn warn(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_json_is_told_in_json_also_why_nothing_could_begin() {
        let wants = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().command.wants_json();
        for line in [
            "oms verify --policy p",
            "oms ingest --config c /media",
            "oms sign m --bundle b --key k",
            "oms digest m",
            "oms inspect f",
            "oms cert verify c --roots r",
            "oms policy check p",
            "oms resend 1 --config c",
            "oms verdict verify e --roots r --verifier u",
            "oms roots list",
            "oms hsm list --module m",
            "oms doctor",
            "oms status",
        ] {
            assert!(wants(&format!("{line} --json")), "{line}");
            assert!(!wants(line), "{line}");
        }
    }

    #[test]
    fn a_machine_that_hashes_wrongly_decides_nothing() {
        assert!(hashing_works(None).is_ok());
        let reasons = hashing_works(Some(Unusable)).unwrap_err();
        assert_eq!(reasons[0].code, Code::IntakeSha256);
        assert_eq!(Outcome::of(&reasons).exit_code(), 3);
    }
}
