//! Runs the workspace's programs and gives what they said.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::vectors::workspace;

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; 128 and the signal's number when a signal ended the program.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Standard output as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document ({error}): {self:?}"))
    }

    /// The same outcome, if the exit code is this one.
    ///
    /// # Panics
    /// When it is another; the message holds all that the program said.
    #[must_use]
    pub fn expect_status(self, status: i32) -> Outcome {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs `oms-appliance` with these arguments.
///
/// # Panics
/// When the program was not built or cannot be started.
pub fn appliance<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Outcome {
    outcome(command().args(arguments))
}

/// `oms-appliance` as a command, to add arguments, variables or a current folder to.
///
/// # Panics
/// When the program was not built.
pub fn command() -> Command {
    Command::new(
        env::var_os("OMS_APPLIANCE_BIN").map_or_else(|| binary("oms-appliance"), PathBuf::from),
    )
}

/// Runs a command to its end, without standard input.
///
/// # Panics
/// When it cannot be started.
pub fn outcome(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } =
        output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let signal =
        || 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
    Outcome {
        status: status.code().unwrap_or_else(signal),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A program of this workspace: beside the test that runs, or where cargo puts what it builds.
///
/// # Panics
/// When it was not built.
pub fn binary(name: &str) -> PathBuf {
    let beside = env::current_exe().unwrap_or_default();
    beside
        .ancestors()
        .skip(1)
        .take(2)
        .map(Path::to_path_buf)
        .chain([target().join("debug"), target().join("release")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!("{name} was not built: run `cargo build --workspace --bins` first")
        })
}

/// The folder where cargo puts what it builds.
pub fn target() -> PathBuf {
    // A relative CARGO_TARGET_DIR is relative to where cargo runs, which is the workspace here.
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_the_status_and_both_streams() {
        let outcome =
            outcome(Command::new("sh").args(["-c", "echo '{\"a\":1}'; echo err >&2; exit 3"]));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (3, "err\n"));
        assert_eq!(outcome.json()["a"], 1);
    }

    #[test]
    fn a_signal_is_no_exit_code_of_the_program() {
        assert_eq!(outcome(Command::new("sh").args(["-c", "kill -9 $$"])).status, 137);
    }
}
