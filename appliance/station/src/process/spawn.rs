//! Starting a process for a role.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use oms_sys::channel::{Channel, ChannelError};
use oms_sys::confine::{ConfineError, close_on_exec};

use super::child::{Child, Ended};
use super::role::Role;
use super::wire::{Wire, WireError};
use crate::keys::module_environment;

/// This very program, also when another has taken its place on the disk.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A process that is in its sandbox and waits for its first message.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub child: Child,
    /// The wire to it.
    pub wire: Wire,
    /// The sandbox that it is in; nothing where it was waived.
    pub sandbox: Option<String>,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// what is open here would be open there
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// no channel to it
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// the kernel did not start it
    #[error("the {role} cannot be started: {error}")]
    Start {
        /// Which one.
        role: Role,
        /// Why.
        error: io::Error,
    },
    /// it ended, or did not say hello as it should
    #[error("the {role} did not begin: {error} ({ended})")]
    Begin {
        /// Which one.
        role: Role,
        /// What came instead of its hello.
        error: WireError,
        /// How it ended, at the latest by being killed.
        ended: Ended,
    },
    /// somebody else speaks for it
    #[error("the {role} says that it is another process")]
    Impostor {
        /// Which one.
        role: Role,
    },
}

/// Starts this program as `role` with `args` after it, and waits until `deadline` for it to be in
/// its sandbox. It inherits nothing but the wire, standard error, and `folder` as its standard
/// output: a folder, open for reading, that its sandbox is to leave open, such as that of a mount
/// which has no path. What it says on standard error is told here line by line.
///
/// It ends when the thread that called this ends: keep that thread as long as the child.
///
/// # Errors
/// When it cannot be started, or did not begin as it should. It is gone then.
pub fn spawn(
    role: Role,
    args: &[OsString],
    folder: Option<BorrowedFd<'_>>,
    deadline: Instant,
) -> Result<Started, SpawnError> {
    close_on_exec()?;
    let (here, there) = Channel::pair()?;
    let told = |error| SpawnError::Start { role, error };
    // The same open folder, since opening it again would ask whoever serves its file system.
    let folder = folder.map(|folder| folder.try_clone_to_owned()).transpose().map_err(told)?;
    let process = command(role, args)
        .stdin(Stdio::from(there.into_descriptor()))
        .stdout(folder.map_or_else(Stdio::null, Stdio::from))
        .spawn();
    let mut child = process.and_then(|process| Child::new(role, process)).map_err(told)?;
    let wire = Wire::new(here);
    match wire.greet(None, None, Some(role), Some(deadline)) {
        Ok(greeting) if greeting.pid == child.pid() => {
            Ok(Started { child, wire, sandbox: greeting.sandbox })
        }
        Ok(_) => Err(SpawnError::Impostor { role }),
        Err(error) => {
            let ended = child.settle().map_err(told)?;
            Err(SpawnError::Begin { role, error, ended })
        }
    }
}

fn command(role: Role, args: &[OsString]) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command
        .arg0("oms-appliance")
        .args(["role", role.name(), "--parent", &std::process::id().to_string()])
        .args(args)
        .env_clear()
        .envs(kept(role))
        .current_dir("/")
        .stderr(Stdio::piped());
    command
}

/// The variables that `role` keeps, where they are set: those by which PKCS#11 modules find their
/// configuration, and PINs their credential.
fn kept(role: Role) -> impl Iterator<Item = (&'static str, OsString)> {
    module_environment()
        .chain(["CREDENTIALS_DIRECTORY"])
        .filter(move |_| role == Role::Signer)
        .filter_map(|name| std::env::var_os(name).map(|value| (name, value)))
}
