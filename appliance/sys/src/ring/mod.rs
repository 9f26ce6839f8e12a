//! Many reads and writes at once, from one thread.
//!
//! ```text
//!              read(token, file, offset, buffer)            wait, reap
//!   caller ------------------------------------> Ring ------------------> Done { token, outcome }
//!     ^                                       io_uring or                        |
//!     |                                         threads                          |
//!     +------------- the buffer comes back with what became of it ---------------+
//! ```
//!
//! One interface with two backends: io_uring, and threads with `pread(2)` where io_uring is off.
//! [`Ring::report`] says which runs and why. A worker thread owns one ring and does not share it.
//!
//! What holds, whatever the caller does:
//! - Memory that the kernel may write to cannot be touched: a [`Buffer`] is given away with an
//!   operation and comes back with its [`Done`]. Every operation has exactly one, also one that is
//!   refused before it starts.
//! - A file stays open while an operation on it is in flight.
//! - Dropping a ring cancels what can be cancelled and waits for the rest. A ring that is forgotten
//!   keeps its memory. [`Ring::abandon`] is for a carrier that answers no more.
//! - Short reads and writes are passed on as they are: the caller decides.
//! - No more than [`Ring::depth`] operations are in flight, so that completions cannot overflow.
//!
//! Opening in batches takes two steps with a [`Root`] that is the file's folder: [`Ring::look`]
//! gives a [`Look`] at a regular file that is not opened, and [`Ring::open`] opens what was seen.
//! Both are also there as plain calls ([`Root::look`], [`Root::open_seen`]), which are cheaper
//! where the answer is in memory, since the kernel hands every `statx` of a ring to a worker. In
//! processor time for each of 100,000 files of 4 KiB, all in memory (Linux 6.18, 2 cores): a look
//! 1.8 us plain and 2.8 us through the ring; opening what was seen 3.2 and 3.9 us; opening plain and
//! reading 5.1 us with `pread` and 6.9 us with the ring; `Root::file` alone 6.1 us. So the ring is
//! for devices that are slow to answer.

mod arena;
mod file;
mod report;
mod setup;
#[cfg(test)]
mod tests;
mod threads;
mod uring;

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::arena::Buffer;
pub use self::file::{Handle, Shared};
pub use self::report::{NoUring, Reader, Registration, Report};
pub use self::setup::make_beforehand;

use self::arena::Arena;
use self::threads::Threads;
use self::uring::Uring;
use crate::beneath::{BeneathError, Look, Name, RegularFile, Root};

/// Operations that may be in flight beside one for each buffer: those that need none.
const BESIDE: usize = 64;

/// What a ring is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which backend.
    pub reader: Reader,
    /// How many buffers, at most 16,384.
    pub buffers: usize,
    /// Bytes of each, rounded up to whole pages of 4096. Memory is taken when it is first used.
    pub buffer_bytes: usize,
}

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// the buffers cannot be made
    #[error("the buffers cannot be mapped: {0}")]
    Memory(io::Error),
    /// io_uring was asked for by name and cannot be used
    #[error(transparent)]
    NoUring(NoUring),
}

/// Where a read copies bytes that are in the page cache already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// On this thread, while it submits: no hand-over, and the bytes are in this core's cache.
    #[default]
    Here,
    /// On a thread of the kernel, so that this one can hash meanwhile.
    Worker,
}

