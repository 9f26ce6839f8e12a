//! A sign of life: what was read so far, told once in a while as long as the work goes on; and
//! hearing by it whether the work goes on.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use oms_verify::reason::{Code, Reason};

use super::messages::Word;
use super::worker::Link;
use crate::progress::{Progress, Report};

/// How often it is told.
const EVERY: Duration = Duration::from_millis(200);
/// How long nothing may be read while nobody says anything else. The longest work that reads nothing
/// is to decide about millions of files, which takes minutes.
const STANDSTILL: Duration = Duration::from_secs(30 * 60);

/// Tells until it is dropped, and then once more.
#[derive(Debug)]
pub(super) struct Heartbeat {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Tells `supervisor` of `progress`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(supervisor: Arc<Link>, progress: Arc<Progress>) -> Result<Self, Reason> {
        let (end, ended) = mpsc::channel();
        let tell = move || loop {
            let last = ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
            let told = supervisor.send(&Word::Progress(progress.report()), &[]);
            if last || told.is_err() {
                return;
            }
        };
        let thread = thread::Builder::new().name("heartbeat".to_owned()).spawn(tell);
        let thread = thread.map_err(|error| {
            Reason::new(Code::ProcessFailed, format!("starting a thread: {error}"))
        })?;
        Ok(Heartbeat { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Hears whether anything goes on. A process that lives tells of itself also while the one that it
/// waits for hangs.
#[derive(Debug)]
pub(super) struct Course {
    last: Option<Report>,
    since: Instant,
}

impl Course {
    /// Begins at this time.
    pub(super) fn from(now: Instant) -> Self {
        Course { last: None, since: now }
    }

    /// Whether the work goes on, now that this was said.
    pub(super) fn goes_on(&mut self, word: &Word, now: Instant) -> bool {
        match word {
            Word::Progress(report) if self.last.as_ref() == Some(report) => {
                now.saturating_duration_since(self.since) <= STANDSTILL
            }
            other => {
                if let Word::Progress(report) = other {
                    self.last = Some(report.clone());
                }
                self.since = now;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_while_something_is_read_or_said() {
        let report = |bytes: u64| {
            let progress = Progress::hidden();
            let text = serde_json::to_string(&progress.report()).unwrap();
            let text = text.replace("\"bytes\":0", &format!("\"bytes\":{bytes}"));
            Word::Progress(serde_json::from_str(&text).unwrap())
        };
        let start = Instant::now();
        let later = |halves: u32| start + STANDSTILL / 2 * halves + Duration::from_secs(1);
        let mut course = Course::from(start);
        assert!(course.goes_on(&report(1), start));
        assert!(course.goes_on(&report(1), later(1)));
        assert!(course.goes_on(&report(2), later(2)), "something was read");
        assert!(course.goes_on(&report(2), later(3)));
        assert!(course.goes_on(&Word::Copied, later(4)), "something was said");
        assert!(course.goes_on(&report(2), later(5)));
        assert!(!course.goes_on(&report(2), later(7)), "only signs of life");
    }
}
