//! Builds the program that is fuzzed.
//!
//! Only the packages that are fuzzed are instrumented; everything that they depend on is what an
//! ordinary build of the workspace has built already. Cargo has no stable setting for that, so
//! this program stands in for the compiler of workspace members and adds the flags.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use oms_testkit::run::target as target_folder;

use crate::failure::Failure;
use crate::process::{cargo, run as run_command};

/// The crates that are instrumented, by the name that the compiler is given.
const CRATES: [&str; 4] = ["oms_verify", "oms_inspect", "oms_fuzz", "fuzz"];

/// What makes the compiler count the edges of the control flow and trace comparisons. Stable
/// compilers take these too.
const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Set for the compilers of the build, and for nothing else.
const STANDS_IN: &str = "OMS_FUZZ_COMPILER";

/// Builds the program and gives its path.
pub(super) fn build() -> Result<PathBuf, Failure> {
    // By its place: an earlier check may have built this program anew since it was started.
    let itself = target_folder().join("debug/xtask");
    // Of the whole workspace, so that the features of the dependencies are those of other builds.
    let mut build = cargo(&["build", "--locked", "--workspace", "--bin", "fuzz"]);
    build.args(["--features", "oms-fuzz/libfuzzer"]);
    for package in ["oms-verify", "oms-inspect", "oms-fuzz"] {
        build.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    build.env("CARGO_INCREMENTAL", "0");
    build.env("RUSTC_WORKSPACE_WRAPPER", itself).env(STANDS_IN, "1");
    run_command(&mut build)?;
    Ok(target_folder().join("debug/fuzz"))
}

/// Compiles, when Cargo calls this program in place of the compiler; otherwise `None`.
///
/// The first argument is then the compiler, and the others are its own.
pub(crate) fn compile() -> Option<ExitCode> {
    env::var_os(STANDS_IN)?;
    let mut arguments = env::args_os().skip(1);
    let compiler = arguments.next()?;
    let arguments = instrumented(arguments.collect());
    match Command::new(&compiler).args(arguments).status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", compiler.display());
            Some(ExitCode::FAILURE)
        }
    }
}

/// The arguments of the compiler, and the flags when they are about a crate that is fuzzed.
fn instrumented(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    if name.is_some_and(|name| CRATES.iter().any(|krate| name == krate)) {
        arguments.extend(FLAGS.map(OsString::from));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_crates_that_are_fuzzed_are_instrumented() {
        let flags = |arguments: &[&str]| {
            let given = arguments.iter().map(OsString::from).collect();
            instrumented(given).len() - arguments.len()
        };
        assert_eq!(flags(&["--crate-name", "oms_verify", "src/lib.rs"]), FLAGS.len());
        assert_eq!(flags(&["--crate-name", "build_script_build", "oms_verify"]), 0);
        assert_eq!(flags(&["--crate-name", "oms_station", "--extern", "oms_verify=x"]), 0);
        assert_eq!(flags(&["-vV"]), 0);
        assert_eq!(flags(&["--crate-name"]), 0);
    }
}
