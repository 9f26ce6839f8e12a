//! Opening paths that an enemy chose, beneath a folder that we chose.
//!
//! Every path is resolved by `openat2(2)` beneath the folder's descriptor, without following any
//! link, without leaving the file system, and without ever blocking on what is found. Only regular
//! files can be opened, and only after they were seen to be regular without opening them: opening
//! a device alone can have effects.

mod look;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fcntl_getfl, fstat, openat2, statat,
};
use rustix::io::Errno;
use rustix::path::Arg;

pub use self::look::{Folders, Look, Name};
pub(crate) use self::look::{LOOK, LOOK_AT, opened};

/// How every path is resolved.
pub(crate) const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// How a regular file is opened.
pub(crate) const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// How often a resolution is tried again that raced with a rename elsewhere (`EAGAIN`).
const RETRIES: usize = 16;

/// A folder beneath which paths are opened.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A FIFO, a socket, a device, or something that the file system does not name.
    Special,
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name as the file system has it, which need not be UTF-8.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
}

/// Why a path could not be opened beneath a [`Root`].
#[derive(Debug, thiserror::Error)]
pub enum BeneathError {
    /// there is nothing at the path
    #[error("there is no such file")]
    NotFound,
    /// the path is a symbolic link or leads through one
    #[error("the path is a symbolic link or leads through one")]
    Symlink,
    /// the path is not a regular file
    #[error("the path is a FIFO, a socket, a device or a folder, not a regular file")]
    NotRegular,
    /// the path leads to another file system, or out of the folder
    #[error("the path leads to another file system or out of the folder")]
    Crossing,
    /// the file was replaced between two looks at it
    #[error("the file was replaced while it was opened")]
    Replaced,
    /// the folder has more entries than the caller allows
    #[error("the folder has more than {0} entries")]
    TooManyEntries(usize),
    /// the kernel answered with an error
    #[error(transparent)]
    Io(io::Error),
}

impl From<Errno> for BeneathError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => BeneathError::NotFound,
            Errno::LOOP => BeneathError::Symlink,
            Errno::XDEV => BeneathError::Crossing,
            other => BeneathError::Io(other.into()),
        }
    }
}

impl BeneathError {
    /// What an error of a call means that the kernel carried out for a ring.
    pub(crate) fn of_call(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(BeneathError::Io(error), BeneathError::from)
    }
}

impl AsRawFd for Root {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Root {
    /// Opens the folder at `path`, which an operator or a configuration chose: links in it are
    /// followed.
    ///
    /// # Errors
    /// When there is no folder at `path` or it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Root(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Takes a folder that is open already, such as a mount that has no path.
    ///
    /// # Errors
    /// When it is not a folder, or only a place that cannot be read.
    pub fn from_descriptor(fd: OwnedFd) -> io::Result<Self> {
        if FileType::from_raw_mode(fstat(&fd)?.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        if fcntl_getfl(&fd)?.contains(OFlags::PATH) {
            return Err(Errno::BADF.into());
        }
        Ok(Root(fd))
    }

    /// Opens an entry of this folder that is a folder, by a name in any encoding.
    ///
    /// # Errors
    /// As [`Root::directory`]; when the name is a path.
    pub fn entry(&self, name: &OsStr) -> Result<Root, BeneathError> {
        if name.as_bytes().contains(&b'/') {
            return Err(BeneathError::NotFound);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Root(self.resolve(name, flags)?))
    }

    /// Opens the folder at `relative` beneath this one.
    ///
    /// # Errors
    /// When there is none, or it is reached by a link or on another file system.
    pub fn directory(&self, relative: &str) -> Result<Root, BeneathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Root(self.resolve(or_itself(relative), flags)?))
    }

