//! Progress: what was read of what is to be read, for people and programs that wait.
//!
//! ```text
//!  workers ──expect, advance, file_done, retried──▶ Progress ──▶ bar on a terminal
//!          ◀──────────── is_cancelled ────────────           └─▶ Summary, for documents
//! ```

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oms_verify::reason::{Printable, Reason};

use crate::cancel::Cancel;

/// Counts what is read of one model, shows it where that is asked for, and carries the wish to end.
/// Counting takes no lock: every worker may do so at every read.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    cancel: Cancel,
    counts: Counts,
    engine: OnceLock<Engine>,
    begun: OnceLock<Instant>,
    ended: OnceLock<Instant>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    files: AtomicU64,
    total_bytes: AtomicU64,
    total_files: AtomicU64,
    retries: AtomicU32,
}

/// How the files of a model are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// What reads: `io-uring` or `threads`.
    pub reader: &'static str,
    /// Why it is that one.
    pub because: String,
    /// What hashes, for people: the kernels in the order in which they are preferred.
    pub kernels: Vec<String>,
    /// Whether files are read past the page cache.
    pub direct: bool,
    /// How many workers share the files.
    pub workers: usize,
}

/// What was read of one model, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Bytes that were read.
    pub bytes: u64,
    /// Files that were read to their end.
    pub files: u64,
    /// Reads that failed and were repeated.
    pub retries: u32,
    /// How long it took, from the first to the last file.
    pub took: Duration,
    /// How they were read; `None` when nothing was.
    pub engine: Option<Engine>,
}

impl Progress {
    /// A bar with this label, if standard error is a terminal.
    pub fn visible(label: &str, cancel: &Cancel) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let template = "{msg}: {bytes} read, {binary_bytes_per_sec}, {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(Printable(label).to_string());
        Progress::new(bar, cancel)
    }

    /// Counts and shows nothing, and is never cancelled.
    pub fn hidden() -> Self {
        Progress::new(ProgressBar::hidden(), &Cancel::default())
    }

    /// Counts and shows nothing, and is cancelled with `cancel`.
    pub fn quiet(cancel: &Cancel) -> Self {
        Progress::new(ProgressBar::hidden(), cancel)
    }

    fn new(bar: ProgressBar, cancel: &Cancel) -> Self {
        Progress {
            bar,
            cancel: cancel.clone(),
            counts: Counts::default(),
            engine: OnceLock::new(),
            begun: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    /// Adds to what is to be read. The first call starts the clock.
    pub fn expect(&self, bytes: u64, files: u64) {
        self.begun.get_or_init(Instant::now);
        self.counts.total_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.total_files.fetch_add(files, Ordering::Relaxed);
        self.bar.set_length(self.counts.total_bytes.load(Ordering::Relaxed));
    }

    /// Says how the files are read. The first word stands.
    pub fn describe(&self, engine: Engine) {
        let _ = self.engine.set(engine);
    }

    /// Counts bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    /// Counts a file that was read to its end.
    pub fn file_done(&self) {
        self.counts.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a read that failed and is repeated.
    pub fn retried(&self) {
        self.counts.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Stops the clock: all that was expected was read. The first call counts.
    pub fn all_read(&self) {
        self.ended.get_or_init(Instant::now);
    }

    /// Whether the work is to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_asked()
    }

    /// Ends the caller's work if it is to end.
    ///
    /// # Errors
    /// [`IntakeCancelled`](oms_verify::reason::Code::IntakeCancelled).
    pub fn check(&self) -> Result<(), Reason> {
        self.cancel.check()
    }

    /// What was read so far.
    pub fn summary(&self) -> Summary {
        let end = || self.ended.get().copied().unwrap_or_else(Instant::now);
        Summary {
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            files: self.counts.files.load(Ordering::Relaxed),
            retries: self.counts.retries.load(Ordering::Relaxed),
            took: self.begun.get().map_or(Duration::ZERO, |begun| end().duration_since(*begun)),
            engine: self.engine.get().cloned(),
        }
    }

    /// Bytes so far.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
