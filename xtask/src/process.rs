//! Runs other programs, in the workspace's top folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use oms_testkit::vectors::workspace;

use crate::failure::Failure;

/// A program with the workspace's top as its current folder.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).args(arguments);
    command
}

/// Cargo, as if a person had called it.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command("cargo", arguments)
}

/// Runs to the end; the program speaks for itself.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status =
        command.status().map_err(|source| Failure::Spawn { command: line(command), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Exit { command: line(command), status }) }
}

/// Runs to the end and gives the standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Failure::Spawn { command: line(command), source })?;
    if !output.status.success() {
        return Err(Failure::Exit { command: line(command), status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there and ends with success; nothing is shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    quiet(&mut command(program, arguments)).is_ok_and(|status| status.success())
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })
}

/// Writes a text file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|source| Failure::Write { path: path.to_owned(), source })
}

/// The command as a person would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
