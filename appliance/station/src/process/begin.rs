//! The first thing that a process of a role does: it sees that it is alone, enters its sandbox and
//! says hello. Nothing was read before.
//!
//! ```text
//!   Beginning::here ─▶ (what cannot be made later, such as rings) ─▶ enter ─▶ Begun
//! ```

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use oms_sys::channel::{Channel, ChannelError};
use oms_sys::confine::{ConfineError, Pid, nothing_else_open, single_threaded};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use super::role::Role;
use super::wire::{Wire, WireError};
use crate::sandbox::{self, Files, SandboxError, Status};

/// A process that is alone and has read nothing yet.
#[derive(Debug)]
pub struct Beginning {
    channel: Channel,
    folder: Option<OwnedFd>,
}

/// A process that may begin its work.
#[derive(Debug)]
pub struct Begun {
    /// To whoever started it.
    pub wire: Wire,
    /// What is in force; nothing where the sandbox was waived.
    pub sandbox: Option<Status>,
}

/// Why a process must end before it has begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// it is not alone, or something was left open for it
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// standard input is no channel, or standard output is not what it should be
    #[error("standard input or output: {0}")]
    Channel(#[from] ChannelError),
    /// there is no sandbox
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// the other side is not the supervisor
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Beginning {
    /// Checks that this process has one thread and that nothing is open but the channel and the
    /// folder that it was started with.
    ///
    /// # Errors
    /// When it is otherwise. The process must end.
    pub fn here() -> Result<Self, BeginError> {
        single_threaded()?;
        let channel = Channel::from_stdin()?;
        let folder = folder_from_stdout()?;
        let named = folder.iter().map(|fd| fd.as_fd()).chain([channel.as_fd()]);
        nothing_else_open(&named.collect::<Vec<_>>())?;
        Ok(Beginning { channel, folder })
    }

    /// Takes the folder that this process was started with, if it was. It belongs into the files
    /// that [`Beginning::enter`] leaves open.
    pub fn take_folder(&mut self) -> Option<OwnedFd> {
        self.folder.take()
    }

    /// Enters the sandbox of `role`, where `files` is all that can still be opened, and greets the
    /// supervisor, which is `parent`, until `deadline`. Without `files` there is no sandbox: for
    /// development only.
    ///
    /// # Errors
    /// When any of it fails. The process must end.
    pub fn enter(
        self,
        role: Role,
        parent: Pid,
        files: Option<&Files<'_>>,
        deadline: Instant,
    ) -> Result<Begun, BeginError> {
        let sandbox = files.map(|files| sandbox::enter(role, files, parent)).transpose()?;
        let wire = Wire::new(self.channel);
        wire.greet(Some(role), sandbox.as_ref(), None, Some(deadline))?;
        Ok(Begun { wire, sandbox })
    }
}

/// The folder that standard output is, if it is one. It then becomes what it usually is.
fn folder_from_stdout() -> Result<Option<OwnedFd>, BeginError> {
    let folder = io::stdout().as_fd().try_clone_to_owned().map_err(ChannelError::from)?;
    let found = fstat(&folder).map_err(ChannelError::from)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return Ok(None);
    }
    let nothing = open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(ChannelError::from)?;
    rustix::stdio::dup2_stdout(nothing).map_err(ChannelError::from)?;
    Ok(Some(folder))
}
