//! Running a program that might hang: it is killed in time, and what it said until then is told.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use oms_testkit::run::Outcome;

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// By itself, or by a signal that the watcher did not send.
    Itself(Outcome),
    /// It had to be killed.
    Killed,
}

/// A program that runs, and what it has said so far.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

/// What came through a pipe so far.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

/// How often the watcher looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs a command to its end, at most for `limit`. `look` is asked again and again while it runs,
/// and may act on it; when it says true it is not asked any more.
///
/// # Panics
/// When the command cannot be started.
pub fn run(
    command: &mut Command,
    limit: Duration,
    mut look: impl FnMut(&Running) -> bool,
) -> Ended {
    let mut running = Running::start(command);
    let start = Instant::now();
    let mut done = false;
    loop {
        done = done || look(&running);
        if let Some(status) = running.child.try_wait().expect("a child") {
            return Ended::Itself(running.outcome(status, limit));
        }
        if start.elapsed() > limit {
            // One that waits for a device that never answers cannot be killed, nor waited for.
            let _ = running.child.kill();
            return Ended::Killed;
        }
        thread::sleep(PAUSE);
    }
}

impl Running {
    fn start(command: &mut Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Heard::of(child.stdout.take().expect("a pipe"));
        let stderr = Heard::of(child.stderr.take().expect("a pipe"));
        Running { child, stdout, stderr }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it the signal that asks it to end.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn terminate(&self) {
        let id = i32::try_from(self.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::TERM)
            .expect("a process");
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    fn outcome(&self, status: std::process::ExitStatus, limit: Duration) -> Outcome {
        // The pipes are read to their ends, unless somebody else holds one open.
        let start = Instant::now();
        while !(self.stdout.ended() && self.stderr.ended()) && start.elapsed() < limit {
            thread::sleep(PAUSE);
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
        Outcome {
            status: status.code().unwrap_or(128 + signal),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

impl Heard {
    fn of(mut pipe: impl Read + Send + 'static) -> Heard {
        let heard = Heard::default();
        let Heard(bytes) = heard.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..read]);
            }
        });
        heard
    }

    /// Whether the thread that reads has ended.
    fn ended(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_ends_is_heard_to_the_end() {
        let ended = run(&mut shell("echo out; echo err >&2; exit 3"), Duration::MAX, |_| false);
        let Ended::Itself(outcome) = ended else { panic!("{ended:?}") };
        assert_eq!((outcome.status, outcome.stdout.as_str()), (3, "out\n"));
        assert_eq!(outcome.stderr, "err\n");
    }

    #[test]
    fn what_hangs_is_killed_and_what_is_asked_to_end_ends() {
        let hang = run(&mut shell("exec sleep 100"), Duration::from_millis(50), |_| false);
        assert!(matches!(hang, Ended::Killed));
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let ended = run(&mut shell(script), Duration::from_secs(60), |running| {
            let ready = running.stdout() == "ready\n";
            if ready {
                running.terminate();
            }
            ready
        });
        assert!(matches!(ended, Ended::Itself(Outcome { status: 7, .. })), "{ended:?}");
    }
}
