//! `doctor`: whether the machine and the station are fit for their work.

use std::path::PathBuf;

use oms_verify::reason::Reason;
use serde::Serialize;

use super::{print, print_json};
use crate::config::Config;
use crate::doctor::{Check, State, gravest, machine, station, text};
use crate::intake::Settings;
use crate::present::Outcome;
use crate::trust::Guard;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A station's configuration: look at the station too, not only at the machine
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    /// The gravest state of all.
    result: State,
    exit_code: u8,
    checks: Vec<Check>,
}

/// Warnings are told and fail nothing.
pub(super) fn run(args: &Args) -> Result<Outcome, Vec<Reason>> {
    let guard = Guard::default();
    let config = match &args.config {
        None => None,
        Some(path) => Some(Config::load(path, None, None, &guard).map_err(|reason| vec![reason])?),
    };
    let settings = config.as_ref().map_or_else(Settings::default, |config| config.intake);
    let mut checks = machine::checks(settings);
    if let (Some(config), Some(path)) = (&config, &args.config) {
        checks.extend(station::checks(config, &guard));
        checks.extend(station::keys(config));
        // What failed already is not tried again: a token counts wrong PINs.
        if gravest(&checks) != State::Failed {
            checks.push(station::signer(path));
        }
    }
    let result = gravest(&checks);
    let outcome = if result == State::Failed { Outcome::Undecided } else { Outcome::Passed };
    if args.json {
        let exit_code = outcome.exit_code();
        let schema = "urn:oms-appliance:doctor:1";
        print_json(&Document { schema, result, exit_code, checks });
    } else {
        print(&text(&checks));
    }
    Ok(outcome)
}
