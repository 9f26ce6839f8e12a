//! Files as a ring knows them: kept open while anything is in flight.

use std::fs::File;
use std::sync::Arc;

use crate::beneath::RegularFile;

/// A file that a [`Ring`](super::Ring) can be given: an open file that several may hold.
///
/// Made from a [`File`], an [`Arc<File>`] or a [`RegularFile`]. What is inside does not come out
/// again, so that a file whose writers must be known keeps them known.
#[derive(Clone, Debug)]
pub struct Shared(pub(crate) Arc<File>);

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

/// A file that is attached to a ring. Clones are the same attachment; when the last is dropped and
/// nothing is in flight on it, the ring lets go of the file.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) Arc<Attached>);

/// What the clones of a handle share.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) file: Arc<File>,
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        Handle(Arc::new(Attached { file: shared.0 }))
    }

    pub(super) fn file(&self) -> &File {
        &self.0.file
    }
}
