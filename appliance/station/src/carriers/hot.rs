//! One hot folder: each of its entries is a carrier. Nothing in it is ever changed or removed.
//!
//! An entry that is renamed into it is complete. One that is written in place is, once nothing in it
//! has changed for a while: then [`HotFolder::stamp`] gives the same twice. Names that begin with a
//! dot are left alone, so that a sender can write under such a name and rename it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use oms_sys::beneath::{BeneathError, Root};
use oms_verify::reason::{Code, Reason};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Statx, StatxFlags, openat, statx};
use rustix::io::Errno;

use super::{Arrival, Entry, Source};

/// The most entries of a hot folder.
const MOST_ENTRIES: usize = 10_000;

/// The most files and folders of an entry that is written in place: what has more is to be renamed
/// into the hot folder when it is complete.
const MOST_WATCHED: usize = 200_000;

/// Folders in folders of an entry that is written in place.
const MOST_DEPTH: usize = 64;

/// What of an entry tells it from others.
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// What is to be told.
const TOLD: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// A hot folder that is watched.
#[derive(Debug)]
pub(super) struct HotFolder {
    path: PathBuf,
    root: Root,
    watch: OwnedFd,
    /// Entries that were renamed in since somebody last looked: device and inode.
    moved: BTreeMap<OsString, (u64, u64)>,
    is_gone: bool,
}

/// An entry that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// As a carrier.
    pub(super) arrival: Arrival,
    /// Whether it was renamed in, so that it is complete.
    pub(super) is_complete: bool,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Carriers.
    pub(super) found: Vec<Found>,
    /// What is none, with its identity and why.
    pub(super) others: Vec<(String, Reason)>,
}

impl HotFolder {
    /// Begins to watch the folder at `path`.
    pub(super) fn watch(path: &Path) -> Result<Self, Reason> {
        let failed = |error: io::Error| {
            Reason::new(Code::ConfigPath, format!("the hot folder cannot be watched: {error}"))
                .about(path.display().to_string())
        };
        let root = Root::open(path).map_err(failed)?;
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|errno| failed(errno.into()))?;
        // The folder that is open, whatever its path leads to by now.
        let same = format!("/proc/self/fd/{}", root.as_raw_fd());
        add_watch(&watch, same, TOLD).map_err(|errno| failed(errno.into()))?;
        let path = path.to_owned();
        Ok(HotFolder { path, root, watch, moved: BTreeMap::new(), is_gone: false })
    }

    /// Reads what was told since the last time. Gives whether there is a reason to look.
    pub(super) fn listen(&mut self) -> bool {
        let mut space = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(self.watch.as_fd(), &mut space);
        let mut is_news = false;
        loop {
            let (events, name) = match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    (event.events(), name.map(OsString::from_vec))
                }
                Err(Errno::INTR) => continue,
                // Nothing more, or nothing that can be used: a look finds what there is.
                Err(error) => return is_news || error != Errno::AGAIN,
            };
            is_news = true;
            if events.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT)
            {
                self.is_gone = true;
            }
            let Some(name) = name else { continue };
            if events.contains(ReadFlags::MOVED_TO) {
                if let Ok(stat) = self.stat(&name) {
                    self.moved.insert(name, inode(&stat));
                }
            } else {
                self.moved.remove(&name);
            }
        }
    }

    /// All entries that there are now.
    pub(super) fn look(&self) -> Result<Look, Reason> {
        let about = |code, detail: String| {
            Err(Reason::new(code, detail).about(self.path.display().to_string()))
        };
        if self.is_gone {
            return about(Code::CarrierFolder, "it was moved, removed or unmounted".to_owned());
        }
        let entries = match self.root.entries(MOST_ENTRIES) {
            Ok(entries) => entries,
            Err(error @ BeneathError::TooManyEntries(_)) => {
                return about(Code::MediaTooManyEntries, error.to_string());
            }
            Err(error) => return about(Code::CarrierFolder, error.to_string()),
        };
        let mut look = Look::default();
        for entry in entries {
            // What is gone again was no carrier.
            let name = OsString::from_vec(entry.name);
            if name.as_bytes().first() != Some(&b'.')
                && let Ok(stat) = self.stat(&name)
            {
                self.sort(name, &stat, &mut look);
            }
        }
        Ok(look)
    }

    /// Puts an entry to the carriers or to the others.
    fn sort(&self, name: OsString, stat: &Statx, look: &mut Look) {
        let inode = inode(stat);
        let identity = identity(stat);
        let is_complete = self.moved.get(&name) == Some(&inode);
        let is_archive = has_extension(&name, "tar");
        let entry = Entry { hot_folder: self.path.clone(), name, inode };
        let source = match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => Source::Folder(entry),
            FileType::RegularFile if is_archive => Source::Archive(entry),
            _ => {
                let detail = "it is neither a folder nor a tar file, and is left where it is";
                let reason = Reason::new(Code::CarrierEntry, detail).about(entry.to_string());
                return look.others.push((identity, reason));
            }
        };
        look.found.push(Found { arrival: Arrival { source, identity }, is_complete });
    }

    /// What changes when anything in the entry of this name does.
    ///
    /// # Errors
    /// When it is gone, or has more files than can be watched.
    pub(super) fn stamp(&self, name: &OsStr) -> Result<u64, BeneathError> {
        let mut left = MOST_WATCHED;
        stamp(self.root.as_fd(), name, 0, &mut left)
    }

    fn stat(&self, name: &OsStr) -> Result<Statx, Errno> {
        statx(&self.root, name, AtFlags::SYMLINK_NOFOLLOW, WANTED)
    }
}

impl AsFd for HotFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

fn stamp(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    depth: usize,
    left: &mut usize,
) -> Result<u64, BeneathError> {
    *left = left.checked_sub(1).ok_or(BeneathError::TooManyEntries(MOST_WATCHED))?;
    let stat = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, WANTED)?;
    let mut hasher = DefaultHasher::new();
    let time = |time: rustix::fs::StatxTimestamp| (time.tv_sec, time.tv_nsec);
    (inode(&stat), stat.stx_size, time(stat.stx_mtime), time(stat.stx_ctime)).hash(&mut hasher);
    let mut sum = hasher.finish();
    if FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory {
        if depth >= MOST_DEPTH {
            return Err(BeneathError::TooManyEntries(MOST_DEPTH));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(folder, name, flags, Mode::empty())?;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                let below = stamp(folder.as_fd(), OsStr::from_bytes(name), depth + 1, left)?;
                // In any order.
                sum = sum.wrapping_add(below);
            }
        }
    }
    Ok(sum)
}

fn inode(stat: &Statx) -> (u64, u64) {
    (rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino)
}

/// A name can be given to another entry, and an inode too; not both with the same time of birth.
fn identity(stat: &Statx) -> String {
    let has_birth = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    let time = if has_birth { stat.stx_btime } else { stat.stx_ctime };
    let (device, inode) = inode(stat);
    format!("entry:{device:x}:{inode}:{}.{:09}", time.tv_sec, time.tv_nsec)
}

fn has_extension(name: &OsStr, wanted: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
