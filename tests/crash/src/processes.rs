//! The processes of a station, as the kernel lists them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process that a supervisor started.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// Its role.
    pub(crate) role: String,
}

/// The processes that `supervisor` started and that are alive, also when it is not.
pub(crate) fn of(supervisor: u32) -> Vec<Process> {
    let numbers = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    numbers.filter_map(|pid| role_of(pid, supervisor).map(|role| Process { pid, role })).collect()
}

/// What a process is for, when `supervisor` started it.
fn role_of(pid: u32, supervisor: u32) -> Option<String> {
    // One that has ended and was not waited for has no command line any more.
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<&str> =
        line.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok()).collect();
    let parent = supervisor.to_string();
    match words.as_slice() {
        [_, "role", role, "--parent", found, ..] if *found == parent => Some((*role).to_owned()),
        _ => None,
    }
}

/// Ends a process at once; one that has ended is no concern.
pub(crate) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends a process a signal; one that has ended is no concern.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
