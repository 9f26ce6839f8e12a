//! The reader for where io_uring is off: a few threads that wait in the kernel for us.
//!
//! ```text
//! start -> jobs -> thread: pread, pwrite, statx, openat2 -> done -> wait, reap
//! ```
//!
//! A thread is started when there is work that no idle thread can take, so that a ring that is
//! never used costs none.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Done, Operation, Outcome, Place};

/// Threads of one ring: as many reads as a device is asked for at once.
const THREADS: usize = 4;

/// The threads of a ring.
#[derive(Debug)]
pub(super) struct Threads {
    shared: Arc<Shared>,
    running: Vec<JoinHandle<()>>,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<(u64, Operation)>,
    done: VecDeque<Done>,
    idle: usize,
    closing: bool,
}

impl Shared {
    /// No job panics while it holds the lock, so what is behind a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Threads {
    pub(super) fn new() -> Self {
        Threads { shared: Arc::default(), running: Vec::new(), in_flight: 0 }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes an operation, or gives it back when there is no thread for it.
    pub(super) fn start(
        &mut self,
        token: u64,
        operation: Operation,
    ) -> Result<(), (Operation, std::io::Error)> {
        let mut state = self.shared.lock();
        if state.jobs.len() >= state.idle && self.running.len() < THREADS {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("oms-reader".into());
            match thread.spawn(move || serve(&shared)) {
                Ok(handle) => self.running.push(handle),
                Err(error) if self.running.is_empty() => return Err((operation, error)),
                // Those that run take the work, only later.
                Err(_) => {}
            }
        }
        state.jobs.push_back((token, operation));
        self.in_flight = self.in_flight.saturating_add(1);
        self.shared.work.notify_one();
        Ok(())
    }

    pub(super) fn reap(&mut self) -> Option<Done> {
        let done = self.shared.lock().done.pop_front();
        self.count(done)
    }

    /// Waits until something is done, at most until `deadline`. There must be something in flight.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Option<Done> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        while state.done.is_empty() {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            state = match left {
                Some(left) => {
                    let waited = shared.done.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => shared.done.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let done = state.done.pop_front();
        drop(state);
        self.count(done)
    }

    fn count(&mut self, done: Option<Done>) -> Option<Done> {
        self.in_flight = self.in_flight.saturating_sub(usize::from(done.is_some()));
        done
    }

    /// Lets the threads end by themselves, whenever the kernel lets them.
    pub(super) fn abandon(&mut self) {
        self.close();
        self.running.clear();
    }

    fn close(&self) {
        let mut state = self.shared.lock();
        state.closing = true;
        state.jobs.clear();
        self.shared.work.notify_all();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.close();
        for thread in self.running.drain(..) {
            // A thread that panicked has nothing in flight.
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        while let Some((token, operation)) = state.jobs.pop_front() {
            drop(state);
            let done = Done { token, outcome: carry_out(operation) };
            state = shared.lock();
            state.done.push_back(done);
            shared.done.notify_one();
        }
        if state.closing {
            return;
        }
        state.idle = state.idle.saturating_add(1);
        state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle = state.idle.saturating_sub(1);
    }
}

fn carry_out(operation: Operation) -> Outcome {
    match operation {
        Operation::Read { handle, offset, mut buffer, len, place: Place::Here | Place::Worker } => {
            buffer.set_filled(0..0);
            let room = buffer.bytes_mut().get_mut(..len).unwrap_or_default();
            let bytes = uninterrupted(|| handle.file().read_at(room, offset));
            buffer.set_filled(0..bytes.as_ref().copied().unwrap_or(0));
            Outcome::Moved { buffer, bytes }
        }
        Operation::Write { handle, offset, buffer } => {
            let bytes = uninterrupted(|| handle.file().write_at(buffer.filled(), offset));
            Outcome::Moved { buffer, bytes }
        }
        Operation::WriteBack { .. } => Outcome::Begun(Ok(())),
        Operation::Look { folder, name } => Outcome::Looked(folder.look(&name)),
        Operation::Open { folder, name, look } => Outcome::Opened(folder.open_seen(&name, &look)),
    }
}

fn uninterrupted(mut call: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
