//! Whether the serving thread is alive: whatever it does or waits for, it looks again and again
//! whether it is to end.

use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// How long it may not have looked: the sync of a large model to a slow disk, or a signature of a
/// slow HSM, takes minutes.
const SILENCE: Duration = Duration::from_secs(600);

/// Watches a thread that works under a [`Cancel`].
#[derive(Debug)]
pub(super) struct Alive {
    cancel: Cancel,
    looks: u64,
    since: Instant,
}

impl Alive {
    pub(super) fn of(cancel: Cancel) -> Self {
        Alive { looks: cancel.looks(), cancel, since: Instant::now() }
    }

    /// Whether it has looked of late.
    pub(super) fn is_so(&mut self) -> bool {
        self.is_so_at(Instant::now())
    }

    fn is_so_at(&mut self, now: Instant) -> bool {
        let looks = self.cancel.looks();
        if looks != self.looks {
            (self.looks, self.since) = (looks, now);
        }
        now.saturating_duration_since(self.since) < SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_look_any_more_is_not_alive() {
        let cancel = Cancel::default();
        let mut alive = Alive::of(cancel.clone());
        let now = Instant::now();
        assert!(alive.is_so_at(now + SILENCE / 2));
        assert!(!alive.is_so_at(now + SILENCE * 2));
        let _ = cancel.is_asked();
        assert!(alive.is_so_at(now + SILENCE * 2));
        assert!(!alive.is_so_at(now + SILENCE * 4));
    }
}
