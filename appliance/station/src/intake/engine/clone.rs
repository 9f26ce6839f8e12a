//! Copies that share their blocks with the source (reflinks): made at once, and read in its stead.
//!
//! ```text
//!   source ──FICLONE──▶ copy in the quarantine ─▶ ring reads ─▶ lanes hash
//!          └─refused: from then on every file goes the ordinary way ─▶ read, hashed, written
//! ```
//!
//! XFS and Btrfs can do that when source and spool lie on one of them. A carrier is another file
//! system, and the kernel refuses before it asks it anything. The copy is what is hashed, so it
//! does not matter what others do to the source meanwhile.
//!
//! The copy is read like any file and not mapped. It has nothing in the page cache, whatever the
//! source has there, so each page of a mapping would be waited for (1 GiB on XFS took 2.8 s at best,
//! by direct reads 1.6 s); and where its disk fails, a read gives an error that names the place, a
//! mapping a signal. Nor are the bytes copied by the kernel where blocks cannot be shared:
//! `copy_file_range` goes through the page cache, and is slower than reading, hashing and writing
//! at once.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::ioctl_ficlone;

/// How a new file is made to share the blocks of a source: `how(source, copy)`.
pub(super) type How = fn(&File, &File) -> io::Result<()>;

/// With `FICLONE`, see ioctl_ficlone(2).
pub(super) fn ficlone(source: &File, copy: &File) -> io::Result<()> {
    Ok(ioctl_ficlone(copy, source)?)
}

/// Whether the files of a job can share their blocks with their copies: yes, until it is refused
/// for one.
#[derive(Debug)]
pub(super) struct Sharing {
    how: How,
    may_work: AtomicBool,
}

impl Sharing {
    /// Nobody has tried yet.
    pub(super) fn untried(how: How) -> Self {
        Sharing { how, may_work: AtomicBool::new(true) }
    }

    /// Makes `copy`, which is new and open for writing, a copy of `source`. `false`: it stays empty.
    ///
    /// What of the source is not on its disk yet is written first. That takes as long as it takes,
    /// and cannot be cancelled.
    ///
    /// # Errors
    /// When the copy cannot be emptied that was begun.
    pub(super) fn share(&self, source: &File, copy: &File) -> io::Result<bool> {
        if !self.may_work.load(Ordering::Relaxed) {
            return Ok(false);
        }
        // Whatever it was: the ordinary way finds out and tells, if it meets it too.
        if (self.how)(source, copy).is_ok() {
            return Ok(true);
        }
        self.may_work.store(false, Ordering::Relaxed);
        copy.set_len(0)?;
        Ok(false)
    }
}

#[cfg(test)]
pub(super) mod tests;
