//! The programs to compare with, as people would call them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oms_testkit::run::target;

use super::Options;
use super::side::Line;
use crate::failure::Failure;
use crate::peer;
use crate::process::{cargo, run as run_command};

/// Hashes every file of a folder, as many at a time as there are cores.
const OPENSSL: &str =
    "find \"$1\" -type f -print0 | xargs -0 -P\"$(nproc)\" -n1 openssl dgst -sha256";

/// Copies a folder into another and waits until the disk has it.
const COPY: &str = "cp -r \"$1\" \"$2\" && sync -f \"$2\"";

/// The programs that are there.
pub(super) struct Peers {
    python: Option<PathBuf>,
    b3sum: Option<PathBuf>,
}

impl Peers {
    /// Finds or installs those that are not to be left out.
    pub(super) fn find(options: &Options) -> Result<Peers, Failure> {
        let python = match options.skip_python {
            true => None,
            false => Some(peer::run()?.join("bin")),
        };
        let b3sum = if options.skip_b3sum { None } else { b3sum() };
        Ok(Peers { python, b3sum })
    }

    /// `openssl` on the files of a folder, on all cores.
    pub(super) fn openssl_on_all_cores(model: &Path) -> Line {
        Line::new("sh", ["-c", OPENSSL, "sh"]).argument(model)
    }

    /// `openssl` on one file.
    pub(super) fn openssl(file: &Path) -> Line {
        Line::new("openssl", ["dgst", "-sha256"]).argument(file)
    }

    /// `cp -r` of a folder into another, and `sync`.
    pub(super) fn copy(from: &Path, into: &Path) -> Line {
        Line::new("sh", ["-c", COPY, "sh"]).argument(from).argument(into)
    }

    /// `b3sum` on these files, if it is there.
    pub(super) fn b3sum(&self, files: &[PathBuf]) -> Option<Line> {
        Some(Line::new(self.b3sum.as_ref()?, files))
    }

    /// `model_signing verify key`, if it is there.
    pub(super) fn python(&self, model: &Path, bundle: &Path, key: &Path) -> Option<Line> {
        let program = self.python.as_ref()?.join("model_signing");
        let line = Line::new(program, ["verify", "key"]).argument(model);
        Some(line.option("--signature", bundle).option("--public_key", key))
    }

    /// What each program says about its version.
    pub(super) fn versions(&self) -> Vec<String> {
        let mut programs = vec![(PathBuf::from("openssl"), vec!["version"])];
        programs.push((PathBuf::from("cp"), vec!["--version"]));
        programs.extend(self.b3sum.iter().map(|program| (program.clone(), vec!["--version"])));
        programs.extend(self.python.iter().flat_map(|bin| {
            [
                (bin.join("python"), vec!["--version"]),
                (bin.join("model_signing"), vec!["--version"]),
            ]
        }));
        programs.iter().filter_map(|(program, words)| first_line(program, words)).collect()
    }
}

/// The first line that a program prints.
pub(super) fn first_line(program: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// `b3sum` on the path or in the target folder, else from crates.io, else none: then its workload
/// has no reference, which is said.
fn b3sum() -> Option<PathBuf> {
    let tools = target().join("tools");
    let own = tools.join("bin/b3sum");
    for program in [PathBuf::from("b3sum"), own.clone()] {
        if first_line(&program, &["--version"]).is_some() {
            return Some(program);
        }
    }
    let root = OsString::from(tools);
    let mut install = cargo(&["install", "--quiet", "--locked", "b3sum", "--root"]);
    match run_command(install.arg(root)) {
        Ok(()) => Some(own),
        Err(failure) => {
            eprintln!("bench: without b3sum, which could not be installed: {failure}");
            None
        }
    }
}
