//! The mounter: the only process with the right to mount, and all that it does.
//!
//! ```text
//!  supervisor ── Mount + device (+ its disk) ──▶ mounter: read-only, see that it is, how large,
//!      ▲                                            which file system, is it listed, mount
//!      ├──── Mounted + the mount ◀──────────────────┤
//!      └──── Served: no driver in the kernel ◀──────┘
//!  supervisor starts the program, then ── Serve + its /dev/fuse ──▶ ── Mounted + the mount ──▶
//! ```
//!
//! It opens no file: the device comes as a descriptor. It ends when it has given the mount away.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use oms_sys::block::{BlockDevice, BlockError};
use oms_sys::mount::{MountError, detached, detached_served};
use oms_sys::superblock::{FileSystem, HEAD_BYTES, UnknownFileSystem, identify};
use oms_verify::reason::{Code, Reason};
use serde::{Deserialize, Serialize};

use crate::process::wire::{Wire, WireError, WireReason, one};
use crate::process::{Role, spawn};

/// How long a device may take until it is mounted: a slow disc, with some retries.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the mounter is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Order {
    /// Mount this device, if it has one of these file systems. With the device, and for a partition
    /// with its disk.
    Mount { file_systems: Vec<String> },
    /// Mount what a program serves. With its `/dev/fuse`.
    Serve {},
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Word {
    /// Done. With the mount.
    Mounted { file_system: String },
    /// The kernel has no driver for it.
    Served { file_system: String },
    /// It cannot be.
    Failed(WireReason),
}

/// A mount that has no path, of a device.
#[derive(Debug)]
pub(super) struct Mounted {
    /// The place; [`oms_sys::mount::folder`] opens it.
    pub(super) place: OwnedFd,
    /// What it is.
    pub(super) file_system: FileSystem,
}

/// A program that serves a file system, as far as it is needed to mount.
pub(super) trait Serves {
    /// Its `/dev/fuse`, until it has begun.
    fn served(&self) -> Option<BorrowedFd<'_>>;

    /// It is mounted, and the program may begin to serve.
    fn begin(&mut self);
}

/// Has `device` mounted, and `disk` set read-only with it. `start` starts the program for a file
/// system that the kernel has no driver for.
///
/// # Errors
/// With what is wrong with the device, or the process that fails.
pub(super) fn mount<P: Serves>(
    device: &BlockDevice,
    disk: Option<&BlockDevice>,
    file_systems: &[FileSystem],
    insecure_no_sandbox: bool,
    start: impl FnOnce(FileSystem) -> Result<P, Reason>,
) -> Result<(Mounted, Option<P>), Reason> {
    let now = Instant::now();
    let deadline = now.checked_add(PATIENCE).unwrap_or(now);
    let args: Vec<_> =
        insecure_no_sandbox.then(|| "--insecure-no-sandbox".into()).into_iter().collect();
    let mut started = spawn(Role::Mounter, &args, None, deadline).map_err(|e| failed(&e))?;
    let wire = &started.wire;
    let file_systems = file_systems.iter().map(|one| one.name().to_owned()).collect();
    let devices: Vec<_> =
        [Some(device), disk].into_iter().flatten().map(|one| one.as_fd()).collect();
    let told = |error: WireError| failed(&error);
    wire.send(&Order::Mount { file_systems }, &devices, Some(deadline)).map_err(told)?;
    let (word, with) = wire.receive_with(Some(deadline)).map_err(told)?;
    let mut program = None;
    let (word, with) = match word {
        Word::Served { file_system } => {
            let serving = start(named(&file_system)?)?;
            let served: Vec<_> = serving.served().into_iter().collect();
            wire.send(&Order::Serve {}, &served, Some(deadline)).map_err(told)?;
            program = Some(serving);
            wire.receive_with(Some(deadline)).map_err(told)?
        }
        other => (other, with),
    };
    match word {
        Word::Mounted { file_system } => {
            let place = one(with).map_err(told)?;
            if let Some(program) = &mut program {
                program.begin();
            }
            // It is not needed any more, and holds the mount.
            let _ = started.child.wait(Some(deadline)).and_then(|_| started.child.kill());
            Ok((Mounted { place, file_system: named(&file_system)? }, program))
        }
        Word::Failed(reason) => Err(reason.0),
        Word::Served { .. } => Err(failed(&WireError::Unexpected)),
    }
}

