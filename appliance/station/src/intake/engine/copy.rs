//! The copy of a file in the station's quarantine.

use std::fs::File;
use std::sync::Arc;

use oms_verify::reason::Reason;

use crate::intake::quarantine::Copies;

/// A copy that is being written.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    file: Arc<File>,
}

impl Copy {
    /// Makes the file for the copy of `path`, which will have `size` bytes.
    ///
    /// # Errors
    /// When it cannot be made, or there is no room for it.
    pub(super) fn create(copies: &Copies, path: &str, size: u64) -> Result<Copy, Reason> {
        let file = copies.create(path)?;
        copies.allocate(&file, path, size)?;
        Ok(Copy { file: Arc::new(file) })
    }

    /// The file to write to.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}