/// Something that came to its end.
#[derive(Debug)]
pub struct Done {
    /// What the caller called it.
    pub token: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an operation.
#[derive(Debug)]
pub enum Outcome {
    /// A read or a write.
    Moved {
        /// The buffer that was given. After a read, [`Buffer::filled`] is what was read; after a
        /// write it is what it was, so that [`Buffer::skip`] leaves what is still to be written.
        buffer: Buffer,
        /// How many bytes were moved. A read of 0 bytes is the end of the file.
        bytes: io::Result<usize>,
    },
    /// A look at what is at a name.
    Looked(Result<Look, BeneathError>),
    /// An opening.
    Opened(Result<RegularFile, BeneathError>),
    /// A writing back, which goes on.
    Begun(io::Result<()>),
}

/// Reads, writes, looks, opens and writing back, many at once. See the [module](self).
#[derive(Debug)]
pub struct Ring {
    backend: Backend,
    reason: Option<NoUring>,
    depth: usize,
    /// Refused before they were started.
    refused: VecDeque<Done>,
    /// The kernel takes completions for the thread that submitted.
    _one_thread: PhantomData<*const ()>,
}

#[derive(Debug)]
enum Backend {
    Uring(Box<Uring>),
    Threads(Threads),
}

/// What a backend is asked to do.
#[derive(Debug)]
enum Operation {
    Read { handle: Handle, offset: u64, buffer: Buffer, len: usize, place: Place },
    Write { handle: Handle, offset: u64, buffer: Buffer },
    WriteBack { handle: Handle, offset: u64, len: u32 },
    Look { folder: Arc<Root>, name: Name },
    Open { folder: Arc<Root>, name: Name, look: Look },
}

impl Ring {
    /// A ring, and all the buffers that it will ever have. Cheap: no memory is touched and no
    /// thread is started before the first operation.
    ///
    /// # Errors
    /// When the memory cannot be mapped, or io_uring was asked for by name and cannot be used.
    pub fn new(settings: &Settings) -> Result<(Ring, Vec<Buffer>), RingError> {
        if settings.buffers > 1 << 14 {
            return Err(RingError::Memory(io::ErrorKind::InvalidInput.into()));
        }
        let (arena, buffers) =
            Arena::new(settings.buffers, settings.buffer_bytes).map_err(RingError::Memory)?;
        let depth = settings.buffers.saturating_add(BESIDE);
        let uring = match settings.reader {
            Reader::Threads => Err(NoUring::NotWanted),
            Reader::Auto | Reader::IoUring => Uring::new(depth, &arena),
        };
        let (backend, reason) = match uring {
            Ok(uring) => (Backend::Uring(Box::new(uring)), None),
            Err(reason) if settings.reader == Reader::IoUring => {
                return Err(RingError::NoUring(reason));
            }
            Err(reason) => (Backend::Threads(Threads::new()), Some(reason)),
        };
        let ring =
            Ring { backend, reason, depth, refused: VecDeque::new(), _one_thread: PhantomData };
        Ok((ring, buffers))
    }

    /// What runs, and why.
    pub fn report(&self) -> Report<'_> {
        let (reader, registration) = match &self.backend {
            Backend::Uring(uring) => (Reader::IoUring, uring.registration()),
            Backend::Threads(_) => (Reader::Threads, Registration::None),
        };
        Report { reader, reason: self.reason.as_ref(), registration }
    }

    /// How many operations may be in flight: one for each buffer, and 64 beside.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many operations were started whose end was not handed out yet.
    pub fn in_flight(&self) -> usize {
        let started = match &self.backend {
            Backend::Uring(uring) => uring.in_flight(),
            Backend::Threads(threads) => threads.in_flight(),
        };
        started.saturating_add(self.refused.len())
    }

    /// Makes a file known to the ring: a [`RegularFile`] by reference, or a file that may be
    /// written to. Cheap; the ring lets go of the file when the last clone of the handle
    /// is gone and nothing is in flight on it.
    pub fn attach(&mut self, file: impl Into<Shared>) -> Handle {
        match &self.backend {
            Backend::Uring(uring) => uring.attach(file.into()),
            Backend::Threads(_) => Handle::new(file.into()),
        }
    }

    /// Starts to read `len` bytes at `offset` into the front of `buffer`.
    ///
    /// Ends as [`Outcome::Moved`], with `InvalidInput` when `len` is more than the buffer holds or
    /// the offset is none that a file can have.
    pub fn read(
        &mut self,
        token: u64,
        handle: &Handle,
        offset: u64,
        buffer: Buffer,
        len: usize,
        place: Place,
    ) {
        let handle = handle.clone();
        self.start(token, Operation::Read { handle, offset, buffer, len, place });
    }

    /// Starts to write what is filled of `buffer` at `offset`.
    ///
    /// Ends as [`Outcome::Moved`], with `InvalidInput` when the offset is none that a file can have.
    pub fn write(&mut self, token: u64, handle: &Handle, offset: u64, buffer: Buffer) {
        self.start(token, Operation::Write { handle: handle.clone(), offset, buffer });
    }

