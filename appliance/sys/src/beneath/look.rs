//! Looking at a file without opening it, and opening what was seen: three calls of the kernel for
//! a file of a folder that is open already, where [`Root::file`] takes six.
//!
//! ```text
//! Folders: path -> folder (openat2, once for neighbours) + name
//!          statx(folder, name)   -> Look: a regular file, of this size, not a mount
//!          openat2(folder, name) -> file, and statx of it: the one that was seen
//! ```
//!
//! The folder was reached by `openat2(2)` beneath the root, and a [`Name`] is one component, so
//! that no link can lead anywhere on the way.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, OFlags, Statx, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;

use super::{BeneathError, OPEN, RegularFile, Root, Stamp, fstat};

/// The name of an entry of a folder: one component, and neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(CString);

impl Name {
    /// Takes a name.
    ///
    /// # Errors
    /// When it is empty or has a NUL, so that nothing can be there; when it leads out of the
    /// folder; when it leads through another one.
    pub fn new(name: &str) -> Result<Self, BeneathError> {
        match name {
            "." => return Err(BeneathError::NotRegular),
            ".." => return Err(BeneathError::Crossing),
            _ if name.is_empty() || name.contains('/') => return Err(BeneathError::NotFound),
            _ => {}
        }
        CString::new(name).map(Name).map_err(|_| Errno::INVAL.into())
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

/// A regular file that was looked at and not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    device: u64,
    inode: u64,
    size: u64,
}

impl Look {
    /// The size in bytes when it was looked at.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What `statx(2)` said of a name in a folder; `None` when the kernel does not say whether it
    /// is a mount.
    pub(crate) fn of(seen: &Statx) -> Option<Result<Look, BeneathError>> {
        if !seen.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
            return None;
        }
        if seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Some(Err(BeneathError::Crossing));
        }
        let asked = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE;
        if seen.stx_mask & asked.bits() != asked.bits() {
            return None;
        }
        Some(match FileType::from_raw_mode(seen.stx_mode.into()) {
            FileType::RegularFile => Ok(Look {
                device: rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor),
                inode: seen.stx_ino,
                size: seen.stx_size,
            }),
            FileType::Symlink => Err(BeneathError::Symlink),
            _ => Err(BeneathError::NotRegular),
        })
    }
}

impl From<Stamp> for Look {
    fn from(stamp: Stamp) -> Self {
        let size = u64::try_from(stamp.size).unwrap_or(0);
        Look { device: stamp.device, inode: stamp.inode, size }
    }
}

/// What a look asks for.
pub(crate) const LOOK: StatxFlags = StatxFlags::TYPE.union(StatxFlags::INO).union(StatxFlags::SIZE);

/// How a look treats its name.
pub(crate) const LOOK_AT: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);

impl Root {
    /// Looks at the regular file at `name` in this very folder, without opening it.
    ///
    /// # Errors
    /// When there is none, or it is anything else, or a mount.
    pub fn look(&self, name: &Name) -> Result<Look, BeneathError> {
        let seen = statx(&self.0, name.as_c_str(), LOOK_AT, LOOK)?;
        Look::of(&seen).unwrap_or_else(|| self.look_by_opening(name))
    }

    /// The same on a kernel whose `statx(2)` does not tell mounts: `openat2(2)` does.
    pub(crate) fn look_by_opening(&self, name: &Name) -> Result<Look, BeneathError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(regular(&self.resolve(name.as_c_str(), flags)?)?.into())
    }

    /// Opens the regular file at `name` in this very folder for reading, which was looked at
    /// before. Its size and content may have changed since: see [`RegularFile::stamp`].
    ///
    /// # Errors
    /// When it is not the file that was seen, or cannot be opened.
    pub fn open_seen(&self, name: &Name, look: &Look) -> Result<RegularFile, BeneathError> {
        opened(self.resolve(name.as_c_str(), OPEN)?, look)
    }
}

/// What was opened, if it is what was seen.
pub(crate) fn opened(file: OwnedFd, look: &Look) -> Result<RegularFile, BeneathError> {
    let stamp = match regular(&file) {
        Err(BeneathError::Symlink | BeneathError::NotRegular) => Err(BeneathError::Replaced),
        other => other,
    }?;
    if (stamp.device, stamp.inode) != (look.device, look.inode) {
        return Err(BeneathError::Replaced);
    }
    Ok(RegularFile { file: Arc::new(File::from(file)), stamp })
}

/// The stamp of a regular file.
pub(super) fn regular(file: &OwnedFd) -> Result<Stamp, BeneathError> {
    let stat = fstat(file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Stamp::of(&stat)),
        FileType::Symlink => Err(BeneathError::Symlink),
        _ => Err(BeneathError::NotRegular),
    }
}

/// The folders of paths beneath a root. Neighbours share one that is opened once, so paths are best
/// asked for in the order of their folders.
#[derive(Debug)]
pub struct Folders {
    root: Arc<Root>,
    last: Option<(String, Arc<Root>)>,
}

impl Folders {
    /// The folders beneath `root`.
    pub fn new(root: Arc<Root>) -> Self {
        Folders { root, last: None }
    }

