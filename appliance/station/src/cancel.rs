//! Cancelling: a wish that whoever reads looks for, and that a signal can express.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oms_verify::reason::{Code, Reason};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A wish to end that its clones share. Once expressed it stays.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A wish that SIGINT and SIGTERM express from now on. The second signal has its default
    /// effect again: it ends the process at once.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> io::Result<Self> {
        let cancel = Cancel::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and raises it.
            flag::register_conditional_default(signal, Arc::clone(&cancel.0))?;
            flag::register(signal, Arc::clone(&cancel.0))?;
        }
        Ok(cancel)
    }

    /// Expresses the wish.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the wish was expressed.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
    }
}
