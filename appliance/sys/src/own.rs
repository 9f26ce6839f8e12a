//! Files that this process made itself, and may therefore map.
//!
//! ```text
//! Created::new (O_CREAT | O_EXCL) -> written by a ring, or copied within the file system
//!                                 -> map: nobody can write to it any more -> Mapped: &[u8]
//! ```
//!
//! A carrier's file is never mapped: reading a mapping of media that vanished is a signal, not an
//! error. That is why there is no other way to a [`Mapped`].

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Advice, Mmap};
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, fstat, ioctl_ficlone};
use rustix::io::Errno;

use crate::beneath::RegularFile;
use crate::direct::{self, Alignment};
use crate::ring::Shared;

/// Bytes that are copied between two looks at whether to go on.
const PIECE: u64 = 32 << 20;

/// A file that this process has made. It can be written to and, in the end, mapped; the descriptor
/// never gets out, so that who writes to it is known.
#[derive(Debug)]
pub struct Created(Arc<File>);

/// How a copy within a file system went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The file system shares the blocks of both files; nothing was read.
    Linked,
    /// So many bytes were copied: fewer than the file's size when it shrank or the caller stopped.
    Bytes(u64),
    /// The two files are not on one file system, or it cannot do this. Nothing was copied.
    NotHere,
}

impl From<&Created> for Shared {
    fn from(created: &Created) -> Self {
        Shared(Arc::clone(&created.0))
    }
}

impl Created {
    /// Makes a new file with this mode, whatever the umask, in a folder that is the station's own:
    /// nobody else may write to it there.
    ///
    /// # Errors
    /// When something is there already, or it cannot be made.
    pub fn new(path: &Path, mode: u32) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(mode).open(path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(Created(Arc::new(file)))
    }

