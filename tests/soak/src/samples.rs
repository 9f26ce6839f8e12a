//! What the daemon takes, looked at again and again while it works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use oms_tests::journal;
use oms_tests::scene::Scene;

use crate::daemon::processes_of;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(250);

/// One look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// KiB of memory of the daemon's own process.
    pub(crate) memory: u64,
    /// Its open descriptors.
    pub(crate) descriptors: u64,
    /// Its threads.
    pub(crate) threads: u64,
    /// Its processes that are alive.
    pub(crate) processes: u64,
    /// Those that have ended and were not waited for.
    pub(crate) zombies: u64,
    /// What lies in the spool.
    pub(crate) spool: u64,
    /// Bytes of the journal.
    pub(crate) journal: u64,
    /// Bytes of the log that SQLite keeps beside it.
    pub(crate) wal: u64,
    /// Carriers and verdicts so far, each of which is a row of the journal at least.
    pub(crate) rows: u64,
}

/// Looks, from a thread of its own.
#[derive(Debug)]
pub(crate) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    pid: u32,
    rows: AtomicU64,
    is_over: AtomicBool,
    state: PathBuf,
    spool: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    samples: Vec<Sample>,
    /// The most KiB that a process of each role ever had.
    peaks: BTreeMap<String, u64>,
}

impl Sampler {
    /// Begins to look at the daemon with this number.
    pub(crate) fn start(scene: &Scene, pid: u32) -> Sampler {
        let shared = Arc::new(Shared {
            pid,
            rows: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            state: scene.station.state.clone(),
            spool: scene.station.spool.clone(),
            seen: Mutex::default(),
        });
        let looking = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !looking.is_over.load(Ordering::Relaxed) {
                looking.look();
                std::thread::sleep(EVERY);
            }
        });
        Sampler { shared, thread: Some(thread) }
    }

    /// Counts carriers and verdicts.
    pub(crate) fn count(&self, rows: usize) {
        self.shared.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Ends. Gives all samples, and the peak memory of each role in KiB.
    pub(crate) fn end(mut self) -> (Vec<Sample>, BTreeMap<String, u64>) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
        let seen = std::mem::take(&mut *self.shared.seen());
        (seen.samples, seen.peaks)
    }
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        let pid = self.pid;
        let (zombies, alive): (Vec<_>, Vec<_>) =
            processes_of(pid).into_iter().partition(|process| process.is_zombie);
        let Some(mut sample) = of_process(pid) else { return };
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let journal = journal::file(&self.state);
        sample.processes = alive.len() as u64;
        sample.zombies = zombies.len() as u64;
        sample.spool = fs::read_dir(&self.spool).map_or(0, |entries| entries.count() as u64);
        sample.journal = bytes(&journal);
        sample.wal = bytes(&journal.with_extension("sqlite-wal"));
        sample.rows = self.rows.load(Ordering::Relaxed);
        let mut seen = self.seen();
        seen.samples.push(sample);
        for process in alive.into_iter().filter(|process| !process.role.is_empty()) {
            let peak = field(process.pid, "VmHWM:").unwrap_or_default();
            let known = seen.peaks.entry(process.role).or_default();
            *known = (*known).max(peak);
        }
    }
}

/// What one process has now; nothing where there is none.
pub(crate) fn of_process(pid: u32) -> Option<Sample> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    let memory = field(pid, "VmRSS:")?;
    let threads = field(pid, "Threads:")?;
    Some(Sample { memory, descriptors, threads, ..Sample::default() })
}

/// A number of `/proc/PID/status`.
fn field(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
