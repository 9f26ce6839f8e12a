//! One side of a contest: a command, what is made anew before each run, and how one sees that it
//! did its work.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Options;
use super::folder::Folder;
use super::peers::Peers;
use super::process::{self, Ran};
use crate::failure::Failure;

/// What every workload is made of.
pub(super) struct Bench<'a> {
    /// What the command line says.
    pub(super) options: &'a Options,
    /// Where data go.
    pub(super) folder: &'a Folder,
    /// `oms-appliance`, built with optimisation.
    pub(super) program: PathBuf,
    /// The programs to compare with.
    pub(super) peers: Peers,
}

/// A program in a contest.
pub(super) struct Side {
    /// As the table calls it.
    pub(super) name: String,
    /// What is run.
    pub(super) line: Line,
    /// How one sees that a bit was flipped.
    pub(super) proof: Proof,
    /// Folders that are emptied before each run.
    pub(super) empties: Vec<PathBuf>,
    /// Whether the page cache is dropped before each run.
    pub(super) cold: bool,
    /// Whether the memory of the command's own process tells something.
    pub(super) one_process: bool,
}

/// How a side shows that it read what it was given.
pub(super) enum Proof {
    /// It ends with 1 instead of 0 when a bit is flipped.
    Refusal,
    /// It prints something else, always this many lines.
    Digests(usize),
    /// The folder that it copies to holds the file by this path, whose bytes are those of the one
    /// that has the flipped bit.
    Copy(PathBuf),
}

/// A command that can be run again and again.
#[derive(Clone)]
pub(super) struct Line {
    program: PathBuf,
    arguments: Vec<OsString>,
    variable: Option<(&'static str, PathBuf)>,
}

impl Line {
    /// A program with arguments.
    pub(super) fn new<S: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Line {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Line { program: program.into(), arguments, variable: None }
    }

    /// With one more argument.
    pub(super) fn argument(mut self, argument: impl Into<OsString>) -> Line {
        self.arguments.push(argument.into());
        self
    }

    /// With an option and its value.
    pub(super) fn option(mut self, name: &str, value: impl Into<OsString>) -> Line {
        self.arguments.extend([name.into(), value.into()]);
        self
    }

    /// With an environment variable.
    pub(super) fn variable(mut self, name: &'static str, value: &Path) -> Line {
        self.variable = Some((name, value.to_owned()));
        self
    }

