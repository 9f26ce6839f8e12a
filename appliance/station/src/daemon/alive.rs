//! Whether the serving thread and its lanes are alive: whatever they do or wait for, they look again
//! and again whether they are to end.

use std::thread::ScopedJoinHandle;
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

/// Threads that each work under a [`Cancel`] of their own.
#[derive(Debug, Default)]
pub(super) struct Crew<'scope>(Vec<(Alive, ScopedJoinHandle<'scope, ()>)>);

impl<'scope> Crew<'scope> {
    /// One more, which begins to work under `cancel`.
    pub(super) fn add(&mut self, cancel: Cancel, thread: ScopedJoinHandle<'scope, ()>) {
        self.0.push((Alive::of(cancel), thread));
    }

    /// Whether anybody still works.
    pub(super) fn is_at_work(&self) -> bool {
        self.0.iter().any(|(_, thread)| !thread.is_finished())
    }

    /// Whether all who still work are alive. Who has ended need not be.
    pub(super) fn is_alive(&mut self) -> bool {
        self.0.retain(|(_, thread)| !thread.is_finished());
        self.0.iter_mut().all(|(alive, _)| alive.is_so())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_crew_is_at_work_and_alive_until_the_last_has_ended() {
        std::thread::scope(|scope| {
            let mut crew = Crew::default();
            let ends = [(); 2].map(|()| {
                let (end, wait) = channel::<()>();
                crew.add(Cancel::default(), scope.spawn(move || wait.recv().unwrap_or(())));
                end
            });
            let [first, last] = ends;
            drop(first);
            while crew.0.len() == 2 {
                assert!(crew.is_alive());
            }
            assert!(crew.is_at_work());
            let long_ago = Instant::now().checked_sub(SILENCE * 2).unwrap();
            crew.0[0].0.since = long_ago;
            assert!(!crew.is_alive(), "one is stuck");
            drop(last);
            while crew.is_at_work() {
                std::thread::yield_now();
            }
            assert!(crew.is_alive(), "nobody is there to be stuck");
        });
    }

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
