//! The system calls by which a supervisor changes what lasts. strace tells them, and strikes at one of
//! them exactly: a file that is synced is one step, and a rename that follows at once is another.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use oms_testkit::run;
use oms_tests::dice::Dice;

/// What is told.
const NAMES: &str = "?write,?pwrite64,?ftruncate,?fsync,?fdatasync,?syncfs,?mkdir,?mkdirat,?link,\
                     ?linkat,?rename,?renameat,?renameat2,?rmdir,?unlink,?unlinkat";

/// A call of a supervisor: its name, and how often there was one of that name, with it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    name: String,
    number: usize,
}

/// Whether strace is here and may trace.
pub(crate) fn are_told() -> bool {
    let mut try_it = Command::new("strace");
    try_it.args(["-qq", "-o", "/dev/null", "-e", "trace=none", "true"]);
    try_it.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The appliance as a command, whose calls are told in a file.
pub(crate) fn told(file: &Path) -> Command {
    let mut command = Command::new("strace");
    command.arg("-qq").arg("-o").arg(file).arg("-e").arg(format!("trace={NAMES}"));
    command.arg(run::command().get_program());
    command
}

/// What was told in a file.
pub(crate) fn listed(file: &Path) -> Vec<Call> {
    let told = fs::read_to_string(file).unwrap_or_default();
    let names = told.lines().filter_map(|line| line.split_once('(').map(|(name, _)| name));
    let mut calls: Vec<Call> = Vec::new();
    for name in names {
        let number = 1 + calls.iter().filter(|call| call.name == name).count();
        calls.push(Call { name: name.to_owned(), number });
    }
    calls
}

/// One of them, or the one that follows it: first any name, since a rename matters as much as all the
/// writes together.
pub(crate) fn any(calls: &[Call], dice: &mut Dice) -> Option<Call> {
    let names: BTreeSet<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    let names = Vec::from_iter(names);
    if names.is_empty() {
        return None;
    }
    let name = *dice.one_of(&names);
    let places: Vec<usize> = (0..calls.len())
        .filter(|at| calls.get(*at).is_some_and(|call| call.name == name))
        .collect();
    let at = dice.one_of(&places) + dice.below(2);
    calls.get(at).or(calls.last()).cloned()
}

impl Call {
    /// The appliance as a command, which is killed where it would make this call. Its number is that
    /// of the command: strace stands aside.
    pub(crate) fn striking(&self) -> Command {
        let Call { name, number } = self;
        let mut command = Command::new("strace");
        command.args(["-D", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={name}"));
        command.arg("-e").arg(format!("inject={name}:signal=SIGKILL:when={number}"));
        command.arg(run::command().get_program());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told");
        fs::write(
            &file,
            "fsync(3) = 0\nrename(\"(a\", \"b\") = 0\nfsync(4) = 0\n--- SIGCHLD ---\n",
        )
        .unwrap();
        let calls = listed(&file);
        let told: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.number)).collect();
        assert_eq!(told, [("fsync", 1), ("rename", 1), ("fsync", 2)]);
    }
}
