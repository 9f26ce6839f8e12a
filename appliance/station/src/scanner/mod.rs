//! A virus scanner beside the station: `clamd`, over its Unix socket.
//!
//! ```text
//!   supervisor:  connect ─ IDSESSION ─ VERSION ──▶ sessions, open descriptors
//!   inspector:   keep awake while it hashes and looks inside
//!                then INSTREAM, file after file ──▶ Clean | Found(name) | NotScanned(why)
//! ```
//!
//! The inspector has no sockets of its own: it gets sessions that are open. What the scanner says
//! counts only when it is the answer to the very question. A scanner that cannot be asked leaves the
//! model undecided; a file that it does not read in full is not scanned, which is a state of its own.

mod session;

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use oms_verify::observe::Scan;
use oms_verify::policy::ScannerRules;
use oms_verify::reason::{Code, Reason};
use serde::{Deserialize, Serialize};

use session::{Answer, Session};

/// Bytes of the largest file that `clamd` reads by default: 100 MiB (`MaxFileSize`,
/// `StreamMaxLength`).
pub const MAX_FILE_BYTES: u64 = 100 << 20;

/// Files that are scanned at once.
const AT_ONCE: usize = 2;
/// How long the scanner may take for one answer. `clamd` itself ends a scan after two minutes, by
/// default.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long one read waits for it.
const STEP: Duration = Duration::from_secs(5);
/// How often a session is woken that has nothing to do: `clamd` closes one after 30 seconds.
const WAKE: Duration = Duration::from_secs(10);
/// How the names of what is no virus but a limit of `clamd` start.
const LIMITS: &str = "Heuristics.Limits";

/// Where the scanner is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Bytes of the largest file that it reads in full: the least of its `MaxFileSize`,
    /// `MaxScanSize` and `StreamMaxLength`. `clamd` calls a larger one clean without reading it.
    pub max_file_bytes: u64,
}

/// Sessions that are open, and whom they are with.
#[derive(Debug)]
pub struct Connected {
    /// One descriptor a session.
    pub sessions: Vec<OwnedFd>,
    /// What the scanner calls itself and its signatures.
    pub engine: String,
}

impl Settings {
    /// Opens sessions with the scanner and asks it what it is.
    ///
    /// # Errors
    /// `scanner.unavailable` when it does not answer as `clamd` does.
    pub fn connect(&self) -> Result<Connected, Reason> {
        let open = || -> io::Result<(OwnedFd, String)> {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(STEP))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let mut session = Session::new(OwnedFd::from(stream), 0);
            session.begin()?;
            let engine = session.version()?;
            Ok((session.into_descriptor(), engine))
        };
        let about = |error: &io::Error| unavailable(error).about(self.socket.display().to_string());
        let mut sessions = Vec::with_capacity(AT_ONCE);
        let mut engine = String::new();
        for _ in 0..AT_ONCE {
            let (session, named) = open().map_err(|error| about(&error))?;
            sessions.push(session);
            engine = named;
        }
        Ok(Connected { sessions, engine })
    }
}

/// What whoever scans is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanning {
    /// What the scanner calls itself.
    pub engine: String,
    /// Bytes of the largest file that it reads in full.
    pub max_file_bytes: u64,
    /// Formats that need not be scanned.
    pub skip: Vec<String>,
}

impl Scanning {
    /// As the policy and the station's settings have it.
    pub fn new(settings: &Settings, connected: &Connected, rules: &ScannerRules) -> Self {
        Scanning {
            engine: connected.engine.clone(),
            max_file_bytes: settings.max_file_bytes,
            skip: rules.skip.clone(),
        }
    }
}

/// A scanner that can be asked.
#[derive(Debug)]
pub struct Scanner {
    what: Scanning,
    free: Mutex<Vec<Session>>,
    freed: Condvar,
}

impl Scanner {
    /// With sessions that [`Settings::connect`] has opened.
    pub fn new(what: Scanning, sessions: Vec<OwnedFd>) -> Self {
        // The question about the version was each session's first.
        let sessions = sessions.into_iter().map(|descriptor| Session::new(descriptor, 1));
        Scanner { what, free: Mutex::new(sessions.collect()), freed: Condvar::new() }
    }

    /// What the scanner calls itself and its signatures.
    pub fn engine(&self) -> &str {
        &self.what.engine
    }

