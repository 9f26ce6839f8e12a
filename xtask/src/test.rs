//! `cargo xtask test`: sets up, builds every program, and runs all tests of the workspace.

use std::env;

use oms_testkit::vectors;

use crate::failure::Failure;
use crate::process::{cargo, run as run_command};
use crate::{peer, setup};

/// Runs the tests. They find the Python peer by `OMS_PEER`, and may not skip what needs the test
/// vectors where these are there or where `CI` is `true`.
pub(crate) fn run() -> Result<(), Failure> {
    setup::run()?;
    let peer = peer::run()?;
    run_command(&mut cargo(&["build", "--locked", "--workspace", "--bins"]))?;

    let mut tests = cargo(&["test", "--locked", "--workspace"]);
    tests.env("OMS_PEER", peer);
    if vectors::location().is_dir() || env::var_os("CI").is_some_and(|value| value == "true") {
        tests.env("OMS_REQUIRE_VECTORS", "1");
    }
    run_command(&mut tests)
}