fn named(file_system: &str) -> Result<FileSystem, Reason> {
    file_system.parse().map_err(|_| failed(&WireError::Unexpected))
}

fn failed(error: &dyn std::fmt::Display) -> Reason {
    Reason::new(Code::StationProcess, format!("the mounter: {error}"))
}

/// Does the mounter's work, for whoever is at the other end of `wire`.
///
/// # Errors
/// When the other side does not ask as it should. What is wrong with a device is its answer.
pub(crate) fn serve(wire: &Wire) -> Result<(), WireError> {
    let (order, devices) = match wire.receive_with(None) {
        // That it can be started is all that was asked for.
        Err(WireError::Channel(oms_sys::channel::ChannelError::Ended)) => return Ok(()),
        other => other?,
    };
    let Order::Mount { file_systems } = order else { return Err(WireError::Unexpected) };
    let word = match prepared(devices, &file_systems) {
        Ok((device, kind)) => match by_kernel(&device, kind) {
            Ok(Some(mount)) => return give(wire, kind, &mount),
            Ok(None) => {
                let word = Word::Served { file_system: kind.name().to_owned() };
                wire.send(&word, &[], None)?;
                return by_program(wire, kind);
            }
            Err(error) => Word::Failed(WireReason(refused(&error))),
        },
        Err(reason) => Word::Failed(WireReason(reason)),
    };
    wire.send(&word, &[], None)
}

/// Makes the devices read-only and finds out what the first one holds.
fn prepared(
    devices: Vec<OwnedFd>,
    file_systems: &[String],
) -> Result<(BlockDevice, FileSystem), Reason> {
    let wrong = |error: BlockError| Reason::new(Code::CarrierDevice, error.to_string());
    let devices: Result<Vec<_>, _> =
        devices.into_iter().map(BlockDevice::from_descriptor).collect();
    let devices = devices.map_err(wrong)?;
    for device in &devices {
        let _ = device.bytes().map_err(wrong)?;
        device.set_read_only().map_err(wrong)?;
    }
    let device = devices.into_iter().next().ok_or_else(|| wrong(BlockError::NotABlockDevice))?;
    let head = device.head(HEAD_BYTES).map_err(|error| {
        Reason::new(Code::MediaUnreadable, format!("its beginning cannot be read: {error}"))
    })?;
    let other = |error: UnknownFileSystem| Reason::new(Code::CarrierFileSystem, error.to_string());
    let kind = identify(&head).map_err(other)?;
    if file_systems.iter().any(|name| name == kind.name()) {
        return Ok((device, kind));
    }
    let detail = format!("it holds {kind}, which carriers.file-systems does not list");
    Err(Reason::new(Code::CarrierFileSystem, detail))
}

/// Mounts by the kernel's driver, if it has one that is to be used.
fn by_kernel(device: &BlockDevice, kind: FileSystem) -> Result<Option<OwnedFd>, MountError> {
    // What the kernel calls by this name is another driver in each version.
    if kind == FileSystem::Ntfs {
        return Ok(None);
    }
    match detached(device, kind) {
        Err(MountError::NoDriver(_)) => Ok(None),
        other => other.map(Some),
    }
}

/// Mounts what the supervisor's program serves.
fn by_program(wire: &Wire, kind: FileSystem) -> Result<(), WireError> {
    let (order, with) = match wire.receive_with(None) {
        // There is no such program: the supervisor says so itself.
        Err(WireError::Channel(oms_sys::channel::ChannelError::Ended)) => return Ok(()),
        other => other?,
    };
    let Order::Serve {} = order else { return Err(WireError::Unexpected) };
    match detached_served(one(with)?.as_fd(), kind, 0, 0) {
        Ok(mount) => give(wire, kind, &mount),
        Err(error) => wire.send(&Word::Failed(WireReason(refused(&error))), &[], None),
    }
}

fn give(wire: &Wire, kind: FileSystem, mount: &OwnedFd) -> Result<(), WireError> {
    wire.send(&Word::Mounted { file_system: kind.name().to_owned() }, &[mount.as_fd()], None)
}

fn refused(error: &MountError) -> Reason {
    Reason::new(Code::CarrierMount, error.to_string())
}
