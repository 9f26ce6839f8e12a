//! Which files a process can open, by Landlock.
//!
//! Everything that this kernel's Landlock can forbid is forbidden: all access to files but for what
//! is named, TCP, abstract UNIX sockets and signals to processes outside.

use std::os::fd::{AsFd, BorrowedFd};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, make_bitflags,
};
use rustix::fs::{FileType, fstat};

use super::{Files, Place, SandboxError};

/// The oldest Landlock that will do: it knows renames between folders and truncation.
const NEEDED: ABI = ABI::V3;

/// The newest Landlock that this program knows.
const NEWEST: ABI = ABI::V9;

/// Looking at files and folders.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Changing them.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// What of these concerns a file that is no folder.
const OF_A_FILE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});

/// Lets this thread open nothing but `files`, and gives the version of Landlock that sees to it.
pub(super) fn enforce(files: &Files<'_>) -> Result<i32, SandboxError> {
    let mut rules = rules().map_err(missing)?;
    for (places, access) in [(&files.read, READ), (&files.write, WRITE)] {
        for place in places {
            rules = allow(rules, place, access)?;
        }
    }
    let status = rules.restrict_self().map_err(missing)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err(SandboxError::NotEnforced),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as i32),
        _ => Err(SandboxError::NotEnforced),
    }
}

/// Rules that allow nothing.
fn rules() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

/// Adds one place.
fn allow(
    rules: RulesetCreated,
    place: &Place<'_>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, SandboxError> {
    let told = |error| SandboxError::Place { place: place.shown(), error };
    let opened;
    let fd: BorrowedFd<'_> = match place {
        Place::Open(fd) => *fd,
        Place::Path(path) => {
            opened = PathFd::new(path).map_err(|e| told(Box::new(e)))?;
            opened.as_fd()
        }
    };
    let stat = fstat(fd).map_err(|e| told(Box::new(e)))?;
    let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let access = if folder { access } else { access & OF_A_FILE };
    rules.add_rule(PathBeneath::new(fd, access)).map_err(|e| told(Box::new(e)))
}

fn missing(error: RulesetError) -> SandboxError {
    SandboxError::NoLandlock { needed: NEEDED as i32, error }
}
