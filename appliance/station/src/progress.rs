//! Progress for people: a bar on a terminal, nothing elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts bytes and files, and shows them on standard error where that is a terminal.
#[derive(Debug)]
pub struct Progress {
    bytes: AtomicU64,
    files: AtomicU64,
    bar: ProgressBar,
}

impl Progress {
    /// A bar with this label, if standard error is a terminal.
    pub fn visible(label: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let template = "{msg}: {bytes} read, {binary_bytes_per_sec}, {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(oms_verify::reason::Printable(label).to_string());
        Progress { bytes: AtomicU64::new(0), files: AtomicU64::new(0), bar }
    }

    /// Counts and shows nothing.
    pub fn hidden() -> Self {
        Progress { bytes: AtomicU64::new(0), files: AtomicU64::new(0), bar: ProgressBar::hidden() }
    }

    /// Counts bytes that were read.
    pub fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    /// Counts a file that was read to its end.
    pub fn file_done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes and files so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.files.load(Ordering::Relaxed))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
