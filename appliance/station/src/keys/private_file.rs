//! Files that hold secrets: read whole, bounded, into memory that is wiped, and only if nobody
//! else may read them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

/// Why a file with a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be opened or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not a regular file.
    #[error("it is not a regular file")]
    NotRegular,
    /// It belongs to somebody else, who could change who may read it.
    #[error("it belongs to user {0}, neither to this user nor to root")]
    Owner(u32),
    /// Others may read or write it.
    #[error("its mode {0:04o} lets others use it: chmod 600")]
    Mode(u32),
    /// It is longer than such a secret can be.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

/// Who may use the file beside its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Nobody.
    Nobody,
    /// The group bits are not looked at. systemd gives a credential to a service's user with an
    /// access control list, whose mask then shows in the place of the group's mode.
    AccessList,
}

impl Sharing {
    fn forbidden(self) -> u32 {
        match self {
            Sharing::Nobody => 0o077,
            Sharing::AccessList => 0o007,
        }
    }
}

/// Reads a file of at most `limit` bytes. What is checked is the file that is read: ownership and
/// mode come from the open descriptor.
pub(super) fn read(
    path: &Path,
    limit: usize,
    sharing: Sharing,
) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileFault::NotRegular);
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(FileFault::Owner(owner));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & sharing.forbidden() != 0 {
        return Err(FileFault::Mode(mode));
    }
    read_bounded(file, limit)
}

/// Reads to the end, `limit` bytes at most. The buffer never grows, so no copy stays behind.
pub(super) fn read_bounded(
    mut reader: impl Read,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let mut bytes = Zeroizing::new(vec![0; limit.saturating_add(1)]);
    let mut length = 0usize;
    while let Some(free) = bytes.get_mut(length..).filter(|free| !free.is_empty()) {
        match reader.read(free) {
            Ok(0) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Ok(count) => length = length.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(FileFault::TooLong(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn file(mode: u32, content: &[u8]) -> tempfile::TempPath {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn reads_a_file_that_only_the_owner_may_use() {
        for mode in [0o600, 0o400, 0o700] {
            let bytes = read(&file(mode, b"secret"), 6, Sharing::Nobody).unwrap();
            assert_eq!(bytes.as_slice(), b"secret");
        }
    }

    #[test]
    fn refuses_a_file_that_others_may_use() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610] {
            let fault = read(&file(mode, b"secret"), 99, Sharing::Nobody).unwrap_err();
            assert!(matches!(fault, FileFault::Mode(found) if found == mode), "{mode:o}: {fault}");
        }
        assert!(read(&file(0o440, b"secret"), 99, Sharing::AccessList).is_ok());
        assert!(matches!(
            read(&file(0o444, b"secret"), 99, Sharing::AccessList),
            Err(FileFault::Mode(0o444))
        ));
    }

    #[test]
    fn refuses_a_file_that_is_too_long_or_absent_or_no_file() {
        assert!(matches!(
            read(&file(0o600, b"secret"), 5, Sharing::Nobody),
            Err(FileFault::TooLong(5))
        ));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path(), 99, Sharing::Nobody), Err(FileFault::NotRegular)));
        assert!(matches!(
            read(&folder.path().join("absent"), 99, Sharing::Nobody),
            Err(FileFault::Io(_))
        ));
        assert!(matches!(
            read(Path::new("/dev/zero"), 99, Sharing::Nobody),
            Err(FileFault::NotRegular)
        ));
    }

    #[test]
    fn does_not_wait_for_the_writer_of_a_fifo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(read(&path, 99, Sharing::Nobody), Err(FileFault::NotRegular)));
    }

    #[test]
    fn refuses_a_file_of_another_user() {
        if !rustix::process::geteuid().is_root() {
            // Only root can give a file away; the check itself is the same for everybody.
            return;
        }
        let path = file(0o600, b"secret");
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(matches!(read(&path, 99, Sharing::Nobody), Err(FileFault::Owner(12345))));
    }
}
