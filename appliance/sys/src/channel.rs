//! Messages with descriptors between two processes of one machine.
//!
//! ```text
//!   send(bytes, descriptors) ──▶ one record of a socket pair ──▶ receive(limit) ─▶ Message
//! ```
//!
//! The pair is of sequenced packets: a message arrives whole or not at all, and two are never one.
//! Whoever is at the other end may have been taken over. What it sends is bounded before any of it
//! is looked at, and a message that does not fit is an error, not half a message.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair, sockopt,
};

/// The most bytes of one message.
pub const MOST_BYTES: usize = 64 << 10;

/// The most descriptors of one message.
pub const MOST_DESCRIPTORS: usize = 8;

/// One end of a pair. It is closed on `exec`, unless it is given away as standard input.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What came in.
#[derive(Debug)]
pub struct Message {
    /// Its bytes, at least one.
    pub bytes: Vec<u8>,
    /// Its descriptors, at most [`MOST_DESCRIPTORS`], each closed on `exec`.
    pub descriptors: Vec<OwnedFd>,
}

/// Why a message was not sent or not received.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// the other end is closed
    #[error("the other end is closed")]
    Ended,
    /// the time was over before the other end was ready
    #[error("the other end did not answer in time")]
    Late,
    /// a message without bytes cannot be told from the end
    #[error("a message has no bytes")]
    Empty,
    /// the message is longer than was agreed
    #[error("a message is longer than {most} bytes")]
    TooLong {
        /// The limit.
        most: usize,
    },
    /// the message carries more descriptors than was agreed
    #[error("a message carries more than {MOST_DESCRIPTORS} descriptors")]
    TooManyDescriptors,
    /// the descriptor is not an end of a pair
    #[error("the descriptor is no end of a channel")]
    NotAChannel,
    /// the kernel refused
    #[error("the channel failed: {0}")]
    Failed(#[from] io::Error),
}

impl From<Errno> for ChannelError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => ChannelError::Ended,
            other => ChannelError::Failed(other.into()),
        }
    }
}

