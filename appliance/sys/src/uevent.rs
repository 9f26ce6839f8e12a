//! What the kernel tells about its devices (`NETLINK_KOBJECT_UEVENT`).
//!
//! Only what comes from the kernel counts: programs can send such messages too. When the kernel had
//! more to tell than the socket holds, it says so, and whoever listens has to look at
//! `/sys/class/block` itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with, sockopt,
};

/// The kernel's own messages; udev's are in group 2.
const KERNEL: u32 = 1;

/// The kernel's limit of one message, `UEVENT_BUFFER_SIZE`, with its heading.
pub const MOST_BYTES: usize = 8192;

/// The most `KEY=VALUE` lines of a message. The kernel allows 64.
const MOST_KEYS: usize = 128;

/// What is kept for this process while it does something else, in bytes.
const WAITING: usize = 1 << 20;

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is there.
    Add,
    /// It is not there any more.
    Remove,
    /// It is another one, such as a drive with another disc.
    Change,
    /// Drivers, names and power: nothing that matters here.
    Other,
}

/// One message about a block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub action: Action,
    /// Its name in `/sys/class/block`, such as `sdb1`.
    pub name: String,
    /// Its number: major and minor.
    pub number: (u32, u32),
    /// Whether it is a partition.
    pub is_partition: bool,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something about a block device.
    Event(Event),
    /// Messages were lost: look at all devices again.
    Overrun,
    /// Nothing, until the time was over.
    Nothing,
}

/// Why a message is not one of the kernel's about a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABlockEvent {
    /// it is about something else
    #[error("the message is about another kind of device")]
    OtherSubsystem,
    /// it is not what a kernel writes
    #[error("the message is not in the kernel's form")]
    Malformed,
}

