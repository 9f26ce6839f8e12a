//! Threads at a carrier that can be given up on.
//!
//! A call on a file of a medium that has died may never return, and no thread can be made to return
//! from it. So whatever touches a carrier runs in threads of its own, which hold all that they use;
//! the thread that decides waits for them, and leaves them behind when one says nothing for too
//! long.
//!
//! ```text
//!   decides:  attend ──▶ every tick: pass progress on · cancelled? · does each of them still beat?
//!                ▲                       │
//!   results ─────┘                       ▼ stop    (silent: in a call to carrier or to spool?)
//!   threads:  work(&Pulse): beat … beat … count bytes … is_stopped? … result
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use oms_verify::reason::{Code, Reason};

use super::Reading;
use crate::progress::Progress;

/// How often the waiting thread looks at the others.
const TICK: Duration = Duration::from_millis(50);

/// How long the others have to come to an end after one of them failed or the operator cancelled.
const GRACE: Duration = Duration::from_secs(5);

/// What a thread and those who wait for it tell one another.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    /// Whether it is in a call to the spool, not to the carrier.
    in_spool: AtomicBool,
    common: Arc<Common>,
}

/// Whose answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// What is read.
    Carrier,
    /// The station's own disk, where copies go.
    Spool,
}

/// What all threads of one [`attend`] share.
#[derive(Debug, Default)]
struct Common {
    stopped: AtomicBool,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Pulse {
    /// Carrier or station answered.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Carrier or station answered; ends the work if nobody waits for it any more.
    ///
    /// # Errors
    /// [`Code::IntakeCancelled`], which nobody sees.
    pub(crate) fn go_on(&self) -> Result<(), Reason> {
        self.beat();
        match self.is_stopped() {
            true => Err(Reason::new(Code::IntakeCancelled, "other work failed")),
            false => Ok(()),
        }
    }

    /// Does what asks the spool: silence in there is not the carrier's.
    pub(super) fn in_spool<T>(&self, work: impl FnOnce() -> T) -> T {
        self.in_spool.store(true, Ordering::Relaxed);
        let given = work();
        self.in_spool.store(false, Ordering::Relaxed);
        self.beat();
        given
    }

    /// Bytes were read.
    pub(super) fn read(&self, bytes: u64) {
        self.common.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.beat();
    }

    /// Files were read to their end.
    pub(super) fn files_done(&self, files: u64) {
        self.common.files.fetch_add(files, Ordering::Relaxed);
    }

    /// Whether nobody waits for a result any more: end, and leave nothing behind.
    pub(crate) fn is_stopped(&self) -> bool {
        self.common.stopped.load(Ordering::Relaxed)
    }

    /// The pulse of a thread that nobody waits for any more.
    #[cfg(test)]
    pub(super) fn stopped() -> Pulse {
        let pulse = Pulse::default();
        pulse.common.stopped.store(true, Ordering::Relaxed);
        pulse
    }
}

/// How long threads are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// How long one may say nothing.
    pub(super) stall: Duration,
    /// Where they count, and where the operator cancels.
    pub(super) progress: &'a Progress,
}

/// One thread that is waited for.
struct Attended {
    /// Gone when the thread has dropped its own.
    pulse: Weak<Pulse>,
    beats: u64,
    since: Instant,
}

