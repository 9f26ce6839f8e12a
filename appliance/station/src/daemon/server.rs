//! The threads that serve carriers, for as long as the daemon runs.
//!
//! ```text
//!  self-test ─▶ open ─▶ recover ─▶ lanes: each waits, serves a carrier, waits, ...
//!      ▲                  │          │    and a self-test while there is none
//!      └──── pause ◀──────┴── what is wrong in one of them ends all
//!                                         the pause grows as long as it stays wrong
//! ```
//!
//! Whatever goes wrong with the station itself, an HSM that is away included, ends the session:
//! everything is closed, `status` says why, and after a pause it begins with the self-test again.
//! What was begun is ended by the recovery, and the carriers go on where they were.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use serde_json::Value;

use super::alive::Alive;
use super::board::Board;
use super::log::{Level, Log};
use super::recovered;
use super::status::State;
use super::teller::Teller;
use crate::cancel::Cancel;
use crate::carriers::{self, Arrival, Source};
use crate::config::Config;
use crate::doctor::{Check, machine, station};
use crate::opening;
use crate::outbound::Outbound;
use crate::progress::{Display, Progress};
use crate::supervisor::{self, Carrier, Means, Served, locked};
use crate::trust::{Guard, Trust};

/// The first pause after something went wrong.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);
/// How often an idle station looks at itself.
const EVERY: Duration = Duration::from_secs(60);
/// How long a wait lasts before it is looked whether to end.
const LOOK: Duration = Duration::from_millis(200);

/// What serves carriers.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) config: Arc<Config>,
    /// Where it was read from.
    pub(super) path: PathBuf,
    pub(super) guard: Guard,
    pub(super) is_sandboxed: bool,
    pub(super) board: Arc<Board>,
    pub(super) log: Log,
    pub(super) cancel: Cancel,
}

/// The station while it is fit: what its lanes share.
struct Session<'a> {
    server: &'a Server,
    outbound: Mutex<Outbound>,
    /// The policy that the signer holds by.
    policy: Sha256Digest,
    /// No lane begins another carrier.
    is_over: AtomicBool,
    /// What went wrong first.
    why: Mutex<Vec<Reason>>,
}

impl Server {
    /// Serves carriers until it is cancelled.
    pub(super) fn work(&self) {
        let mut pause = SHORTEST;
        while !self.cancel.is_asked() {
            let start = Instant::now();
            let Err(why) = self.session() else { continue };
            if self.cancel.is_asked() {
                break;
            }
            // A session that was good for a while begins the pauses anew.
            if start.elapsed() > LONGEST {
                pause = SHORTEST;
            }
            self.is_unfit(why, pause);
            pause = pause.saturating_mul(2).min(LONGEST);
        }
        self.board.facts().state = State::Stopping;
    }

    /// Tells what is wrong, and waits.
    fn is_unfit(&self, why: Vec<Reason>, pause: Duration) {
        for reason in &why {
            let fields = [("code", reason.code.id().into()), ("reason", said(reason))];
            self.log.tell(Level::Error, "unfit", &fields);
        }
        // A token counts wrong PINs and locks itself: only a person may try again.
        let is_locked = why.iter().any(|reason| reason.code == Code::HsmLocked);
        let again = Instant::now().checked_add(pause).filter(|_| !is_locked);
        {
            let mut facts = self.board.facts();
            why.iter().for_each(|reason| facts.count(reason.code.id()));
            facts.counts.failures = facts.counts.failures.saturating_add(1);
            (facts.state, facts.why, facts.again) = (State::Unfit, why, again);
        }
        while !self.cancel.is_asked() && again.is_none_or(|again| Instant::now() < again) {
            std::thread::sleep(LOOK);
        }
    }

    /// From the self-test until something is wrong. Ends without an error when it is cancelled, or
    /// when the policy is another.
    fn session(&self) -> Result<(), Vec<Reason>> {
        self.test(machine::checks(self.config.intake))?;
        let one = |reason: Reason| vec![reason];
        let policy = Trust::load(&self.config.trust, &self.guard).map_err(one)?.policy.digest;
        let outbound = self.open().map_err(one)?;
        {
            let mut facts = self.board.facts();
            facts.why.clear();
            (facts.state, facts.again) = (State::Waiting, None);
        }
        self.log.tell(Level::Info, "fit", &[("station", self.config.id.clone().into())]);
        let session = Session {
            server: self,
            outbound: Mutex::new(outbound),
            policy,
            is_over: AtomicBool::new(false),
            why: Mutex::default(),
        };
        session.work()
    }

