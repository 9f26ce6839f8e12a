//! A sign of life: what was read so far, told once in a while as long as the work goes on.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use oms_verify::reason::{Code, Reason};

use super::messages::Word;
use super::worker::Link;
use crate::progress::Progress;

/// How often it is told.
const EVERY: Duration = Duration::from_millis(200);

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
