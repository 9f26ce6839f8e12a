//! `cargo xtask fmt`: the layout of all source files.

use crate::failure::Failure;
use crate::process::{cargo, run as run_command};

/// Lays out every file, or with `check` only says which one is not as it should be.
pub(crate) fn run(check: bool) -> Result<(), Failure> {
    let arguments: &[&str] = if check { &["fmt", "--all", "--check"] } else { &["fmt", "--all"] };
    run_command(&mut cargo(arguments))
}
