//! Tests that mount something. Each runs in a mount namespace of its own, on a thread of its own:
//! when the thread ends, however it ends, the kernel takes down everything that was mounted, and
//! nobody else on the machine ever sees it.
//!
//! Where such tests cannot run they say so on standard error; with `OMS_REQUIRE_MEDIA=1` that is a
//! failure.

use std::env;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

use crate::root::skipped;

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// File systems that this process serves: `/dev/fuse`.
    Fuse,
    /// The programs that make and read a FAT, an exFAT and an NTFS.
    FusePrograms,
    /// Images as disks: loop devices, and the programs that make an ext4.
    Ext4,
    /// The same, with the program that makes a squashfs.
    Squashfs,
    /// The same, with the program that makes a Btrfs, and a kernel that has it.
    Btrfs,
    /// The same, with the program that makes an XFS, and a kernel that has it.
    Xfs,
}

/// The variable that forbids leaving these tests out.
const REQUIRED: &str = "OMS_REQUIRE_MEDIA";

/// What makes and reads the file systems that this kernel may have no driver for.
const FUSE_PROGRAMS: &[&str] =
    &["mkfs.vfat", "mcopy", "fusefat", "mkfs.exfat", "mount.exfat-fuse", "mkntfs", "ntfs-3g"];

/// Runs `test` in a mount namespace of its own, if this is root and all of `needs` is there.
///
/// # Panics
/// When the test does, or when something is missing that must be there.
pub fn privately(needs: &[Need], test: impl FnOnce() + Send) {
    if let Some(missing) = missing(needs) {
        assert!(
            env::var_os(REQUIRED).is_none_or(|value| value != "1"),
            "{REQUIRED}=1, and {missing}"
        );
        skipped(&missing);
        return;
    }
    thread::scope(|scope| {
        let run = || {
            enter();
            test();
        };
        // The thread has the test's name, which is how it says that it is skipped.
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let running = thread::Builder::new().name(name).spawn_scoped(scope, run);
        if let Err(panic) = running.expect("a thread").join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Mounts an empty file system in memory on a folder.
///
/// # Panics
/// When it cannot be mounted.
pub fn tmpfs(at: &Path, bytes: u64) {
    let size = std::ffi::CString::new(format!("size={bytes}")).expect("a number");
    rustix::mount::mount("tmpfs", at, "tmpfs", MountFlags::empty(), Some(size.as_c_str()))
        .unwrap_or_else(|error| panic!("a tmpfs on {}: {error}", at.display()));
}

/// A folder in memory, which is faster to write to than a disk and never waits for one. To be used
/// inside [`privately`].
#[derive(Debug)]
pub struct Memory(TempDir);

impl Memory {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Memory {
        let dir = tempfile::Builder::new().prefix("oms-tests-").tempdir().expect("a folder");
        tmpfs(dir.path(), 1 << 30);
        Memory(dir)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        detach(self.path());
    }
}

/// Takes down what is mounted on a folder, whoever still uses it.
pub fn detach(at: &Path) {
    // What is not mounted any more needs no taking down.
    let _ = rustix::mount::unmount(at, UnmountFlags::FORCE | UnmountFlags::DETACH);
}

/// What is missing, in words.
fn missing(needs: &[Need]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("mounting needs root".to_owned());
    }
    needs.iter().find_map(|need| match need {
        Need::Fuse => lacks_device("/dev/fuse"),
        Need::FusePrograms => FUSE_PROGRAMS.iter().find_map(|name| lacks_program(name)),
        Need::Ext4 => lacks_device("/dev/loop-control")
            .or_else(|| lacks_program("mkfs.ext4"))
            .or_else(|| lacks_program("debugfs")),
        Need::Squashfs => lacks_device("/dev/loop-control").or_else(|| lacks_program("mksquashfs")),
        Need::Btrfs => lacks_file_system("btrfs"),
        Need::Xfs => lacks_file_system("xfs"),
    })
}

fn lacks_device(path: &str) -> Option<String> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.err().map(|error| format!("{path} cannot be opened: {error}"))
}

fn lacks_file_system(name: &str) -> Option<String> {
    lacks_device("/dev/loop-control").or_else(|| lacks_program(&format!("mkfs.{name}"))).or_else(
        || {
            // Where it is a module, it may not have been needed yet.
            let mut load = Command::new("modprobe");
            let _ = load.args(["-q", name]).stderr(Stdio::null()).status();
            let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
            let is_known = known.lines().any(|line| line.trim() == name);
            (!is_known).then(|| format!("this kernel has no {name}"))
        },
    )
}

fn lacks_program(name: &str) -> Option<String> {
    let mut find = Command::new("sh");
    find.args(["-c", &format!("command -v {name}")]).stdout(Stdio::null());
    let found = find.status().is_ok_and(|status| status.success());
    (!found).then(|| format!("{name} is not installed: run `cargo xtask setup`"))
}

/// Moves this thread, and all that it starts, into a mount namespace of its own.
fn enter() {
    #[expect(
        deprecated,
        reason = "what is unsafe in general is descriptors, and those stay shared; no test is unsafe"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS).expect("a mount namespace");
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).expect("mounts that nobody else sees");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_mounts_is_gone_with_it_even_when_it_panics() {
        let dir = tempfile::tempdir().unwrap();
        let seen = dir.path().join("seen");
        let mut ran = false;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            privately(&[], || {
                ran = true;
                tmpfs(dir.path(), 1 << 20);
                std::fs::write(&seen, "only inside").unwrap();
                panic!("a test that fails");
            });
        }));
        assert_eq!(outcome.is_err(), ran);
        assert!(!seen.exists());
    }
}
