//! Who is hashed in which lane, and for how long.
//!
//! ```text
//!   waiting, shortest to longest          lane 0   ████████████████████
//!   ┌──┬───┬────┬─────┬───────┐           lane 1   █████████████│█████      │: refilled
//!   │  │   │    │     │       │ ── pop ─▶ lane 2   ██████████│████████
//!   └──┴───┴────┴─────┴───────┘           call     1         2  3     4
//! ```
//!
//! A call of a kernel goes as far as the first lane that ends, and an ended lane gets the next work
//! at once. When too few lanes are left for a kernel to pay, a narrower one takes over what is left.

use super::kernels::{Entry, Kernels};
use super::stream::INITIAL;
use super::{Block, Value};

/// Blocks for one stream, in two parts: what was pending, and what came after it.
pub(super) struct Work<'a> {
    /// Where the stream is, and where it is left.
    pub(super) value: &'a mut Value,
    /// What it absorbs first.
    pub(super) head: &'a [Block],
    /// What it absorbs then.
    pub(super) rest: &'a [Block],
}

impl<'a> Work<'a> {
    fn left(&self) -> usize {
        self.head.len() + self.rest.len()
    }

    /// The blocks that are in one piece.
    fn piece(&self) -> &'a [Block] {
        if self.head.is_empty() { self.rest } else { self.head }
    }

    /// Leaves out `count` blocks of the piece.
    fn advance(&mut self, count: usize) {
        let piece = if self.head.is_empty() { &mut self.rest } else { &mut self.head };
        *piece = piece.get(count..).unwrap_or_default();
    }
}

/// Absorbs all blocks of all streams.
pub(super) fn run(kernels: &Kernels, work: Vec<Work<'_>>) {
    let mut waiting = work;
    waiting.retain(|work| work.left() > 0);
    // The longest last, where it is taken first: a long one that began late would end alone.
    waiting.sort_by_key(Work::left);

    wide(kernels.avx512, &mut waiting);
    wide(kernels.avx2, &mut waiting);
    wide(kernels.sha_ni, &mut waiting);
    for work in waiting {
        for piece in [work.head, work.rest].into_iter().filter(|piece| !piece.is_empty()) {
            (kernels.single)(work.value, piece);
        }
    }
}

/// Runs a kernel as long as it pays, and leaves in `waiting` what is not done then.
fn wide<const N: usize>(entry: Option<Entry<N>>, waiting: &mut Vec<Work<'_>>) {
    let Some(Entry { run, from }) = entry else { return };
    if waiting.len() < from {
        return;
    }
    let mut lanes: [Option<Work<'_>>; N] = std::array::from_fn(|_| None);
    let mut values = [INITIAL; N];
    loop {
        for (lane, value) in lanes.iter_mut().zip(&mut values) {
            if lane.is_none() {
                *lane = waiting.pop();
                if let Some(work) = lane {
                    *value = *work.value;
                }
            }
        }
        let active = || lanes.iter().flatten();
        if active().count() < from.max(1) {
            break;
        }
        let count = active().map(|work| work.piece().len()).min().unwrap_or_default();
        // A lane without work reads what another one reads; what comes of it is never looked at.
        let idle = active().next().map(Work::piece).unwrap_or_default();
        let streams = lanes.each_ref().map(|lane| {
            let piece = lane.as_ref().map_or(idle, Work::piece);
            piece.get(..count).unwrap_or_default()
        });
        run(&mut values, &streams);
        for (lane, value) in lanes.iter_mut().zip(&values) {
            if let Some(work) = lane {
                work.advance(count);
                if work.left() == 0 {
                    *work.value = *value;
                    *lane = None;
                }
            }
        }
    }
    for (work, value) in
        lanes.into_iter().zip(values).filter_map(|(lane, value)| Some((lane?, value)))
    {
        *work.value = value;
        waiting.push(work);
    }
    waiting.sort_by_key(Work::left);
}