    /// Takes room for `bytes` on the disk, so that a full disk is known before anything is copied.
    /// The file's size becomes `bytes`. `false`: the file system cannot do that, and nothing
    /// changed.
    ///
    /// # Errors
    /// When there is no room.
    pub fn reserve(&self, bytes: u64) -> io::Result<bool> {
        if bytes == 0 {
            return Ok(true);
        }
        loop {
            match fallocate(&*self.0, FallocateFlags::empty(), 0, bytes) {
                Ok(()) => return Ok(true),
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Cuts the file to `bytes`, or extends it with zeros.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    /// Turns direct I/O on, as [`direct::enable`].
    ///
    /// # Errors
    /// When the file cannot be asked.
    pub fn enable_direct(&self) -> io::Result<Option<Alignment>> {
        direct::enable(&self.0)
    }

    /// Goes back to the page cache.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn disable_direct(&self) -> io::Result<()> {
        direct::disable(&self.0)
    }

    /// Writes the file's bytes to the disk, and waits for it.
    ///
    /// # Errors
    /// When a byte did not reach the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Copies `source` into this new, empty file without taking the bytes through this process, if
    /// both are on one file system. `go_on` is told how many bytes there are so far, every 32 MiB,
    /// and stops the copy by `false`. Not for carriers: what is copied is not what was hashed.
    ///
    /// # Errors
    /// When reading or writing fails after the copying began.
    pub fn copy_from(
        &self,
        source: &RegularFile,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> io::Result<Copied> {
        let from = source.as_file();
        if fstat(from)?.st_dev != fstat(&*self.0)?.st_dev {
            return Ok(Copied::NotHere);
        }
        if ioctl_ficlone(&*self.0, from).is_ok() {
            return Ok(Copied::Linked);
        }
        let (mut read, mut written) = (0u64, 0u64);
        while read < source.size() {
            let piece = source.size().saturating_sub(read).min(PIECE);
            let piece = usize::try_from(piece).unwrap_or(usize::MAX);
            match copy_file_range(from, Some(&mut read), &*self.0, Some(&mut written), piece) {
                Ok(0) => break,
                Ok(_) if go_on(read) => {}
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) if read == 0 => {
                    return Ok(Copied::NotHere);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Copied::Bytes(read))
    }

    /// Maps the whole file for reading, and gives up the right to write to it.
    ///
    /// # Errors
    /// `ResourceBusy` while a ring or anybody else holds the file; else when it cannot be mapped.
    pub fn map(self) -> io::Result<Mapped> {
        let Some(file) = Arc::into_inner(self.0) else {
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        if file.metadata()?.len() == 0 {
            return Ok(Mapped(None));
        }
        // SAFETY: a mapping is sound while nobody changes the file. This process made it under a
        // new name, no descriptor of it got out, and the last one that could write is consumed
        // here; its folder is the station's own, by the contract of `new`.
        let map = unsafe { Mmap::map(&file) }?;
        // A wish, which the kernel may not grant.
        let _ = map.advise(Advice::Sequential);
        Ok(Mapped(Some(map)))
    }
}

/// The bytes of a file that nobody writes to any more.
#[derive(Debug)]
pub struct Mapped(Option<Mmap>);

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beneath::Root;
    use crate::ring::{Outcome, Ring, Settings};

    #[test]
    fn a_file_is_mapped_once_nobody_can_write_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let created = Created::new(&path, 0o640).unwrap();
        assert!(Created::new(&path, 0o640).is_err(), "it is there already");
        let (mut ring, mut buffers) =
            Ring::new(&Settings { reader: Default::default(), buffers: 1, buffer_bytes: 4096 })
                .unwrap();
        let handle = ring.attach(&created);
        let mut buffer = buffers.pop().unwrap();
        buffer.bytes_mut().fill(5);
        buffer.set_filled(0..4096);
        ring.write(1, &handle, 1, buffer);
        let done = ring.wait(None).unwrap().unwrap();
        assert!(matches!(done.outcome, Outcome::Moved { bytes: Ok(4096), .. }));
        let again = Created(Arc::clone(&created.0));
        assert_eq!(again.map().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(handle);
        created.set_size(4097).unwrap();
        let mapped = created.map().unwrap();
        assert_eq!((mapped.len(), mapped[0], mapped[4096]), (4097, 0, 5));
    }

    #[test]
    fn an_empty_file_is_mapped_too() {
        let dir = tempfile::tempdir().unwrap();
        let created = Created::new(&dir.path().join("file"), 0o600).unwrap();
        assert!(created.reserve(0).unwrap());
        assert!(created.map().unwrap().is_empty());
    }

    #[test]
    fn a_reservation_sets_the_size_and_one_that_no_disk_has_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let created = Created::new(&dir.path().join("file"), 0o600).unwrap();
        if created.reserve(10_000).unwrap() {
            assert_eq!(created.0.metadata().unwrap().len(), 10_000);
            assert!(created.reserve(1 << 62).is_err());
        }
    }

    #[test]
    fn a_copy_within_the_file_system_has_the_same_bytes_and_stops_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let size = PIECE * 2 + 5;
        let content: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        std::fs::write(dir.path().join("source"), &content).unwrap();
        let source = Root::open(dir.path()).unwrap().file("source").unwrap();
        let copy = Created::new(&dir.path().join("copy"), 0o600).unwrap();
        let mut told = 0;
        let copied = copy.copy_from(&source, |bytes| {
            told = bytes;
            true
        });
        match copied.unwrap() {
            Copied::Linked => {}
            Copied::Bytes(bytes) => assert_eq!((bytes, told), (size, size)),
            Copied::NotHere => {
                eprintln!("NOT TESTED: the temporary folder's file system has no copy_file_range");
                return;
            }
        }
        assert!(*copy.map().unwrap() == content[..]);
        let half = Created::new(&dir.path().join("half"), 0o600).unwrap();
        if let Copied::Bytes(bytes) = half.copy_from(&source, |_| false).unwrap() {
            assert!(bytes < size);
        }
    }

    #[test]
    fn nothing_is_copied_from_another_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let source = Root::open(Path::new("/proc/self")).unwrap().file("stat").unwrap();
        let copy = Created::new(&dir.path().join("copy"), 0o600).unwrap();
        assert_eq!(copy.copy_from(&source, |_| true).unwrap(), Copied::NotHere);
    }
}
