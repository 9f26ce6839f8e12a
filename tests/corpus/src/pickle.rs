//! Pickles: bare, of joblib and of old PyTorch, and in NumPy arrays.
//!
//! ```text
//!   build     writes opcodes
//!   imports   every way to name what runs            gadgets   what attacks have run
//!   calls     what is called is no imported name     streams   streams that mislead or break
//!   arrays    joblib, PyTorch before 1.6, NumPy
//! ```

mod arrays;
mod build;
mod calls;
mod gadgets;
mod imports;
mod streams;

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [arrays::cases(), calls::cases(), gadgets::cases(), imports::cases(), streams::cases()].concat()
}
