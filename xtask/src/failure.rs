//! Why a command of the project did not succeed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// One cause, one variant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program is not installed or cannot be started.
    #[error("cannot run `{command}`: {source}")]
    Spawn { command: String, source: io::Error },
    /// A program ended with an error; it has said why.
    #[error("`{command}` ended with {status}")]
    Exit { command: String, status: ExitStatus },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A settings file is not as it should be.
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: toml::de::Error },
    /// A JSON file is not as it should be.
    #[error("{}: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    /// There is no conformance suite.
    #[error("there is no suite with `assets` and `test-cases` in {} (set OMS_VECTORS)", path.display())]
    NoSuite { path: PathBuf },
    /// There are no cases of x509-limbo.
    #[error("there is no {} with the cases of x509-limbo (set OMS_VECTORS)", path.display())]
    NoLimbo { path: PathBuf },
    /// Cargo described the packages in a way that is not understood.
    #[error("cannot understand `cargo metadata`: {0}")]
    Metadata(serde_json::Error),
    /// A check found something.
    #[error("{check}: {} found{}", count(findings.len()), list(findings))]
    Findings { check: &'static str, findings: Vec<Finding> },
    /// Checks of `ci` failed.
    #[error("failed: {}", .0.join(", "))]
    Checks(Vec<&'static str>),
    /// A file is not taken into the built-in anchors.
    #[error("{}: {problem}", path.display())]
    Anchor { path: PathBuf, problem: String },
    /// Packages are missing and this user may not install them.
    #[error(
        "missing: {packages}\nOnly root can install packages here. Run this as root and try again:\n\n    apt-get update && apt-get install --yes --no-install-recommends {packages}\n"
    )]
    NeedsRoot { packages: String },
    /// The system has no apt-get.
    #[error(
        "missing: {packages}\nThere is no apt-get here; install what Debian has in these packages and try again."
    )]
    NoApt { packages: String },
    /// Something is still missing after the packages were installed.
    #[error("still missing after the installation: {what}")]
    StillMissing { what: String },
    /// Pip could not install the peer.
    #[error(
        "pip could not install {packages}: {source}\nIt needs a Python package index. With no network, set PIP_FIND_LINKS to a folder with the wheels and try again."
    )]
    Pip { packages: String, source: Box<Failure> },
    /// Miri is not installed.
    #[error(
        "no nightly toolchain with Miri is installed (`rustup toolchain install nightly --component miri,rust-src`)"
    )]
    NoMiri,
    /// The model of the demo is not there or is no model.
    #[error("{}: {problem}", path.display())]
    DemoModel { path: PathBuf, problem: &'static str },
    /// Something in the demo came out other than it must.
    #[error("the demo did not go as expected: {what}")]
    Demo { what: String },
    /// The corpus of models cannot be judged.
    #[error("the corpus: {what}")]
    Corpus { what: String },
    /// A real model did not come out as it must.
    #[error("{model}: {what}")]
    Model { model: String, what: String },
    /// A benchmark cannot be run, or a program in it did not do its work.
    #[error("{what}")]
    Bench { what: String },
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file and line, or the package.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) problem: String,
}

impl Finding {
    /// A finding at a place.
    pub(crate) fn new(place: impl fmt::Display, problem: impl fmt::Display) -> Finding {
        Finding { place: place.to_string(), problem: problem.to_string() }
    }

    /// Nothing found is success.
    pub(crate) fn none_in(check: &'static str, mut findings: Vec<Finding>) -> Result<(), Failure> {
        findings.sort();
        if findings.is_empty() { Ok(()) } else { Err(Failure::Findings { check, findings }) }
    }
}

fn count(number: usize) -> String {
    if number == 1 { "1 problem".to_owned() } else { format!("{number} problems") }
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {}: {}", finding.place, finding.problem)).collect()
}
