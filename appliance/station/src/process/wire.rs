//! How the processes speak: typed messages, each one record of JSON, and descriptors beside it.
//!
//! What comes in is checked before it is used: its length, its form, and by the first message the
//! version and who speaks. Types that cross have `#[serde(deny_unknown_fields)]`. What is too large
//! for a message goes as sealed memory: [`seal`] and [`open`].

mod reason;

use std::io::{self, BufWriter, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use oms_sys::channel::{Channel, ChannelError, MOST_BYTES};
use oms_sys::sealed::{Sealed, SealedError, SealedWriter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::reason::WireReason;

use super::role::Role;
use crate::sandbox::Status;

/// The version of all messages. Both sides are one program, so that no other is ever right.
const VERSION: u32 = 1;

/// One end of a conversation.
#[derive(Debug)]
pub struct Wire(Channel);

/// Why a message was not sent, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// it did not get through
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// it is not a message of the kind that is due
    #[error("a message is not what is due: {0}")]
    Message(serde_json::Error),
    /// the first message is of another version
    #[error("the other side speaks version {0}, this one {VERSION}")]
    Version(u32),
    /// the first message is from somebody else
    #[error("the other side is the {}, the {} is due", name(.found), name(.due))]
    Speaker {
        /// Who it says it is.
        found: Option<Role>,
        /// Who it should be.
        due: Option<Role>,
    },
    /// nothing more was due
    #[error("a message came where none is due")]
    Unexpected,
    /// the name of a sandbox is none
    #[error("the other side is in a sandbox whose name is none")]
    Sandbox,
    /// descriptors came that are not due, or are missing
    #[error("a message has {found} descriptors, {due} are due")]
    Descriptors {
        /// How many came.
        found: usize,
        /// How many should have.
        due: usize,
    },
    /// sealed memory cannot be used
    #[error(transparent)]
    Sealed(#[from] SealedError),
}

/// What the other side says of itself in its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The number that it says it has.
    pub pid: u32,
    /// The sandbox that it says it is in; nothing where there is none.
    pub sandbox: Option<String>,
}

/// The first message of each side.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    version: u32,
    /// Nothing is the supervisor.
    role: Option<Role>,
    pid: u32,
    sandbox: Option<String>,
}

/// The longest name of a sandbox, in bytes.
const SANDBOX_BYTES: usize = 64;

impl Wire {
    /// Speaks over `channel`.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Wire(channel)
    }

    /// Says hello as `own`, which is in `sandbox`, and waits for `other` to do so. No role is the
    /// supervisor.
    ///
    /// # Errors
    /// When the other side does not speak, or is of another version or role.
    pub fn greet(
        &self,
        own: Option<Role>,
        sandbox: Option<&Status>,
        other: Option<Role>,
        deadline: Option<Instant>,
    ) -> Result<Greeting, WireError> {
        let sandbox = sandbox.map(|status| status.as_str().to_owned());
        let hello = Hello { version: VERSION, role: own, pid: std::process::id(), sandbox };
        self.send(&hello, &[], deadline)?;
        let Hello { version, role, pid, sandbox } = self.receive(deadline)?;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        if role != other {
            return Err(WireError::Speaker { found: role, due: other });
        }
        let named = |text: &String| {
            text.len() <= SANDBOX_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !sandbox.as_ref().is_none_or(named) {
            return Err(WireError::Sandbox);
        }
        Ok(Greeting { pid, sandbox })
    }

    /// Sends one message with descriptors, which stay open here too.
    ///
    /// # Errors
    /// When it is longer than 64 KiB, or the other side is gone or does not take it.
    pub fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<(), WireError> {
        let bytes = serde_json::to_vec(message).map_err(WireError::Message)?;
        Ok(self.0.send(&bytes, descriptors, deadline)?)
    }

    /// Waits for a message without descriptors.
    ///
    /// # Errors
    /// When none came until `deadline`, the other side is gone, or it is not of this kind.
    pub fn receive<T: DeserializeOwned>(&self, deadline: Option<Instant>) -> Result<T, WireError> {
        match self.receive_with(deadline)? {
            (message, descriptors) if descriptors.is_empty() => Ok(message),
            (_, descriptors) => Err(WireError::Descriptors { found: descriptors.len(), due: 0 }),
        }
    }

    /// Waits for a message with its descriptors, at most 8 of them.
    ///
    /// # Errors
    /// As for [`Wire::receive`].
    pub fn receive_with<T: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
    ) -> Result<(T, Vec<OwnedFd>), WireError> {
        let message = self.0.receive(MOST_BYTES, deadline)?;
        let value = serde_json::from_slice(&message.bytes).map_err(WireError::Message)?;
        Ok((value, message.descriptors))
    }
}

