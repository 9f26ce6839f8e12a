//! A process of the chain as the supervisor has it, and the conversations between them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use oms_sys::channel::{Channel, ChannelError};
use oms_sys::sealed::Sealed;
use oms_verify::reason::{Code, Reason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::messages::Word;
use crate::process::wire::{Wire, WireError, WireReason};
use crate::process::{Child, Ended, Role, SpawnError, Started, spawn};

/// How long a process may take to begin: it may have to read large CRLs.
const BEGINNING: Duration = Duration::from_secs(120);
/// How long a process may take to end when its work is done.
pub(crate) const ENDING: Duration = Duration::from_secs(30);
/// How long a process that hung up may take to end before it is taken to be held by a medium.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// How long a message may wait until the other end takes it.
const TAKING: Duration = Duration::from_secs(60);

/// A process that works for the supervisor. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    link: Link,
    /// The sandbox that it is in; nothing where it was waived.
    pub(crate) sandbox: Option<String>,
}

impl Worker {
    /// Starts a process of this role, with `folder` open for it where there is one, in its sandbox
    /// unless that is waived.
    ///
    /// # Errors
    /// When it cannot be started, or is not in its sandbox.
    pub(crate) fn start(
        role: Role,
        mut args: Vec<OsString>,
        folder: Option<BorrowedFd<'_>>,
        is_sandboxed: bool,
    ) -> Result<Worker, Reason> {
        if !is_sandboxed {
            args.push("--insecure-no-sandbox".into());
        }
        let deadline = Instant::now() + BEGINNING;
        let Started { child, wire, sandbox } = spawn(role, &args, folder, deadline)?;
        if sandbox.is_some() != is_sandboxed {
            let detail = format!("the {role} is not in the sandbox that it was to enter");
            return Err(Reason::new(Code::StationProcess, detail));
        }
        Ok(Worker { child, link: Link(wire), sandbox })
    }

    pub(crate) fn role(&self) -> Role {
        self.child.role()
    }

