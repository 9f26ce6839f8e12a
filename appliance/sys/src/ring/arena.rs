//! The memory that a ring reads into and writes from: one anonymous mapping, cut into slots.
//!
//! ```text
//! Arena  | slot 0 | slot 1 | slot 2 | ...      pages are taken when they are first touched
//!            ^        ^        ^
//!         Buffer   Buffer   Buffer             one token for each slot, moved and never copied
//! ```
//!
//! A [`Buffer`] is the only way to its slot. Whoever starts an operation gives it away until the
//! operation is done, so safe code cannot look at memory that the kernel may be writing to.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use memmap2::{Advice, MmapMut, MmapRaw};

/// What a slot's size is a multiple of: enough for direct I/O on every device that has pages.
const PAGE: usize = 4096;

/// The mapping that every buffer of a ring lies in. It goes when the last of them is gone.
#[derive(Debug)]
pub(super) struct Arena {
    memory: MmapRaw,
    slot_bytes: usize,
}

impl Arena {
    /// Maps `slots` slots of at least `bytes` each, and gives the token of each.
    pub(super) fn new(slots: usize, bytes: usize) -> io::Result<(Arc<Arena>, Vec<Buffer>)> {
        let too_large = || io::Error::from(io::ErrorKind::InvalidInput);
        let slot_bytes = bytes.max(1).checked_next_multiple_of(PAGE).ok_or_else(too_large)?;
        // Operations carry lengths of 32 bits, and slots numbers of 16.
        if u32::try_from(slot_bytes).is_err() || u16::try_from(slots).is_err() {
            return Err(too_large());
        }
        let total = slot_bytes.checked_mul(slots.max(1)).ok_or_else(too_large)?;
        let memory = MmapMut::map_anon(total)?;
        // Both are wishes: a kernel without huge pages gives small ones, and a child of a fork has
        // no use for what the kernel writes here.
        let _ = memory.advise(Advice::HugePage);
        let _ = memory.advise(Advice::DontFork);
        let arena = Arc::new(Arena { memory: MmapRaw::from(memory), slot_bytes });
        let buffer = |slot| Buffer { arena: Arc::clone(&arena), slot, filled: 0..0 };
        let buffers = (0..slots).map(buffer).collect();
        Ok((arena, buffers))
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.memory.len().checked_div(self.slot_bytes).unwrap_or(0)
    }

    /// The first byte of a slot. Slots that do not exist are never asked for: numbers come from
    /// the tokens that [`Arena::new`] made.
    fn slot(&self, slot: usize) -> *mut u8 {
        self.memory.as_mut_ptr().wrapping_add(slot.saturating_mul(self.slot_bytes))
    }
}

/// The right to one slot of a ring's memory.
#[derive(Debug)]
pub struct Buffer {
    arena: Arc<Arena>,
    slot: usize,
    filled: Range<usize>,
}

impl Buffer {
    /// The bytes that it can hold.
    pub fn capacity(&self) -> usize {
        self.arena.slot_bytes
    }

    /// The bytes that the last read brought, or what was set by [`Buffer::set_filled`].
    pub fn filled(&self) -> &[u8] {
        self.bytes().get(self.filled.clone()).unwrap_or_default()
    }

    /// All bytes, filled or not. What was never written to is zero.
    pub fn bytes(&self) -> &[u8] {
        let first = self.first();
        // SAFETY: the slot lies in the mapping, which lives as long as `self.arena` and was zeroed
        // by the kernel. Its one token is borrowed here, so nothing writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(first, self.arena.slot_bytes) }
    }

    /// All bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let first = self.first();
        // SAFETY: as in `bytes`; the one token is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(first, self.arena.slot_bytes) }
    }

    /// The first byte, for the kernel.
    pub(super) fn first(&self) -> *mut u8 {
        self.arena.slot(self.slot)
    }

    /// Which slot of `arena` it is, if it is one.
    pub(super) fn slot_of(&self, arena: &Arc<Arena>) -> Option<u16> {
        let own = Arc::ptr_eq(&self.arena, arena);
        u16::try_from(self.slot).ok().filter(|_| own)
    }

    /// Says which bytes are meant by [`Buffer::filled`], and so what a write would write. A range
    /// that does not lie in the buffer makes it empty.
    pub fn set_filled(&mut self, range: Range<usize>) {
        let fits = range.start <= range.end && range.end <= self.capacity();
        self.filled = if fits { range } else { 0..0 };
    }

    /// Takes `bytes` away from the front of what is filled: the rest is what a short write left.
    pub fn skip(&mut self, bytes: usize) {
        self.filled.start = self.filled.start.saturating_add(bytes).min(self.filled.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_apart_zeroed_and_aligned() {
        let (_, mut buffers) = Arena::new(3, 5000).unwrap();
        assert!(buffers.iter().all(|b| b.capacity() == 8192 && b.bytes().iter().all(|x| *x == 0)));
        for (number, buffer) in (1..).zip(&mut buffers) {
            assert_eq!(buffer.bytes().as_ptr().align_offset(PAGE), 0);
            buffer.bytes_mut().fill(number);
        }
        for (number, buffer) in (1..).zip(&buffers) {
            assert!(buffer.bytes().iter().all(|byte| *byte == number));
        }
    }

    #[test]
    fn buffers_outlive_the_arena_that_made_them() {
        let (arena, mut buffers) = Arena::new(2, 1).unwrap();
        drop(arena);
        let mut last = buffers.pop().unwrap();
        drop(buffers);
        last.bytes_mut().fill(7);
        assert_eq!(last.bytes()[4095], 7);
    }

    #[test]
    fn what_is_filled_stays_within_the_buffer() {
        let (_, mut buffers) = Arena::new(1, 1).unwrap();
        let buffer = &mut buffers[0];
        buffer.set_filled(10..20);
        buffer.skip(4);
        assert_eq!(buffer.filled().len(), 6);
        buffer.skip(usize::MAX);
        assert!(buffer.filled().is_empty());
        buffer.set_filled(0..4097);
        assert!(buffer.filled().is_empty());
        buffer.set_filled(4096..4096);
        assert!(buffer.filled().is_empty());
    }

    #[test]
    fn sizes_that_no_operation_could_carry_are_refused() {
        for (slots, bytes) in [(1, usize::MAX), (1, 1 << 32), (1 << 16, 1)] {
            assert!(Arena::new(slots, bytes).is_err(), "{slots} of {bytes}");
        }
    }
}