    /// Opens the regular file at `relative` for reading.
    ///
    /// # Errors
    /// When there is none, or it is anything else, or it is reached by a link or on another file
    /// system.
    pub fn file(&self, relative: &str) -> Result<RegularFile, BeneathError> {
        let relative = or_itself(relative);
        let look = self.resolve(relative, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
        let seen = look::regular(&look)?;
        opened(self.resolve(relative, OPEN)?, &seen.into())
    }

    /// What is at `relative`, without opening it.
    ///
    /// # Errors
    /// When there is nothing, or it is reached by a link or on another file system.
    pub fn kind(&self, relative: &str) -> Result<Kind, BeneathError> {
        let relative = or_itself(relative);
        let look = self.resolve(relative, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
        Ok(Kind::of(FileType::from_raw_mode(fstat(&look)?.st_mode)))
    }

    /// The entries of this folder, at most `limit`, in the order of their names.
    ///
    /// # Errors
    /// When there are more, or the folder cannot be read.
    pub fn entries(&self, limit: usize) -> Result<Vec<Entry>, BeneathError> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(self.0.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if entries.len() == limit {
                return Err(BeneathError::TooManyEntries(limit));
            }
            let kind = match entry.file_type() {
                // Some file systems do not say; a look at the entry itself does.
                FileType::Unknown => {
                    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                    let stat = statat(&self.0, OsStr::from_bytes(name), flags)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            entries.push(Entry { name: name.to_vec(), kind: Kind::of(kind) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn resolve(&self, relative: impl Arg + Copy, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut tried = 0;
        loop {
            match openat2(&self.0, relative, flags, Mode::empty(), RESOLVE) {
                Err(Errno::AGAIN) if tried < RETRIES => tried += 1,
                outcome => return outcome,
            }
        }
    }
}

/// The empty path is the folder itself.
fn or_itself(relative: &str) -> &str {
    if relative.is_empty() { "." } else { relative }
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Special,
        }
    }
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct RegularFile {
    file: Arc<File>,
    stamp: Stamp,
}

/// What tells that a file is the same and has not been written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Stamp {
    #[expect(
        clippy::unnecessary_cast,
        reason = "the fields of stat differ in width between architectures"
    )]
    fn of(stat: &Stat) -> Self {
        Stamp {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }
}

impl RegularFile {
    /// The size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        u64::try_from(self.stamp.size).unwrap_or(0)
    }

    /// What the file was when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether the file is still what it was when it was opened.
    ///
    /// # Errors
    /// When the kernel cannot say.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        Ok(Stamp::of(&fstat(&self.file)?) == self.stamp)
    }

    /// The file.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// The file, to be kept open by another as well.
    pub(crate) fn shared(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn name(error: &BeneathError) -> &'static str {
        match error {
            BeneathError::NotFound => "not-found",
            BeneathError::Symlink => "symlink",
            BeneathError::NotRegular => "not-regular",
            BeneathError::Crossing => "crossing",
            BeneathError::Replaced => "replaced",
            BeneathError::TooManyEntries(_) => "too-many",
            BeneathError::Io(_) => "io",
        }
    }

    #[test]
    fn only_regular_files_beneath_the_root_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/file"), "bytes").unwrap();
        std::fs::hard_link(at("sub/file"), at("hard")).unwrap();
        symlink("sub/file", at("link")).unwrap();
        symlink("sub", at("linked-folder")).unwrap();
        symlink(outside.path(), at("out")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();

        let root = Root::open(dir.path()).unwrap();
        assert_eq!(root.file("sub/file").unwrap().size(), 5);
        assert_eq!(root.file("hard").unwrap().size(), 5);
        let absolute = outside.path().join("secret");
        let cases = [
            ("link", "symlink"),
            ("linked-folder/file", "symlink"),
            ("out/secret", "symlink"),
            ("fifo", "not-regular"),
            ("socket", "not-regular"),
            ("sub", "not-regular"),
            ("absent", "not-found"),
            ("sub/file/below", "not-found"),
            ("../x", "crossing"),
            ("sub/../../x", "crossing"),
            (absolute.to_str().unwrap(), "crossing"),
        ];
        for (path, expected) in cases {
            assert_eq!(name(&root.file(path).unwrap_err()), expected, "{path}");
        }
    }

    #[test]
    fn entries_are_sorted_bounded_and_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b"), "").unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        symlink("b", dir.path().join("c")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let entries = root.entries(3).unwrap();
        let kinds: Vec<_> = entries.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [Kind::Directory, Kind::File, Kind::Symlink]);
        assert_eq!(name(&root.entries(2).unwrap_err()), "too-many");
    }

    #[test]
    fn a_file_that_is_written_to_is_seen_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let file = Root::open(dir.path()).unwrap().file("file").unwrap();
        assert!(file.is_unchanged().unwrap());
        let mut writer = File::options().append(true).open(&path).unwrap();
        writer.write_all(b"more").unwrap();
        assert!(!file.is_unchanged().unwrap());
    }
}
