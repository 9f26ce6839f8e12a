//! Executables, archives, documents, and files that are two things at once.

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