/// Listens to the kernel.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Begins to listen. What happens from now on is told, so: listen first, then look.
    ///
    /// # Errors
    /// When the kernel has no such socket.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
        // As root more than others may have; less also works, and is told when it was not enough.
        if sockopt::set_socket_recv_buffer_size_force(&socket, WAITING).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&socket, WAITING);
        }
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Listener(socket))
    }

    /// Waits for the next message of the kernel about a block device, until `deadline`.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn hear(&self, deadline: Option<Instant>) -> io::Result<Heard> {
        let mut buffer = [0; MOST_BYTES];
        loop {
            match recvfrom(&self.0, buffer.as_mut_slice(), RecvFlags::TRUNC) {
                Ok((_, length, from)) => {
                    let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
                    let message = buffer.get(..length).unwrap_or_default();
                    if let Some(event) = from.and_then(|from| told(from, message)) {
                        return Ok(Heard::Event(event));
                    }
                }
                Err(Errno::NOBUFS) => return Ok(Heard::Overrun),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if !self.wait(deadline)? => return Ok(Heard::Nothing),
                Err(Errno::AGAIN) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Waits until there is something to hear, or until `deadline`, which gives false.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => Ok(false),
            Ok(_) | Err(Errno::INTR) => Ok(true),
            Err(other) => Err(other.into()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a message from `from` tells, if it counts.
fn told(from: SocketAddrNetlink, message: &[u8]) -> Option<Event> {
    // Programs have a number, and reach this socket directly, outside its group.
    let is_kernel = from.pid() == 0 && from.groups() == KERNEL;
    if is_kernel { parse(message).ok() } else { None }
}

/// Reads a message: `ACTION@PATH`, then `KEY=VALUE` lines, each ended by a zero byte.
///
/// # Errors
/// When it is not about a block device, or not in the kernel's form: a value twice, one that
/// contradicts another, no final zero byte, more lines than the kernel writes.
pub fn parse(message: &[u8]) -> Result<Event, NotABlockEvent> {
    use NotABlockEvent::{Malformed, OtherSubsystem};
    let body = message.strip_suffix(&[0]).ok_or(Malformed)?;
    if message.len() > MOST_BYTES {
        return Err(Malformed);
    }
    let mut lines = body.split(|byte| *byte == 0);
    let heading = lines.next().and_then(text).ok_or(Malformed)?;
    let (verb, path) = heading.split_once('@').ok_or(Malformed)?;
    let mut found = Found::default();
    for (at, line) in lines.enumerate() {
        if at >= MOST_KEYS {
            return Err(Malformed);
        }
        // What else there is may be in any encoding.
        let Some((key, value)) = split(line) else { return Err(Malformed) };
        let slot = match key {
            b"ACTION" => &mut found.action,
            b"DEVPATH" => &mut found.path,
            b"SUBSYSTEM" => &mut found.subsystem,
            b"DEVNAME" => &mut found.name,
            b"DEVTYPE" => &mut found.kind,
            b"MAJOR" => &mut found.major,
            b"MINOR" => &mut found.minor,
            _ => continue,
        };
        if slot.replace(text(value).ok_or(Malformed)?).is_some() {
            return Err(Malformed);
        }
    }
    if found.subsystem.ok_or(Malformed)? != "block" {
        return Err(OtherSubsystem);
    }
    if found.action != Some(verb) || found.path != Some(path) {
        return Err(Malformed);
    }
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let name = found.name.filter(|name| is_name(name)).ok_or(Malformed)?;
    // The kernel writes `!` for a `/` in a name where it is part of a path.
    if path.rsplit('/').next() != Some(name.replace('/', "!").as_str()) {
        return Err(Malformed);
    }
    Ok(Event {
        action: match verb {
            "add" => Action::Add,
            "remove" => Action::Remove,
            "change" => Action::Change,
            _ => Action::Other,
        },
        name: name.replace('/', "!"),
        number: number(found.major).zip(number(found.minor)).ok_or(Malformed)?,
        is_partition: match found.kind {
            Some("disk") => false,
            Some("partition") => true,
            _ => return Err(Malformed),
        },
    })
}

/// The lines that matter.
#[derive(Default)]
struct Found<'a> {
    action: Option<&'a str>,
    path: Option<&'a str>,
    subsystem: Option<&'a str>,
    name: Option<&'a str>,
    kind: Option<&'a str>,
    major: Option<&'a str>,
    minor: Option<&'a str>,
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    Some((line.get(..at)?, line.get(at.checked_add(1)?..)?))
}

/// Whether this is a name that the kernel gives to a block device: no way to leave a folder.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
            && !part.starts_with('.')
    };
    // The kernel writes `!` for a `/` where there can be none.
    let parts = || name.split(['/', '!']);
    name.len() <= 64 && parts().count() <= 2 && parts().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const ADDED: &str = "add@/devices/virtual/block/loop0/loop0p1\0ACTION=add\0\
        DEVPATH=/devices/virtual/block/loop0/loop0p1\0SUBSYSTEM=block\0MAJOR=259\0MINOR=3\0\
        DEVNAME=loop0p1\0DEVTYPE=partition\0DISKSEQ=12\0PARTN=1\0SEQNUM=2917\0";

    #[test]
    fn a_message_of_the_kernel_is_read() {
        let event = parse(ADDED.as_bytes()).unwrap();
        let expected = Event {
            action: Action::Add,
            name: "loop0p1".to_owned(),
            number: (259, 3),
            is_partition: true,
        };
        assert_eq!(event, expected);
        let other = ADDED.replace("=block", "=net");
        assert_eq!(parse(other.as_bytes()), Err(NotABlockEvent::OtherSubsystem));
        let nested = ADDED.replace("loop0p1", "cciss!c0d0").replace("E=cciss!", "E=cciss/");
        assert_eq!(parse(nested.as_bytes()).unwrap().name, "cciss!c0d0");
        let bound = ADDED.replace("add", "bind");
        assert_eq!(parse(bound.as_bytes()).unwrap().action, Action::Other);
    }

    #[test]
    fn what_the_kernel_never_writes_is_not_believed() {
        let cases = [
            ADDED.trim_end_matches('\0').to_owned(),
            String::new(),
            "\0".to_owned(),
            ADDED.replace("ACTION=add", "ACTION=remove"),
            ADDED.replace("DEVPATH=/devices", "DEVPATH=/device"),
            ADDED.replace("add@", "add"),
            ADDED.replace("DEVNAME=loop0p1", "DEVNAME=loop0p2"),
            ADDED.replace("loop0p1", ".."),
            ADDED.replace("loop0p1", "a b"),
            ADDED.replace("DEVNAME=loop0p1", "DEVNAME=../loop0p1"),
            ADDED.replace("MAJOR=259", "MAJOR=-1"),
            ADDED.replace("MAJOR=259", "MAJOR=99999999999"),
            ADDED.replace("DEVTYPE=partition\0", ""),
            ADDED.replace("PARTN=1", "PARTN"),
            ADDED.replace("PARTN=1", "MINOR=3"),
            ADDED.replace("DISKSEQ=12\0", &"X=1\0".repeat(MOST_KEYS)),
            ADDED.replace("DISKSEQ=12", &"X=1".repeat(MOST_BYTES)),
        ];
        for case in cases {
            assert_eq!(parse(case.as_bytes()), Err(NotABlockEvent::Malformed), "{case:?}");
        }
        let mut broken = ADDED.as_bytes().to_vec();
        broken[5] = 0xff;
        assert_eq!(parse(&broken), Err(NotABlockEvent::Malformed));
    }

    #[test]
    fn only_the_kernel_is_believed() {
        let from = |number, groups| told(SocketAddrNetlink::new(number, groups), ADDED.as_bytes());
        assert!(from(0, KERNEL).is_some());
        assert!(from(1234, KERNEL).is_none());
        assert!(from(0, 0).is_none());
        assert!(from(0, 2).is_none());
    }

    #[test]
    fn a_message_that_a_program_sends_is_not_heard() {
        let listener = Listener::open().unwrap();
        let address = rustix::net::getsockname(&listener.0).unwrap();
        let number = SocketAddrNetlink::try_from(address).unwrap().pid();
        let flags = SocketFlags::CLOEXEC;
        let kind = Some(KOBJECT_UEVENT);
        let sender = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, kind).unwrap();
        let to = SocketAddrNetlink::new(number, 0);
        let sent =
            rustix::net::sendto(&sender, ADDED.as_bytes(), rustix::net::SendFlags::empty(), &to);
        assert_eq!(sent.unwrap(), ADDED.len(), "the kernel passes it on");
        let soon = Instant::now() + Duration::from_millis(100);
        let heard = listener.hear(Some(soon)).unwrap();
        // Others plug devices in and out at the same time.
        let expected = parse(ADDED.as_bytes()).unwrap();
        assert!(!matches!(&heard, Heard::Event(event) if *event == expected), "{heard:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(message in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&message);
        }

        #[test]
        fn a_name_never_leads_out_of_a_folder(name in "[a-z./!]{1,8}") {
            prop_assert!(!is_name(&name) || name.split(['/', '!']).all(|part| part != ".." ));
        }
    }
}
