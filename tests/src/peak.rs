//! What a command costs: how long it takes, and its memory.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use oms_testkit::peak::{Peak, Watch};

/// Runs a command without its output: how long it took, the memory of it and of what it starts, and
/// its exit code.
///
/// # Panics
/// When it cannot be started.
pub fn watched(command: &mut Command) -> (Duration, Peak, Option<i32>) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut watch = Watch::of(child.id());
    loop {
        // The kernel forgets it with the process, so it is asked for until then.
        watch.look();
        if let Some(ended) = child.try_wait().unwrap() {
            return (start.elapsed(), watch.peak(), ended.code());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
