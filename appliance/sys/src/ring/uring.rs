//! The reader on io_uring.
//!
//! ```text
//! start -> submission queue -> io_uring_enter -> kernel -> completion queue -> reap, wait
//!             |                                                 |
//!             +---- flights: buffer, file and names of what is in flight, by number
//! ```
//!
//! The ring can do what [`setup`](super::setup) left it: read, write, write back, look, open, cancel. What the
//! kernel may touch is owned by a [`Flight`] until its completion was taken. A file that is used
//! often moves into the table of fixed files, and a buffer that is used often is registered, so
//! that the kernel looks up neither at each operation.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, OpenHow, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use memmap2::{MmapMut, MmapRaw};
use rustix::fs::{OFlags, Statx, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::arena::{Arena, Buffer};
use super::file::{Detached, FixedFile, Handle, Shared};
use super::setup::{Tables, set_up};
use super::{Done, NoUring, Operation, Outcome, Place, Registration};
use crate::beneath::{BeneathError, LOOK, LOOK_AT, Look, OPEN, RESOLVE, opened};

/// How the kernel opens what was looked at.
static HOW: OpenHow = OpenHow::new().flags(OPEN.bits() as u64).resolve(RESOLVE.bits());

/// What the completion of a cancellation is called: no flight has this number.
const CANCELLATION: u64 = u64::MAX;

/// After so many operations a file or a buffer is made known to the kernel.
const OFTEN: u32 = 4;

/// A ring of the kernel, and all that it may touch.
pub(super) struct Uring {
    ring: IoUring,
    flights: Vec<Option<Flight>>,
    free: Vec<usize>,
    /// A record for each flight, which a look is written to.
    records: Arc<MmapRaw>,
    arena: Arc<Arena>,
    buffers: Buffers,
    files: Files,
}

/// Something in flight: owns what the kernel may touch.
#[derive(Debug)]
struct Flight {
    token: u64,
    operation: Operation,
}

/// The buffers that the kernel knows.
#[derive(Debug)]
struct Buffers {
    /// How often each was used.
    uses: Vec<u32>,
    registered: usize,
    /// Why no more are registered.
    refused: Option<io::Error>,
}

/// The table of fixed files.
#[derive(Debug)]
struct Files {
    free: Vec<u32>,
    detached: Arc<Detached>,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("flights", &self.flights).finish_non_exhaustive()
    }
}

impl Uring {
    /// A ring for `depth` operations at once on the buffers of `arena`.
    pub(super) fn new(depth: usize, arena: &Arc<Arena>) -> Result<Self, NoUring> {
        let (ring, tables) = set_up(depth, arena.slots())?;
        let Tables { files, no_buffers: refused } = tables;
        let records = depth.saturating_mul(size_of::<Statx>());
        let records = MmapMut::map_anon(records).map_err(NoUring::Failed)?;
        Ok(Uring {
            ring,
            flights: std::iter::repeat_with(|| None).take(depth).collect(),
            free: (0..depth).rev().collect(),
            records: Arc::new(MmapRaw::from(records)),
            arena: Arc::clone(arena),
            buffers: Buffers { uses: vec![0; arena.slots()], registered: 0, refused },
            files: Files { free: (0..files).collect(), detached: Arc::default() },
        })
    }

    pub(super) fn registration(&self) -> Registration<'_> {
        match &self.buffers.refused {
            Some(error) => Registration::Refused(error),
            None if self.buffers.registered == 0 => Registration::None,
            None => Registration::Buffers(self.buffers.registered),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len().saturating_sub(self.free.len())
    }

    /// A regular file is opened so that it cannot block the opening. With this flag left on,
    /// io_uring would read without a worker of the kernel on file systems that can only wait, and
    /// so wait in the submission.
    pub(super) fn attach(&self, shared: Shared) -> Handle {
        let file = &shared.0;
        // A file that cannot say or take its flags tells so when it is read.
        if let Ok(flags) = fcntl_getfl(file)
            && flags.contains(OFlags::NONBLOCK)
        {
            let _ = fcntl_setfl(file, flags.difference(OFlags::NONBLOCK));
        }
        Handle::new(shared)
    }

