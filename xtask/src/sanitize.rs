//! `cargo xtask sanitize`: the tests of the one crate that may hold `unsafe`, watched.
//!
//! AddressSanitizer sees every load and store of the compiled kernels and of the ring; Miri runs the
//! code without compiling it, knows the rules of the language too, and knows fewer instructions.

use clap::ValueEnum;
use oms_testkit::run::target as target_folder;

use crate::failure::Failure;
use crate::process::{cargo, run as run_command, succeeds};

/// The triple for which everything is built: flags for a named one do not reach build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The tests that Miri can run: it has no io_uring and few system calls. Of these, two feed so many
/// bytes that it would take days.
const MIRI_TESTS: [&str; 5] =
    ["sha256::", "--skip", "monte_carlo", "--skip", "a_stream_of_four_gibibits"];

/// What watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Watcher {
    /// AddressSanitizer, which the stable compiler has behind a switch.
    Address,
    /// Miri, which comes with nightly compilers only.
    Miri,
}

/// Runs the tests under the watchers, or under all that are here when none is named.
///
/// A watcher that is named and not here is a failure; one that is not named is left out, and said so.
pub(crate) fn run(watchers: &[Watcher], filter: Option<&str>) -> Result<(), Failure> {
    let wants = |watcher| watchers.is_empty() || watchers.contains(&watcher);
    // First of all, so that nobody waits for the other one to learn it.
    let plan = if wants(Watcher::Miri) { plan(watchers, miri_toolchain())? } else { Plan::Without };
    if wants(Watcher::Address) {
        address(filter)?;
    }
    match plan {
        Plan::Without => {}
        Plan::LeftOut => println!("{}", left_out()),
        Plan::With(toolchain) => miri(toolchain, filter)?,
    }
    Ok(())
}

/// What becomes of Miri.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nobody asked for it.
    Without,
    /// It is not here, and nobody named it.
    LeftOut,
    /// It runs with this toolchain.
    With(&'static str),
}

/// What becomes of Miri, which is wanted, with the toolchain that has it.
fn plan(watchers: &[Watcher], toolchain: Option<&'static str>) -> Result<Plan, Failure> {
    match toolchain {
        Some(toolchain) => Ok(Plan::With(toolchain)),
        None if watchers.is_empty() => Ok(Plan::LeftOut),
        None => Err(Failure::NoMiri),
    }
}

fn left_out() -> String {
    format!("sanitize: Miri is LEFT OUT: {}", Failure::NoMiri)
}

fn address(filter: Option<&str>) -> Result<(), Failure> {
    println!("sanitize: the tests of oms-sys under AddressSanitizer");
    let mut tests = cargo(&["test", "--locked", "--package", "oms-sys", "--lib"]);
    tests.args(["--target", TARGET]).arg("--target-dir").arg(target_folder().join("sanitize"));
    tests.args(filter);
    // The switch lets a stable compiler take a flag that is not stable yet.
    tests.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    // Also finds what still points into the frame of a function that has returned. A ring that is
    // abandoned is leaked on purpose, so leaks are not looked for.
    let options = "detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=0";
    tests.env("ASAN_OPTIONS", options);
    run_command(&mut tests)
}

fn miri(toolchain: &str, filter: Option<&str>) -> Result<(), Failure> {
    println!("sanitize: the tests of oms-sys that Miri can run, under Miri");
    let mut tests = cargo(&["miri", "test", "--locked", "--package", "oms-sys", "--lib"]);
    tests.args(["--target", TARGET]).arg("--target-dir").arg(target_folder().join("miri"));
    tests.arg("--").args(MIRI_TESTS).args(filter);
    tests.env("RUSTUP_TOOLCHAIN", toolchain);
    // It says of a CPU feature that it is there only when the whole program is built for it.
    tests.env("RUSTFLAGS", "-Ctarget-feature=+avx2,+sha,+sse4.1,+ssse3");
    // Tests that are given random inputs keep a record of failures in a file.
    tests.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    run_command(&mut tests)
}

/// A toolchain that has Miri, by the name that rustup knows it by.
fn miri_toolchain() -> Option<&'static str> {
    let has_miri =
        |toolchain: &&str| succeeds("rustup", &["run", toolchain, "cargo", "miri", "--version"]);
    ["nightly"].into_iter().find(has_miri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miri_that_is_not_here_fails_who_named_it_and_is_told_to_who_did_not() {
        assert_eq!(plan(&[], Some("nightly")).unwrap(), Plan::With("nightly"));
        assert_eq!(plan(&[Watcher::Miri], Some("nightly")).unwrap(), Plan::With("nightly"));
        assert_eq!(plan(&[], None).unwrap(), Plan::LeftOut);
        let refused = plan(&[Watcher::Address, Watcher::Miri], None).unwrap_err();
        for told in [refused.to_string(), left_out()] {
            assert!(told.contains("rustup toolchain install nightly"), "{told}");
            assert!(told.contains("--component miri"), "{told}");
        }
    }
}
