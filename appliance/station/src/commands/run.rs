//! `run`: the daemon, which waits for carriers and ingests each.

use std::path::PathBuf;
use std::sync::Arc;

use oms_sys::signal;
use oms_verify::reason::{Code, Reason};

use super::Done;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::daemon;
use crate::present::Outcome;
use crate::trust::Guard;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The station's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Let the station's processes work without a sandbox: for development only, and told in every
    /// verdict
    #[arg(long)]
    insecure_no_sandbox: bool,
}

/// Ends with SIGTERM or SIGINT, after what was being published. SIGHUP is ignored, here and in the
/// processes of the chain: neither a terminal that is closed nor whoever asks for a reload ends the
/// station, and there is nothing to load anew but what is read for each carrier anyway.
pub(super) fn run(args: &Args) -> Done {
    start(args).map(|()| Outcome::Passed).map_err(|reason| vec![reason])
}

fn start(args: &Args) -> Result<(), Reason> {
    signal::ignore_hangup();
    let cancel = Cancel::on_signals().map_err(|error| {
        Reason::new(Code::IntakeResources, format!("signals cannot be caught: {error}"))
    })?;
    let guard = Guard::default();
    let config = Config::load(&args.config, None, None, &guard)?;
    // What others write into decides nothing.
    let hot_folders = config.carriers.hot_folders.iter();
    let guard = hot_folders.fold(guard, |guard, folder| guard.against(folder));
    let config = Arc::new(Config::load(&args.config, None, None, &guard)?);
    daemon::run(config, &args.config, guard, !args.insecure_no_sandbox, &cancel)
}