    /// Tells it something.
    ///
    /// # Errors
    /// When it does not hear it any more: the reason that it gave up for, or how it ended.
    pub(crate) fn tell(
        &mut self,
        message: &impl Serialize,
        with: &[BorrowedFd<'_>],
    ) -> Result<(), Reason> {
        self.link.send(message, with).map_err(|unheard| {
            // It may also say more and more, or live on and say nothing.
            let since = Instant::now();
            while since.elapsed() < ENDING {
                match wait_for_any(&[&self.link], ENDING).map(|at| at.map(|_| self.link.next())) {
                    Ok(Some(Ok(Some((Word::Failed(reason), _))))) => {
                        return self.role().gave_up(reason);
                    }
                    Ok(Some(Ok(Some((Word::Progress(_), _))))) => {}
                    Ok(Some(Ok(None))) => return self.failure(ENDING),
                    _ => break,
                }
            }
            unheard
        })
    }

    /// What it says next, if it does so until `deadline`; `None` when it does not.
    ///
    /// # Errors
    /// When it is not of the structure, or it hung up: how it ended.
    pub(crate) fn hear_until<T: DeserializeOwned>(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<(T, Attached)>, Reason> {
        match self.link.0.receive_with(Some(deadline)) {
            Ok((message, with)) => Ok(Some((message, Attached(with.into())))),
            Err(WireError::Channel(ChannelError::Late)) => Ok(None),
            Err(WireError::Channel(ChannelError::Ended)) => Err(self.failure(ENDING)),
            Err(error) => Err(error.into()),
        }
    }

    /// What it says and is told.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits until it has ended by itself, and well.
    ///
    /// # Errors
    /// When it has not until `within` has passed: how it ended instead.
    pub(crate) fn end(mut self, within: Duration) -> Result<(), Reason> {
        match self.child.wait(Some(Instant::now() + within)) {
            Ok(Some(Ended::Done)) => Ok(()),
            other => Err(self.told(other.ok().flatten())),
        }
    }

    /// Lets go of one that hung up before its work was done, if it did so in order: then somebody
    /// else says why. Says whether it has ended: one that a dead medium holds cannot, and may still
    /// be in the middle of a write.
    ///
    /// # Errors
    /// When it failed: how it ended.
    pub(crate) fn hung_up(mut self) -> Result<bool, Reason> {
        match self.child.wait(Some(Instant::now() + LAST_MOMENT)) {
            Ok(Some(Ended::Done)) => Ok(true),
            Ok(None) => Ok(false),
            other => Err(self.told(other.ok().flatten())),
        }
    }

    /// Why it hung up before its work was done.
    pub(crate) fn failure(&mut self, within: Duration) -> Reason {
        let ended = self.child.wait(Some(Instant::now() + within));
        self.told(ended.ok().flatten())
    }

    fn told(&self, ended: Option<Ended>) -> Reason {
        let how = ended.map_or_else(|| "it does not end".to_owned(), |ended| ended.to_string());
        Reason::new(Code::ProcessFailed, format!("the {} hung up: {how}", self.role()))
    }
}

impl Role {
    /// It said nothing for too long.
    pub(crate) fn is_silent(self) -> Reason {
        Reason::new(Code::ProcessFailed, format!("the {self} says nothing any more"))
    }

    /// Others live and wait for it, and nothing goes on.
    pub(crate) fn stands_still(self) -> Reason {
        let detail = format!("nothing is read any more, and the {self} says nothing");
        Reason::new(Code::ProcessFailed, detail)
    }

    /// What it gave up for. Who has no keys does not say what is wrong with them: the station would
    /// wait for a token, or not log in any more.
    pub(crate) fn gave_up(self, WireReason(reason): WireReason) -> Reason {
        let is_of_keys = ["hsm.", "key."].iter().any(|family| reason.code.id().starts_with(family));
        if self != Role::Signer && is_of_keys {
            return self.spoke_nonsense();
        }
        reason
    }

    /// It said what its role does not say.
    pub(crate) fn spoke_nonsense(self) -> Reason {
        let detail = format!("the {self} said what was not to be said now");
        Reason::new(Code::ProcessProtocol, detail)
    }
}

impl From<SpawnError> for Reason {
    fn from(error: SpawnError) -> Reason {
        Reason::new(Code::StationProcess, error.to_string())
    }
}

impl From<WireError> for Reason {
    fn from(error: WireError) -> Reason {
        let code = match error {
            WireError::Channel(
                ChannelError::Ended | ChannelError::Late | ChannelError::Failed(_),
            ) => Code::ProcessFailed,
            _ => Code::ProcessProtocol,
        };
        Reason::new(code, format!("talking to another process: {error}"))
    }
}

/// One end of a conversation between two processes.
#[derive(Debug)]
pub(crate) struct Link(pub(crate) Wire);

impl Link {
    /// Two ends.
    pub(crate) fn pair() -> Result<(Link, Link), Reason> {
        let (one, other) = Channel::pair().map_err(WireError::from)?;
        Ok((Link(Wire::new(one)), Link(Wire::new(other))))
    }

    /// Sends a message, with descriptors that the other end gets copies of.
    pub(crate) fn send(
        &self,
        message: &impl Serialize,
        with: &[BorrowedFd<'_>],
    ) -> Result<(), Reason> {
        Ok(self.0.send(message, with, Some(Instant::now() + TAKING))?)
    }

    /// The next message, whenever it comes.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> Result<(T, Attached), Reason> {
        let ended = || Reason::from(WireError::from(ChannelError::Ended));
        self.next()?.ok_or_else(ended)
    }

    /// The next message, whenever it comes; `None` when the other end hung up.
    pub(crate) fn next<T: DeserializeOwned>(&self) -> Result<Option<(T, Attached)>, Reason> {
        match self.0.receive_with(None) {
            Ok((message, with)) => Ok(Some((message, Attached(with.into())))),
            Err(WireError::Channel(ChannelError::Ended)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The end, to be passed on.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The descriptors that came with a message, to be taken in order.
#[derive(Debug)]
pub(crate) struct Attached(VecDeque<OwnedFd>);

impl Attached {
    /// The next one, which is sealed memory of at most so many bytes.
    pub(crate) fn sealed(&mut self, most: usize) -> Result<Sealed, Reason> {
        Ok(Sealed::from_fd(self.take()?, most).map_err(WireError::from)?)
    }

    /// The next one, which is an end of a conversation.
    pub(crate) fn link(&mut self) -> Result<Link, Reason> {
        let channel = Channel::from_descriptor(self.take()?).map_err(WireError::from)?;
        Ok(Link(Wire::new(channel)))
    }

    /// The rest, whatever they are.
    pub(crate) fn rest(self) -> Vec<OwnedFd> {
        self.0.into()
    }

    /// Whether there are no more.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That there are no more.
    pub(crate) fn end(self) -> Result<(), Reason> {
        match self.0.len() {
            0 => Ok(()),
            found => Err(WireError::Descriptors { found, due: 0 }.into()),
        }
    }

    fn take(&mut self) -> Result<OwnedFd, Reason> {
        let lacking = || WireError::Descriptors { found: 0, due: 1 };
        Ok(self.0.pop_front().ok_or_else(lacking)?)
    }
}

/// Waits until one of `links` has a message or hung up, and gives its number; `None` when none has
/// for as long as `timeout`.
pub(crate) fn wait_for_any(links: &[&Link], timeout: Duration) -> Result<Option<usize>, Reason> {
    let fds: Vec<_> = links.iter().map(|link| link.as_fd()).collect();
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let timeout = Timespec::try_from(timeout).ok();
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) => Ok(polled.iter().position(|one| !one.revents().is_empty())),
        Err(Errno::INTR) => Ok(None),
        Err(error) => Err(WireError::from(ChannelError::from(error)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_what_belongs_to_them_and_nothing_else() {
        let (one, other) = Link::pair().unwrap();
        let sealed = Sealed::copy_of(b"long").unwrap();
        one.send(&"first", &[sealed.as_fd(), one.as_fd()]).unwrap();
        let (text, mut with) = other.receive::<String>().unwrap();
        assert_eq!(text, "first");
        assert_eq!(with.sealed(4).unwrap().as_slice(), b"long");
        with.link().unwrap();
        assert_eq!(with.take().unwrap_err().code, Code::ProcessProtocol);
        with.end().unwrap();
        one.send(&"second", &[sealed.as_fd()]).unwrap();
        let (_, with) = other.receive::<String>().unwrap();
        assert_eq!(with.end().unwrap_err().code, Code::ProcessProtocol);
        one.send(&"third", &[sealed.as_fd()]).unwrap();
        let (_, mut with) = other.receive::<String>().unwrap();
        assert_eq!(with.sealed(3).unwrap_err().code, Code::ProcessProtocol);
        drop(one);
        assert!(other.next::<String>().unwrap().is_none());
        assert_eq!(other.receive::<String>().unwrap_err().code, Code::ProcessFailed);
    }

    #[test]
    fn whoever_speaks_first_is_heard() {
        let (a, b) = (Link::pair().unwrap(), Link::pair().unwrap());
        let links = [&a.0, &b.0];
        assert_eq!(wait_for_any(&links, Duration::ZERO).unwrap(), None);
        b.1.send(&1, &[]).unwrap();
        assert_eq!(wait_for_any(&links, Duration::ZERO).unwrap(), Some(1));
        drop(a.1);
        assert_eq!(wait_for_any(&links, Duration::ZERO).unwrap(), Some(0));
    }
}
