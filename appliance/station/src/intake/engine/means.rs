//! The means of reading: what the settings give, fitted to what the files lie on.
//!
//! ```text
//!   settings, policy ──▶ Means ──┐
//!   carrier ──asked──▶ Ground ───┴─▶ Means
//!                       turns or is optical: one worker, one stream, in the order of the model
//!                       served by a program: threads, whatever the settings say
//! ```

use std::io;
use std::num::NonZero;
use std::time::Duration;

use oms_sys::device::{self, Ground, Medium};
use oms_sys::ring;
use oms_verify::reason::{Code, Reason};

use super::clone;
use crate::intake::attend::{Terms, attend};
use crate::intake::{Reader, Reading, Source};

/// What the size of a buffer is a multiple of.
const PAGE: usize = 4096;

/// The largest buffer in bytes, for a stream from what is in memory: several fit a core's cache.
const IN_CACHE: usize = 128 << 10;

/// The largest buffer in bytes, for what a disk brings: it is asked for more at once.
const FROM_DISK: usize = 1 << 20;

/// Buffers that a stream profits from.
const AHEAD: usize = 8;

/// The part of the machine's memory that copies may take in the page cache.
const SHARE: u64 = 4;

/// Why threads read what a program serves. io_uring takes such a file for one that it can wait for,
/// and does not get on: after a short answer the kernel asks for the rest at the old place (Linux
/// 6.18), and a thread with a read that is not answered cannot even end.
const SERVED: &str = "a program serves the carrier's file system (FUSE)";

/// The means of reading, as they are put to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// Which reader.
    pub(super) reader: ring::Reader,
    /// Why it is not the one that was asked for.
    pub(super) because: Option<&'static str>,
    /// Bytes of buffers of all workers.
    pub(super) memory: u64,
    /// Workers at most.
    pub(super) workers: usize,
    /// The largest buffer in bytes.
    pub(super) buffer: usize,
    /// Reads that may be repeated.
    pub(super) retries: u32,
    /// How long the carrier may give no answer.
    pub(super) stall: Duration,
    /// Past the page cache, where copies are made and the file systems let us.
    pub(super) direct: bool,
    /// Bytes of copies that go through the page cache all the same, and are read again from there.
    pub(super) cached: u64,
    /// What the files lie on.
    pub(super) medium: Medium,
    /// One stream at a time, in the order of the model: for media that move about to find a file.
    pub(super) in_order: bool,
    /// How copies are made that share the blocks of their source.
    pub(super) share: clone::How,
}

impl Means {
    /// The means that `reading` gives on this machine, with copies or without.
    pub(super) fn of(reading: &Reading<'_>, copies: bool) -> Self {
        let reader = match reading.settings.reader {
            Reader::Auto => ring::Reader::Auto,
            Reader::IoUring => ring::Reader::IoUring,
            Reader::Threads => ring::Reader::Threads,
        };
        Means {
            reader,
            because: None,
            memory: reading.settings.memory.bytes(),
            workers: std::thread::available_parallelism().map_or(1, NonZero::get),
            buffer: if copies { FROM_DISK } else { IN_CACHE },
            retries: reading.rules.retries,
            stall: reading.stall(),
            direct: copies,
            cached: if copies { memory_of_the_machine() / SHARE } else { 0 },
            medium: Medium::Unknown,
            in_order: false,
            share: clone::ficlone,
        }
    }

    /// The same, fitted to what the files lie on.
    pub(super) fn fitted_to(mut self, ground: Ground) -> Self {
        self.medium = ground.medium;
        if ground.medium.wants_one_stream() {
            // Large buffers, so that what is read ahead lasts while the head comes back.
            (self.in_order, self.workers, self.buffer) = (true, 1, FROM_DISK);
        }
        if ground.is_served && self.reader != ring::Reader::Threads {
            (self.reader, self.because) = (ring::Reader::Threads, Some(SERVED));
        }
        self
    }

    /// How many buffers each of `workers` has for `streams`, and of how many bytes.
    pub(super) fn buffers(&self, workers: usize, streams: usize) -> (usize, usize) {
        let own = self.memory.checked_div(workers as u64).unwrap_or(0);
        let own = usize::try_from(own).unwrap_or(usize::MAX).max(2 * PAGE);
        let fair = own.checked_div(streams.saturating_mul(2)).unwrap_or(own);
        let bytes = fair.min(self.buffer).max(PAGE) / PAGE * PAGE;
        let count = own.checked_div(bytes).unwrap_or(2).min(streams.saturating_mul(AHEAD)).max(2);
        (count, bytes)
    }
}

/// Bytes of memory that the machine has, used or not.
fn memory_of_the_machine() -> u64 {
    let told = rustix::system::sysinfo();
    told.totalram.saturating_mul(u64::from(told.mem_unit))
}

/// What the files of `source` lie on. All of them lie on one file system: no other is entered.
///
/// # Errors
/// When the carrier does not answer or cannot be read, or the operator cancels.
pub(super) fn ground_of(source: &Source, terms: Terms<'_>) -> Result<Ground, Reason> {
    let root = source.root();
    let unreadable = |error: io::Error| Reason::new(Code::MediaUnreadable, error.to_string());
    let looked = attend(vec![move |_: &_| device::under(&root).map_err(unreadable)], terms)?;
    let unknown = Ground { medium: Medium::Unknown, is_served: true };
    Ok(looked.first().copied().unwrap_or(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    fn means(reader: ring::Reader) -> Means {
        let progress = Progress::hidden();
        Means { reader, workers: 4, ..Means::of(&Reading::plain(&progress), false) }
    }

    #[test]
    fn what_turns_or_is_optical_is_read_by_one_stream_in_order() {
        for medium in [Medium::Rotational, Medium::Optical] {
            let plain = means(ring::Reader::Auto);
            let fitted = plain.fitted_to(Ground { medium, is_served: false });
            assert!(fitted.in_order && fitted.workers == 1 && fitted.medium == medium);
            assert_eq!((fitted.reader, fitted.because), (ring::Reader::Auto, None));
            let (count, bytes) = fitted.buffers(1, 1);
            assert!(count * bytes > 4 << 20, "it reads far ahead: {count} of {bytes}");
            assert!((count * bytes) as u64 <= fitted.memory);
        }
        let solid = Ground { medium: Medium::Solid, is_served: false };
        let fitted = means(ring::Reader::Auto).fitted_to(solid);
        assert!(!fitted.in_order && fitted.workers == 4);
    }

    #[test]
    fn threads_read_what_a_program_serves_and_say_why() {
        let served = Ground { medium: Medium::Solid, is_served: true };
        for reader in [ring::Reader::Auto, ring::Reader::IoUring] {
            let fitted = means(reader).fitted_to(served);
            assert_eq!((fitted.reader, fitted.because), (ring::Reader::Threads, Some(SERVED)));
        }
        let chosen = means(ring::Reader::Threads).fitted_to(served);
        assert_eq!((chosen.reader, chosen.because), (ring::Reader::Threads, None));
    }

    #[test]
    fn buffers_stay_within_the_memory_and_are_two_at_least() {
        let tight = Means { memory: 10_000, ..means(ring::Reader::Auto) };
        assert_eq!(tight.buffers(1, 16), (2, PAGE));
        let plain = means(ring::Reader::Auto);
        for (workers, streams) in [(1, 1), (2, 16), (64, 16)] {
            let (count, bytes) = plain.buffers(workers, streams);
            assert!((workers * count * bytes) as u64 <= plain.memory, "{workers} {streams}");
        }
    }
}