    /// How many files can be scanned at once.
    pub fn at_once(&self) -> usize {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether a file of these formats need not be scanned.
    pub fn skips(&self, formats: &[&str]) -> bool {
        matches!(formats, [one] if self.what.skip.iter().any(|skipped| skipped == one))
    }

    /// Does `work`, and meanwhile keeps the scanner from closing sessions that wait.
    pub fn awake<T>(&self, work: impl FnOnce() -> T) -> T {
        self.awake_every(WAKE, work)
    }

    fn awake_every<T>(&self, often: Duration, work: impl FnOnce() -> T) -> T {
        let ended = Mutex::new(false);
        let end = Condvar::new();
        std::thread::scope(|scope| {
            let wake = || {
                let mut is_over = ended.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    is_over = match end.wait_timeout(is_over, often) {
                        Ok((guard, _)) => guard,
                        Err(poisoned) => poisoned.into_inner().0,
                    };
                    if *is_over {
                        return;
                    }
                    let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
                    for session in free.iter_mut() {
                        // One that is lost is found out when it is needed.
                        let _ = session.version();
                    }
                }
            };
            // Where there is no thread to be had, sessions may be closed, and the scan fails.
            let _ = std::thread::Builder::new().name("awake".to_owned()).spawn_scoped(scope, wake);
            let done = work();
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
            end.notify_all();
            done
        })
    }

    /// Streams a file of `size` bytes to the scanner. While it thinks, `waiting` is called now and
    /// then.
    ///
    /// # Errors
    /// [`Asked::File`] when the file cannot be read, [`Asked::Scanner`] when the scanner gives no
    /// answer.
    pub fn scan(&self, file: &mut impl Read, size: u64, waiting: &dyn Fn()) -> Result<Scan, Asked> {
        let most = self.what.max_file_bytes;
        if size > most {
            let why = format!("it has {size} bytes, and the scanner reads {most} of a file");
            return Ok(Scan::NotScanned(why));
        }
        let mut session = self.take();
        let answer = session.stream(file, size, waiting);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        self.freed.notify_one();
        Ok(match answer? {
            Answer::Ok => Scan::Clean,
            Answer::Found(name) if name.starts_with(LIMITS) => {
                Scan::NotScanned(format!("the scanner stopped at its own limit: {name}"))
            }
            Answer::Found(name) => Scan::Found(name),
            Answer::Error(why) => Scan::NotScanned(format!("the scanner says: {why}")),
        })
    }

    fn take(&self) -> Session {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(session) = free.pop() {
                return session;
            }
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Why there is no answer about a file.
#[derive(Debug, thiserror::Error)]
pub enum Asked {
    /// The file could not be read.
    #[error("the file could not be read: {0}")]
    File(io::Error),
    /// The scanner gave no answer, or not one to the question.
    #[error("the scanner gave no answer: {0}")]
    Scanner(io::Error),
}

/// The scanner cannot be asked: nothing can be decided.
pub fn unavailable(error: &dyn std::error::Error) -> Reason {
    Reason::new(Code::ScannerUnavailable, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread;

    use super::*;

    /// Answers each question of one connection as `answer` says; `None` hangs up.
    fn clamd(folder: &Path, answer: fn(u32, &[u8]) -> Option<String>) -> Settings {
        let socket = folder.join("clamd");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut number = 0;
                    while let Some(command) = next(&mut stream) {
                        if command == b"zIDSESSION" {
                            continue;
                        }
                        number += 1;
                        let asked = match command.as_slice() {
                            b"zINSTREAM" => streamed(&mut stream),
                            _ => command,
                        };
                        let Some(answer) = answer(number, &asked) else { return };
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Settings { socket, max_file_bytes: 100 }
    }

    /// The bytes up to a zero.
    fn next(stream: &mut UnixStream) -> Option<Vec<u8>> {
        let mut command = Vec::new();
        loop {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) if byte[0] == 0 => return Some(command),
                Ok(1) => command.push(byte[0]),
                _ => return None,
            }
        }
    }

    fn streamed(stream: &mut UnixStream) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut chunk = vec![0; u32::from_be_bytes(length) as usize];
            if chunk.is_empty() {
                return all;
            }
            stream.read_exact(&mut chunk).unwrap();
            all.extend(chunk);
        }
    }

