//! `cargo xtask doc`: the reference of the workspace's own packages; a broken link is an error.

use crate::failure::Failure;
use crate::process::{cargo, run as run_command};

/// Builds the reference under the target folder.
pub(crate) fn run() -> Result<(), Failure> {
    let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
    run_command(doc.env("RUSTDOCFLAGS", "--deny warnings"))
}
