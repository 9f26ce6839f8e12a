//! `role`: one of the station's processes. Only the station itself starts it: standard input is the
//! socket to the supervisor.

use std::num::NonZero;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use oms_sys::beneath::Root;
use oms_sys::confine::Pid;
use oms_sys::ring;
use oms_verify::reason::{Code, Reason};

use super::Done;
use crate::carriers::{archive, mounter, program};
use crate::chain::{Link, copier, decider, give_up, inspector};
use crate::config::Config;
use crate::intake::absent_or_unreadable;
use crate::present::Outcome;
use crate::process::{Beginning, Begun, Role};
use crate::sandbox::{Files, Place};
use crate::signing::{self, Office};
use crate::trust::{Guard, Trust, TrustPaths};

/// How long the supervisor may take to answer a hello.
const GREETING: Duration = Duration::from_secs(30);

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Read a carrier
    Copier {
        #[command(flatten)]
        common: Common,
        /// The carrier; without one, nothing is done
        #[arg(long)]
        carrier: Option<PathBuf>,
        /// What people know the carrier by that is open already, as standard output
        #[arg(long, conflicts_with = "carrier")]
        opened: Option<String>,
        /// The folder of the spool for the copies
        #[arg(long)]
        into: Option<PathBuf>,
        /// The folder of the spool for the content of an archive, which is read instead
        #[arg(long, conflicts_with_all = ["carrier", "opened"])]
        unpack: Option<PathBuf>,
    },
    /// Decide about one model
    Decider {
        #[command(flatten)]
        common: Common,
        /// The policy; without one, nothing is done
        #[arg(long)]
        policy: Option<PathBuf>,
        /// The folder of anchors
        #[arg(long)]
        roots: Option<PathBuf>,
        /// The folder of CRLs
        #[arg(long)]
        crls: Option<PathBuf>,
    },
    /// Read the copies
    Inspector {
        #[command(flatten)]
        common: Common,
        /// The folder of the model's files; without one, nothing is done
        #[arg(long)]
        copies: Option<PathBuf>,
    },
    /// Mount a device
    Mounter {
        #[command(flatten)]
        common: Common,
    },
    /// Become the program that reads a file system
    Program {
        #[command(flatten)]
        common: Common,
    },
    /// Sign
    Signer {
        #[command(flatten)]
        common: Common,
        /// The station's configuration; without one, nothing is done
        #[arg(long)]
        config: Option<PathBuf>,
        /// Another policy than the configured one
        #[arg(long)]
        policy: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub(super) struct Common {
    /// The process that started it
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    parent: i32,
    /// Work without a sandbox: for development only
    #[arg(long)]
    insecure_no_sandbox: bool,
}

pub(super) fn run(command: &Command) -> Done {
    work(command).map(|()| Outcome::Passed).map_err(|reason| vec![reason])
}

fn work(command: &Command) -> Result<(), Reason> {
    if let Command::Program { common } = command {
        let parent = Pid::from_raw(common.parent).unwrap_or(Pid::INIT);
        return Err(program::become_it(parent, common.insecure_no_sandbox));
    }
    let mut beginning = here()?;
    match command {
        Command::Copier { common, unpack: Some(into), .. } => {
            let files = Files { read: Vec::new(), write: vec![Place::Path(into)] };
            let Link(wire) = common.enter(beginning, Role::Copier, &files)?;
            archive::serve(&wire, into).map_err(|error| refused(&format!("the copier: {error}")))
        }
        Command::Copier { common, carrier: Some(carrier), into, .. } => {
            let root = Root::open(carrier).map_err(|error| absent_or_unreadable(&error, carrier));
            let write = into.iter().map(|folder| Place::Path(folder)).collect();
            let read = root.iter().map(|_| Place::Path(carrier)).collect();
            make_rings();
            let link = common.enter(beginning, Role::Copier, &Files { read, write })?;
            serve(link, |link| copier::serve(link, Arc::new(root?), carrier, into.as_deref()))
        }
        Command::Copier { common, opened: Some(shown), into, .. } => {
            let folder = beginning.take_folder().ok_or_else(|| refused("no carrier is open"))?;
            let root =
                Root::from_descriptor(folder).map_err(|error| refused(&error.to_string()))?;
            let write = into.iter().map(|folder| Place::Path(folder)).collect();
            let read = vec![Place::Open(root.as_fd())];
            make_rings();
            let link = common.enter(beginning, Role::Copier, &Files { read, write })?;
            let shown = Path::new(shown);
            serve(link, |link| copier::serve(link, Arc::new(root), shown, into.as_deref()))
        }
        Command::Decider { common, policy: Some(policy), roots, crls } => {
            // The station's own files, read while they can be.
            let (policy, roots, crls) = (policy.clone(), roots.clone(), crls.clone());
            let trust = Trust::load(&TrustPaths { policy, roots, crls }, &Guard::default());
            let link = common.enter(beginning, Role::Decider, &Files::default())?;
            serve(link, |link| decider::serve(link, trust?))
        }
        Command::Inspector { common, copies: Some(copies) } => {
            let files = Files { read: vec![Place::Path(copies)], write: Vec::new() };
            make_rings();
            let link = common.enter(beginning, Role::Inspector, &files)?;
            serve(link, |link| inspector::serve(link, copies))
        }
        Command::Copier { common, .. } => idle(common, beginning, Role::Copier),
        Command::Decider { common, policy: None, .. } => idle(common, beginning, Role::Decider),
        Command::Inspector { common, copies: None } => idle(common, beginning, Role::Inspector),
        Command::Mounter { common } => {
            let Link(wire) = common.enter(beginning, Role::Mounter, &Files::default())?;
            mounter::serve(&wire).map_err(|error| refused(&format!("the mounter: {error}")))
        }
        Command::Program { .. } => Ok(()),
        Command::Signer { common, config: Some(config), policy } => {
            let guard = Guard::default();
            let config = Config::load(config, policy.as_deref(), None, &guard);
            let office = config.and_then(Office::open);
            let places = |paths: &[PathBuf]| -> Vec<PathBuf> { paths.to_vec() };
            let (read, write) = match &office {
                Ok(office) => (places(office.read()), places(office.write())),
                Err(_) => (Vec::new(), Vec::new()),
            };
            let read = read.iter().map(|path| Place::Path(path)).collect();
            let write = write.iter().map(|path| Place::Path(path)).collect();
            let link = common.enter(beginning, Role::Signer, &Files { read, write })?;
            serve(link, |link| signing::serve(link, office?))
        }
        Command::Signer { common, config: None, .. } => idle(common, beginning, Role::Signer),
    }
}

/// Makes what the sandbox does not let be made: two rings for each core, of which one is for small
/// files, and one to try. Where there can be none, threads read, or whoever asks for rings by name is
/// told so.
fn make_rings() {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let _ = ring::make_beforehand(cores.saturating_mul(2).saturating_add(1));
}

/// Enters the sandbox and waits until the supervisor hangs up: that it can be entered is all that is
/// asked for.
fn idle(common: &Common, beginning: Beginning, role: Role) -> Result<(), Reason> {
    let Link(wire) = common.enter(beginning, role, &Files::default())?;
    wire.ended(None).map_err(|error| refused(&format!("the {role}: {error}")))
}

/// That this process is alone.
fn here() -> Result<Beginning, Reason> {
    Beginning::here().map_err(|error| refused(&error.to_string()))
}

/// Does the work of a role. What it fails for is told to the supervisor, who decides what of it.
fn serve(link: Link, work: impl FnOnce(&Arc<Link>) -> Result<(), Reason>) -> Result<(), Reason> {
    let link = Arc::new(link);
    work(&link).or_else(|reason| {
        give_up(&link, reason);
        Ok(())
    })
}

impl Common {
    /// Confines this process to `files`.
    fn enter(&self, beginning: Beginning, role: Role, files: &Files<'_>) -> Result<Link, Reason> {
        let files = (!self.insecure_no_sandbox).then_some(files);
        let parent = Pid::from_raw(self.parent).unwrap_or(Pid::INIT);
        let now = Instant::now();
        let deadline = now.checked_add(GREETING).unwrap_or(now);
        let Begun { wire, .. } = beginning
            .enter(role, parent, files, deadline)
            .map_err(|error| refused(&format!("the {role}: {error}")))?;
        Ok(Link(wire))
    }
}

fn refused(why: &str) -> Reason {
    Reason::new(Code::StationProcess, why)
}
