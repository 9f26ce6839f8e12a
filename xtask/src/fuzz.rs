//! `cargo xtask fuzz`: feeds the parsers with what libFuzzer makes of good inputs.
//!
//! ```text
//!  vectors, tests/kit ─▶ seeds ─▶ target/fuzz/corpus ─▶ instrumented program ─▶ new inputs
//!                                                              └─▶ finding: the input, kept
//! ```

mod build;
mod models;
mod seeds;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oms_testkit::run::target as target_folder;

use crate::failure::{Failure, Finding};
use crate::process::command;

pub(crate) use self::build::compile;

/// Tells the program which target it runs.
const TARGET: &str = "OMS_FUZZ_TARGET";

/// The names of the targets.
pub(crate) fn names() -> Vec<&'static str> {
    oms_fuzz::TARGETS.iter().map(|(name, _)| *name).collect()
}

/// Runs the targets, or all of them when none is named, for `seconds` each and `jobs` at a time.
pub(crate) fn run(targets: &[String], seconds: u64, jobs: usize) -> Result<(), Failure> {
    let program = build::build()?;
    let named = |name: &&str| targets.is_empty() || targets.iter().any(|target| target == name);
    let names: Vec<&str> = names().into_iter().filter(named).collect();
    for name in &names {
        seeds::write(name, &Folders::of(name))?;
    }

    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = fuzz(&program, name, seconds);
                    results.lock().unwrap_or_else(|p| p.into_inner()).push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let findings = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Finding::none_in("fuzz", findings.into_iter().flatten().collect())
}

/// Where a target's files lie.
struct Folders {
    /// Inputs: seeds, and what the fuzzer found worth keeping.
    corpus: PathBuf,
    /// Inputs that are findings.
    findings: PathBuf,
    /// Words that inputs consist of.
    dictionary: PathBuf,
    /// What the fuzzer said.
    log: PathBuf,
}

impl Folders {
    fn of(name: &str) -> Folders {
        let top = top();
        Folders {
            corpus: top.join("corpus").join(name),
            findings: top.join("findings").join(name),
            dictionary: top.join(format!("{name}.dict")),
            log: top.join(format!("{name}.log")),
        }
    }
}

/// The folder where everything is.
fn top() -> PathBuf {
    target_folder().join("fuzz")
}

/// Runs one target and says how far it came; gives what it found.
fn fuzz(program: &Path, name: &str, seconds: u64) -> Result<Option<Finding>, Failure> {
    let folders = Folders::of(name);
    let create = |path: &Path| {
        fs::create_dir_all(path).map_err(|source| Failure::Write { path: path.to_owned(), source })
    };
    create(&folders.findings)?;
    let log = File::create(&folders.log)
        .map_err(|source| Failure::Write { path: folders.log.clone(), source })?;

    let mut fuzzer = command(program, &["-timeout=10", "-rss_limit_mb=512"]);
    fuzzer.env(TARGET, name).arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-max_len={}", seeds::longest(name)));
    fuzzer.args(["-print_final_stats=1", "-reload=0"]);
    fuzzer.arg(format!("-artifact_prefix={}/", folders.findings.display()));
    if folders.dictionary.exists() {
        fuzzer.arg(format!("-dict={}", folders.dictionary.display()));
    }
    fuzzer.arg(&folders.corpus).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let status = fuzzer
        .status()
        .map_err(|source| Failure::Spawn { command: program.display().to_string(), source })?;

    let bytes = fs::read(&folders.log)
        .map_err(|source| Failure::Read { path: folders.log.clone(), source })?;
    let said = String::from_utf8_lossy(&bytes);
    let progress = Progress::read(&said);
    println!(
        "fuzz {name:<19} {:>9} executions, {:>6} edges covered, {:>5} inputs kept: {}",
        progress.executions,
        progress.edges,
        progress.inputs,
        if status.success() { "no finding" } else { "FINDING" }
    );
    Ok((!status.success())
        .then(|| Finding::new(name, problem(&said, (program, name), &folders.log))))
}

/// What a finding is, and how to see it again.
fn problem(said: &str, (program, name): (&Path, &str), log: &Path) -> String {
    const MARK: &str = "Test unit written to ";
    const CAUSES: [&str; 3] = ["panicked at", "memory allocation of", "ERROR: libFuzzer"];
    let input = said.lines().find_map(|line| line.split_once(MARK)).map(|(_, input)| input.trim());
    let cause = said
        .lines()
        .find(|line| CAUSES.iter().any(|cause| line.contains(cause)))
        .unwrap_or("the fuzzer failed");
    match input {
        Some(input) => {
            format!("{cause}\n  see it again: {TARGET}={name} {} {input}", program.display())
        }
        None => format!("{cause}\n  see {}", log.display()),
    }
}

/// How far a run came, by its last words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    executions: u64,
    edges: u64,
    inputs: u64,
}

impl Progress {
    fn read(said: &str) -> Progress {
        let mut progress = Progress::default();
        for line in said.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |name: &str| {
                let at = words.iter().position(|word| *word == name)?;
                words.get(at + 1)?.split('/').next()?.parse().ok()
            };
            progress.edges = after("cov:").unwrap_or(progress.edges);
            progress.inputs = after("corp:").unwrap_or(progress.inputs);
            progress.executions =
                after("stat::number_of_executed_units:").unwrap_or(progress.executions);
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_the_last_words() {
        let said = "#2\tINITED cov: 10 ft: 11 corp: 2/20b exec/s: 0 rss: 30Mb\n\
                    #9\tNEW    cov: 12 ft: 14 corp: 3/40b lim: 4 exec/s: 0 rss: 30Mb\n\
                    stat::number_of_executed_units: 4096\n";
        let expected = Progress { executions: 4096, edges: 12, inputs: 3 };
        assert_eq!(Progress::read(said), expected);
        assert_eq!(Progress::read("nothing"), Progress::default());
    }

    #[test]
    fn a_finding_names_its_cause_and_its_input() {
        let said = "thread panicked at src/x.rs:1:2:\n\
                    artifact_prefix='f/'; Test unit written to f/crash-1\n";
        let text = problem(said, (Path::new("fuzz"), "x"), Path::new("x.log"));
        assert!(text.contains("src/x.rs:1:2"), "{text}");
        assert!(text.contains("OMS_FUZZ_TARGET=x fuzz f/crash-1"), "{text}");
        let text = problem("", (Path::new("fuzz"), "x"), Path::new("x.log"));
        assert!(text.contains("x.log"), "{text}");
    }
}
