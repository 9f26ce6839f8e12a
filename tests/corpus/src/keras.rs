//! Keras, as zip and as HDF5.

mod config;
mod dense;
mod file;
mod layout;
mod links;
mod structure;

use crate::Case;

pub(crate) use file::reseal;

pub(crate) fn cases() -> Vec<Case> {
    [config::cases(), dense::cases(), layout::cases(), links::cases(), structure::cases()].concat()
}