    fn scanner(settings: &Settings) -> Scanner {
        let connected = settings.connect().unwrap();
        let what = Scanning::new(settings, &connected, &ScannerRules::default());
        Scanner::new(what, connected.sessions)
    }

    fn usual(number: u32, asked: &[u8]) -> Option<String> {
        Some(match asked {
            b"zVERSION" => format!("{number}: ClamAV 1.4/27000/today\0"),
            b"clean" => format!("{number}: stream: OK\0"),
            b"evil" => format!("{number}: stream: Win.Test FOUND\0"),
            b"deep" => format!("{number}: stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0"),
            b"odd" => format!("{number}: stream: OK OK FOUND nothing\0"),
            b"late" => format!("{}: stream: OK\0", number - 1),
            b"quiet" => return None,
            _ => format!("{number}: INSTREAM size limit exceeded. ERROR\0"),
        })
    }

    #[test]
    fn each_answer_is_one_of_three() {
        let folder = tempfile::tempdir().unwrap();
        let settings = clamd(folder.path(), usual);
        let scanner = scanner(&settings);
        assert_eq!(scanner.engine(), "ClamAV 1.4/27000/today");
        let ask = |file: &[u8]| scanner.scan(&mut &*file, file.len() as u64, &|| {});
        assert_eq!(ask(b"clean").unwrap(), Scan::Clean);
        assert_eq!(ask(b"evil").unwrap(), Scan::Found("Win.Test".to_owned()));
        for (file, why) in [
            (&b"deep"[..], "own limit"),
            (b"other", "size limit exceeded"),
            (&[0; 101], "reads 100 of a file"),
        ] {
            let Scan::NotScanned(said) = ask(file).unwrap() else { panic!("{file:?}") };
            assert!(said.contains(why), "{said}");
        }
        assert_eq!(ask(b"clean").unwrap(), Scan::Clean);
    }

    #[test]
    fn an_answer_that_is_none_or_to_another_question_leaves_it_undecided() {
        for file in [&b"odd"[..], b"late", b"quiet"] {
            let folder = tempfile::tempdir().unwrap();
            let settings = clamd(folder.path(), usual);
            let scanner = scanner(&settings);
            for _ in 0..2 * AT_ONCE {
                let answer = scanner.scan(&mut &*file, file.len() as u64, &|| {});
                assert!(matches!(answer, Err(Asked::Scanner(_))), "{answer:?}");
            }
        }
    }

    #[test]
    fn sessions_are_kept_awake_while_there_is_nothing_to_scan() {
        let folder = tempfile::tempdir().unwrap();
        let settings = clamd(folder.path(), |number, asked| match asked {
            // Whoever was not asked in between is not asked at all.
            b"zVERSION" => usual(number, asked),
            _ if number > 3 => Some(format!("{number}: stream: OK\0")),
            _ => None,
        });
        let scanner = scanner(&settings);
        scanner.awake_every(Duration::from_millis(5), || thread::sleep(Duration::from_secs(1)));
        assert_eq!(scanner.scan(&mut &b"x"[..], 1, &|| {}).unwrap(), Scan::Clean);
    }

    #[test]
    fn a_file_that_ends_early_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let scanner = scanner(&clamd(folder.path(), usual));
        let answer = scanner.scan(&mut &b"clean"[..], 6, &|| {});
        assert!(matches!(answer, Err(Asked::File(_))), "{answer:?}");
    }

    #[test]
    fn whoever_does_not_answer_like_clamd_is_unavailable() {
        for answer in [
            |_, _: &[u8]| None,
            |_, _: &[u8]| Some("UNKNOWN COMMAND\0".to_owned()),
            |number, _: &[u8]| Some(format!("{number}: \u{1b}[2J\0")),
            |_, _: &[u8]| Some("x".repeat(10_000)),
        ] as [fn(u32, &[u8]) -> Option<String>; 4]
        {
            let folder = tempfile::tempdir().unwrap();
            let error = clamd(folder.path(), answer).connect().unwrap_err();
            assert_eq!(error.code, Code::ScannerUnavailable);
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nobody");
        let error = Settings { socket, max_file_bytes: 1 }.connect().unwrap_err();
        assert_eq!(error.code, Code::ScannerUnavailable);
        assert!(error.file.unwrap().ends_with("nobody"));
    }
}
