//! `role`: one of the station's processes. Only the station itself starts it: standard input is the
//! socket to the supervisor.

use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oms_sys::confine::Pid;
use oms_verify::reason::{Code, Reason};

use super::Done;
use crate::present::Outcome;
use crate::process::{BeginError, Beginning, Begun, Role};
use crate::sandbox::{Files, Place};

/// How long the supervisor may take to answer a hello.
const GREETING: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Which one
    role: Role,
    /// The process that started it
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    parent: i32,
    /// What it may read
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// What it may read and write
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// Work without a sandbox: for development only
    #[arg(long)]
    insecure_no_sandbox: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let begun = begin(args).map_err(|error| vec![refused(args.role, &error.to_string())])?;
    work(args.role, &begun).map_err(|reason| vec![reason])?;
    Ok(Outcome::Passed)
}

/// Confines this process to what the command line leaves it.
fn begin(args: &Args) -> Result<Begun, BeginError> {
    let mut beginning = Beginning::here()?;
    let folder = beginning.take_folder();
    let path = |path| Place::Path(PathBuf::as_path(path));
    let files = Files {
        read: args
            .read
            .iter()
            .map(path)
            .chain(folder.iter().map(|fd| Place::Open(fd.as_fd())))
            .collect(),
        write: args.write.iter().map(path).collect(),
    };
    let files = (!args.insecure_no_sandbox).then_some(&files);
    let parent = Pid::from_raw(args.parent).unwrap_or(Pid::INIT);
    let now = Instant::now();
    beginning.enter(args.role, parent, files, now.checked_add(GREETING).unwrap_or(now))
}

/// Serves the supervisor until it closes the wire.
fn work(role: Role, begun: &Begun) -> Result<(), Reason> {
    match begun.wire.ended(None) {
        Ok(()) => Ok(()),
        Err(error) => Err(refused(role, &error.to_string())),
    }
}

fn refused(role: Role, why: &str) -> Reason {
    Reason::new(Code::StationProcess, format!("the {role}: {why}"))
}
