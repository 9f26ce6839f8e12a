//! What only root can set up: mounts and devices. Mounts are made in a mount namespace of their
//! own, so that they end with the program that runs in it, however the test ends.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use oms_testkit::run;

/// Whether the test runs as root. When not, says what is skipped.
pub fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped(&format!("{what} needs root"));
    }
    root
}

/// Says on standard error that the running test is skipped. Not by `eprintln`, whose text the test
/// harness keeps to itself when a test passes.
pub fn skipped(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {why}\n", thread.name().unwrap_or("a test"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A shell script that runs in a mount namespace of its own. In it, `"$APPLIANCE"` is the program.
pub fn in_namespace(script: &str, variables: &[(&str, &Path)]) -> run::Outcome {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60", "unshare", "--mount", "sh", "-euc", script]);
    command.env("APPLIANCE", run::command().get_program());
    command.envs(variables.iter().copied());
    run::outcome(&mut command)
}
