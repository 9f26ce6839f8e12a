//! Keras, as zip and as HDF5.

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
