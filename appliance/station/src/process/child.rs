//! A process that was started: how it ends, and what it says on standard error.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStderr, ExitStatus};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oms_verify::reason::Printable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::role::Role;

/// The most bytes of a line that are shown.
const MOST_OF_A_LINE: u64 = 2_000;

/// The most lines that are shown; what a process says beyond is read and thrown away.
const MOST_LINES: usize = 1_000;

/// How long a killed process is waited for.
const DYING: Duration = Duration::from_secs(2);

/// How long a process that closed its wire may take to end.
const MOMENT: Duration = Duration::from_millis(500);

/// A process of a role. Dropped, it is killed, and waited for a little.
#[derive(Debug)]
pub struct Child {
    role: Role,
    process: std::process::Child,
    pidfd: OwnedFd,
    ended: Option<Ended>,
    listener: Option<JoinHandle<()>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has done its work.
    Done,
    /// It gave up with this exit code.
    Failed(i32),
    /// It made a system call that its sandbox does not have.
    Sandbox,
    /// This signal ended it.
    Killed(i32),
}

impl Child {
    /// Takes a process that has just been started.
    pub(super) fn new(role: Role, mut process: std::process::Child) -> io::Result<Self> {
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let opened = pid.ok_or(Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
        let pidfd = match opened {
            Ok(pidfd) => pidfd,
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(error.into());
            }
        };
        let mut child = Child { role, process, pidfd, ended: None, listener: None };
        if let Some(stderr) = child.process.stderr.take() {
            let listen = move || tell(role, stderr);
            child.listener = Some(std::thread::Builder::new().spawn(listen)?);
        }
        Ok(child)
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has ended; `None` when it has not until `deadline`.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Ended>> {
        if let Some(ended) = self.ended {
            return Ok(Some(ended));
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
        let ended = Ended::from(self.process.wait()?);
        self.ended = Some(ended);
        // All that it had to say is told before what follows.
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        Ok(Some(ended))
    }

    /// Kills it and waits for its end, which cannot take long.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn kill(&mut self) -> io::Result<Ended> {
        if self.ended.is_none() {
            // The descriptor names this process, also after its number was given to another.
            let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
        let ended = self.wait(None)?;
        ended.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

impl Child {
    /// Gives it a moment to end by itself, which tells more than being killed.
    pub(super) fn settle(&mut self) -> io::Result<Ended> {
        match self.wait(Instant::now().checked_add(MOMENT))? {
            Some(ended) => Ok(ended),
            None => self.kill(),
        }
    }
}

impl Drop for Child {
    /// A process that hangs in the kernel at a dead medium ends when that answers or goes. Nobody
    /// waits for it.
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
            let _ = self.wait(Instant::now().checked_add(DYING));
        }
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ended::Done,
            (Some(code), _) => Ended::Failed(code),
            (None, Some(libc::SIGSYS)) => Ended::Sandbox,
            (None, signal) => Ended::Killed(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Done => f.write_str("it has done its work"),
            Ended::Failed(code) => write!(f, "it gave up with exit code {code}"),
            Ended::Sandbox => f.write_str("the sandbox stopped it"),
            Ended::Killed(signal) => write!(f, "signal {signal} ended it"),
        }
    }
}

/// Shows what a process says, line by line, until it ends.
fn tell(role: Role, stderr: ChildStderr) {
    let mut stderr = BufReader::new(stderr);
    for _ in 0..MOST_LINES {
        match line(role, &mut stderr) {
            Ok(Some(text)) => {
                let _ = io::stderr().write_all(text.as_bytes());
            }
            Ok(None) | Err(_) => return,
        }
    }
    let _ = io::copy(&mut stderr, &mut io::sink());
}

/// The next line as it is shown, at most [`MOST_OF_A_LINE`] bytes of it at once.
fn line(role: Role, from: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if from.take(MOST_OF_A_LINE).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(format!("{role}: {}\n", Printable(text.trim_end_matches('\n')))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_says_is_shown_harmlessly_and_in_bounds() {
        let long = vec![b'x'; 5_000];
        let mut said = io::Cursor::new([b"a\x1b[2J\xff\n".as_slice(), &long].concat());
        let mut next = || line(Role::Copier, &mut said).unwrap();
        assert_eq!(next().unwrap(), "copier: a\\u{1b}[2J\u{fffd}\n");
        let lengths: Vec<usize> = std::iter::from_fn(next).map(|line| line.len()).collect();
        assert_eq!(lengths, [2_009, 2_009, 1_009]);
    }

    #[test]
    fn each_end_has_its_name() {
        let of = |raw| Ended::from(ExitStatus::from_raw(raw));
        assert_eq!(of(0), Ended::Done);
        assert_eq!(of(3 << 8), Ended::Failed(3));
        assert_eq!(of(9), Ended::Killed(9));
        assert_eq!(of(libc::SIGSYS).to_string(), "the sandbox stopped it");
    }

    #[test]
    fn a_child_is_waited_for_killed_and_never_left_behind() {
        let start = |seconds: &str| {
            let mut command = std::process::Command::new("sleep");
            Child::new(Role::Decider, command.arg(seconds).spawn().unwrap()).unwrap()
        };
        let mut child = start("1000");
        assert_eq!(child.wait(Some(Instant::now())).unwrap(), None);
        assert_eq!(child.kill().unwrap(), Ended::Killed(9));
        assert_eq!(child.wait(None).unwrap(), Some(Ended::Killed(9)));
        let mut child = start("0");
        assert_eq!(child.wait(None).unwrap(), Some(Ended::Done));

        let child = start("1000");
        let entry = format!("/proc/{}", child.pid());
        assert!(std::fs::exists(&entry).unwrap());
        drop(child);
        assert!(!std::fs::exists(&entry).unwrap());
    }
}
