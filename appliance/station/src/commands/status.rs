//! `status`: what the daemon does, asked at its socket.

use std::path::PathBuf;
use std::time::Duration;

use oms_verify::reason::{Code, Reason, printable_json};

use super::{Done, print};
use crate::cancel::Cancel;
use crate::daemon::status::{SCHEMA, Status};
use crate::daemon::{SOCKET, ask};
use crate::present::Outcome;

/// How often it is asked while it is watched.
const EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

#[derive(clap::Args)]
pub(super) struct Args {
    /// The daemon's status socket
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    socket: PathBuf,
    /// Ask again every second, until SIGINT; a daemon that ends is exit code 3
    #[arg(long)]
    watch: bool,
    /// Print one JSON document; with --watch, one a line
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    show(args).map(|()| Outcome::Passed).map_err(|reason| vec![reason])
}

fn show(args: &Args) -> Result<(), Reason> {
    let cancel = Cancel::on_signals().map_err(|error| {
        Reason::new(Code::IntakeResources, format!("signals cannot be caught: {error}"))
    })?;
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    loop {
        let status = read(&ask(&args.socket)?, args)?;
        match (args.json, args.watch && is_terminal) {
            (false, true) => print(&format!("{CLEAR}{}", status.text())),
            (false, false) => print(&status.text()),
            (true, _) if args.watch => {
                let text = serde_json::to_string(&status).unwrap_or_default();
                print(&format!("{}\n", printable_json(&text)));
            }
            (true, _) => super::print_json(&status),
        }
        if !args.watch {
            return Ok(());
        }
        std::thread::sleep(EVERY);
        if cancel.is_asked() {
            return Ok(());
        }
    }
}

fn read(answer: &[u8], args: &Args) -> Result<Status, Reason> {
    let wrong = |detail: String| {
        Reason::new(Code::StatusUnreachable, detail).about(args.socket.display().to_string())
    };
    let status: Status =
        serde_json::from_slice(answer).map_err(|error| wrong(format!("its answer: {error}")))?;
    if status.schema != SCHEMA {
        return Err(wrong("the daemon is of another version".to_owned()));
    }
    Ok(status)
}
