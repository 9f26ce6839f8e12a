//! What a command costs: how long it takes, and its largest resident set.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a command without its output: how long it took, its largest resident set in KiB, and its
/// exit code.
///
/// # Panics
/// When it cannot be started.
pub fn watched(command: &mut Command) -> (Duration, u64, Option<i32>) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    loop {
        // The kernel forgets it with the process, so it is asked for until then.
        peak = resident(&child).unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            return (start.elapsed(), peak, ended.code());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// `VmHWM` of a process.
fn resident(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
