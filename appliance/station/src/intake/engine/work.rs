//! What there is to read, and who reads it.
//!
//! ```text
//!   files ─┬─ large: runs of shards or whole files, largest first ─▶ a stream each
//!          └─ small: in the order of the model                     ─▶ many at once
//! ```
//!
//! Largest first, so that the last thing to end is a small one. A run is a number of shards that
//! follow one another in one file: one shard where they are large.

use std::sync::atomic::{AtomicUsize, Ordering};

use oms_verify::statement::Method;

/// The largest file in bytes that is read with others in one go.
pub(super) const SMALL: u64 = 64 << 10;

/// Shards that are smaller than this are read in runs of about this many bytes.
const RUN: u64 = 4 << 20;

/// A part of a file that one stream reads from its first to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The file's number.
    pub(super) file: usize,
    /// The first byte.
    pub(super) start: u64,
    /// The byte after the last.
    pub(super) end: u64,
    /// The number of the file's other readers, where it has any.
    pub(super) shared: Option<usize>,
}

impl Item {
    /// Bytes.
    pub(super) fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// All that is to be read, and what of it nobody has taken yet.
#[derive(Debug)]
pub(super) struct Queue {
    large: Vec<Item>,
    small: Vec<usize>,
    /// How many runs each file has that has more than one.
    runs: Vec<usize>,
    next_large: AtomicUsize,
    next_small: AtomicUsize,
    unfinished: AtomicUsize,
}

impl Queue {
    /// The queue of the files `(number, size)`. In the order of the model where `in_order`: moving
    /// about costs more than anything else on some media.
    pub(super) fn new(
        files: impl Iterator<Item = (usize, u64)>,
        method: Method,
        in_order: bool,
    ) -> Queue {
        let (mut large, mut small, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for (file, size) in files {
            if size <= SMALL {
                small.push(file);
                continue;
            }
            let run = match method {
                Method::Files => size,
                Method::Shards { size } => run_of(size),
            };
            let shared = (run < size).then_some(runs.len());
            let mut start = 0u64;
            let mut parts = 0usize;
            while start < size {
                let end = start.saturating_add(run.max(1)).min(size);
                large.push(Item { file, start, end, shared });
                (start, parts) = (end, parts.saturating_add(1));
            }
            if shared.is_some() {
                runs.push(parts);
            }
        }
        if !in_order {
            // Stable: what is as large stays in its order.
            large.sort_by_key(|item| std::cmp::Reverse(item.len()));
        }
        let unfinished = AtomicUsize::new(large.len());
        let (next_large, next_small) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Queue { large, small, runs, next_large, next_small, unfinished }
    }

    /// The next item for a stream.
    pub(super) fn take_large(&self) -> Option<Item> {
        self.large.get(self.next_large.fetch_add(1, Ordering::Relaxed)).copied()
    }

    /// Whether there are items for streams that nobody has taken.
    pub(super) fn large_left(&self) -> bool {
        self.next_large.load(Ordering::Relaxed) < self.large.len()
    }

    /// The next small files, at most `most`.
    pub(super) fn take_small(&self, most: usize) -> &[usize] {
        let from = self.next_small.fetch_add(most, Ordering::Relaxed).min(self.small.len());
        let to = from.saturating_add(most).min(self.small.len());
        self.small.get(from..to).unwrap_or_default()
    }

    /// A stream has ended.
    pub(super) fn finished(&self) {
        self.unfinished.fetch_sub(1, Ordering::Relaxed);
    }

    /// The streams that one of `workers` may read at once without taking another's share.
    pub(super) fn fair_share(&self, workers: usize) -> usize {
        self.unfinished.load(Ordering::Relaxed).div_ceil(workers.max(1))
    }

    /// How many runs each file has that has more than one, by [`Item::shared`].
    pub(super) fn runs(&self) -> &[usize] {
        &self.runs
    }

    /// The items for streams.
    pub(super) fn large(&self) -> &[Item] {
        &self.large
    }

    /// How many small files there are.
    pub(super) fn small_files(&self) -> usize {
        self.small.len()
    }
}

/// The bytes of a run of shards of `size` bytes.
fn run_of(size: u64) -> u64 {
    if size == 0 {
        return RUN;
    }
    let shards = RUN.checked_div(size).unwrap_or(1).max(1);
    size.saturating_mul(shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(queue: &Queue) -> Vec<(usize, u64, u64)> {
        std::iter::from_fn(|| queue.take_large())
            .map(|item| (item.file, item.start, item.end))
            .collect()
    }

    #[test]
    fn the_largest_comes_first_and_small_files_keep_their_order() {
        let sizes = [5, SMALL + 1, 0, SMALL * 9, SMALL, SMALL + 1];
        let files = || sizes.into_iter().enumerate();
        let queue = Queue::new(files(), Method::Files, false);
        let expected = [(3, 0, SMALL * 9), (1, 0, SMALL + 1), (5, 0, SMALL + 1)];
        assert_eq!(ranges(&queue), expected);
        assert!(queue.large().iter().all(|item| item.shared.is_none()));
        assert_eq!(queue.take_small(2), [0, 2]);
        assert_eq!(queue.take_small(9), [4]);
        assert!(queue.take_small(9).is_empty());
        let in_order = Queue::new(files(), Method::Files, true);
        assert_eq!(ranges(&in_order).iter().map(|r| r.0).collect::<Vec<_>>(), [1, 3, 5]);
    }

    #[test]
    fn shards_are_read_one_by_one_or_in_runs_that_end_where_shards_end() {
        let queue =
            Queue::new([(7, 250 << 20)].into_iter(), Method::Shards { size: 100 << 20 }, false);
        let mib = |n: u64| n << 20;
        assert_eq!(
            ranges(&queue),
            [(7, 0, mib(100)), (7, mib(100), mib(200)), (7, mib(200), mib(250))]
        );
        assert_eq!(queue.runs(), [3]);
        let tiny = Queue::new([(0, RUN * 2)].into_iter(), Method::Shards { size: 1000 }, false);
        let runs = ranges(&tiny);
        assert_eq!(runs.len(), 3);
        assert!(runs.iter().all(|(_, start, _)| start % 1000 == 0));
    }

    #[test]
    fn the_fair_share_is_of_what_nobody_has_finished() {
        let queue = Queue::new((0..5).map(|file| (file, RUN)), Method::Files, false);
        assert_eq!(queue.fair_share(2), 3);
        assert!(queue.take_large().is_some());
        assert_eq!(queue.fair_share(2), 3);
        queue.finished();
        assert_eq!(queue.fair_share(2), 2);
    }
}
