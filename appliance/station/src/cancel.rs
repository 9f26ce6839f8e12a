//! Cancelling: a wish that whoever reads looks for, and that a signal can express.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use oms_sys::signal;
use oms_verify::reason::{Code, Reason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// A wish to end that its clones share. Once expressed it stays. Who works looks for it again and
/// again, which is a sign of life.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    asked: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
}

impl Cancel {
    /// A wish that SIGINT, SIGTERM and SIGHUP express from now on; SIGHUP not where it is ignored
    /// already, as it is by `nohup`. The second signal has its default effect again: it ends the
    /// process at once.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> io::Result<Self> {
        let cancel = Cancel::default();
        let hangup = Some(SIGHUP).filter(|_| !signal::hangup_is_ignored());
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
            // In this order: the first signal finds the flag down and raises it.
            flag::register_conditional_default(signal, Arc::clone(&cancel.asked))?;
            flag::register(signal, Arc::clone(&cancel.asked))?;
        }
        Ok(cancel)
    }

    /// The same wish, for somebody whose looks are counted apart.
    pub fn apart(&self) -> Self {
        Cancel { asked: Arc::clone(&self.asked), looks: Arc::default() }
    }

    /// Expresses the wish.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether the wish was expressed.
    pub fn is_asked(&self) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed)
    }

    /// How often somebody has looked for it: as long as this grows, somebody works.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Ends the caller's work if the wish was expressed.
    ///
    /// # Errors
    /// [`Code::IntakeCancelled`].
    pub fn check(&self) -> Result<(), Reason> {
        if self.is_asked() { Err(cancelled()) } else { Ok(()) }
    }
}

fn cancelled() -> Reason {
    Reason::new(Code::IntakeCancelled, "it was asked to end before the decision")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_reaches_every_clone_and_ends_work_without_a_decision() {
        let (one, other) = (Cancel::default(), Cancel::default());
        let clone = one.clone();
        assert_eq!(clone.check(), Ok(()));
        one.ask();
        assert_eq!(clone.check().unwrap_err().code, Code::IntakeCancelled);
        assert!(!other.is_asked());
        assert_eq!((one.looks(), clone.looks(), other.looks()), (2, 2, 1));
        let apart = one.apart();
        assert!(apart.is_asked());
        assert_eq!((one.looks(), apart.looks()), (2, 1));
    }
}
