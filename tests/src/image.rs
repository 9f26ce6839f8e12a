//! Images of file systems, made of a folder or empty, and mounted through a loop device. To be used inside
//! [`crate::mounts::privately`]: what is mounted goes with its thread, and the loop devices go with
//! what is mounted.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::run;

use crate::mounts;

/// Bytes of an ext4 image.
const EXT4_BYTES: u64 = 16 << 20;

/// Bytes of a block of an ext4 image.
const BLOCK: u64 = 4096;

/// A file system of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext4, without a journal.
    Ext4,
    /// squashfs, compressed.
    Squashfs,
}

/// An image, in a file.
#[derive(Clone, Debug)]
pub struct Image {
    kind: Kind,
    /// The file.
    pub path: PathBuf,
}

impl Image {
    /// An image of everything in `folder`, written to `path`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn of(kind: Kind, folder: &Path, path: &Path) -> Image {
        let mut make = match kind {
            Kind::Ext4 => {
                fs::File::create(path).unwrap().set_len(EXT4_BYTES).unwrap();
                let mut make = Command::new("mkfs.ext4");
                make.args(["-q", "-b", &BLOCK.to_string(), "-O", "^has_journal", "-d"]);
                make.arg(folder).arg(path);
                make
            }
            Kind::Squashfs => {
                let mut make = Command::new("mksquashfs");
                make.arg(folder).arg(path).args(["-quiet", "-no-progress", "-noappend"]);
                make
            }
        };
        let _ = run::outcome(&mut make).expect_status(0);
        Image { kind, path: path.to_owned() }
    }

    /// Mounts it for reading.
    ///
    /// # Panics
    /// When the kernel does not take it.
    pub fn mount(&self, at: &Path) -> Mounted {
        self.mount_as("ro,loop", at)
    }

    /// Mounts it for reading and writing.
    ///
    /// # Panics
    /// When the kernel does not take it.
    pub fn mount_writable(&self, at: &Path) -> Mounted {
        self.mount_as("rw,loop", at)
    }

    fn mount_as(&self, options: &str, at: &Path) -> Mounted {
        let kind = match self.kind {
            Kind::Ext4 => "ext4",
            Kind::Squashfs => "squashfs",
        };
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options]).arg(&self.path).arg(at);
        let _ = run::outcome(&mut mount).expect_status(0);
        Mounted { at: at.to_owned() }
    }

    /// Where a file of an ext4 begins in the image.
    ///
    /// # Panics
    /// When the image has no such file, or it has no bytes.
    pub fn offset_of(&self, file: &str) -> u64 {
        let blocks = self.debugfs(&format!("blocks /{file}"));
        let first = blocks.split_whitespace().next().unwrap_or_else(|| panic!("no {file}"));
        first.parse::<u64>().unwrap() * BLOCK
    }

    /// Says in the inode of a file of an ext4 that the file has this size.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_size(&self, file: &str, size: u64) {
        self.debugfs(&format!("set_inode_field /{file} size {size}"));
    }

    /// Overwrites `length` bytes of the image.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn overwrite(&self, offset: u64, length: usize) {
        let image = OpenOptions::new().write(true).open(&self.path).unwrap();
        image.write_all_at(&vec![0xa5; length], offset).unwrap();
    }

    /// Cuts the file that holds the image, and with it the disk that is mounted: what is behind
    /// the cut cannot be read any more.
    ///
    /// # Panics
    /// When it cannot be cut.
    pub fn cut(&self, length: u64) {
        OpenOptions::new().write(true).open(&self.path).unwrap().set_len(length).unwrap();
    }

    /// The bytes of the image.
    ///
    /// # Panics
    /// When the file is gone.
    pub fn length(&self) -> u64 {
        self.path.metadata().unwrap().len()
    }

    fn debugfs(&self, request: &str) -> String {
        let mut debugfs = Command::new("debugfs");
        debugfs.args(["-w", "-R", request]).arg(&self.path);
        run::outcome(&mut debugfs).expect_status(0).stdout
    }
}

/// A file system for a disk that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Two files never share a block.
    Ext4,
    /// Files can share blocks.
    Btrfs,
    /// The same.
    Xfs,
}

/// Bytes of a disk: XFS takes none that is smaller than 300 MiB. What is not written takes no room.
const DISK_BYTES: u64 = 512 << 20;

/// A disk that can be written to, in a file, and mounted until it is dropped.
#[derive(Debug)]
pub struct Disk {
    /// The file.
    pub image: PathBuf,
    /// Where it is mounted.
    pub at: PathBuf,
    _mounted: Mounted,
}

impl Disk {
    /// An empty disk, in `folder`.
    ///
    /// # Panics
    /// When it cannot be made, or the kernel does not take it.
    pub fn empty(file_system: FileSystem, folder: &Path) -> Disk {
        let (image, at) = (folder.join("disk"), folder.join("mounted"));
        let kind = file_system.name();
        fs::File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        let mut make = Command::new(format!("mkfs.{kind}"));
        let _ = run::outcome(make.arg("-q").arg(&image)).expect_status(0);
        fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", "loop"]).arg(&image).arg(&at);
        let _ = run::outcome(&mut mount).expect_status(0);
        Disk { image, at: at.clone(), _mounted: Mounted { at } }
    }
}

impl FileSystem {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Btrfs => "btrfs",
            FileSystem::Xfs => "xfs",
        }
    }
}

/// An image that is mounted, until it is dropped.
#[derive(Debug)]
pub struct Mounted {
    at: PathBuf,
}

/// A file system on which every write waits, until this is gone.
#[derive(Debug)]
pub struct Frozen(PathBuf);

impl Frozen {
    /// Freezes what is mounted at `at`.
    ///
    /// # Panics
    /// When the kernel does not do that.
    pub fn at(at: &Path) -> Frozen {
        let _ = run::outcome(Command::new("fsfreeze").arg("-f").arg(at)).expect_status(0);
        Frozen(at.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.0).status();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        mounts::detach(&self.at);
    }
}