    /// The command to run.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.envs(self.variable.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// As a person would read it.
    pub(super) fn shown(&self) -> String {
        let words = std::iter::once(self.program.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

impl Side {
    /// One process that refuses what was changed.
    pub(super) fn that_refuses(name: impl Into<String>, line: Line) -> Side {
        let name = name.into();
        let (proof, empties) = (Proof::Refusal, Vec::new());
        Side { name, line, proof, empties, cold: false, one_process: true }
    }

    /// A program that prints digests, this many lines.
    pub(super) fn that_digests(name: impl Into<String>, line: Line, lines: usize) -> Side {
        Side { proof: Proof::Digests(lines), ..Side::that_refuses(name, line) }
    }

    /// Runs it once, timed, and makes sure that it accepted.
    pub(super) fn timed(&self) -> Result<Ran, Failure> {
        self.prepare()?;
        self.accepted(process::timed(&mut self.line.command())?)
    }

    /// Runs it once and watches its memory, and makes sure that it accepted.
    pub(super) fn watched(&self) -> Result<Ran, Failure> {
        self.prepare()?;
        self.accepted(process::watched(&mut self.line.command())?)
    }

    /// Runs it once after a bit of the file `flipped` was flipped at `offset`, and makes sure that
    /// this did not go unnoticed. `before` is what it printed when all was well.
    pub(super) fn notices(
        &self,
        flipped: &Path,
        offset: u64,
        before: &[u8],
    ) -> Result<(), Failure> {
        self.prepare()?;
        let ran = process::timed(&mut self.line.command())?;
        let noticed = match &self.proof {
            Proof::Refusal => ran.code == Some(1),
            Proof::Digests(_) => ran.code == Some(0) && lines(&ran.stdout) != lines(before),
            Proof::Copy(copy) => {
                ran.code == Some(0)
                    && byte_at(copy, offset)? == byte_at(flipped, offset)?
                    && length(copy)? == length(flipped)?
            }
        };
        if noticed { Ok(()) } else { Err(self.failure("did not notice a flipped bit", &ran)) }
    }

    fn accepted(&self, ran: Ran) -> Result<Ran, Failure> {
        let whole = match &self.proof {
            Proof::Refusal => true,
            Proof::Digests(lines) => {
                ran.stdout.iter().filter(|byte| **byte == b'\n').count() == *lines
            }
            Proof::Copy(copy) => copy.is_file(),
        };
        if ran.code == Some(0) && whole {
            Ok(ran)
        } else {
            Err(self.failure("did not do its work", &ran))
        }
    }

    /// Makes each run begin alike: nothing to be written back, and empty folders.
    fn prepare(&self) -> Result<(), Failure> {
        for folder in &self.empties {
            let write = |source| Failure::Write { path: folder.clone(), source };
            let read = |source| Failure::Read { path: folder.clone(), source };
            for entry in fs::read_dir(folder).map_err(read)? {
                fs::remove_dir_all(entry.map_err(read)?.path()).map_err(write)?;
            }
        }
        if !self.empties.is_empty() {
            rustix::fs::sync();
        }
        if self.cold {
            let path = Path::new("/proc/sys/vm/drop_caches");
            fs::write(path, "3\n")
                .map_err(|source| Failure::Write { path: path.to_owned(), source })?;
        }
        Ok(())
    }

    fn failure(&self, what: &str, ran: &Ran) -> Failure {
        let Ran { code, stderr, .. } = ran;
        let stdout = String::from_utf8_lossy(&ran.stdout);
        Failure::Bench {
            what: format!(
                "{} {what} (exit code {code:?}): {}\n{stdout}{stderr}",
                self.name,
                self.line.shown()
            ),
        }
    }
}

/// The lines of an output in order: several programs at a time print in any.
fn lines(output: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<_> = output.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn byte_at(path: &Path, offset: u64) -> Result<u8, Failure> {
    let mut byte = [0];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut byte, offset))
        .map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    Ok(u8::from_le_bytes(byte))
}

fn length(path: &Path) -> Result<u64, Failure> {
    let metadata = path.metadata();
    Ok(metadata.map_err(|source| Failure::Read { path: path.to_owned(), source })?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, file: &Path) -> Line {
        Line::new("sh", ["-c", script, "sh"]).argument(file)
    }

    #[test]
    fn a_side_that_does_nothing_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weights");
        fs::write(&file, "abc").unwrap();
        let idle = Side::that_refuses("idle", Line::new("true", [""; 0]));
        idle.timed().unwrap();
        assert!(idle.notices(&file, 0, b"").is_err());
        let silent = Side::that_digests("silent", Line::new("true", [""; 0]), 1);
        assert!(silent.timed().is_err());
        let constant = Side::that_digests("constant", Line::new("echo", ["digest"]), 1);
        let ran = constant.timed().unwrap();
        assert!(constant.notices(&file, 0, &ran.stdout).is_err());
        let failing = Side::that_refuses("failing", Line::new("false", [""; 0]));
        assert!(failing.timed().is_err() && failing.notices(&file, 0, b"").is_ok());
    }

    #[test]
    fn a_side_that_reads_and_one_that_copies_notice_the_bit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weights");
        fs::write(&file, "abc").unwrap();
        let digests = Side::that_digests("cat", shell("cat \"$1\"; echo", &file), 1);
        let to = oms_testkit::files::folder(dir.path().join("to"));
        let copies = Side {
            proof: Proof::Copy(to.join("new/weights")),
            empties: vec![to.clone()],
            ..Side::that_refuses(
                "cp",
                Line::new("sh", ["-c", "mkdir \"$1/new\" && cp \"$2\" \"$1/new\"", "sh"])
                    .argument(&to)
                    .argument(&file),
            )
        };
        let before = digests.timed().unwrap().stdout;
        copies.timed().unwrap();
        copies.timed().unwrap();
        oms_testkit::model::flip_bit(&file, 1);
        digests.notices(&file, 1, &before).unwrap();
        copies.notices(&file, 1, b"").unwrap();
        assert_eq!(fs::read(to.join("new/weights")).unwrap(), b"acc");
    }
}