    /// The folder that holds `path`, and the name of its last component there.
    ///
    /// # Errors
    /// When the folder is not there, or reached by a link or on another file system, or the last
    /// component is no name.
    pub fn locate(&mut self, path: &str) -> Result<(Arc<Root>, Name), BeneathError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if path.starts_with('/') {
            return Err(BeneathError::Crossing);
        }
        let name = Name::new(name)?;
        if folder.is_empty() {
            return Ok((Arc::clone(&self.root), name));
        }
        match &self.last {
            Some((last, opened)) if last == folder => Ok((Arc::clone(opened), name)),
            _ => {
                // With the dot a link at the end is one on the way, and told as such.
                let opened = Arc::new(self.root.directory(&format!("{folder}/."))?);
                self.last = Some((folder.to_owned(), Arc::clone(&opened)));
                Ok((opened, name))
            }
        }
    }

    /// Looks at the regular file at `path`, as [`Root::look`].
    ///
    /// # Errors
    /// As [`Folders::locate`] and [`Root::look`].
    pub fn look(&mut self, path: &str) -> Result<Look, BeneathError> {
        let (folder, name) = self.locate(path)?;
        folder.look(&name)
    }

    /// Opens the regular file at `path` that was looked at, as [`Root::open_seen`].
    ///
    /// # Errors
    /// As [`Folders::locate`] and [`Root::open_seen`].
    pub fn open_seen(&mut self, path: &str, look: &Look) -> Result<RegularFile, BeneathError> {
        let (folder, name) = self.locate(path)?;
        folder.open_seen(&name, look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn shown(error: BeneathError) -> String {
        format!("{error:?}")
    }

    #[test]
    fn only_a_regular_file_of_this_folder_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/file"), "bytes").unwrap();
        std::fs::write(at("file"), "byte").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("sub", at("linked-folder")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        let mut folders = Folders::new(Arc::new(Root::open(dir.path()).unwrap()));
        assert_eq!(folders.look("sub/file").unwrap().size(), 5);
        assert_eq!(folders.look("file").unwrap().size(), 4);
        let cases = [
            ("link", "Symlink"),
            ("linked-folder/file", "Symlink"),
            ("fifo", "NotRegular"),
            ("socket", "NotRegular"),
            ("sub", "NotRegular"),
            (".", "NotRegular"),
            ("sub/.", "NotRegular"),
            ("absent", "NotFound"),
            ("", "NotFound"),
            ("sub/", "NotFound"),
            ("file/below", "NotFound"),
            ("..", "Crossing"),
            ("../x", "Crossing"),
            ("sub/..", "Crossing"),
            ("sub/../../x", "Crossing"),
            ("/etc/passwd", "Crossing"),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(folders.look(path).unwrap_err()), expected, "{path}");
        }
        assert!(matches!(folders.look("a\0b"), Err(BeneathError::Io(_))));
    }

    #[test]
    fn both_ways_of_looking_see_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "bytes").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let name = Name::new("file").unwrap();
        assert_eq!(root.look(&name).unwrap(), root.look_by_opening(&name).unwrap());
        symlink("file", dir.path().join("link")).unwrap();
        let link = Name::new("link").unwrap();
        assert_eq!(shown(root.look_by_opening(&link).unwrap_err()), "Symlink");
    }

    #[test]
    fn a_mount_is_seen_and_not_crossed() {
        // A file of another file system, mounted on a name: every container has some.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut seen = 0;
        for point in mounts.lines().filter_map(|line| line.split(' ').nth(4)) {
            let path = std::path::Path::new(point);
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let Ok(root) = Root::open(folder) else { continue };
            let Ok(name) = Name::new(name.to_str().unwrap_or("")) else { continue };
            match root.look(&name) {
                Err(BeneathError::Crossing) => seen += 1,
                // Mounted over, or hidden by another mount.
                Err(BeneathError::NotFound | BeneathError::Io(_)) => {}
                other => panic!("{point}: {other:?}"),
            }
        }
        assert!(seen > 0, "no mount was seen");
    }

    #[test]
    fn what_is_opened_is_what_was_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/file"), "bytes").unwrap();
        let mut folders = Folders::new(Arc::new(Root::open(dir.path()).unwrap()));
        let look = folders.look("sub/file").unwrap();
        let file = folders.open_seen("sub/file", &look).unwrap();
        assert_eq!((file.size(), file.is_unchanged().unwrap()), (5, true));
        std::fs::write(at("other"), "bytes").unwrap();
        std::fs::rename(at("other"), at("sub/file")).unwrap();
        assert_eq!(shown(folders.open_seen("sub/file", &look).unwrap_err()), "Replaced");
        std::fs::remove_file(at("sub/file")).unwrap();
        assert_eq!(shown(folders.open_seen("sub/file", &look).unwrap_err()), "NotFound");
        std::fs::create_dir(at("sub/file")).unwrap();
        assert_eq!(shown(folders.open_seen("sub/file", &look).unwrap_err()), "Replaced");
        std::fs::remove_dir(at("sub/file")).unwrap();
        symlink("../elsewhere", at("sub/file")).unwrap();
        assert_eq!(shown(folders.open_seen("sub/file", &look).unwrap_err()), "Symlink");
    }
}
