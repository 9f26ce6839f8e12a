//! Showing progress: a thread that looks at the counts now and then, so that nobody who reads
//! waits for a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use oms_verify::reason::{Printable, printable_json};
use serde::Serialize;

use super::Counts;
use super::rate::Rate;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Display {
    /// A bar where standard error is a terminal, else nothing.
    #[default]
    Auto,
    /// A bar, or a line of text every few seconds where standard error is no terminal.
    Bar,
    /// A JSON object a line.
    Json,
    /// Nothing.
    None,
}

impl Display {
    /// Every display with its word.
    const WORDS: [(&str, Display); 4] = [
        ("auto", Display::Auto),
        ("bar", Display::Bar),
        ("json", Display::Json),
        ("none", Display::None),
    ];
}

impl FromStr for Display {
    type Err = WrongDisplay;

    fn from_str(text: &str) -> Result<Self, WrongDisplay> {
        let found = Display::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, display)| *display).ok_or(WrongDisplay)
    }
}

/// A text that is no [`Display`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, bar, json or none")]
pub struct WrongDisplay;

/// A thread that shows counts until this is dropped, and then once more.
#[derive(Debug)]
pub(super) struct Shown {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    /// Shows `counts` as `display` says; `None` when there is nothing to be shown, or no thread to
    /// be had: that is no reason not to read.
    pub(super) fn start(label: &str, display: Display, counts: &Arc<Counts>) -> Option<Self> {
        let terminal = std::io::stderr().is_terminal();
        let (every, mut shape) = match (display, terminal) {
            (Display::None, _) | (Display::Auto, false) => return None,
            (Display::Auto | Display::Bar, true) => (Duration::from_millis(100), Shape::bar()),
            (Display::Bar, false) => (Duration::from_secs(2), Shape::Text),
            (Display::Json, _) => (Duration::from_millis(500), Shape::Json),
        };
        let (end, ended) = mpsc::channel();
        let (label, counts) = (Printable(label).to_string(), Arc::clone(counts));
        let show = move || tell(&label, &counts, every, &ended, &mut shape);
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(show).ok()?;
        Some(Shown { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Tells the figures every so often, and a last time when the other end of `ended` is gone.
fn tell(label: &str, counts: &Counts, every: Duration, ended: &Receiver<()>, shape: &mut Shape) {
    let begun = Instant::now();
    let mut rate = Rate::new();
    loop {
        let last = ended.recv_timeout(every) != Err(RecvTimeoutError::Timeout);
        let now = Figures::now(label, counts, &mut rate, begun.elapsed(), last);
        shape.show(&now);
        if last {
            return;
        }
    }
}

/// What is told at one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures<'a> {
    schema: &'static str,
    /// Without control characters: it may stand on a carrier.
    model: &'a str,
    bytes: u64,
    /// `None` as long as nobody knows.
    total_bytes: Option<u64>,
    files: u64,
    total_files: Option<u64>,
    bytes_per_second: u64,
    seconds_left: Option<u64>,
    last: bool,
}

impl<'a> Figures<'a> {
    fn now(
        model: &'a str,
        counts: &Counts,
        rate: &mut Rate,
        at: Duration,
        last: bool,
    ) -> Figures<'a> {
        let bytes = counts.bytes.load(Ordering::Relaxed);
        let total_bytes = counts.total_bytes.load(Ordering::Relaxed);
        let total_files = counts.total_files.load(Ordering::Relaxed);
        // Files are counted before their bytes: a model without files has neither.
        let known = total_files > 0;
        rate.learn(at, bytes);
        let left = || rate.seconds_for(total_bytes.saturating_sub(bytes));
        Figures {
            schema: "urn:oms-appliance:progress:1",
            model,
            bytes,
            total_bytes: known.then_some(total_bytes),
            files: counts.files.load(Ordering::Relaxed),
            total_files: known.then_some(total_files),
            bytes_per_second: rate.per_second(),
            seconds_left: known.then(left).flatten(),
            last,
        }
    }

    /// The figures in words.
    fn text(&self) -> String {
        let mut text = BinaryBytes(self.bytes).to_string();
        if let Some(total) = self.total_bytes {
            let _ = write!(text, " of {}", BinaryBytes(total));
        }
        match self.total_files {
            Some(total) => {
                let _ = write!(text, ", {} of {total} files", self.files);
            }
            None => text.push_str(" read"),
        }
        let _ = write!(text, ", {}/s", BinaryBytes(self.bytes_per_second));
        if let Some(left) = self.seconds_left.filter(|left| *left > 0) {
            let _ = write!(text, ", {} left", span(left));
        }
        text
    }
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`.
fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// What figures look like.
enum Shape {
    Bar(ProgressBar),
    Text,
    Json,
}

impl Shape {
    fn bar() -> Self {
        Shape::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    fn show(&mut self, now: &Figures<'_>) {
        match self {
            Shape::Bar(bar) if now.last => bar.finish_and_clear(),
            Shape::Bar(bar) => {
                let known = now.total_bytes.filter(|total| *total > 0);
                let template =
                    if known.is_some() { "{prefix} [{bar:24}] {msg}" } else { "{prefix}: {msg}" };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_length(known.unwrap_or(now.bytes));
                bar.set_prefix(now.model.to_owned());
                bar.set_message(now.text());
                bar.set_position(now.bytes);
            }
            Shape::Text => line(&format!("{}: {}", now.model, now.text())),
            Shape::Json => line(&printable_json(&serde_json::to_string(now).unwrap_or_default())),
        }
    }
}

/// Writes one line in one piece. Who does not listen misses it.
fn line(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bytes: u64, files: u64, total_bytes: u64, total_files: u64) -> Counts {
        let counts = Counts::default();
        counts.bytes.store(bytes, Ordering::Relaxed);
        counts.files.store(files, Ordering::Relaxed);
        counts.total_bytes.store(total_bytes, Ordering::Relaxed);
        counts.total_files.store(total_files, Ordering::Relaxed);
        counts
    }

    fn figures(counts: &Counts) -> Figures<'static> {
        Figures::now("demo", counts, &mut Rate::new(), Duration::from_secs(2), false)
    }

    #[test]
    fn figures_tell_what_is_known() {
        let now = figures(&counts(2 << 30, 1, 6 << 30, 3));
        assert_eq!((now.bytes_per_second, now.seconds_left), (1 << 30, Some(4)));
        assert_eq!(now.text(), "2.00 GiB of 6.00 GiB, 1 of 3 files, 1.00 GiB/s, 4 s left");
        let unknown = figures(&counts(2 << 20, 1, 0, 0));
        assert_eq!(
            (unknown.total_bytes, unknown.total_files, unknown.seconds_left),
            (None, None, None)
        );
        assert_eq!(unknown.text(), "2.00 MiB read, 1.00 MiB/s");
        let silent = figures(&counts(0, 0, 1 << 20, 3));
        assert_eq!((silent.total_bytes, silent.seconds_left), (Some(1 << 20), None));
        // A model of empty files is known to have no bytes.
        assert_eq!(figures(&counts(0, 0, 0, 2)).seconds_left, Some(0));
    }

    #[test]
    fn a_line_of_json_has_every_field() {
        let text = serde_json::to_string(&figures(&counts(1, 0, 4, 1))).unwrap();
        assert!(!text.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "schema": "urn:oms-appliance:progress:1", "model": "demo", "bytes": 1,
                "totalBytes": 4, "files": 0, "totalFiles": 1, "bytesPerSecond": 0,
                "secondsLeft": null, "last": false,
            })
        );
    }

    #[test]
    fn spans_are_told_in_two_units_at_most() {
        assert_eq!([span(45), span(200), span(7500)], ["45 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn a_display_is_one_of_four_words() {
        for (word, display) in Display::WORDS {
            assert_eq!(word.parse(), Ok(display));
        }
        assert_eq!("yes".parse::<Display>(), Err(WrongDisplay));
    }
}