    /// Queues an operation, or gives it back when there is no place for it.
    pub(super) fn start(
        &mut self,
        token: u64,
        operation: Operation,
    ) -> Result<(), (Operation, io::Error)> {
        let Some(number) = self.free.pop() else {
            return Err((operation, io::ErrorKind::WouldBlock.into()));
        };
        match self.queue(number, Flight { token, operation }) {
            Ok(()) => Ok(()),
            Err(flight) => {
                self.free.push(number);
                Err((flight.operation, io::ErrorKind::WouldBlock.into()))
            }
        }
    }

    /// Gives what has ended, if anything has, after handing over what was queued.
    pub(super) fn reap(&mut self) -> Option<Done> {
        if let Some(done) = self.next() {
            return Some(done);
        }
        if self.in_flight() == 0 && self.ring.submission().is_empty() {
            return None;
        }
        // A submission that fails now is told by the wait that comes after.
        let _ = self.submit();
        self.next()
    }

    /// Waits until something is done, at most until `deadline`. There must be something in flight.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Done>> {
        loop {
            if let Some(done) = self.next() {
                return Ok(Some(done));
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            self.let_go_of_files();
            let entered = match left.map(Timespec::from) {
                Some(left) => {
                    self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&left))
                }
                None => self.ring.submit_and_wait(1),
            };
            match entered.map_err(|error| (Errno::from_io_error(&error), error)) {
                Ok(_) | Err((Some(Errno::TIME | Errno::INTR), _)) => {}
                Err((_, error)) => return Err(error),
            }
        }
    }

    /// Leaves what the kernel may touch where it is, for ever.
    pub(super) fn abandon(&mut self) {
        std::mem::forget(std::mem::take(&mut self.flights));
        std::mem::forget(Arc::clone(&self.records));
        self.free.clear();
    }

    /// The next completion that is one of a flight.
    fn next(&mut self) -> Option<Done> {
        loop {
            let entry = self.ring.completion().next()?;
            if let Some(done) = self.complete(&entry) {
                return Some(done);
            }
        }
    }

    fn complete(&mut self, entry: &cqueue::Entry) -> Option<Done> {
        let number = usize::try_from(entry.user_data()).ok()?;
        let mut flight = self.flights.get_mut(number)?.take()?;
        if flight.operation.is_to_be_repeated(entry.result()) {
            match self.queue(number, flight) {
                Ok(()) => return None,
                Err(back) => flight = back,
            }
        }
        self.free.push(number);
        let outcome = self.outcome(number, flight.operation, entry.result());
        Some(Done { token: flight.token, outcome })
    }

    /// What became of an operation whose completion says `result`.
    fn outcome(&self, number: usize, operation: Operation, result: i32) -> Outcome {
        let moved = usize::try_from(result).map_err(|_| error(result));
        match operation {
            Operation::Read { mut buffer, .. } => {
                buffer.set_filled(0..moved.as_ref().copied().unwrap_or(0));
                Outcome::Moved { buffer, bytes: moved }
            }
            Operation::Write { buffer, .. } => Outcome::Moved { buffer, bytes: moved },
            Operation::WriteBack { .. } => Outcome::Begun(moved.map(|_| ())),
            Operation::Look { folder, name } => {
                let seen = match moved {
                    // SAFETY: the record lies in the mapping, aligned to its size, and every bit
                    // pattern is a `Statx`. The kernel is done with it.
                    Ok(_) => Ok(unsafe { self.record(number).read() }),
                    Err(error) => Err(BeneathError::of_call(error)),
                };
                Outcome::Looked(seen.and_then(|seen| {
                    Look::of(&seen).unwrap_or_else(|| folder.look_by_opening(&name))
                }))
            }
            Operation::Open { folder, name, look } => Outcome::Opened(match moved {
                Ok(_) => {
                    // SAFETY: the kernel has just made this descriptor for us, and nobody else
                    // was told its number.
                    let file = unsafe { OwnedFd::from_raw_fd(result) };
                    opened(file, &look)
                }
                // A resolution that raced with a rename elsewhere: the plain call tries again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    folder.open_seen(&name, &look)
                }
                Err(error) => Err(BeneathError::of_call(error)),
            }),
        }
    }

    /// Puts a flight into the submission queue and the table, or gives it back.
    fn queue(&mut self, number: usize, flight: Flight) -> Result<(), Flight> {
        let entry = self.entry(number, &flight.operation).user_data(number as u64);
        let Some(place) = self.flights.get_mut(number) else { return Err(flight) };
        // SAFETY: everything that the entry points to is owned by the flight (its buffer's slot,
        // its file, its folder, its name) or by `records`; the flight stays in the table until its
        // completion was taken, and what is in the table is leaked rather than freed before that.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        if pushed.is_err() {
            return Err(flight);
        }
        *place = Some(flight);
        Ok(())
    }

    fn entry(&mut self, number: usize, operation: &Operation) -> Entry {
        match operation {
            Operation::Read { handle, offset, buffer, len, place } => {
                // The length is at most the buffer's, which fits.
                let (first, len) = (buffer.first(), u32::try_from(*len).unwrap_or(0));
                let (file, flags) = self.target(handle);
                let entry = match self.fixed_buffer(buffer) {
                    Some(slot) => {
                        opcode::ReadFixed::new(file, first, len, slot).offset(*offset).build()
                    }
                    None => opcode::Read::new(file, first, len).offset(*offset).build(),
                };
                entry.flags(match place {
                    Place::Here => flags,
                    Place::Worker => flags | Flags::ASYNC,
                })
            }
            Operation::Write { handle, offset, buffer } => {
                let bytes = buffer.filled();
                let (first, len) = (bytes.as_ptr(), u32::try_from(bytes.len()).unwrap_or(0));
                let (file, flags) = self.target(handle);
                let entry = match self.fixed_buffer(buffer) {
                    Some(slot) => {
                        opcode::WriteFixed::new(file, first, len, slot).offset(*offset).build()
                    }
                    None => opcode::Write::new(file, first, len).offset(*offset).build(),
                };
                entry.flags(flags)
            }
            Operation::WriteBack { handle, offset, len } => {
                let (file, flags) = self.target(handle);
                let entry = opcode::SyncFileRange::new(file, *len).offset(*offset);
                entry.flags(libc::SYNC_FILE_RANGE_WRITE).build().flags(flags)
            }
            Operation::Look { folder, name } => {
                let record = self.record(number);
                opcode::Statx::new(Fd(folder.as_raw_fd()), name.as_c_str().as_ptr(), record.cast())
                    .flags(LOOK_AT.bits().cast_signed())
                    .mask(LOOK.bits())
                    .build()
            }
            Operation::Open { folder, name, .. } => opcode::OpenAt2::new(
                Fd(folder.as_raw_fd()),
                name.as_c_str().as_ptr(),
                &raw const HOW,
            )
            .build(),
        }
    }

    /// The record of a flight. Numbers come from `free`, so it lies in the mapping.
    fn record(&self, number: usize) -> *mut Statx {
        self.records.as_mut_ptr().cast::<Statx>().wrapping_add(number)
    }

    fn submit(&mut self) -> io::Result<usize> {
        self.let_go_of_files();
        self.ring.submit()
    }

    /// The kernel's number of a buffer of this ring that is used often.
    fn fixed_buffer(&mut self, buffer: &Buffer) -> Option<u16> {
        let slot = buffer.slot_of(&self.arena)?;
        let uses = self.buffers.uses.get_mut(usize::from(slot))?;
        if *uses < OFTEN {
            *uses = uses.saturating_add(1);
            return None;
        }
        if *uses == OFTEN && self.buffers.refused.is_none() {
            let memory =
                [libc::iovec { iov_base: buffer.first().cast(), iov_len: buffer.capacity() }];
            // SAFETY: the slot is mapped until the arena goes, and the kernel keeps its pages
            // itself while they are registered.
            let registered = unsafe {
                self.ring.submitter().register_buffers_update(u32::from(slot), &memory, None)
            };
            match registered {
                Ok(()) => {
                    *uses = uses.saturating_add(1);
                    self.buffers.registered = self.buffers.registered.saturating_add(1);
                }
                Err(error) => self.buffers.refused = Some(error),
            }
        }
        (*uses > OFTEN).then_some(slot)
    }

    /// How the kernel is told which file: by its place in the table if it is used often.
    fn target(&mut self, handle: &Handle) -> (Fd, Flags) {
        match self.fixed_file(handle).and_then(|place| i32::try_from(place).ok()) {
            Some(place) => (Fd(place), Flags::FIXED_FILE),
            None => (Fd(handle.file().as_raw_fd()), Flags::empty()),
        }
    }

    fn fixed_file(&mut self, handle: &Handle) -> Option<u32> {
        if let Some(fixed) = handle.fixed_file() {
            return fixed.is_of(&self.files.detached).then_some(fixed.place());
        }
        if handle.count_use() < OFTEN {
            return None;
        }
        let place = self.files.free.pop()?;
        let descriptor = handle.file().as_raw_fd();
        if self.ring.submitter().register_files_update(place, &[descriptor]).is_err() {
            self.files.free.push(place);
            return None;
        }
        handle.fix(FixedFile::new(place, Arc::clone(&self.files.detached)));
        // Another ring may have been quicker: then this place is given up again.
        handle.fixed_file().filter(|fixed| fixed.is_of(&self.files.detached)).map(FixedFile::place)
    }

    /// Takes files out of the table whose handles are gone.
    fn let_go_of_files(&mut self) {
        for place in self.files.detached.take() {
            if self.ring.submitter().register_files_update(place, &[-1]).is_ok() {
                self.files.free.push(place);
            }
        }
    }

    /// Cancels what is in flight and waits for the end of all of it.
    fn drain(&mut self) -> io::Result<()> {
        let submitted = |outcome: io::Result<usize>| match outcome {
            Err(error) if Errno::from_io_error(&error) != Some(Errno::INTR) => Err(error),
            _ => Ok(()),
        };
        while !self.ring.submission().is_empty() {
            submitted(self.ring.submit())?;
        }
        for number in 0..self.flights.len() {
            if self.flights.get(number).is_some_and(Option::is_some) {
                let cancel = opcode::AsyncCancel::new(number as u64).build();
                let cancel = cancel.user_data(CANCELLATION);
                // SAFETY: a cancellation points to nothing.
                let _ = unsafe { self.ring.submission().push(&cancel) };
            }
        }
        loop {
            loop {
                let entry = self.ring.completion().next();
                let Some(entry) = entry else { break };
                let number = usize::try_from(entry.user_data()).unwrap_or(usize::MAX);
                if let Some(flight) = self.flights.get_mut(number).and_then(Option::take) {
                    // Closes what was opened after all.
                    drop(self.outcome(number, flight.operation, entry.result()));
                    self.free.push(number);
                }
            }
            if self.flights.iter().all(Option::is_none) {
                return Ok(());
            }
            submitted(self.ring.submit_and_wait(1))?;
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        if self.flights.iter().any(Option::is_some) && self.drain().is_err() {
            self.abandon();
        }
    }
}

impl Operation {
    /// Whether a completion only says that the kernel was disturbed, or that it would have had to
    /// wait where it must not: then it waits elsewhere.
    fn is_to_be_repeated(&mut self, result: i32) -> bool {
        let is = |errno: Errno| result == errno.raw_os_error().saturating_neg();
        match self {
            _ if is(Errno::INTR) => true,
            Operation::Read { place: place @ Place::Here, .. } if is(Errno::AGAIN) => {
                *place = Place::Worker;
                true
            }
            _ => false,
        }
    }
}

fn error(result: i32) -> io::Error {
    io::Error::from_raw_os_error(result.saturating_neg())
}
