//! Mounts that have no path: nobody but who holds the descriptor ever sees them, and they are gone
//! when the last descriptor is.
//!
//! ```text
//!   fsopen ──▶ fsconfig: source, read-only, what keeps the driver from writing ──▶ fsmount ──▶ folder
//!                  └── what the driver says against it is read from the same descriptor
//! ```

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_create_exclusive,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};

use crate::block::BlockDevice;
use crate::superblock::FileSystem;

/// How every carrier is mounted.
const ATTRIBUTES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC)
    .union(MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW)
    .union(MountAttrFlags::MOUNT_ATTR_NOATIME);

/// The most that is shown of what a driver says.
const MOST_SAID: usize = 2_000;

/// Why nothing was mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// the kernel has no driver for it
    #[error("the kernel has no driver for {0}")]
    NoDriver(&'static str),
    /// the driver did not take it
    #[error("the {kind} cannot be mounted: {error}{}", Said(.said))]
    Refused {
        /// The file system.
        kind: &'static str,
        /// The kernel's answer.
        error: io::Error,
        /// What the driver says about it, which can be nothing.
        said: String,
    },
}

/// Options of a driver: a word, or a word and its value.
type Options = &'static [(&'static str, Option<&'static str>)];

/// What keeps the kernel's driver of a file system from writing, and from doing what the file
/// system's own settings ask for; and how names are told, which is in UTF-8.
fn options(kind: FileSystem) -> Options {
    match kind {
        // No journal is replayed; and a file system that is full of errors does not stop the
        // machine, whatever its own superblock asks for.
        FileSystem::Ext4 => &[("noload", None), ("errors", Some("remount-ro"))],
        FileSystem::Vfat => &[("utf8", Some("1")), ("errors", Some("remount-ro"))],
        FileSystem::Exfat => &[("iocharset", Some("utf8")), ("errors", Some("remount-ro"))],
        FileSystem::Iso9660 | FileSystem::Udf => &[("iocharset", Some("utf8"))],
        FileSystem::Squashfs => &[("errors", Some("continue"))],
        FileSystem::Ntfs => &[],
    }
}

/// Mounts `device`, which is set read-only already, with the kernel's driver: read-only, without
/// set-user-id, devices, programs and links. Gives its place, from which [`folder`] opens it.
///
/// # Errors
/// With the kernel's own words.
pub fn detached(device: &BlockDevice, kind: FileSystem) -> Result<OwnedFd, MountError> {
    let context = Context::open(kind.name())?;
    // The device by its descriptor: by its path there could be another one by now.
    context.set("source", &format!("/proc/self/fd/{}", device.raw()))?;
    for (key, value) in options(kind) {
        match value {
            Some(value) => context.set(key, value)?,
            None => context.flag(key)?,
        }
    }
    context.mount()
}

/// Mounts what a program serves by `served`, which is `/dev/fuse` opened by it, with the same
/// limits. Only the program's own process and root can read it.
///
/// # Errors
/// With the kernel's own words.
pub fn detached_served(
    served: BorrowedFd<'_>,
    kind: FileSystem,
    user: u32,
    group: u32,
) -> Result<OwnedFd, MountError> {
    let context = Context::open("fuse")?;
    context.set("source", kind.name())?;
    context.set("fd", &served.as_raw_fd().to_string())?;
    context.set("rootmode", "40000")?;
    context.set("user_id", &user.to_string())?;
    context.set("group_id", &group.to_string())?;
    // Whoever reads it is not who serves it.
    context.flag("allow_other")?;
    context.mount()
}

/// The folder that a mount begins with, for reading. Where a program serves it, that is asked.
///
/// # Errors
/// When it cannot be opened.
pub fn folder(mount: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(mount, c".", flags, Mode::empty())?)
}

/// A mount in the making.
struct Context {
    fd: File,
    kind: &'static str,
}

impl Context {
    fn open(kind: &'static str) -> Result<Self, MountError> {
        match fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(fd) => Ok(Context { fd: File::from(fd), kind }),
            Err(Errno::NODEV) => Err(MountError::NoDriver(kind)),
            Err(error) => {
                Err(MountError::Refused { kind, error: error.into(), said: String::new() })
            }
        }
    }

    fn set(&self, key: &str, value: &str) -> Result<(), MountError> {
        fsconfig_set_string(&self.fd, key, value).map_err(|error| self.refused(error))
    }

    fn flag(&self, key: &str) -> Result<(), MountError> {
        fsconfig_set_flag(&self.fd, key).map_err(|error| self.refused(error))
    }

    fn mount(&self) -> Result<OwnedFd, MountError> {
        // Not only this mount: the file system itself.
        self.flag("ro")?;
        // A file system that is mounted already, perhaps for writing, is not shared.
        let made = match fsconfig_create_exclusive(&self.fd) {
            // Before Linux 6.6. A device that is mounted for writing is refused all the same.
            Err(Errno::OPNOTSUPP) => fsconfig_create(&self.fd),
            other => other,
        };
        made.map_err(|error| self.refused(error))?;
        fsmount(&self.fd, FsMountFlags::FSMOUNT_CLOEXEC, ATTRIBUTES)
            .map_err(|error| self.refused(error))
    }

    /// An error with what the driver says about it: lines that begin with their weight.
    fn refused(&self, error: Errno) -> MountError {
        let mut said = String::new();
        let mut line = [0; 512];
        // Each read is one line, and an error is the end.
        while let Ok(length) = (&self.fd).read(&mut line) {
            let text = line.get(..length).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            let text = text.split_once(' ').map_or(text.as_ref(), |(_, text)| text).trim_end();
            if length == 0 || said.len().saturating_add(text.len()) > MOST_SAID {
                break;
            }
            if !said.is_empty() {
                said.push_str("; ");
            }
            said.push_str(text);
        }
        MountError::Refused { kind: self.kind, error: error.into(), said }
    }
}

/// What was said, for a sentence.
struct Said<'a>(&'a str);

impl std::fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0) }
    }
}