impl Channel {
    /// Two ends that are connected.
    ///
    /// # Errors
    /// When the kernel has no more descriptors.
    pub fn pair() -> Result<(Self, Self), ChannelError> {
        let flags = SocketFlags::CLOEXEC;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Channel(one), Channel(other)))
    }

    /// Takes an end that came as a descriptor.
    ///
    /// # Errors
    /// [`ChannelError::NotAChannel`] for anything but a UNIX socket of sequenced packets.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self, ChannelError> {
        match (sockopt::socket_domain(&fd), sockopt::socket_type(&fd)) {
            (Ok(AddressFamily::UNIX), Ok(SocketType::SEQPACKET)) => Ok(Channel(fd)),
            _ => Err(ChannelError::NotAChannel),
        }
    }

    /// Takes the end that this process was started with as its standard input, which becomes
    /// empty.
    ///
    /// # Errors
    /// [`ChannelError::NotAChannel`] when standard input is something else.
    pub fn from_stdin() -> Result<Self, ChannelError> {
        let end = io::stdin().as_fd().try_clone_to_owned()?;
        let channel = Self::from_descriptor(end)?;
        let nothing =
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(nothing)?;
        Ok(channel)
    }

    /// The descriptor, to be passed to another process.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// Sends one message. The descriptors stay open here too.
    ///
    /// # Errors
    /// When it is empty or beyond the limits, when the other end is closed, or when that does not
    /// take it until `deadline`.
    pub fn send(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        if bytes.is_empty() {
            return Err(ChannelError::Empty);
        }
        if bytes.len() > MOST_BYTES {
            return Err(ChannelError::TooLong { most: MOST_BYTES });
        }
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fits = descriptors.is_empty()
                || control.push(SendAncillaryMessage::ScmRights(descriptors));
            if !fits || descriptors.len() > MOST_DESCRIPTORS {
                return Err(ChannelError::TooManyDescriptors);
            }
            match sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.until(PollFlags::OUT, deadline)?,
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Waits for one message of at most `limit` bytes, which is at most [`MOST_BYTES`].
    ///
    /// # Errors
    /// [`ChannelError::Ended`] when the other end is closed and nothing is left;
    /// [`ChannelError::Late`] when nothing came until `deadline`; for a message beyond the limits,
    /// which is lost with its descriptors.
    pub fn receive(
        &self,
        limit: usize,
        deadline: Option<Instant>,
    ) -> Result<Message, ChannelError> {
        let most = limit.min(MOST_BYTES);
        let mut bytes = vec![0; most];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let got = loop {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut parts, &mut control, flags) {
                Ok(got) => break got,
                // Told once when the other end left a message unread; what it said before it went
                // comes after, and then the end.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(Errno::AGAIN) => self.until(PollFlags::IN, deadline)?,
                Err(other) => return Err(other.into()),
            }
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > MOST_DESCRIPTORS {
            return Err(ChannelError::TooManyDescriptors);
        }
        if got.flags.contains(ReturnFlags::TRUNC) {
            return Err(ChannelError::TooLong { most });
        }
        if got.bytes == 0 {
            return Err(ChannelError::Ended);
        }
        bytes.truncate(got.bytes);
        Ok(Message { bytes, descriptors })
    }

    /// Waits until the socket is ready for `what`, or closed.
    fn until(&self, what: PollFlags, deadline: Option<Instant>) -> Result<(), ChannelError> {
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            // More than can be written is as good as for ever.
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::new(&self.0, what)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Err(ChannelError::Late),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::MemfdFlags;
    use rustix::io::{FdFlags, fcntl_getfd};
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::time::Duration;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(20))
    }

    #[test]
    fn the_last_word_of_who_left_without_listening_is_heard() {
        let (one, other) = Channel::pair().unwrap();
        one.send(b"unheard", &[], None).unwrap();
        other.send(b"last", &[], None).unwrap();
        drop(other);
        assert_eq!(one.receive(100, None).unwrap().bytes, b"last");
        assert!(matches!(one.receive(100, None), Err(ChannelError::Ended)));
    }

    #[test]
    fn messages_stay_apart_and_carry_open_files() {
        let (one, other) = Channel::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        one.send(b"first", &[file.as_fd(), file.as_fd()], None).unwrap();
        one.send(b"second", &[], None).unwrap();
        let got = other.receive(100, None).unwrap();
        assert_eq!(got.bytes, b"first");
        assert_eq!(got.descriptors.len(), 2);
        for descriptor in got.descriptors {
            assert!(fcntl_getfd(&descriptor).unwrap().contains(FdFlags::CLOEXEC));
            let mut same = File::from(descriptor);
            same.rewind().unwrap();
            let mut text = String::new();
            same.read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside");
        }
        assert_eq!(other.receive(100, None).unwrap().bytes, b"second");
        assert!(fcntl_getfd(&one).unwrap().contains(FdFlags::CLOEXEC));
        assert!(fcntl_getfd(&other).unwrap().contains(FdFlags::CLOEXEC));
    }

    #[test]
    fn the_end_comes_after_what_was_sent() {
        let (one, other) = Channel::pair().unwrap();
        one.send(b"last", &[], None).unwrap();
        drop(one);
        assert_eq!(other.receive(100, None).unwrap().bytes, b"last");
        assert!(matches!(other.receive(100, None), Err(ChannelError::Ended)));
        assert!(matches!(other.send(b"x", &[], None), Err(ChannelError::Ended)));
    }

    #[test]
    fn nothing_waits_longer_than_it_may() {
        let (one, other) = Channel::pair().unwrap();
        assert!(matches!(other.receive(100, soon()), Err(ChannelError::Late)));
        let full = loop {
            if let Err(error) = one.send(&[0; MOST_BYTES], &[], soon()) {
                break error;
            }
        };
        assert!(matches!(full, ChannelError::Late), "{full}");
        assert_eq!(other.receive(MOST_BYTES, soon()).unwrap().bytes.len(), MOST_BYTES);
    }

    #[test]
    fn what_does_not_fit_is_not_taken_in_part() {
        let (one, other) = Channel::pair().unwrap();
        one.send(b"12345", &[], None).unwrap();
        assert!(matches!(other.receive(4, None), Err(ChannelError::TooLong { most: 4 })));
        one.send(b"1234", &[], None).unwrap();
        assert_eq!(other.receive(4, None).unwrap().bytes, b"1234");
        let long = [1; MOST_BYTES + 1];
        assert!(matches!(one.send(&long, &[], None), Err(ChannelError::TooLong { .. })));
        assert!(matches!(one.send(b"", &[], None), Err(ChannelError::Empty)));
    }

    #[test]
    fn nine_descriptors_are_one_too_many() {
        let (one, other) = Channel::pair().unwrap();
        let file = rustix::fs::memfd_create("nine-too-many", MemfdFlags::CLOEXEC).unwrap();
        let nine = [file.as_fd(); MOST_DESCRIPTORS + 1];
        assert!(matches!(one.send(b"x", &nine, None), Err(ChannelError::TooManyDescriptors)));

        // From somebody who keeps no limits.
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS + 1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&nine)));
        sendmsg(&one, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
        assert!(matches!(other.receive(9, None), Err(ChannelError::TooManyDescriptors)));
        assert_eq!(open_here("nine-too-many"), 1, "none of them stays open");

        one.send(b"x", &nine[1..], None).unwrap();
        assert_eq!(other.receive(9, None).unwrap().descriptors.len(), MOST_DESCRIPTORS);
    }

    /// How many descriptors of this process lead to memory of this name.
    fn open_here(name: &str) -> usize {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        entries
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .filter(|target| target.to_string_lossy().contains(name))
            .count()
    }

    #[test]
    fn only_a_socket_of_packets_is_a_channel() {
        let refused =
            |fd: OwnedFd| matches!(Channel::from_descriptor(fd), Err(ChannelError::NotAChannel));
        assert!(refused(tempfile::tempfile().unwrap().into()));
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(refused(stream.into()));
        let (one, _other) = Channel::pair().unwrap();
        assert!(Channel::from_descriptor(one.into_descriptor()).is_ok());
    }
}
