//! The daemon: waits for carriers and serves them, for years.
//!
//! ```text
//!  main thread      signals, carriers that come and go, systemd's watchdog, metrics
//!      │ Board
//!  serving thread   self-test, keys, journal, recovery
//!      └─ lanes     each carrier through the supervisor, as many at a time as are configured
//!      │ Board
//!  status thread    answers at the status socket
//! ```
//!
//! The main thread tells systemd that the daemon is alive only as long as the serving thread is, and
//! that one is only as long as its lanes are: they look again and again whether they are to end,
//! whatever they wait for.

mod alive;
mod board;
mod log;
mod metrics;
mod notify;
mod recovered;
mod server;
mod settings;
mod socket;
pub mod status;
mod teller;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use oms_sys::durable::Lock;
use oms_verify::reason::{Code, Reason};

use self::alive::Alive;
use self::board::Board;
use self::log::{Level, Log};
use self::notify::Notify;
use self::server::{Server, said};
pub(crate) use self::settings::RawRun;
pub use self::settings::{SOCKET, Settings, Shape};
pub use self::socket::ask;
use self::status::State;
use crate::cancel::Cancel;
use crate::carriers::{News, Watch};
use crate::config::Config;
use crate::outbound::VERSION;
use crate::storage::failed;
use crate::trust::Guard;

/// The lock of the daemon, in the state. The record has another one, which is given back while the
/// station is unfit.
const LOCK: &str = "run.lock";
/// A turn of the main thread.
const TURN: Duration = Duration::from_secs(1);
/// How often the metrics are written.
const METRICS: Duration = Duration::from_secs(10);

/// Runs the station of this configuration, read from `path`, until `cancel` is expressed: what is
/// being published then is ended.
///
/// # Errors
/// When it cannot begin: another daemon works with this state, or the status socket cannot be made.
pub fn run(
    config: Arc<Config>,
    path: &Path,
    guard: Guard,
    is_sandboxed: bool,
    cancel: &Cancel,
) -> Result<(), Reason> {
    let state = &config.state;
    let _lock = Lock::try_take(&state.join(LOCK))
        .map_err(|error| failed("locking the state", &error, state))?
        .ok_or_else(|| {
            let detail = "another daemon works with it";
            Reason::new(Code::StateLocked, detail).about(state.display().to_string())
        })?;
    let listener = socket::bind(&config.run.socket)?;
    let (board, log) = (Arc::new(Board::new(&config.id)), Log::new(&config.run));
    log.tell(Level::Notice, "started", &[("version", VERSION.into())]);
    let is_over = Arc::new(AtomicBool::new(false));
    let answering = {
        let (board, is_over) = (Arc::clone(&board), Arc::clone(&is_over));
        let answer = move || {
            let mut answer = serde_json::to_vec(&board.status()).unwrap_or_default();
            answer.push(b'\n');
            answer
        };
        thread("status", move || socket::answer(&listener, &is_over, answer))?
    };
    let working = cancel.apart();
    let mut daemon = Daemon {
        notify: Notify::of_environment(),
        alive: Alive::of(working.clone()),
        measured: None,
        watch: None,
        watched: Instant::now(),
        said: String::new(),
        board: Arc::clone(&board),
        log: log.clone(),
        config: &config,
    };
    let serving = {
        let (config, log) = (Arc::clone(&config), log.clone());
        let path = path.to_owned();
        let server = Server { config, path, guard, is_sandboxed, board, log, cancel: working };
        thread("serving", move || server.work())?
    };
    daemon.notify.ready();
    while !cancel.is_asked() && !serving.is_finished() {
        daemon.turn();
    }
    daemon.stop(&serving);
    is_over.store(true, Ordering::Relaxed);
    let _ = answering.join();
    let _ = std::fs::remove_file(&config.run.socket);
    log.tell(Level::Notice, "stopped", &[]);
    serving.join().map_err(|_| Reason::new(Code::ProcessFailed, "the serving thread panicked"))
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Reason> {
    let told = |error: io::Error| Reason::new(Code::IntakeResources, format!("no thread: {error}"));
    Builder::new().name(name.to_owned()).spawn(work).map_err(told)
}

/// The main thread.
struct Daemon<'a> {
    notify: Notify,
    alive: Alive,
    /// When the metrics were written.
    measured: Option<Instant>,
    /// The carriers that come; none where they cannot be watched now.
    watch: Option<Watch>,
    /// When it was tried to watch.
    watched: Instant,
    /// What systemd was told.
    said: String,
    board: Arc<Board>,
    log: Log,
    config: &'a Config,
}

impl Daemon<'_> {
    /// Waits for news for a moment, and tells of itself.
    fn turn(&mut self) {
        self.tell();
        let now = Instant::now();
        let deadline = now.checked_add(TURN).unwrap_or(now);
        if !self.board.has_room() || !self.can_watch() {
            std::thread::sleep(TURN);
            return;
        }
        let Some(watch) = &mut self.watch else { return };
        match watch.next(deadline) {
            Ok(None) => {}
            Ok(Some(News::Arrived(arrival))) => {
                let fields = [("carrier", arrival.source.to_string().into())];
                self.log.tell(Level::Info, "carrier-waits", &fields);
                self.board.arrived(arrival);
            }
            Ok(Some(News::Told(reason))) => {
                self.board.facts().count(reason.code.id());
                let fields = [("code", reason.code.id().into()), ("reason", said(&reason))];
                self.log.tell(Level::Warning, "no-carrier", &fields);
            }
            Ok(Some(News::Gone(identity))) => {
                if let Some(source) = self.board.gone(&identity) {
                    self.log.tell(Level::Info, "carrier-gone", &[("carrier", source.into())]);
                }
            }
            Err(error) => {
                let fields = [("reason", error.to_string().into())];
                self.log.tell(Level::Error, "watch-failed", &fields);
                (self.watch, self.watched) = (None, now);
            }
        }
    }

    /// Begins to watch where that is not so yet.
    fn can_watch(&mut self) -> bool {
        /// How long it is waited before it is tried again.
        const PAUSE: Duration = Duration::from_secs(10);
        if self.watch.is_some() {
            return true;
        }
        if self.watched > Instant::now() {
            return false;
        }
        match Watch::open(&self.config.carriers) {
            Ok(watch) => self.watch = Some(watch),
            Err(reason) => {
                let fields = [("code", reason.code.id().into()), ("reason", said(&reason))];
                self.log.tell(Level::Error, "watch-failed", &fields);
                let now = Instant::now();
                self.watched = now.checked_add(PAUSE).unwrap_or(now);
            }
        }
        self.watch.is_some()
    }

    /// Tells systemd and the metrics.
    fn tell(&mut self) {
        if self.alive.is_so() {
            self.notify.alive();
        }
        let text = self.board.facts().headline();
        if self.said != text {
            self.notify.status(&text);
            self.said = text;
        }
        if self.measured.is_none_or(|measured| measured.elapsed() > METRICS) {
            self.measured = Some(Instant::now());
            self.board.facts().measure(&self.config.spool);
            if let Some(path) = &self.config.run.metrics
                && let Err(error) = metrics::write(path, &self.board, self.config)
            {
                let fields = [("reason", error.to_string().into())];
                self.log.tell(Level::Warning, "metrics-failed", &fields);
            }
        }
    }

    /// Waits until the serving thread has ended what must be ended.
    fn stop(&mut self, serving: &JoinHandle<()>) {
        self.notify.stopping();
        self.board.facts().state = State::Stopping;
        while !serving.is_finished() {
            self.tell();
            std::thread::sleep(TURN / 10);
        }
        self.measured = None;
        self.tell();
    }
}
