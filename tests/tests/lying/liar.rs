//! The process that lies: an honest one of its role works for it, and it passes on what that one and
//! the others say, changed.
//!
//! ```text
//!  supervisor ── Down ──▶ liar ──▶ honest        the other end of ── Ask ────▶ one that is asked
//!             ◀── Up ──── liar ◀── honest        its conversation  ◀─ Answer ─ one that answers
//! ```

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oms_station::process::{Role, Started, spawn};
use oms_sys::channel::{Channel, MOST_BYTES, Message as Raw};
use oms_sys::sealed::Sealed;
use rustix::net::{Shutdown, shutdown};
use serde_json::{Value, json};

use crate::lies;

/// The variable of the supervisor's environment that names a lie.
pub(crate) const VARIABLE: &str = "OMS_LIE";

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the supervisor.
    Down,
    /// To the supervisor.
    Up,
    /// To whoever is asked.
    Ask,
    /// To whoever asked.
    Answer,
    /// None: the honest process has ended.
    End,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) value: Value,
    pub(crate) with: Vec<OwnedFd>,
}

impl Message {
    /// One without descriptors.
    pub(crate) fn of(value: Value) -> Message {
        Message { value, with: Vec::new() }
    }

    /// The kind of message: its name, or its one field.
    pub(crate) fn kind(&self) -> &str {
        match &self.value {
            Value::String(name) => name,
            Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
            _ => "",
        }
    }

    /// The sealed memory of this number.
    pub(crate) fn bytes(&self, number: usize) -> Vec<u8> {
        let fd = self.with[number].try_clone().unwrap();
        Sealed::from_fd(fd, usize::MAX).unwrap().as_slice().to_vec()
    }

    /// Puts other bytes into its place.
    pub(crate) fn put(&mut self, number: usize, bytes: &[u8]) {
        self.with[number] = sealed(bytes);
    }

    /// Changes the JSON in it.
    pub(crate) fn edit(&mut self, number: usize, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&self.bytes(number)).unwrap();
        change(&mut value);
        self.put(number, value.to_string().as_bytes());
    }
}

/// Sealed memory with these bytes, to be passed on.
pub(crate) fn sealed(bytes: &[u8]) -> OwnedFd {
    Sealed::copy_of(bytes).unwrap().as_fd().try_clone_to_owned().unwrap()
}

/// What a liar makes of a message: all that it passes on in its place.
pub(crate) type Lie = fn(&Stage, Way, Message) -> Vec<Message>;

/// What a lie has at hand.
pub(crate) struct Stage {
    lie: Lie,
    args: Vec<OsString>,
    pub(crate) supervisor: Channel,
    pub(crate) honest: Channel,
    /// What is remembered from one message to another.
    pub(crate) memory: Mutex<Vec<Message>>,
}

impl Stage {
    /// What follows this flag on the command line.
    pub(crate) fn place(&self, flag: &str) -> PathBuf {
        let at = self.args.iter().position(|arg| arg == flag).unwrap();
        PathBuf::from(&self.args[at + 1])
    }

    /// Whether this is on the command line.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.args.iter().any(|arg| arg == flag)
    }

    /// Says nothing more to the supervisor, and lives on.
    pub(crate) fn hang_up(&self) {
        shutdown(&self.supervisor, Shutdown::Both).unwrap();
    }

    fn pump(&self, way: Way, from: &Channel, to: &Channel, order: impl Fn(&mut Message)) {
        while let Ok(Raw { bytes, descriptors }) = from.receive(MOST_BYTES, None) {
            let value = serde_json::from_slice(&bytes).unwrap();
            let mut message = Message { value, with: descriptors };
            order(&mut message);
            for message in (self.lie)(self, way, message) {
                let with: Vec<BorrowedFd<'_>> = message.with.iter().map(|fd| fd.as_fd()).collect();
                // Who is gone needs no lies.
                let _ = to.send(message.value.to_string().as_bytes(), &with, None);
            }
        }
        let _ = shutdown(to, Shutdown::Write);
    }
}

/// The lie of the process with these arguments, if it is to tell one.
pub(crate) fn lie_for(args: &[OsString]) -> Option<Lie> {
    let at = args.iter().position(|arg| arg == "--parent")?;
    let parent = args.get(at + 1)?.to_str()?;
    let environment = std::fs::read(format!("/proc/{parent}/environ")).unwrap();
    let name = environment
        .split(|byte| *byte == 0)
        .filter_map(|variable| std::str::from_utf8(variable).ok()?.split_once('='))
        .find_map(|(name, value)| (name == VARIABLE).then_some(value))?;
    let (_, role, lie) = lies::ALL.iter().find(|(known, ..)| *known == name).unwrap();
    (args[0] == OsStr::new(role.name())).then_some(*lie)
}

/// Plays the role in these arguments with this lie.
pub(crate) fn play(lie: Lie, args: &[OsString]) -> ExitCode {
    let role = Role::ALL.into_iter().find(|role| args[0] == OsStr::new(role.name())).unwrap();
    // After the role come the parent and its number.
    let own = &args[3..];
    let supervisor = Channel::from_stdin().unwrap();
    let soon = Instant::now() + Duration::from_secs(60);
    let Started { mut child, wire, sandbox } = spawn(role, own, None, soon).unwrap();
    let _ = supervisor.receive(MOST_BYTES, None).unwrap();
    let mut hello = Message::of(json!({
        "version": 1, "role": role.name(), "pid": std::process::id(), "sandbox": sandbox,
    }));
    let honest = Channel::from(wire);
    let stage = Stage { lie, args: own.to_vec(), supervisor, honest, memory: Mutex::default() };
    // Also the hello may be a lie.
    hello = lie(&stage, Way::Up, hello).remove(0);
    stage.supervisor.send(hello.value.to_string().as_bytes(), &[], None).unwrap();
    let stage = Arc::new(stage);
    {
        let stage = Arc::clone(&stage);
        std::thread::spawn(move || {
            let order = |message: &mut Message| step_between(&stage, message);
            stage.pump(Way::Down, &stage.supervisor, &stage.honest, order);
        });
    }
    stage.pump(Way::Up, &stage.honest, &stage.supervisor, |_| {});
    child.wait(None).unwrap();
    lie(&stage, Way::End, Message::of(Value::Null));
    ExitCode::SUCCESS
}

/// Steps between the honest process and the one that an order lets it talk to.
fn step_between(stage: &Arc<Stage>, order: &mut Message) {
    let (at, out, back) = match order.kind() {
        "serve" => (1, Way::Answer, Way::Ask),
        "inspect" => (0, Way::Answer, Way::Ask),
        "decide" | "inspector" => (0, Way::Ask, Way::Answer),
        _ => return,
    };
    let (mine, given) = Channel::pair().unwrap();
    let other = std::mem::replace(&mut order.with[at], given.into_descriptor());
    let other = Arc::new(Channel::from_descriptor(other).unwrap());
    let mine = Arc::new(mine);
    for (way, from, to) in [(out, &mine, &other), (back, &other, &mine)] {
        let (stage, from, to) = (Arc::clone(stage), Arc::clone(from), Arc::clone(to));
        std::thread::spawn(move || stage.pump(way, &from, &to, |_| {}));
    }
}
