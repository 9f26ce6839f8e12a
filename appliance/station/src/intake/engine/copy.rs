//! The copy of a file in the station's quarantine.
//!
//! ```text
//!   blocks can be shared ──▶ Copy::Shared: it is there, and read in the source's stead
//!   else ──▶ Copy::Written
//!     it may stay in memory ─▶ through the page cache, and from there to the disk at once
//!     else
//!       bytes that begin and end where pages do ──▶ past the page cache, by the ring
//!       the others: a file's end, edges of shards ─▶ through it
//! ```
//!
//! The copy is read once more, by another process, which does not wait for the disk when it is in the
//! page cache. What would need more memory than copies may have goes past it, and drives nothing
//! out that others need. Both ways may be under way in one file, never in one page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use oms_sys::direct;
use oms_verify::reason::Reason;

use super::clone::Sharing;
use crate::intake::quarantine::Copies;
use crate::storage::failed;

/// The copy of a file, just made.
#[derive(Clone, Debug)]
pub(super) enum Copy {
    /// It has all bytes of the source: their blocks.
    Shared,
    /// It has room for them.
    Written(Output),
}

/// A copy that is being written.
#[derive(Clone, Debug)]
pub(super) struct Output {
    buffered: Arc<File>,
    direct: Option<Arc<File>>,
}

impl Copy {
    /// Makes the file for the copy of `path`, which is `source` and has `size` bytes. It shares the
    /// blocks of `source` if `sharing` can do that, and else `stays` says whether it may be in memory.
    ///
    /// # Errors
    /// When it cannot be made, or there is no room for it.
    pub(super) fn create(
        copies: &Copies,
        path: &str,
        size: u64,
        source: &File,
        sharing: &Sharing,
        stays: impl FnOnce() -> bool,
    ) -> Result<Copy, Reason> {
        let buffered = copies.create(path)?;
        let shared = sharing.share(source, &buffered);
        if shared.map_err(|error| failed("emptying a file in the spool", &error, path.as_ref()))? {
            return Ok(Copy::Shared);
        }
        copies.allocate(&buffered, path, size)?;
        if stays() {
            return Ok(Copy::Written(Output { buffered: Arc::new(buffered), direct: None }));
        }
        let direct = copies.open_again(path)?;
        // Without direct I/O the page cache does it.
        let takes = direct::enable(&direct).is_ok_and(|alignment| alignment.is_some());
        let direct = takes.then(|| Arc::new(direct));
        Ok(Copy::Written(Output { buffered: Arc::new(buffered), direct }))
    }
}

impl Output {
    /// The file to write to through the page cache.
    pub(super) fn buffered(&self) -> Arc<File> {
        Arc::clone(&self.buffered)
    }

    /// The file to write to past it, where it can be.
    pub(super) fn direct(&self) -> Option<Arc<File>> {
        self.direct.clone()
    }

    /// Writes a few bytes at once, through the page cache.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.buffered.write_all_at(bytes, offset)
    }
}
