//! The sandbox of each role: what it can still do after it has entered.
//!
//! ```text
//!   one thread ─▶ give up: network, capabilities, new privileges, ... (oms_sys::confine)
//!              ─▶ Landlock: which files can be opened
//!              ─▶ seccomp: which system calls there are ([`calls`], one table to review)
//!              ─▶ the first message is read, threads may start
//! ```
//!
//! What cannot be set up is an error, and the process must end: there is no half of a sandbox. All
//! of it also binds every thread that is started afterwards.

mod calls;
mod filter;
mod landlock;
mod limits;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use oms_sys::confine::{CapabilitySet, ConfineError, Left, Pid, give_up};

use self::filter::FilterError;
use crate::process::Role;

/// A folder or file that a process may still open, with all that lies beneath.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// By its path.
    Path(&'a Path),
    /// By a descriptor that is open already.
    Open(BorrowedFd<'a>),
}

/// Which files a process can still open. What is open already stays so.
#[derive(Clone, Debug, Default)]
pub struct Files<'a> {
    /// To read.
    pub read: Vec<Place<'a>>,
    /// To read, write, make, rename and remove: regular files and folders, no devices and no links.
    pub write: Vec<Place<'a>>,
}

/// What is in force, as the verdict tells it, such as `landlock-7+seccomp+netns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status(String);

/// Why there is no sandbox. The process must end.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// the process could not give up what it must
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// the kernel's Landlock is missing, or older than what is needed
    #[error("Landlock of ABI {needed} or later is needed (Linux 6.2): {error}")]
    NoLandlock {
        /// The oldest that will do.
        needed: i32,
        /// What is missing.
        error: ::landlock::RulesetError,
    },
    /// a place cannot be named to Landlock
    #[error("{place} cannot be allowed: {error}")]
    Place {
        /// The path, or which descriptor.
        place: String,
        /// Why.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Landlock took the rules and did not enforce them
    #[error("Landlock is not enforced")]
    NotEnforced,
    /// the filter of system calls cannot be set up
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl Status {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Confines this process to what `role` needs and to `files`, for good. `parent` is the process
/// that started it: this one ends with it.
///
/// # Errors
/// When any part of the sandbox cannot be set up. The process is then partly confined and must end.
pub fn enter(role: Role, files: &Files<'_>, parent: Pid) -> Result<Status, SandboxError> {
    // Whatever may fail without a trace is made before anything is given up.
    let filters = filter::of(role)?;
    give_up(&Left { capabilities: capabilities(role), limits: limits::of(role), parent })?;
    let mut parts = Vec::new();
    // Landlock forbids to mount, to whomever.
    if role != Role::Mounter {
        parts.push(format!("landlock-{}", landlock::enforce(files)?));
    }
    filters.enforce()?;
    parts.extend(["seccomp".to_owned(), "netns".to_owned()]);
    Ok(Status(parts.join("+")))
}

/// What a role keeps of root's rights, where the station has them.
fn capabilities(role: Role) -> CapabilitySet {
    match role {
        Role::Mounter => CapabilitySet::SYS_ADMIN,
        // A carrier's files belong to whoever wrote them.
        Role::Copier => CapabilitySet::DAC_READ_SEARCH,
        Role::Decider | Role::Inspector | Role::Signer => CapabilitySet::empty(),
    }
}

impl Place<'_> {
    /// How it is told in errors.
    fn shown(&self) -> String {
        match self {
            Place::Path(path) => PathBuf::from(path).display().to_string(),
            Place::Open(_) => "an open folder".to_owned(),
        }
    }
}
