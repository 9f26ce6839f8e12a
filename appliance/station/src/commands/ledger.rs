//! `ledger export`: the station's decisions, for auditors.

use std::path::PathBuf;

use clap::Subcommand;
use oms_sys::durable;
use oms_verify::reason::{Reason, printable_json};

use super::{Done, print};
use crate::config::Config;
use crate::journal::records;
use crate::present::Outcome;
use crate::storage::failed;
use crate::trust::Guard;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a line of JSON for each decision, with the place of its verdict in the archive. The
    /// station may be at work. `verdict verify --ledger` checks the folder `archive` itself
    Export(Args),
}

#[derive(clap::Args)]
pub(super) struct Args {
    /// The station's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the lines go
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(command: &Command) -> Done {
    let Command::Export(args) = command;
    let count = export(args).map_err(|reason| vec![reason])?;
    print(&format!("{count} decisions: {}\n", args.out.display()));
    Ok(Outcome::Passed)
}

fn export(args: &Args) -> Result<u64, Reason> {
    let config = Config::load(&args.config, None, None, &Guard::default())?;
    let mut count = 0u64;
    let mut refused = None;
    // Whole or not at all, and in the place of an earlier one.
    let written = durable::replace_with(&args.out, 0o640, |file| {
        let told = records(&config.state, |record| {
            count = count.saturating_add(1);
            serde_json::to_string(&record)
                .map_err(std::io::Error::from)
                .and_then(|line| writeln!(file, "{}", printable_json(&line)))
                .map_err(|error| failed("writing the decisions", &error, &args.out))
        });
        told.map_err(|reason| {
            refused = Some(reason);
            std::io::ErrorKind::Other.into()
        })
    });
    match (written, refused) {
        (Ok(()), _) => Ok(count),
        (Err(_), Some(reason)) => Err(reason),
        (Err(error), None) => Err(failed("writing the decisions", &error, &args.out)),
    }
}