/// Runs `work`, which asks a carrier, in a thread of its own, on the terms of `reading`.
///
/// # Errors
/// The failure of `work`, and those of [`attend`].
pub(crate) fn alone<T, W>(reading: &Reading<'_>, work: W) -> Result<T, Reason>
where
    T: Send + 'static,
    W: FnOnce(&Pulse) -> Result<T, Reason> + Send + 'static,
{
    let terms = Terms { stall: reading.stall(), progress: reading.progress };
    let given = attend(vec![work], terms)?.pop();
    given.ok_or_else(|| Reason::new(Code::MediaUnreadable, "reading failed"))
}

/// Runs each of `works` in a thread of its own until all have ended, and gives what they give, in
/// their order. What they count goes to `progress`.
///
/// # Errors
/// The first failure of one of them; that the operator cancelled; or that one of them said nothing
/// for `stall`: it is left behind then, and must own all that it uses.
pub(super) fn attend<T, W>(works: Vec<W>, terms: Terms<'_>) -> Result<Vec<T>, Reason>
where
    T: Send + 'static,
    W: FnOnce(&Pulse) -> Result<T, Reason> + Send + 'static,
{
    let Terms { stall, progress } = terms;
    let common = Arc::new(Common::default());
    let (sender, results) = mpsc::channel();
    let mut attended = Vec::with_capacity(works.len());
    let mut given = Vec::with_capacity(works.len());
    for (number, work) in works.into_iter().enumerate() {
        let pulse = Arc::new(Pulse { common: Arc::clone(&common), ..Pulse::default() });
        let (weak, sender) = (Arc::downgrade(&pulse), sender.clone());
        let thread = thread::Builder::new().name(format!("intake {number}"));
        let thread = thread.spawn(move || {
            let result = work(&pulse);
            drop(pulse);
            // Nobody listens any more when this thread was given up on.
            let _ = sender.send((number, result));
        });
        // It is not joined: what it gives comes by the channel, after it has let go of all else.
        // And it may never end: the kernel lets no thread go that has a read of io_uring in a
        // carrier that is silent.
        let _detached = thread.map_err(|error| {
            common.stopped.store(true, Ordering::Relaxed);
            Reason::new(Code::IntakeResources, format!("starting a thread to read: {error}"))
        })?;
        attended.push(Attended { pulse: weak, beats: 0, since: Instant::now() });
        given.push(None);
    }
    drop(sender);
    let mut failure: Option<Reason> = None;
    let mut stopped: Option<Instant> = None;
    let mut passed = (0, 0);
    while given.iter().any(Option::is_none) {
        let message = results.recv_timeout(TICK);
        pass_on(&common, &mut passed, progress);
        match message {
            Ok((number, result)) => {
                let result = match result {
                    Ok(result) => Some(result),
                    Err(reason) => {
                        failure.get_or_insert(reason);
                        None
                    }
                };
                if let Some(place) = given.get_mut(number) {
                    *place = Some(result);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // A thread that ended without a word.
            Err(RecvTimeoutError::Disconnected) => {
                failure.get_or_insert_with(|| Reason::new(Code::MediaUnreadable, "reading failed"));
                break;
            }
        }
        let now = Instant::now();
        if failure.is_none() && progress.is_cancelled() {
            failure = Some(Reason::new(Code::IntakeCancelled, "the operator cancelled"));
        }
        if failure.is_some() {
            common.stopped.store(true, Ordering::Relaxed);
            if now.duration_since(*stopped.get_or_insert(now)) >= GRACE {
                break;
            }
        } else if let Some(asked) = attended.iter_mut().find_map(|one| one.silent(now, stall)) {
            common.stopped.store(true, Ordering::Relaxed);
            return Err(stalled(asked, stall, ""));
        }
    }
    match failure {
        Some(reason) => Err(reason),
        None => Ok(given.into_iter().flatten().flatten().collect()),
    }
}

/// A carrier or a spool that gave no answer for `stall`; `during` says what was asked of it.
pub(super) fn stalled(asked: Asked, stall: Duration, during: &str) -> Reason {
    let code = match asked {
        Asked::Carrier => Code::MediaStalled,
        Asked::Spool => Code::OutboundStalled,
    };
    Reason::new(code, format!("{during}no answer for {} s", stall.as_secs())).by_rule("media.stall")
}

/// Whether `reason` says that something does not answer: nothing is waited for any more.
pub(super) fn is_stall(reason: &Reason) -> bool {
    matches!(reason.code, Code::MediaStalled | Code::OutboundStalled)
}

fn pass_on(common: &Common, passed: &mut (u64, u64), progress: &Progress) {
    let bytes = common.bytes.load(Ordering::Relaxed);
    let files = common.files.load(Ordering::Relaxed);
    progress.advance(bytes.saturating_sub(passed.0));
    (passed.1..files).for_each(|_| progress.file_done());
    *passed = (bytes, files);
}

impl Attended {
    /// Who lets the thread wait, if it runs and has not said anything for `stall`.
    fn silent(&mut self, now: Instant, stall: Duration) -> Option<Asked> {
        let pulse = self.pulse.upgrade()?;
        let beats = pulse.beats.load(Ordering::Relaxed);
        if beats != self.beats {
            (self.beats, self.since) = (beats, now);
        }
        let asked = match pulse.in_spool.load(Ordering::Relaxed) {
            true => Asked::Spool,
            false => Asked::Carrier,
        };
        (now.duration_since(self.since) >= stall).then_some(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::progress::Display;

    type Work = Box<dyn FnOnce(&Pulse) -> Result<u32, Reason> + Send>;

    const LONG: Duration = Duration::from_secs(600);

    fn run(works: Vec<Work>, stall: Duration, progress: &Progress) -> Result<Vec<u32>, Code> {
        attend(works, Terms { stall, progress }).map_err(|reason| reason.code)
    }

    /// Works on until nobody waits for it.
    fn diligent() -> Work {
        Box::new(|pulse| {
            while !pulse.is_stopped() {
                pulse.read(1);
                thread::yield_now();
            }
            Ok(0)
        })
    }

    #[test]
    fn results_come_in_order_and_counts_arrive() {
        let progress = Progress::hidden();
        let works = (0..5).map(|number| -> Work {
            Box::new(move |pulse| {
                pulse.read(u64::from(number));
                pulse.files_done(1);
                Ok(number)
            })
        });
        assert_eq!(run(works.collect(), LONG, &progress).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!((progress.bytes(), progress.summary().files), (10, 5));
    }

    #[test]
    fn a_failure_ends_the_others() {
        let failing: Work = Box::new(|_| Err(Reason::new(Code::OutboundWrite, "full")));
        let works = vec![diligent(), failing, diligent()];
        assert_eq!(run(works, LONG, &Progress::hidden()), Err(Code::OutboundWrite));
    }

    #[test]
    fn who_says_nothing_is_left_behind_and_who_beats_is_not() {
        let (sender, forever) = mpsc::channel::<()>();
        let silent: Work = Box::new(move |_| {
            let _ = forever.recv();
            Ok(0)
        });
        let works = vec![diligent(), silent];
        let stall = Duration::from_millis(200);
        assert_eq!(run(works, stall, &Progress::hidden()), Err(Code::MediaStalled));
        drop(sender);
    }

    #[test]
    fn a_spool_that_does_not_answer_is_not_taken_for_the_carrier() {
        let (sender, forever) = mpsc::channel::<()>();
        let silent: Work = Box::new(move |pulse| {
            pulse.in_spool(|| ());
            pulse.in_spool(|| {
                let _ = forever.recv();
            });
            Ok(0)
        });
        let stall = Duration::from_millis(200);
        let works = vec![diligent(), silent];
        assert_eq!(run(works, stall, &Progress::hidden()), Err(Code::OutboundStalled));
        drop(sender);
        // After an answer, it is the carrier's turn again.
        let (sender, forever) = mpsc::channel::<()>();
        let silent: Work = Box::new(move |pulse| {
            pulse.in_spool(|| ());
            let _ = forever.recv();
            Ok(0)
        });
        assert_eq!(run(vec![silent], stall, &Progress::hidden()), Err(Code::MediaStalled));
        drop(sender);
    }

    /// Keeps its thread from ending until somebody lets it.
    struct Held(mpsc::Receiver<()>);

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    thread_local! {
        static HELD: std::cell::RefCell<Option<Held>> = const { std::cell::RefCell::new(None) };
    }

    #[test]
    fn a_thread_that_cannot_end_has_given_its_result_all_the_same() {
        let (let_go, held) = mpsc::channel::<()>();
        let stuck: Work = Box::new(move |_| {
            HELD.set(Some(Held(held)));
            Ok(7)
        });
        assert_eq!(run(vec![stuck], LONG, &Progress::hidden()).unwrap(), [7]);
        drop(let_go);
    }

    #[test]
    fn who_is_cancelled_ends() {
        let cancel = Cancel::default();
        let progress = Progress::new("", Display::None, &cancel);
        cancel.ask();
        assert_eq!(run(vec![diligent()], LONG, &progress), Err(Code::IntakeCancelled));
    }

    #[test]
    fn a_thread_that_ends_without_a_word_is_a_failure() {
        let broken: Work = Box::new(|_| panic!("a mistake of this program"));
        assert_eq!(run(vec![broken], LONG, &Progress::hidden()), Err(Code::MediaUnreadable));
    }
}
