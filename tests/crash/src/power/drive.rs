//! A drive with a write cache that loses power.
//!
//! ```text
//!  station ──▶ ext4 ──▶ loop device ──▶ /dev/fuse ──▶ Drive     bytes, and a log of what came
//!                                                       │ cut
//!                                                       ▼
//!  all up to the last flush, and of what came after it any part ──▶ the next drive
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use oms_testkit::run;
use oms_tests::mounts;

use crate::dice::Dice;

/// The file that is the drive.
const NAME: &str = "drive";
const FOLDER: INodeNo = INodeNo(1);
const FILE: INodeNo = INodeNo(2);
/// Bytes that a drive writes as a whole or not at all.
const UNIT: usize = 4096;
/// The file never changes but through this mount.
const TTL: Duration = Duration::from_secs(3600);

/// What came to the drive.
#[derive(Debug)]
enum Came {
    Write { offset: usize, bytes: Vec<u8> },
    Flush,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    log: Vec<Came>,
}

type Shared = Arc<Mutex<Content>>;

/// A drive with a mounted file system, until it is dropped.
#[derive(Debug)]
pub(crate) struct Drive {
    before: Vec<u8>,
    content: Shared,
    folder: PathBuf,
    at: PathBuf,
    session: Option<BackgroundSession>,
}

impl Drive {
    /// A drive with these bytes, which are an ext4. It is mounted at `at`; `folder` is where the
    /// drive itself shows.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub(crate) fn mount(bytes: Vec<u8>, folder: &Path, at: &Path, options: &str) -> Drive {
        let content = Shared::default();
        locked(&content).bytes.clone_from(&bytes);
        let served = Served(Arc::clone(&content));
        let session = fuser::spawn_mount(served, folder, &Config::default())
            .unwrap_or_else(|error| panic!("a drive on {}: {error}", folder.display()));
        let (folder, at) = (folder.to_owned(), at.to_owned());
        let drive = Drive { before: bytes, content, folder, at, session: Some(session) };
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", &format!("loop,noatime,{options}")]);
        let _ = run::outcome(mount.arg(drive.folder.join(NAME)).arg(&drive.at)).expect_status(0);
        drive
    }

    /// How much came so far.
    pub(crate) fn came(&self) -> usize {
        locked(&self.content).log.len()
    }

    /// How often it was flushed so far.
    pub(crate) fn flushes(&self) -> usize {
        locked(&self.content).log.iter().filter(|came| matches!(came, Came::Flush)).count()
    }

    /// Whether what was done when `from` came lasts when the power fails at `until`: the first flush
    /// may be that of a commit that had begun before.
    pub(crate) fn is_synced(&self, from: usize, until: usize) -> bool {
        let content = locked(&self.content);
        let since = content.log.get(from..until).unwrap_or_default();
        since.iter().filter(|came| matches!(came, Came::Flush)).count() >= 2
    }

    /// What is on it when the power fails after so much came.
    pub(crate) fn cut(&self, after: usize, dice: &mut Dice) -> Vec<u8> {
        let content = locked(&self.content);
        let log = content.log.get(..after).expect("a moment that has been");
        let last = log.iter().rposition(|came| matches!(came, Came::Flush));
        let certain = last.map_or(0, |at| at + 1);
        let mut bytes = self.before.clone();
        // Nothing of what came since, all of it, or some.
        let (of, lost) = *dice.one_of(&[(1, 1), (1, 0), (2, 1), (10, 1), (10, 9)]);
        for (at, came) in log.iter().enumerate() {
            let Came::Write { offset, bytes: written } = came else { continue };
            for (number, unit) in written.chunks(UNIT).enumerate() {
                if at < certain || dice.below(of) >= lost {
                    let start = offset + number * UNIT;
                    if let Some(place) = bytes.get_mut(start..start + unit.len()) {
                        place.copy_from_slice(unit);
                    }
                }
            }
        }
        bytes
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        // The loop device is given back when nothing is mounted on it any more.
        let mut unmount = Command::new("umount");
        if unmount.arg(&self.at).status().is_ok_and(|status| !status.success()) {
            mounts::detach(&self.at);
        }
        mounts::detach(&self.folder);
        if let Some(session) = self.session.take() {
            let _ = session.join();
        }
    }
}

fn locked(content: &Shared) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with one file.
struct Served(Shared);

impl Served {
    fn attributes(&self, number: INodeNo) -> FileAttr {
        let size = locked(&self.0).bytes.len() as u64;
        let is_file = number == FILE;
        let time = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino: number,
            size: if is_file { size } else { 0 },
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == FOLDER && name == NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let content = locked(&self.0);
        let start = (offset as usize).min(content.bytes.len());
        let end = start.saturating_add(size as usize).min(content.bytes.len());
        reply.data(content.bytes.get(start..end).unwrap_or_default());
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut content = locked(&self.0);
        let offset = offset as usize;
        match content.bytes.get_mut(offset..offset.saturating_add(data.len())) {
            Some(place) => place.copy_from_slice(data),
            None => return reply.error(Errno::ENOSPC),
        }
        content.log.push(Came::Write { offset, bytes: data.to_vec() });
        reply.written(data.len() as u32);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        locked(&self.0).log.push(Came::Flush);
        reply.ok();
    }
}