    /// The self-test: these checks of the machine, which are waived where there are none, and the
    /// station's.
    fn test(&self, machine: Vec<Check>) -> Result<(), Vec<Reason>> {
        let is_first = !machine.is_empty();
        let mut checks = machine;
        if !self.is_sandboxed {
            checks.retain(|check| check.name != "sandbox");
        }
        checks.extend(station::checks(&self.config, &self.guard));
        let mut facts = self.board.facts();
        // Between two sessions the machine's checks stay what they were.
        if is_first {
            facts.tested(&checks);
        }
        facts.measure(&self.config.spool);
        drop(facts);
        let failed: Vec<Reason> = checks.iter().filter_map(Check::failure).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Opens the station, and ends what was begun.
    fn open(&self) -> Result<Outbound, Reason> {
        let mut outbound = opening::open(&self.config, &self.path, None, self.is_sandboxed)?;
        for published in outbound.recover(|| Progress::new("", Display::None, &self.cancel))? {
            let sequence = ("sequence", published.sequence.into());
            self.log.tell(Level::Notice, "recovered", &[sequence]);
            if let Some(verdict) = recovered::verdict(&published) {
                self.board.facts().publish(verdict);
            }
        }
        Ok(outbound)
    }
}

impl Session<'_> {
    /// Serves carriers on as many lanes as are configured, until it is over.
    fn work(self) -> Result<(), Vec<Reason>> {
        let Server { config, cancel, .. } = self.server;
        let lanes = (0..config.carriers.at_once).map(|_| cancel.apart()).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            for (number, cancel) in lanes.iter().enumerate() {
                let lane = || self.lane(cancel);
                let thread = std::thread::Builder::new().name(format!("lane {number}"));
                if let Err(error) = thread.spawn_scoped(scope, lane) {
                    let detail = format!("no thread: {error}");
                    self.end(vec![Reason::new(Code::IntakeResources, detail)]);
                }
            }
            self.look_after(&lanes);
        });
        let why = self.why.into_inner().unwrap_or_else(PoisonError::into_inner);
        if why.is_empty() { Ok(()) } else { Err(why) }
    }

    /// Looks at the station from time to time while nobody is served. It lives as long as its
    /// lanes do: where one of them is stuck, this gives no sign of life either.
    fn look_after(&self, lanes: &[Cancel]) {
        let mut lanes: Vec<Alive> = lanes.iter().cloned().map(Alive::of).collect();
        let mut looked = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            if lanes.iter_mut().all(Alive::is_so) && self.server.cancel.is_asked() {
                return;
            }
            if looked.elapsed() > EVERY && !self.server.board.facts().is_serving() {
                if let Err(why) = self.look() {
                    self.end(why);
                }
                looked = Instant::now();
            }
        }
    }

    fn look(&self) -> Result<(), Vec<Reason>> {
        self.server.test(Vec::new())?;
        locked(&self.outbound).look().map_err(|reason| vec![reason])
    }

    /// Ends the session, for these reasons if they are the first.
    fn end(&self, why: Vec<Reason>) {
        let mut first = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_empty() {
            *first = why;
        }
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// One carrier after the other.
    fn lane(&self, cancel: &Cancel) {
        while !cancel.is_asked() && !self.is_over.load(Ordering::Relaxed) {
            let Some(arrival) = self.server.board.next(LOOK) else { continue };
            if let Err(why) = self.take(arrival, cancel) {
                self.end(vec![why]);
            }
        }
    }

    /// Serves a carrier, unless it has been before the daemon was started. When it has to be broken
    /// off, it is the next one again.
    fn take(&self, arrival: Arrival, cancel: &Cancel) -> Result<(), Reason> {
        let Server { board, log, config, .. } = self.server;
        let source = arrival.source.to_string();
        let carrier = [("carrier", source.clone().into())];
        if locked(&self.outbound).journal.was_served(&arrival.identity)? {
            log.tell(Level::Info, "carrier-known", &carrier);
            return Ok(());
        }
        let trust = match self.trust(&arrival) {
            Ok(trust) if trust.policy.digest == self.policy => trust,
            other => {
                board.put_back(arrival);
                // The signer holds by the policy that it began with: another one begins.
                self.is_over.store(true, Ordering::Relaxed);
                return other.map(|_| ());
            }
        };
        log.tell(Level::Info, "carrier-arrived", &carrier);
        board.facts().begin(&arrival.identity, &source);
        let mut teller =
            Teller::new(board, log, cancel, (&arrival.identity, &source), &config.state);
        let served = self.serve(&arrival, &trust, cancel, &mut teller);
        let held = teller.held.take();
        let is_released = matches!(served, Ok(Served::Released));
        board.facts().end(&arrival.identity, is_released);
        let why = match (served, held) {
            (Ok(Served::Released | Served::Held), _) => return Ok(()),
            (Err(why), _) | (Ok(Served::Stopped), Some(why)) => why,
            (Ok(Served::Stopped), None) => {
                Reason::new(Code::StateUnfinished, "a verdict was begun and is not out")
            }
        };
        if !cancel.is_asked() {
            log.tell(Level::Warning, "carrier-waits", &carrier);
        }
        board.put_back(arrival);
        Err(why)
    }

    /// Policy, anchors and CRLs, read anew for a carrier. None of them may lie on it.
    fn trust(&self, arrival: &Arrival) -> Result<Trust, Reason> {
        let Server { config, guard, .. } = self.server;
        let guard = match &arrival.source {
            Source::Folder(entry) => guard.clone().against(&entry.hot_folder.join(&entry.name)),
            // They have no path.
            Source::Archive(_) | Source::Device(_) => guard.clone(),
        };
        Trust::load(&config.trust, &guard)
    }

    fn serve(
        &self,
        arrival: &Arrival,
        trust: &Trust,
        cancel: &Cancel,
        teller: &mut Teller<'_>,
    ) -> Result<Served, Reason> {
        let Server { config, is_sandboxed, .. } = self.server;
        let means = Means {
            trust: &config.trust,
            policy: &trust.policy,
            settings: config.intake,
            is_sandboxed: *is_sandboxed,
        };
        let opening = carriers::Means {
            file_systems: config.carriers.file_systems.clone(),
            spool: config.spool.clone(),
            most_files: trust.policy.budget.resources.saturating_mul(2),
            most_bytes: trust.policy.budget.total_bytes,
            insecure_no_sandbox: !is_sandboxed,
        };
        let carrier = Carrier::Arrival(arrival, &opening);
        supervisor::serve(&self.outbound, carrier, &means, cancel, teller)
    }
}

/// A reason in a line of the log.
pub(super) fn said(reason: &Reason) -> Value {
    reason.to_string().into()
}
