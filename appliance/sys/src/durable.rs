//! Writes that survive a power cut, and renames that never replace.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with, syncfs};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 18;

/// Writes `bytes` to `path` so that after a crash there is the old content or the new, never a
/// mixture: a new file beside it, synced, renamed over it, and the folder synced.
///
/// # Errors
/// When a step fails. What was at `path` is then still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace_with(path, mode, |file| file.write_all(bytes))
}

/// As [`replace`], with what `write` writes.
///
/// # Errors
/// When a step fails. What was at `path` is then still there.
pub fn replace_with(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut name = path.file_name().map(|n| n.to_owned()).unwrap_or_default();
    name.push(".new");
    let beside = path.with_file_name(name);
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    create_with(&beside, mode, write)?;
    std::fs::rename(&beside, path)?;
    sync_folder_of(path)
}

/// Makes a new file with what `write` writes, and syncs it. The name in its folder is not synced
/// yet.
///
/// # Errors
/// When the file is there already or a step fails.
pub fn create_with(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // Whatever the umask: the diode's sender reads what is published.
    file.set_permissions(Permissions::from_mode(mode))?;
    let mut buffered = BufWriter::with_capacity(BUFFER, file);
    write(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Syncs the folder that holds `path`, so that a new name in it survives.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A file system that is written to, from before the first write: an error of writing back is told
/// once to every open file, and one that is opened too late never hears of it.
#[derive(Debug)]
pub struct FileSystem(File);

impl FileSystem {
    /// The file system that holds `folder`.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn of(folder: &Path) -> io::Result<Self> {
        File::open(folder).map(FileSystem)
    }

    /// Syncs it: all data and names written before.
    ///
    /// # Errors
    /// When writing anything back has failed since this was opened.
    pub fn sync(&self) -> io::Result<()> {
        Ok(syncfs(&self.0)?)
    }
}

/// Renames `from` to `to` within one file system, and fails when there is something at `to`.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when `to` is taken; otherwise the kernel's.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Holds a lock on a file for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is held by the open file")] File);

impl Lock {
    /// Locks the file at `path`, which is made if it is absent; `None` when another process
    /// holds it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Self::of(file)
    }

    /// Locks a folder, which leaves no file in it; `None` when another process holds it.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn try_take_folder(path: &Path) -> io::Result<Option<Self>> {
        Self::of(File::open(path)?)
    }

    fn of(file: File) -> io::Result<Option<Self>> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_leaves_no_other_file_and_rename_new_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        replace(&path, b"1", 0o600).unwrap();
        replace(&path, b"2", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let failed = replace_with(&path, 0o600, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::InvalidData.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        let large = vec![7; 2 * BUFFER + 1];
        replace(&path, &large, 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), large);
        replace(&path, b"2", 0o600).unwrap();

        let other = dir.path().join("other");
        std::fs::write(&other, "x").unwrap();
        let taken = rename_new(&other, &path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::try_take(&path).unwrap();
        assert!(first.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::try_take(&path).unwrap().is_some());

        let folder = Lock::try_take_folder(dir.path()).unwrap();
        assert!(folder.is_some());
        assert!(Lock::try_take_folder(dir.path()).unwrap().is_none());
    }
}
