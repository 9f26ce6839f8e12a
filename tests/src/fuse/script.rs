//! What is said instead of the truth: faults, each for some of the requests.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fuser::{Errno, FileType};

/// What the kernel asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Is there such a name in the folder, and what is it?
    Lookup,
    /// What are the attributes of this file?
    Attributes,
    /// Open this file.
    Open,
    /// Give these bytes of the file.
    Read,
    /// What is in this folder?
    List,
}

/// An answer other than the true one.
#[derive(Clone, Debug)]
pub enum Lie {
    /// An error.
    Error(Errno),
    /// No answer, ever.
    Silence,
    /// The truth, later.
    Slow(Duration),
    /// The device is gone, from this request on.
    Vanish,
    /// No more than so many of the bytes.
    Short(usize),
    /// The bytes, with one bit changed at the fault's offset.
    Flip,
    /// Attributes with a size that differs by so much.
    Size(i64),
    /// Attributes with another time of the last write.
    Written,
    /// Attributes with another time of the last change.
    Changed,
    /// Attributes of another inode.
    Inode,
    /// Attributes of something else than a file.
    Kind(FileType),
    /// The bytes, and from now on the file has this size; what is new are zeros.
    Resize(u64),
    /// A folder with other names in it.
    Names(Names),
}

/// How the list of a folder's names is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// One that is not there.
    Ghost,
    /// Each twice.
    Twice,
    /// A million that are not there.
    Million,
    /// Ones that are not there, without an end.
    Endless,
    /// One with a slash in it.
    Slash,
    /// `.` and `..` as if they were files.
    Dots,
    /// One that is longer than a name may be.
    Long,
    /// One that is not UTF-8.
    Bytes,
    /// The right ones, as things of this kind.
    Are(FileType),
}

/// A lie, and the requests that it answers.
#[derive(Clone, Debug)]
pub struct Fault {
    op: Option<Op>,
    path: Option<String>,
    offset: Option<u64>,
    count: RangeInclusive<u64>,
    lie: Lie,
}

impl Fault {
    /// Answers every request of this kind about the file or folder at `path`.
    pub fn on(op: Op, path: &str, lie: Lie) -> Fault {
        let path = Some(path.to_owned());
        Fault { op: Some(op), path, offset: None, count: 1..=u64::MAX, lie }
    }

    /// Answers every read of the file at `path` that has the byte at `offset` in it.
    pub fn read(path: &str, offset: u64, lie: Lie) -> Fault {
        Fault { offset: Some(offset), ..Fault::on(Op::Read, path, lie) }
    }

    /// Answers one request, whatever it is for: the `number`-th of all, counted from 1.
    pub fn nth(number: u64, lie: Lie) -> Fault {
        Fault { op: None, path: None, offset: None, count: number..=number, lie }
    }

    /// The same for these of the requests only, counted from 1.
    #[must_use]
    pub fn times(self, count: RangeInclusive<u64>) -> Fault {
        Fault { count, ..self }
    }

    /// What it says.
    pub fn lie(&self) -> &Lie {
        &self.lie
    }

    /// The offset that it is about.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    fn is_about(&self, request: &Request<'_>) -> bool {
        self.op.is_none_or(|op| op == request.op)
            && self.path.as_ref().is_none_or(|path| path == request.path)
            && self.offset.is_none_or(|offset| {
                // A read at the end of the file asks for the byte after the last.
                (request.offset..request.offset.saturating_add(request.length)).contains(&offset)
            })
    }
}

/// A request, as far as faults look at it.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) op: Op,
    pub(super) path: &'a str,
    /// The first byte, and how many, of a read.
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The faults, and what became of them.
#[derive(Debug)]
pub(super) struct Script {
    state: Mutex<State>,
    abort: OnceLock<PathBuf>,
}

#[derive(Debug)]
struct State {
    /// Each with how many requests it was about so far.
    faults: Vec<(Fault, u64)>,
    /// Sizes that a lie set.
    sizes: BTreeMap<String, u64>,
    /// Replies that are owed.
    owed: Vec<Box<dyn Any + Send>>,
    log: Vec<String>,
    lies: u64,
    /// From when on requests count.
    begun: bool,
}

impl Script {
    pub(super) fn new(faults: &[Fault]) -> Script {
        let faults = faults.iter().map(|fault| (fault.clone(), 0)).collect();
        let (sizes, owed, log) = (BTreeMap::new(), Vec::new(), Vec::new());
        Script {
            state: Mutex::new(State { faults, sizes, owed, log, lies: 0, begun: false }),
            abort: OnceLock::new(),
        }
    }

    /// Counts a request, and gives the lie that answers it, with the offset that it is about.
    pub(super) fn answer(&self, request: &Request<'_>) -> Option<(Lie, u64)> {
        let mut state = self.state();
        if !state.begun {
            return None;
        }
        let mut found = None;
        for (fault, count) in &mut state.faults {
            if fault.is_about(request) {
                *count += 1;
                if found.is_none() && fault.count.contains(count) {
                    found = Some((fault.lie.clone(), fault.offset.unwrap_or(request.offset)));
                }
            }
        }
        let Request { op, path, offset, length } = request;
        let told = found.as_ref().map_or(String::new(), |(lie, _)| format!(" => {lie:?}"));
        state.log.push(format!("{op:?} {path} {offset}+{length}{told}"));
        if let Some((lie, _)) = &found {
            state.lies += 1;
            if let Lie::Resize(size) = lie {
                state.sizes.insert((*path).to_owned(), *size);
            }
        }
        found
    }

    /// The size that a lie gave to this file.
    pub(super) fn size(&self, path: &str) -> Option<u64> {
        self.state().sizes.get(path).copied()
    }

    /// Keeps a reply that is never given.
    pub(super) fn owe(&self, reply: impl Any + Send) {
        self.state().owed.push(Box::new(reply));
    }

    /// From now on requests count and faults strike; the file at `abort` ends the connection.
    pub(super) fn begin(&self, abort: PathBuf) {
        let _ = self.abort.set(abort);
        self.state().begun = true;
    }

    pub(super) fn vanish(&self) {
        if let Some(abort) = self.abort.get() {
            // When there is no such connection any more, it is gone already.
            let _ = fs::write(abort, "1");
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.state().log.len() as u64
    }

    pub(super) fn lies(&self) -> u64 {
        self.state().lies
    }

    pub(super) fn log(&self) -> String {
        self.state().log.join("\n")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
