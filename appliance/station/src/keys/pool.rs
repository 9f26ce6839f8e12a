//! The sessions of one key.
//!
//! A session serves one thread at a time. Those that are free wait here; one in which anything
//! failed is closed and never used again.

use std::sync::{Condvar, Mutex, PoisonError};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::module::lock;

/// A logged-in session, and the key in it.
pub(super) struct Seat {
    pub(super) session: Session,
    pub(super) object: ObjectHandle,
}

/// The sessions of one key, at most so many.
pub(super) struct Pool {
    most: usize,
    seats: Mutex<Seats>,
    freed: Condvar,
}

#[derive(Default)]
struct Seats {
    free: Vec<Seat>,
    /// How many are in use or being opened.
    taken: usize,
}

/// The right to use one session. It is given up when this is dropped.
pub(super) struct Place<'a>(&'a Pool);

impl Pool {
    /// A pool of at most `most` sessions, one at least, `first` being the first.
    pub(super) fn new(most: usize, first: Seat) -> Self {
        let seats = Seats { free: vec![first], taken: 0 };
        Pool { most: most.max(1), seats: Mutex::new(seats), freed: Condvar::new() }
    }

    /// A free session, or one that `open` opens; waits while all are in use.
    pub(super) fn take<E>(
        &self,
        open: impl FnOnce() -> Result<Seat, E>,
    ) -> Result<(Place<'_>, Seat), E> {
        let mut seats = lock(&self.seats);
        while seats.free.is_empty() && seats.taken >= self.most {
            seats = self.freed.wait(seats).unwrap_or_else(PoisonError::into_inner);
        }
        seats.taken = seats.taken.saturating_add(1);
        let free = seats.free.pop();
        drop(seats);
        let place = Place(self);
        let seat = free.map_or_else(open, Ok)?;
        Ok((place, seat))
    }

    /// Closes the sessions that are free.
    pub(super) fn clear(&self) {
        lock(&self.seats).free.clear();
    }
}

impl Place<'_> {
    /// Nothing failed in the session: the next one may have it.
    pub(super) fn keep(self, seat: Seat) {
        lock(&self.0.seats).free.push(seat);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut seats = lock(&self.0.seats);
        seats.taken = seats.taken.saturating_sub(1);
        drop(seats);
        self.0.freed.notify_one();
    }
}
