//! Progress: what was read of what is to be read, for people and programs that wait.
//!
//! ```text
//!  workers ──expect, advance, file_done, retried──▶ Progress ──▶ shown: a bar, or JSON lines
//!          ◀──────── check, is_cancelled ─────────           └─▶ Summary, for documents
//! ```

mod rate;
mod shown;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use oms_verify::reason::Reason;
use serde::{Deserialize, Serialize};

pub use self::shown::Display;
use self::shown::Shown;
use crate::cancel::Cancel;

/// How far the reading of one model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reached {
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that are to be read; `None` as long as nobody knows.
    pub total_bytes: Option<u64>,
    /// Files that were read to their end.
    pub files: u64,
    /// Files that are to be read; `None` as long as nobody knows.
    pub total_files: Option<u64>,
    /// On the whole.
    pub bytes_per_second: u64,
    /// At this rate; `None` as long as nobody knows.
    pub seconds_left: Option<u64>,
}

/// Counts what is read of one model, shows it where that is asked for, and carries the wish to end.
/// Counting takes no lock: every worker may do so at every read.
#[derive(Debug)]
pub struct Progress {
    /// Ends with this value, after it has shown the last figures.
    _shown: Option<Shown>,
    cancel: Cancel,
    counts: Arc<Counts>,
    engine: OnceLock<Engine>,
    begun: OnceLock<Instant>,
    ended: OnceLock<Instant>,
}

/// What was read so far, on its way from the process that reads to the one that shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    bytes: u64,
    files: u64,
    total_bytes: u64,
    total_files: u64,
    retries: u32,
    engine: Option<Engine>,
    /// How long it took so far.
    micros: u64,
    is_all: bool,
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    files: AtomicU64,
    total_bytes: AtomicU64,
    total_files: AtomicU64,
    retries: AtomicU32,
}

/// How the files of a model are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// What reads: `io-uring` or `threads`.
    pub reader: Cow<'static, str>,
    /// Why it is that one.
    pub because: String,
    /// What hashes, for people: the kernels in the order in which they are preferred.
    pub kernels: Vec<String>,
    /// What the files lie on: `rotating`, `optical`, `solid` or `unknown`.
    pub medium: Cow<'static, str>,
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
    /// Shows the progress of the model `label` on standard error, as `display` says.
    pub fn new(label: &str, display: Display, cancel: &Cancel) -> Self {
        let counts = Arc::default();
        let shown = Shown::start(label, display, &counts);
        Progress { _shown: shown, ..Progress::uncounted(counts, cancel) }
    }

    /// Counts and shows nothing, and is never cancelled.
    pub fn hidden() -> Self {
        Progress::uncounted(Arc::default(), &Cancel::default())
    }

    /// Counts anew and shows nothing, and is cancelled with `self`: for what is read beside a
    /// model's files.
    pub fn aside(&self) -> Self {
        Progress::uncounted(Arc::default(), &self.cancel)
    }

    fn uncounted(counts: Arc<Counts>, cancel: &Cancel) -> Self {
        Progress {
            _shown: None,
            cancel: cancel.clone(),
            counts,
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
    }

    /// Says how the files are read. The first word stands.
    pub fn describe(&self, engine: Engine) {
        let _ = self.engine.set(engine);
    }

    /// Counts bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
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

    /// What was read so far, for another process.
    pub fn report(&self) -> Report {
        let Counts { bytes, files, total_bytes, total_files, retries } = &*self.counts;
        Report {
            bytes: bytes.load(Ordering::Relaxed),
            files: files.load(Ordering::Relaxed),
            total_bytes: total_bytes.load(Ordering::Relaxed),
            total_files: total_files.load(Ordering::Relaxed),
            retries: retries.load(Ordering::Relaxed),
            engine: self.engine.get().cloned(),
            micros: u64::try_from(self.summary().took.as_micros()).unwrap_or(u64::MAX),
            is_all: self.ended.get().is_some(),
        }
    }

    /// How far it is.
    pub fn reached(&self) -> Reached {
        let Counts { total_bytes, total_files, .. } = &*self.counts;
        let total = (total_bytes.load(Ordering::Relaxed), total_files.load(Ordering::Relaxed));
        let summary = self.summary();
        let (is_known, rate) = (total.1 > 0, summary.rate() as u64);
        let left = total.0.saturating_sub(summary.bytes);
        Reached {
            bytes: summary.bytes,
            total_bytes: is_known.then_some(total.0),
            files: summary.files,
            total_files: is_known.then_some(total.1),
            bytes_per_second: rate,
            seconds_left: is_known.then(|| left.checked_div(rate)).flatten(),
        }
    }

    /// Takes over what another process has read.
    pub fn absorb(&self, report: Report) {
        let counts = &self.counts;
        if report.total_files > 0 {
            // The clock of the first call started before this report of it: the last one, perhaps.
            let (now, took) = (Instant::now(), Duration::from_micros(report.micros));
            self.begun.get_or_init(|| now.checked_sub(took).unwrap_or(now));
        }
        counts.bytes.store(report.bytes, Ordering::Relaxed);
        counts.files.store(report.files, Ordering::Relaxed);
        counts.total_bytes.store(report.total_bytes, Ordering::Relaxed);
        counts.total_files.store(report.total_files, Ordering::Relaxed);
        counts.retries.store(report.retries, Ordering::Relaxed);
        if let Some(engine) = report.engine {
            self.describe(engine);
        }
        if report.is_all {
            self.all_read();
        }
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

impl Summary {
    /// Bytes a second, on the whole; zero when nothing was read.
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.bytes as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_read_before_it_first_told_of_it_took_as_long() {
        let (reading, shown) = (Progress::hidden(), Progress::hidden());
        reading.expect(10, 1);
        std::thread::sleep(Duration::from_millis(20));
        reading.advance(10);
        reading.all_read();
        shown.absorb(reading.report());
        let (took, told) = (reading.summary().took, shown.summary().took);
        assert!(told >= Duration::from_millis(20) && told >= took - Duration::from_micros(1));
        assert!(told < took + Duration::from_secs(1), "{told:?}");
    }

    #[test]
    fn a_summary_counts_what_was_read_and_how() {
        let progress = Progress::hidden();
        assert_eq!((progress.summary().took, progress.summary().rate()), (Duration::ZERO, 0.0));
        progress.expect(10, 2);
        progress.advance(7);
        progress.file_done();
        progress.retried();
        let engine = |reader: &'static str| Engine {
            reader: reader.into(),
            because: String::new(),
            kernels: Vec::new(),
            medium: "unknown".into(),
            direct: false,
            workers: 2,
        };
        progress.describe(engine("threads"));
        progress.describe(engine("io-uring"));
        progress.all_read();
        let summary = progress.summary();
        assert_eq!((summary.bytes, summary.files, summary.retries), (7, 1, 1));
        assert_eq!(summary.engine.as_ref().unwrap().reader, "threads");
        assert_eq!(progress.summary(), summary, "the clock stands");
    }

    #[test]
    fn what_is_read_beside_a_model_is_cancelled_with_it_and_not_counted() {
        let cancel = Cancel::default();
        let progress = Progress::new("model", Display::None, &cancel);
        let aside = progress.aside();
        aside.advance(5);
        assert_eq!(progress.bytes(), 0);
        assert!(aside.check().is_ok());
        cancel.ask();
        assert!(progress.is_cancelled() && aside.check().is_err());
        assert!(!Progress::hidden().is_cancelled());
    }
}
