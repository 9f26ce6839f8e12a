//! The copy of a file in the station's quarantine.
//!
//! ```text
//!   bytes that begin and end where pages do ──▶ past the page cache, by the ring
//!   the others: a file's end, edges of shards ─▶ through it
//! ```
//!
//! Past the page cache, a copy takes no memory that others need and is on its way to the disk at
//! once. Both ways may be under way in one file, never in one page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use oms_sys::direct;
use oms_verify::reason::Reason;

use crate::intake::quarantine::Copies;

/// A copy that is being written.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    buffered: Arc<File>,
    direct: Option<Arc<File>>,
}

impl Copy {
    /// Makes the file for the copy of `path`, which will have `size` bytes.
    ///
    /// # Errors
    /// When it cannot be made, or there is no room for it.
    pub(super) fn create(copies: &Copies, path: &str, size: u64) -> Result<Copy, Reason> {
        let buffered = copies.create(path)?;
        copies.allocate(&buffered, path, size)?;
        let direct = copies.open_again(path)?;
        // Without direct I/O the page cache does it.
        let takes = direct::enable(&direct).is_ok_and(|alignment| alignment.is_some());
        let direct = takes.then(|| Arc::new(direct));
        Ok(Copy { buffered: Arc::new(buffered), direct })
    }

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