impl Wire {
    /// Waits until the other side has closed its end without another word.
    ///
    /// # Errors
    /// When it says anything, or did not close it until `deadline`.
    pub fn ended(&self, deadline: Option<Instant>) -> Result<(), WireError> {
        match self.receive_with::<serde::de::IgnoredAny>(deadline) {
            Err(WireError::Channel(ChannelError::Ended)) => Ok(()),
            Ok((_, _)) => Err(WireError::Unexpected),
            Err(other) => Err(other),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Wire> for Channel {
    fn from(wire: Wire) -> Self {
        wire.0
    }
}

/// Exactly one descriptor of a message.
///
/// # Errors
/// When there is none or more than one.
pub fn one(descriptors: Vec<OwnedFd>) -> Result<OwnedFd, WireError> {
    let found = descriptors.len();
    match <[OwnedFd; 1]>::try_from(descriptors) {
        Ok([only]) => Ok(only),
        Err(_) => Err(WireError::Descriptors { found, due: 1 }),
    }
}

/// Writes a value of at most `most` bytes of JSON into sealed memory.
///
/// # Errors
/// When it is larger, or there is no memory.
pub fn seal(value: &impl Serialize, most: usize) -> Result<Sealed, WireError> {
    let failed = |error: io::Error| WireError::Sealed(error.into());
    let mut writer = BufWriter::new(SealedWriter::new(most).map_err(failed)?);
    serde_json::to_writer(&mut writer, value).map_err(WireError::Message)?;
    writer.flush().map_err(failed)?;
    let writer = writer.into_inner().map_err(|e| failed(e.into_error()))?;
    Ok(writer.seal()?)
}

/// Reads a value of at most `most` bytes of JSON from sealed memory that another process made.
///
/// # Errors
/// When it is not sealed, larger, or not of this kind.
pub fn open<T: DeserializeOwned>(fd: OwnedFd, most: usize) -> Result<T, WireError> {
    let sealed = Sealed::from_fd(fd, most)?;
    serde_json::from_slice(sealed.as_slice()).map_err(WireError::Message)
}

fn name(role: &Option<Role>) -> &'static str {
    role.map_or("supervisor", Role::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, Channel) {
        let (one, other) = Channel::pair().unwrap();
        (Wire::new(one), other)
    }

    #[test]
    fn both_sides_say_who_they_are() {
        let (one, other) = pair();
        let other = Wire::new(other);
        std::thread::scope(|scope| {
            let there = scope.spawn(|| other.greet(Some(Role::Copier), None, None, None).unwrap());
            let greeting = one.greet(None, None, Some(Role::Copier), None).unwrap();
            assert_eq!(greeting, Greeting { pid: std::process::id(), sandbox: None });
            assert_eq!(there.join().unwrap().pid, std::process::id());
        });
    }

    #[test]
    fn somebody_else_is_not_spoken_to() {
        let said = |text: &str| {
            let (one, other) = pair();
            other.send(text.as_bytes(), &[], None).unwrap();
            one.greet(None, None, Some(Role::Copier), None)
        };
        let copier = |sandbox: &str| {
            said(&format!(r#"{{"version":1,"role":"copier","pid":5,"sandbox":"{sandbox}"}}"#))
        };
        assert_eq!(copier("seccomp").unwrap().sandbox.unwrap(), "seccomp");
        assert_eq!(copier("seccomp").unwrap().pid, 5);
        assert!(matches!(copier("a b"), Err(WireError::Sandbox)));
        assert!(copier(&"x".repeat(64)).is_ok());
        assert!(matches!(copier(&"x".repeat(65)), Err(WireError::Sandbox)));
        let other = said(r#"{"version":1,"role":"decider","pid":5}"#).unwrap_err();
        assert_eq!(other.to_string(), "the other side is the decider, the copier is due");
        let nobody = said(r#"{"version":1,"role":null,"pid":5}"#);
        assert!(matches!(nobody, Err(WireError::Speaker { found: None, .. })));
        let newer = said(r#"{"version":2,"role":"copier","pid":5}"#);
        assert!(matches!(newer, Err(WireError::Version(2))));
        for nonsense in [
            r#"{"version":1,"role":"copier","pid":5,"more":1}"#,
            r#"{"version":1,"role":"copier","pid":5,"pid":6}"#,
            r#"{"version":1,"role":"kiosk","pid":5}"#,
            r#"{"version":1,"role":"copier","pid":-5}"#,
            "[",
            "\u{0}",
            &"[".repeat(60_000),
        ] {
            assert!(matches!(said(nonsense), Err(WireError::Message(_))), "{nonsense:.50}");
        }
    }

    #[test]
    fn descriptors_come_where_they_are_due_only() {
        let (wire, other) = pair();
        let file = tempfile::tempfile().unwrap();
        other.send(b"1", &[file.as_fd()], None).unwrap();
        let refused = wire.receive::<u32>(None);
        assert!(matches!(refused, Err(WireError::Descriptors { found: 1, due: 0 })));
        other.send(b"1", &[file.as_fd()], None).unwrap();
        let (number, descriptors) = wire.receive_with::<u32>(None).unwrap();
        assert_eq!(number, 1);
        assert!(one(descriptors).is_ok());
        assert!(matches!(one(Vec::new()), Err(WireError::Descriptors { found: 0, due: 1 })));
    }

    #[test]
    fn the_end_is_no_message() {
        let (wire, other) = pair();
        other.send(b"1", &[], None).unwrap();
        assert!(matches!(wire.ended(None), Err(WireError::Unexpected)));
        drop(other);
        assert!(wire.ended(None).is_ok());
        assert!(matches!(wire.receive::<u32>(None), Err(WireError::Channel(_))));
    }

    #[test]
    fn large_values_go_sealed_and_within_their_limit() {
        let value: Vec<u32> = (0..100_000).collect();
        let (wire, other) = pair();
        assert!(matches!(wire.send(&value, &[], None), Err(WireError::Channel(_))));
        let sealed = seal(&value, 1 << 20).unwrap();
        wire.send(&"list", &[sealed.as_fd()], None).unwrap();
        let (name, fds) = Wire::new(other).receive_with::<String>(None).unwrap();
        assert_eq!(name, "list");
        let got: Vec<u32> = open(one(fds).unwrap(), 1 << 20).unwrap();
        assert_eq!(got, value);

        assert!(seal(&value, 1_000).is_err());
        let again = sealed.as_fd().try_clone_to_owned().unwrap();
        let refused = open::<Vec<u32>>(again, 1_000);
        assert!(matches!(refused, Err(WireError::Sealed(SealedError::TooLarge { .. }))));
        let not_json = Sealed::copy_of(b"[1,2").unwrap().as_fd().try_clone_to_owned().unwrap();
        assert!(matches!(open::<Vec<u32>>(not_json, 10), Err(WireError::Message(_))));
    }
}
