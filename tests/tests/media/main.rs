//! Carriers that fail, change and lie, and stations whose disks fill up: whatever happens, nothing
//! is accepted but what was signed, nothing is left behind, and the run ends.
//!
//! Most of it needs root: a file system that this process serves, and images on loop devices.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what is not as expected fails the test by panicking"
)]

mod attributes;
mod bundle;
mod ending;
mod folders;
mod images;
mod matrix;
mod reads;
mod reflinks;
mod rootless;
mod stand;
mod station;
mod sweep;
