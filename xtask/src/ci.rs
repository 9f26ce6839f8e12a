//! `cargo xtask ci`: the list of checks that a change must pass, one after the other.

use std::time::Instant;

use crate::failure::Failure;
use crate::process::{cargo, run as run_command};
use crate::{
    conformance, crash, deny, doc, firmware_roots, fmt, fuzz, limbo, purity, reasons, test, tidy,
};

/// A check: its name and what it does.
type Check = (&'static str, fn() -> Result<(), Failure>);

/// All checks, the quick ones first.
const CHECKS: [Check; 13] = [
    ("fmt", || fmt::run(true)),
    ("tidy", tidy::run),
    ("purity", purity::run),
    ("deny", deny::run),
    ("reasons", || reasons::run(true)),
    ("firmware-roots", || firmware_roots::run(&firmware_roots::Command::Check)),
    ("clippy", clippy),
    ("doc", doc::run),
    ("conformance", || conformance::run(None)),
    ("limbo", || limbo::run(None, limbo::Options::default())),
    // Long enough to see that every target still takes its seeds.
    ("fuzz", || fuzz::run(&[], 5, 2)),
    ("crash", || crash::run(&crash::Options::of_ci())),
    ("test", test::run),
];

/// The names that `--skip` takes.
pub(crate) fn names() -> Vec<&'static str> {
    CHECKS.iter().map(|(name, _)| *name).collect()
}

/// Runs every check that is not left out, to the last one even when one fails, and sums up.
pub(crate) fn run(skip: &[String]) -> Result<(), Failure> {
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        if skip.iter().any(|skipped| skipped == name) {
            summary.push(format!("{name:<14} left out"));
            continue;
        }
        println!("== {name}");
        let start = Instant::now();
        let result = check();
        let seconds = start.elapsed().as_secs_f32();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        if let Err(failure) = result {
            eprintln!("error: {failure}");
            failed.push(name);
        }
        println!("== {name}: {word} ({seconds:.1} s)");
        summary.push(format!("{name:<14} {word:<8} {seconds:>7.1} s"));
    }
    println!("\n{}", summary.join("\n"));
    if failed.is_empty() { Ok(()) } else { Err(Failure::Checks(failed)) }
}

fn clippy() -> Result<(), Failure> {
    run_command(&mut cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}
