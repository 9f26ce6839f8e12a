//! Memory that goes to another process: written once, then sealed, so that it can neither change
//! nor shrink while somebody reads it.
//!
//! ```text
//!   SealedWriter ── write, at most N bytes ──▶ seal ──▶ Sealed ── descriptor ──▶ Sealed::from_fd
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use memmap2::{Mmap, MmapOptions};
use rustix::fs::{
    FileType, MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs, memfd_create,
};
use rustix::io::Errno;

/// What makes the bytes and their number final.
const SEALS: SealFlags =
    SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// The kernel's number for memory that is made of ordinary pages (`TMPFS_MAGIC`).
const ORDINARY_PAGES: i64 = 0x0102_1994;

/// Memory that is being written. What is beyond its limit is an error of kind
/// [`io::ErrorKind::FileTooLarge`].
#[derive(Debug)]
pub struct SealedWriter {
    file: File,
    left: usize,
}

/// Memory that nobody can change any more.
#[derive(Debug)]
pub struct Sealed {
    fd: OwnedFd,
    /// Nothing is mapped where there are no bytes.
    bytes: Option<Mmap>,
}

/// Why memory was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// it is not memory that can be sealed, or not all seals are set
    #[error("the memory is not sealed")]
    NotSealed,
    /// it is larger than was agreed
    #[error("the memory holds {found} bytes, more than {most}")]
    TooLarge {
        /// Bytes that it holds.
        found: u64,
        /// The limit.
        most: usize,
    },
    /// it is a kind of memory that may be missing when it is read
    #[error("the memory has holes or is not made of ordinary pages")]
    NotThere,
    /// the kernel refused
    #[error("sealed memory failed: {0}")]
    Failed(#[from] io::Error),
}

impl From<Errno> for SealedError {
    fn from(errno: Errno) -> Self {
        SealedError::Failed(errno.into())
    }
}

impl SealedWriter {
    /// Memory for at most `most` bytes. It is taken as it is written.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn new(most: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match memfd_create("oms-sealed", flags | MemfdFlags::NOEXEC_SEAL) {
            // Before Linux 6.3 it cannot be told that nothing in it is ever executed.
            Err(Errno::INVAL) => memfd_create("oms-sealed", flags),
            made => made,
        }?;
        Ok(SealedWriter { file: File::from(fd), left: most })
    }

    /// Makes final what was written.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn seal(self) -> Result<Sealed, SealedError> {
        fcntl_add_seals(&self.file, SEALS)?;
        Sealed::map(self.file.into())
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.left {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.left = self.left.saturating_sub(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed {
    /// Seals a copy of `bytes`.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, SealedError> {
        let mut writer = SealedWriter::new(bytes.len())?;
        writer.write_all(bytes)?;
        writer.seal()
    }

    /// Takes memory that another process made: at most `most` bytes of it. Nothing of it is read.
    ///
    /// # Errors
    /// [`SealedError::NotSealed`] when it could still change, [`SealedError::TooLarge`], and
    /// [`SealedError::NotThere`] when reading it could fail.
    pub fn from_fd(fd: OwnedFd, most: usize) -> Result<Self, SealedError> {
        // Whatever has no seals at all says so by an error.
        let seals = fcntl_get_seals(&fd).map_err(|_| SealedError::NotSealed)?;
        if !seals.contains(SEALS) {
            return Err(SealedError::NotSealed);
        }
        let stat = fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(SealedError::NotSealed);
        }
        let found = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if usize::try_from(found).map_or(true, |bytes| bytes > most) {
            return Err(SealedError::TooLarge { found, most });
        }
        // A page that is not there yet would be asked for when it is read, which ends the process
        // where there is none. Huge pages and holes are that way.
        let held = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        if fstatfs(&fd)?.f_type != ORDINARY_PAGES || held < found {
            return Err(SealedError::NotThere);
        }
        Self::map(fd)
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    /// Maps what carries all of [`SEALS`].
    fn map(fd: OwnedFd) -> Result<Self, SealedError> {
        if fstat(&fd)?.st_size == 0 {
            return Ok(Sealed { fd, bytes: None });
        }
        // SAFETY: the file is sealed against writing, growing and shrinking, and its seals cannot
        // be taken away, so that the bytes stay what they are for as long as they are mapped.
        let bytes = unsafe { MmapOptions::new().map(&fd) }?;
        Ok(Sealed { fd, bytes: Some(bytes) })
    }
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(flags: MemfdFlags) -> OwnedFd {
        memfd_create("test", MemfdFlags::CLOEXEC | flags).unwrap()
    }

    fn passed(sealed: &Sealed) -> OwnedFd {
        sealed.as_fd().try_clone_to_owned().unwrap()
    }

    #[test]
    fn what_was_sealed_is_read_elsewhere_and_never_changes() {
        let sealed = Sealed::copy_of(b"decision").unwrap();
        assert_eq!(sealed.as_slice(), b"decision");
        let same = Sealed::from_fd(passed(&sealed), 8).unwrap();
        assert_eq!(same.as_slice(), b"decision");
        let file = File::from(passed(&sealed));
        assert!((&file).write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
        assert!(file.set_len(100).is_err());
        assert!(fcntl_add_seals(&file, SealFlags::FUTURE_WRITE).is_err());
        let empty = Sealed::from_fd(passed(&Sealed::copy_of(b"").unwrap()), 0).unwrap();
        assert_eq!(empty.as_slice(), b"");
    }

    #[test]
    fn a_writer_takes_no_more_than_it_may() {
        let mut writer = SealedWriter::new(4).unwrap();
        writer.write_all(b"123").unwrap();
        assert_eq!(writer.write_all(b"45").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        writer.write_all(b"4").unwrap();
        assert_eq!(writer.seal().unwrap().as_slice(), b"1234");
    }

    #[test]
    fn each_seal_is_asked_for() {
        let missing = [SealFlags::WRITE, SealFlags::GROW, SealFlags::SHRINK, SealFlags::SEAL];
        for seal in missing {
            let fd = memory(MemfdFlags::ALLOW_SEALING);
            fcntl_add_seals(&fd, SEALS.difference(seal)).unwrap();
            assert!(matches!(Sealed::from_fd(fd, 9), Err(SealedError::NotSealed)), "{seal:?}");
        }
        let not_memory = tempfile::tempfile().unwrap();
        assert!(matches!(Sealed::from_fd(not_memory.into(), 9), Err(SealedError::NotSealed)));
    }

    #[test]
    fn the_limit_is_inclusive() {
        let sealed = Sealed::copy_of(&[7; 5000]).unwrap();
        assert!(Sealed::from_fd(passed(&sealed), 5000).is_ok());
        let refused = Sealed::from_fd(passed(&sealed), 4999);
        assert!(matches!(refused, Err(SealedError::TooLarge { found: 5000, most: 4999 })));
    }

    #[test]
    fn memory_with_holes_is_not_taken() {
        let fd = memory(MemfdFlags::ALLOW_SEALING);
        rustix::fs::ftruncate(&fd, 1 << 20).unwrap();
        fcntl_add_seals(&fd, SEALS).unwrap();
        assert!(matches!(Sealed::from_fd(fd, 1 << 20), Err(SealedError::NotThere)));
    }

    #[test]
    fn huge_pages_are_not_taken() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
        let Ok(fd) = memfd_create("test", flags) else { return };
        rustix::fs::ftruncate(&fd, 2 << 20).unwrap();
        fcntl_add_seals(&fd, SEALS).unwrap();
        assert!(matches!(Sealed::from_fd(fd, 2 << 20), Err(SealedError::NotThere)));
    }
}
