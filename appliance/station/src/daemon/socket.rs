//! The status socket: whoever may open it asks in a line and is answered in one.
//!
//! One thread serves all. A connection has one question and one answer, a few seconds, and at most
//! so many live at once: whoever is slow, or comes with many, is hung up on and holds up nobody.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oms_verify::reason::{Code, Reason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::umask;

/// What a client asks.
const QUESTION: &str = "status 1\n";

/// The most connections at once; when another one comes, the oldest is hung up on.
const MOST_CLIENTS: usize = 16;
/// How long a connection may last.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the thread sleeps at most before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(500);
/// How long a client waits for its answer.
const ANSWERING: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const MOST_ANSWER: u64 = 16 << 20;

/// Makes the socket at `path`, for its owner and group. Call it before there are threads, and with
/// the daemon's lock: what is left of an earlier one is removed.
///
/// # Errors
/// When there is something else, or it cannot be made.
pub(super) fn bind(path: &Path) -> Result<UnixListener, Reason> {
    let failed = |error: io::Error| {
        Reason::new(Code::ConfigPath, format!("the status socket cannot be made: {error}"))
            .about(path.display().to_string())
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).map_err(failed)?;
        }
        Ok(_) => return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists))),
        Err(_) => {}
    }
    let usual = umask(Mode::XUSR | Mode::XGRP | Mode::RWXO);
    let listener = UnixListener::bind(path);
    umask(usual);
    let listener = listener.map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Someone who asks.
struct Client {
    stream: UnixStream,
    until: Instant,
    asked: Vec<u8>,
    /// The answer, and how much of it was taken.
    answer: Option<(Vec<u8>, usize)>,
}

/// Answers everybody who asks with what `status` gives, until `is_over`.
pub(super) fn answer(listener: &UnixListener, is_over: &AtomicBool, status: impl Fn() -> Vec<u8>) {
    let mut clients: Vec<Client> = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let ready = wait(listener, &clients);
        // Without an answer of the kernel everybody is looked at, and after a pause.
        let ready = ready.unwrap_or_else(|_| {
            std::thread::sleep(LOOK);
            vec![true; clients.len().saturating_add(1)]
        });
        let now = Instant::now();
        let mut ready = ready.into_iter();
        let is_new = ready.next().unwrap_or(false);
        clients.retain_mut(|client| {
            let is_ready = ready.next().unwrap_or(false);
            client.until > now && (!is_ready || client.goes_on(&status).unwrap_or(false))
        });
        // One at a time, so that those who connect do not keep out those who wait.
        if is_new && let Ok((stream, _)) = listener.accept() {
            clients.extend(Client::new(stream, now));
            if clients.len() > MOST_CLIENTS {
                clients.remove(0);
            }
        }
    }
}

/// Waits until anybody can be served. Says who: the listener first, then each client.
fn wait(listener: &UnixListener, clients: &[Client]) -> io::Result<Vec<bool>> {
    let mut fds = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    fds.extend(clients.iter().map(|client| {
        let wanted = if client.answer.is_some() { PollFlags::OUT } else { PollFlags::IN };
        PollFd::from_borrowed_fd(client.stream.as_fd(), wanted)
    }));
    poll(&mut fds, Timespec::try_from(LOOK).ok().as_ref())?;
    Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
}

impl Client {
    fn new(stream: UnixStream, now: Instant) -> Option<Client> {
        stream.set_nonblocking(true).ok()?;
        let until = now.checked_add(PATIENCE)?;
        Some(Client { stream, until, asked: Vec::new(), answer: None })
    }

    /// Hears or answers as far as that goes now. Gives whether there is more to do.
    fn goes_on(&mut self, status: &impl Fn() -> Vec<u8>) -> io::Result<bool> {
        let Some((answer, taken)) = &mut self.answer else {
            let mut bytes = [0; QUESTION.len()];
            let room = QUESTION.len().saturating_sub(self.asked.len());
            let length = self.stream.read(bytes.get_mut(..room).unwrap_or_default())?;
            self.asked.extend_from_slice(bytes.get(..length).unwrap_or_default());
            if length == 0 || !QUESTION.as_bytes().starts_with(&self.asked) {
                return Ok(false);
            }
            if self.asked.len() == QUESTION.len() {
                self.answer = Some((status(), 0));
            }
            return Ok(true);
        };
        let length = self.stream.write(answer.get(*taken..).unwrap_or_default())?;
        *taken = taken.saturating_add(length);
        Ok(*taken < answer.len())
    }
}

/// Asks the daemon whose socket is at `path`. Gives its answer.
///
/// # Errors
/// When there is no daemon, or it does not answer.
pub fn ask(path: &Path) -> Result<Vec<u8>, Reason> {
    let failed = |error: io::Error| {
        Reason::new(Code::StatusUnreachable, error.to_string()).about(path.display().to_string())
    };
    let asked = || -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWERING))?;
        stream.set_write_timeout(Some(ANSWERING))?;
        stream.write_all(QUESTION.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(MOST_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    };
    asked().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::thread::JoinHandle;

    /// A daemon that answers with a long line.
    struct Daemon {
        dir: tempfile::TempDir,
        is_over: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Daemon {
        fn start() -> Daemon {
            let dir = tempfile::tempdir().unwrap();
            let listener = bind(&dir.path().join("s")).unwrap();
            let is_over = Arc::new(AtomicBool::new(false));
            let over = Arc::clone(&is_over);
            let thread =
                std::thread::spawn(move || answer(&listener, &over, || vec![b'x'; 1 << 20]));
            Daemon { dir, is_over, thread: Some(thread) }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("s")
        }
    }

    impl Drop for Daemon {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::Relaxed);
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }

    #[test]
    fn only_the_owner_and_the_group_may_ask() {
        let daemon = Daemon::start();
        let mode = std::fs::metadata(daemon.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert_eq!(ask(&daemon.path()).unwrap().len(), 1 << 20);
    }

    #[test]
    fn neither_silent_nor_greedy_clients_keep_others_waiting() {
        let daemon = Daemon::start();
        let silent: Vec<UnixStream> =
            (0..3 * MOST_CLIENTS).filter_map(|_| UnixStream::connect(daemon.path()).ok()).collect();
        let mut greedy = UnixStream::connect(daemon.path()).unwrap();
        greedy.write_all(QUESTION.as_bytes()).unwrap();
        assert_eq!(ask(&daemon.path()).unwrap().len(), 1 << 20);
        drop(silent);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let daemon = Daemon::start();
        for wrong in ["status 2\n", "GET / HTTP/1.1\r\n", "\n"] {
            let mut stream = UnixStream::connect(daemon.path()).unwrap();
            stream.write_all(wrong.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut answer = Vec::new();
            // What was not read is told as a reset.
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn a_socket_that_a_crash_left_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(bind(&path).unwrap());
        drop(bind(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(bind(&path).unwrap_err().code, Code::ConfigPath);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
