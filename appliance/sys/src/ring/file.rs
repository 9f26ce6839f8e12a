//! Files as a ring knows them: kept open while anything is in flight.

use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::beneath::RegularFile;

/// A file that a [`Ring`](super::Ring) can be given: an open file that several may hold.
///
/// Made from a [`File`], an [`Arc<File>`] or a [`RegularFile`].
#[derive(Clone, Debug)]
pub struct Shared(pub(super) Arc<File>);

impl From<File> for Shared {
    fn from(file: File) -> Self {
        Shared(Arc::new(file))
    }
}

impl From<Arc<File>> for Shared {
    fn from(file: Arc<File>) -> Self {
        Shared(file)
    }
}

impl From<&RegularFile> for Shared {
    fn from(file: &RegularFile) -> Self {
        Shared(file.shared())
    }
}

/// A file that is attached to a ring. Clones are the same attachment. When the last is dropped and
/// nothing is in flight on it, the ring lets go of the file when it is used the next time, or goes.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Attached>);

/// What the clones of a handle share.
#[derive(Debug)]
struct Attached {
    file: Arc<File>,
    uses: AtomicU32,
    fixed: OnceLock<FixedFile>,
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        let attached = Attached { file: shared.0, uses: AtomicU32::new(0), fixed: OnceLock::new() };
        Handle(Arc::new(attached))
    }

    pub(super) fn file(&self) -> &File {
        &self.0.file
    }

    /// Counts an operation, and says how many there were before.
    pub(super) fn count_use(&self) -> u32 {
        self.0.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// The place that the file has in the table of a ring.
    pub(super) fn fixed_file(&self) -> Option<&FixedFile> {
        self.0.fixed.get()
    }

    /// Says that the file has a place, if it has none yet: else the new one is given up again.
    pub(super) fn fix(&self, fixed: FixedFile) {
        drop(self.0.fixed.set(fixed));
    }
}

/// A place in a ring's table of fixed files, which is given up when this is dropped.
#[derive(Debug)]
pub(super) struct FixedFile {
    place: u32,
    detached: Arc<Detached>,
}

/// The places that a ring is to empty, since their handles are gone.
#[derive(Debug, Default)]
pub(super) struct Detached(Mutex<Vec<u32>>);

impl FixedFile {
    /// The place of a file in the table of the ring that empties `detached`.
    pub(super) fn new(place: u32, detached: Arc<Detached>) -> Self {
        FixedFile { place, detached }
    }

    /// Whether the table is that of the ring that empties `detached`.
    pub(super) fn is_of(&self, detached: &Arc<Detached>) -> bool {
        Arc::ptr_eq(&self.detached, detached)
    }

    pub(super) fn place(&self) -> u32 {
        self.place
    }
}

impl Drop for FixedFile {
    fn drop(&mut self) {
        self.detached.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.place);
    }
}

impl Detached {
    pub(super) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
