//! A carrier while it is served: its folder, and how it is let go.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use oms_sys::beneath::{BeneathError, Root};
use oms_sys::block::{BlockDevice, BlockError};
use oms_sys::superblock::FileSystem;
use oms_verify::reason::{Code, Reason};
use rustix::fs::fstat;

use super::archive::{self, Unpacked};
use super::program::Program;
use super::{Arrival, Device, Entry, Source, mounter};
use crate::cancel::Cancel;

/// How long a program may take to show the first folder of what it serves.
const FIRST: Duration = Duration::from_secs(60);

/// How long a device may be in use after its last reader has gone.
const RELEASE: Duration = Duration::from_secs(10);

/// What opening a carrier takes.
#[derive(Clone, Debug)]
pub struct Means {
    /// The file systems that a device may have.
    pub file_systems: Vec<FileSystem>,
    /// The spool: archives are unpacked there.
    pub spool: PathBuf,
    /// The most files and folders of an archive.
    pub most_files: usize,
    /// The most bytes of an archive.
    pub most_bytes: u64,
    /// Without sandboxes: for development only.
    pub insecure_no_sandbox: bool,
}

/// A carrier that is open. Dropped, it is let go.
#[derive(Debug)]
pub struct Carrier {
    root: Root,
    device: Option<Device>,
    file_system: Option<FileSystem>,
    program: Option<Program>,
    _unpacked: Option<Unpacked>,
}

impl Arrival {
    /// Opens the carrier. What the mounter and the programs need is started by this thread, and ends
    /// with it: keep the thread as long as the carrier.
    ///
    /// # Errors
    /// When it is gone, or not what it was when it came, or cannot be used; each with what to do.
    /// When it was cancelled.
    pub fn open(&self, means: &Means, cancel: &Cancel) -> Result<Carrier, Reason> {
        let opened = match &self.source {
            Source::Folder(entry) => of_entry(entry),
            Source::Archive(entry) => archive::open(entry, means, cancel),
            Source::Device(device) => of_device(device, means),
        };
        opened.map_err(|reason| {
            let is_told = reason.file.is_some();
            if is_told { reason } else { reason.about(self.source.to_string()) }
        })
    }
}

impl Carrier {
    /// What was in an archive.
    pub(super) fn unpacked(root: Root, folder: Unpacked) -> Self {
        Carrier { root, device: None, file_system: None, program: None, _unpacked: Some(folder) }
    }

    /// Its first folder.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The file system that was found on a device.
    #[must_use]
    pub fn file_system(&self) -> Option<FileSystem> {
        self.file_system
    }

    /// Lets the carrier go, which takes down the mount of a device, and sees that nobody holds it
    /// any more: after this, it may be pulled.
    ///
    /// # Errors
    /// When it is still in use: somebody has kept a descriptor of it.
    pub fn release(self) -> Result<(), Reason> {
        let Carrier { root, device, program, .. } = self;
        drop(root);
        // Its mount is gone, so that it has nothing left to do.
        drop(program);
        let Some(device) = device else { return Ok(()) };
        let until = Instant::now().checked_add(RELEASE);
        loop {
            match BlockDevice::open_unused(&device.path()) {
                Err(BlockError::InUse) if until.is_some_and(|until| Instant::now() < until) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error @ BlockError::InUse) => return Err(unusable(&error)),
                // Free, or pulled already.
                _ => return Ok(()),
            }
        }
    }
}

/// An entry of a hot folder, if it is still the one that came.
fn of_entry(entry: &Entry) -> Result<Carrier, Reason> {
    let hot_folder = Root::open(&entry.hot_folder)
        .map_err(|error| Reason::new(Code::CarrierFolder, error.to_string()))?;
    let root = hot_folder.entry(&entry.name).map_err(|error| match error {
        BeneathError::Crossing => Reason::new(Code::MediaMountCrossing, error.to_string()),
        BeneathError::Symlink => Reason::new(Code::MediaSymlink, error.to_string()),
        other => Reason::new(Code::MediaUnreadable, other.to_string()),
    })?;
    let stat = fstat(&root).map_err(|e| Reason::new(Code::MediaUnreadable, e.to_string()))?;
    if (stat.st_dev, stat.st_ino) != entry.inode {
        let detail = "another folder has its name by now";
        return Err(Reason::new(Code::CarrierEntry, detail));
    }
    Ok(Carrier { root, device: None, file_system: None, program: None, _unpacked: None })
}

/// A device, mounted.
fn of_device(device: &Device, means: &Means) -> Result<Carrier, Reason> {
    let opened = unused(device)?;
    let disk = device.disk_path().map(|path| unused_or_read_only(&path)).transpose()?;
    let start = |kind| Program::start(kind, &opened, means.insecure_no_sandbox);
    let (mounted, program) = mounter::mount(
        &opened,
        disk.as_ref(),
        &means.file_systems,
        means.insecure_no_sandbox,
        start,
    )?;
    let (folder, program) = match program {
        None => (oms_sys::mount::folder(mounted.place.as_fd()).map_err(unreadable)?, None),
        Some(program) => {
            let (folder, program) = first_folder(mounted.place, program)?;
            (folder, Some(program))
        }
    };
    let root = Root::from_descriptor(folder).map_err(unreadable)?;
    let file_system = Some(mounted.file_system);
    Ok(Carrier { root, device: Some(device.clone()), file_system, program, _unpacked: None })
}

/// Opens the first folder of what a program serves, which can keep who opens it waiting: then it is
/// ended, which ends the waiting.
fn first_folder(place: OwnedFd, program: Program) -> Result<(OwnedFd, Program), Reason> {
    let (send, receive) = mpsc::channel();
    let opening = std::thread::Builder::new().spawn(move || {
        let _ = send.send(oms_sys::mount::folder(place.as_fd()));
    });
    let opening = opening.map_err(unreadable)?;
    let Ok(opened) = receive.recv_timeout(FIRST) else {
        drop(program);
        let _ = opening.join();
        let detail = "the program that reads it gave no answer";
        return Err(Reason::new(Code::MediaStalled, detail));
    };
    let _ = opening.join();
    Ok((opened.map_err(unreadable)?, program))
}

/// The device, if it is still the one that came and nobody uses it.
fn unused(device: &Device) -> Result<BlockDevice, Reason> {
    let opened = BlockDevice::open_unused(&device.path()).map_err(|error| unusable(&error))?;
    if opened.number().map_err(unreadable)? != device.number {
        let detail = "another device has its name by now";
        return Err(Reason::new(Code::CarrierDevice, detail));
    }
    drop(opened);
    // Who opens it exclusively keeps others from mounting it.
    BlockDevice::open(&device.path()).map_err(|error| unusable(&error))
}

/// The disk of a partition. It is in use when another partition of it is served right now, and then
/// it is read-only already.
fn unused_or_read_only(path: &std::path::Path) -> Result<BlockDevice, Reason> {
    let free = BlockDevice::open_unused(path).map(drop);
    let disk = BlockDevice::open(path).map_err(|error| unusable(&error))?;
    match free {
        Ok(()) => Ok(disk),
        Err(BlockError::InUse) if disk.is_read_only().unwrap_or(false) => Ok(disk),
        Err(error) => Err(unusable(&error)),
    }
}

fn unusable(error: &BlockError) -> Reason {
    Reason::new(Code::CarrierDevice, error.to_string())
}

fn unreadable(error: std::io::Error) -> Reason {
    Reason::new(Code::MediaUnreadable, error.to_string())
}
