//! One session of `clamd`'s protocol: commands that end in a zero byte, answers with the number of
//! the command that they are to (`clamd(8)`, IDSESSION and INSTREAM).

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::{Asked, PATIENCE, STEP};

/// Bytes of an answer.
const MOST_ANSWER: usize = 4096;
/// Bytes of one chunk of a stream.
const CHUNK: usize = 256 << 10;

/// What the scanner says of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It found nothing.
    Ok,
    /// It found this.
    Found(String),
    /// It did not scan.
    Error(String),
}

/// A session, and how many commands were said in it.
#[derive(Debug)]
pub(super) struct Session {
    // Not a socket's own type, whose calls a sandbox need not allow: a socket reads and writes as
    // any file does.
    stream: File,
    commands: u32,
    is_lost: bool,
}

impl Session {
    /// A session in which `commands` were said.
    pub(super) fn new(descriptor: OwnedFd, commands: u32) -> Self {
        Session { stream: File::from(descriptor), commands, is_lost: false }
    }

    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.stream.into()
    }

    /// Starts it.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.stream.write_all(b"zIDSESSION\0")
    }

    /// What the scanner calls itself.
    pub(super) fn version(&mut self) -> io::Result<String> {
        self.guarded(|own| {
            own.stream.write_all(b"zVERSION\0")?;
            own.answer(&|| {})
        })
    }

    /// Streams `size` bytes of `file`. While the scanner thinks, `waiting` is called now and then.
    pub(super) fn stream(
        &mut self,
        file: &mut impl Read,
        size: u64,
        waiting: &dyn Fn(),
    ) -> Result<Answer, Asked> {
        let mut unreadable = None;
        let answer = self.guarded(|own| {
            own.stream.write_all(b"zINSTREAM\0")?;
            let mut chunk = vec![0; CHUNK];
            let mut left = size;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                let part = chunk.get_mut(..most).unwrap_or_default();
                if let Err(error) = file.read_exact(part) {
                    unreadable = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
                let length = u32::try_from(part.len()).map_err(io::Error::other)?;
                own.stream.write_all(&length.to_be_bytes())?;
                own.stream.write_all(part)?;
                left = left.saturating_sub(u64::from(length));
            }
            own.stream.write_all(&[0; 4])?;
            own.answer(waiting)
        });
        if let Some(error) = unreadable {
            return Err(Asked::File(error));
        }
        let answer = answer.map_err(Asked::Scanner)?;
        self.read(&answer).map_err(Asked::Scanner)
    }

    fn read(&mut self, answer: &str) -> io::Result<Answer> {
        if let Some(why) = answer.strip_suffix(" ERROR") {
            return Ok(Answer::Error(why.to_owned()));
        }
        match answer.strip_prefix("stream: ") {
            Some("OK") => return Ok(Answer::Ok),
            Some(found) => {
                let name = found.strip_suffix(" FOUND").filter(|name| !name.contains(' '));
                if let Some(name) = name {
                    return Ok(Answer::Found(name.to_owned()));
                }
            }
            None => {}
        }
        self.is_lost = true;
        Err(io::Error::other(format!("{answer:?} is no answer to a stream")))
    }

    /// Does what takes a command and its answer. After a failure nobody knows whose answer comes
    /// next, so that nothing more is asked.
    fn guarded<T>(&mut self, ask: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        if self.is_lost {
            return Err(io::Error::other("the session has ended"));
        }
        self.commands = self.commands.saturating_add(1);
        let done = ask(self);
        self.is_lost = done.is_err();
        done
    }

    /// The answer to the last command, without its number.
    fn answer(&mut self, waiting: &dyn Fn()) -> io::Result<String> {
        let mut answer = Vec::new();
        let mut waited = Duration::ZERO;
        loop {
            let mut byte = [0];
            match self.stream.read_exact(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && waited < PATIENCE => {
                    waited = waited.saturating_add(STEP);
                    waiting();
                    continue;
                }
                read => read?,
            }
            match byte {
                [0] => break,
                _ if answer.len() >= MOST_ANSWER => {
                    return Err(io::Error::other("an answer without end"));
                }
                [byte] => answer.push(byte),
            }
        }
        let wrong = || io::Error::other(format!("{:?}", String::from_utf8_lossy(&answer)));
        let text = std::str::from_utf8(&answer).map_err(|_| wrong())?;
        let (number, text) = text.split_once(": ").ok_or_else(wrong)?;
        let is_plain = !text.is_empty() && !text.contains(char::is_control);
        match number.parse() == Ok(self.commands) && is_plain {
            true => Ok(text.to_owned()),
            false => Err(wrong()),
        }
    }
}
