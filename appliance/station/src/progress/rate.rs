//! How fast something goes of late, and when it will be done.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back a rate looks: long enough to be steady, short enough to follow a device.
const WINDOW: Duration = Duration::from_secs(10);
/// What is kept of that time: a figure for each tenth of a second.
const MOST: usize = 100;

/// The bytes that had been read at some of the last moments.
#[derive(Debug)]
pub(super) struct Rate {
    moments: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// No byte at the beginning.
    pub(super) fn new() -> Self {
        Rate { moments: VecDeque::from([(Duration::ZERO, 0)]) }
    }

    /// Learns that `bytes` had been read `at` this time from the beginning.
    pub(super) fn learn(&mut self, at: Duration, bytes: u64) {
        self.moments.push_back((at, bytes));
        let is_old =
            |next: Option<&(Duration, u64)>| next.is_some_and(|(time, _)| *time + WINDOW <= at);
        while self.moments.len() > MOST || is_old(self.moments.get(1)) {
            self.moments.pop_front();
        }
    }

    /// Bytes a second, of late.
    pub(super) fn per_second(&self) -> u64 {
        let Some(((from, before), (to, after))) = self.moments.front().zip(self.moments.back())
        else {
            return 0;
        };
        let seconds = to.saturating_sub(*from).as_secs_f64();
        if seconds > 0.0 { (after.saturating_sub(*before) as f64 / seconds) as u64 } else { 0 }
    }

    /// Seconds for `bytes` more, rounded up; `None` when nothing was read of late.
    pub(super) fn seconds_for(&self, bytes: u64) -> Option<u64> {
        match self.per_second() {
            0 => (bytes == 0).then_some(0),
            rate => Some(bytes.div_ceil(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_looks_back_for_ten_seconds() {
        let mut rate = Rate::new();
        assert_eq!(
            (rate.per_second(), rate.seconds_for(1), rate.seconds_for(0)),
            (0, None, Some(0))
        );
        for second in 1..=20 {
            rate.learn(seconds(second), second * 1000);
        }
        assert_eq!((rate.per_second(), rate.seconds_for(1500)), (1000, Some(2)));
        // The device becomes ten times as fast: ten seconds later nothing else is known.
        for second in 21..=30 {
            rate.learn(seconds(second), 20_000 + (second - 20) * 10_000);
        }
        assert_eq!(rate.per_second(), 10_000);
        // It hangs.
        rate.learn(seconds(45), 120_000);
        assert_eq!((rate.per_second(), rate.seconds_for(1)), (0, None));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut rate = Rate::new();
        for tick in 0..10_000 {
            rate.learn(Duration::from_micros(tick), tick);
        }
        assert!(rate.moments.len() <= MOST);
    }
}