    /// Has the kernel begin to write to the disk what of these bytes lies in the page cache and is
    /// not there yet. It waits for none of it: this makes a sync later shorter and promises nothing.
    /// Threads leave it to the kernel.
    ///
    /// Ends as [`Outcome::Begun`].
    pub fn write_back(&mut self, token: u64, handle: &Handle, offset: u64, len: u32) {
        self.start(token, Operation::WriteBack { handle: handle.clone(), offset, len });
    }

    /// Starts to look at what is at `name` in `folder`, as [`Root::look`]. Ends as
    /// [`Outcome::Looked`].
    pub fn look(&mut self, token: u64, folder: &Arc<Root>, name: Name) {
        self.start(token, Operation::Look { folder: Arc::clone(folder), name });
    }

    /// Starts to open the regular file that was seen at `name` in `folder`, as
    /// [`Root::open_seen`]. Ends as [`Outcome::Opened`].
    pub fn open(&mut self, token: u64, folder: &Arc<Root>, name: Name, look: Look) {
        self.start(token, Operation::Open { folder: Arc::clone(folder), name, look });
    }

    /// Hands over what was started, and gives what has ended, if anything has; never waits for it.
    pub fn reap(&mut self) -> Option<Done> {
        self.refused.pop_front().or_else(|| match &mut self.backend {
            Backend::Uring(uring) => uring.reap(),
            Backend::Threads(threads) => threads.reap(),
        })
    }

    /// Hands over what was started, and waits until something has ended, at most for `timeout`
    /// (`None`: as long as it takes). `Ok(None)`: nothing ended in time, or nothing is in flight.
    ///
    /// # Errors
    /// When the kernel does not take what was started. What is in flight stays in flight.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Done>> {
        if let Some(done) = self.reap() {
            return Ok(Some(done));
        }
        if self.in_flight() == 0 {
            return Ok(None);
        }
        // A time that no clock can tell is as good as none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match &mut self.backend {
            Backend::Uring(uring) => uring.wait(deadline),
            Backend::Threads(threads) => Ok(threads.wait(deadline)),
        }
    }

    /// Leaves ring and memory behind without waiting for what is in flight: for a carrier that
    /// answers no more. What is in flight may still write to its buffers, which are never used
    /// again.
    pub fn abandon(mut self) {
        match &mut self.backend {
            Backend::Uring(uring) => uring.abandon(),
            Backend::Threads(threads) => threads.abandon(),
        }
    }

    fn start(&mut self, token: u64, operation: Operation) {
        if let Some(error) = self.objection(&operation) {
            self.refuse(token, operation, error);
            return;
        }
        let started = match &mut self.backend {
            Backend::Uring(uring) => uring.start(token, operation),
            Backend::Threads(threads) => threads.start(token, operation),
        };
        if let Err((operation, error)) = started {
            self.refuse(token, operation, error);
        }
    }

    /// Why an operation is not even started.
    fn objection(&self, operation: &Operation) -> Option<io::Error> {
        let valid = match operation {
            Operation::Read { offset, buffer, len, .. } => {
                i64::try_from(*offset).is_ok() && *len <= buffer.capacity()
            }
            Operation::Write { offset, .. } => i64::try_from(*offset).is_ok(),
            Operation::WriteBack { offset, len, .. } => {
                i64::try_from(offset.saturating_add(u64::from(*len))).is_ok()
            }
            Operation::Look { .. } | Operation::Open { .. } => true,
        };
        if !valid {
            return Some(io::ErrorKind::InvalidInput.into());
        }
        (self.in_flight() >= self.depth).then(|| io::ErrorKind::WouldBlock.into())
    }

    fn refuse(&mut self, token: u64, operation: Operation, error: io::Error) {
        let outcome = match operation {
            Operation::Read { mut buffer, .. } => {
                buffer.set_filled(0..0);
                Outcome::Moved { buffer, bytes: Err(error) }
            }
            Operation::Write { buffer, .. } => Outcome::Moved { buffer, bytes: Err(error) },
            Operation::WriteBack { .. } => Outcome::Begun(Err(error)),
            Operation::Look { .. } => Outcome::Looked(Err(BeneathError::Io(error))),
            Operation::Open { .. } => Outcome::Opened(Err(BeneathError::Io(error))),
        };
        self.refused.push_back(Done { token, outcome });
    }
}
