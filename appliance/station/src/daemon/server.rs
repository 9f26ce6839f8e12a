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

use super::alive::Crew;
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
    /// What went wrong first, or that a PIN was refused.
    why: Mutex<Vec<Reason>>,
}

/// What became of a carrier that a lane took.
enum Taken {
    /// It was served to its end, now or before.
    Ended,
    /// It waits for another session.
    Waits,
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
        let again = Instant::now().checked_add(pause).filter(|_| !is_locked(&why));
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
        let session = &self;
        std::thread::scope(|scope| {
            let mut lanes = Crew::default();
            for number in 0..config.carriers.at_once {
                let cancel = cancel.apart();
                let own = cancel.clone();
                let thread = std::thread::Builder::new().name(format!("lane {number}"));
                match thread.spawn_scoped(scope, move || session.lane(&own)) {
                    Ok(thread) => lanes.add(cancel, thread),
                    Err(error) => {
                        let detail = format!("no thread: {error}");
                        session.end(vec![Reason::new(Code::IntakeResources, detail)]);
                    }
                }
            }
            session.look_after(lanes);
        });
        let why = self.why.into_inner().unwrap_or_else(PoisonError::into_inner);
        if why.is_empty() { Ok(()) } else { Err(why) }
    }

    /// Looks at the station from time to time while nobody is served. It lives as long as its
    /// lanes do, also where one of them reads on for hours after another has ended the session:
    /// where one is stuck, this gives no sign of life either.
    fn look_after(&self, mut lanes: Crew<'_>) {
        let mut looked = Instant::now();
        while lanes.is_at_work() {
            std::thread::sleep(LOOK);
            if lanes.is_alive() {
                // The sign of life.
                let _ = self.server.cancel.is_asked();
            }
            if self.is_over() || self.server.board.facts().is_serving() {
                continue;
            }
            if looked.elapsed() > EVERY {
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

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends the session, for these reasons if they are the ones to tell.
    fn end(&self, why: Vec<Reason>) {
        to_tell(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner), why);
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// One carrier after the other.
    fn lane(&self, cancel: &Cancel) {
        let board = &self.server.board;
        while !cancel.is_asked() && !self.is_over() {
            let Some(arrival) = board.next(LOOK) else { continue };
            // Another lane may have ended the session while this one waited.
            if self.is_over() {
                return board.put_back(arrival);
            }
            match self.take(&arrival, cancel) {
                Ok(Taken::Ended) => board.done(&arrival.identity),
                // It is over first, or a lane that waits would take the carrier.
                Ok(Taken::Waits) => {
                    self.is_over.store(true, Ordering::Relaxed);
                    board.put_back(arrival);
                }
                Err(why) => {
                    self.end(vec![why]);
                    board.put_back(arrival);
                }
            }
        }
    }

    /// Serves a carrier, unless it has been before the daemon was started.
    fn take(&self, arrival: &Arrival, cancel: &Cancel) -> Result<Taken, Reason> {
        let Server { board, log, config, .. } = self.server;
        let source = arrival.source.to_string();
        let carrier = [("carrier", source.clone().into())];
        if locked(&self.outbound).journal.was_served(&arrival.identity)? {
            log.tell(Level::Info, "carrier-known", &carrier);
            return Ok(Taken::Ended);
        }
        let trust = self.trust(arrival)?;
        if trust.policy.digest != self.policy {
            // The signer holds by the policy that it began with: another one begins.
            return Ok(Taken::Waits);
        }
        log.tell(Level::Info, "carrier-arrived", &carrier);
        board.facts().begin(&arrival.identity, &source);
        let mut teller =
            Teller::new(board, log, cancel, (&arrival.identity, &source), &config.state);
        let served = self.serve(arrival, &trust, cancel, &mut teller);
        let held = teller.held.take();
        let is_released = matches!(served, Ok(Served::Released));
        board.facts().end(&arrival.identity, is_released);
        let why = match (served, held) {
            (Ok(Served::Released | Served::Held), _) => return Ok(Taken::Ended),
            // What came of it is less than why.
            (_, Some(why)) | (Err(why), None) => why,
            (Ok(Served::Stopped), None) => {
                Reason::new(Code::StateUnfinished, "a verdict was begun and is not out")
            }
        };
        if !cancel.is_asked() {
            log.tell(Level::Warning, "carrier-waits", &carrier);
        }
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
            scanner: config.scanner.as_ref(),
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

/// Keeps of the reasons of several lanes the first, but never loses that a PIN was refused.
fn to_tell(first: &mut Vec<Reason>, why: Vec<Reason>) {
    if first.is_empty() || (is_locked(&why) && !is_locked(first)) {
        *first = why;
    }
}

/// Whether no PIN may be tried again.
fn is_locked(why: &[Reason]) -> bool {
    why.iter().any(|reason| reason.code == Code::HsmLocked)
}

/// A reason in a line of the log.
pub(super) fn said(reason: &Reason) -> Value {
    reason.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_is_not_lost_behind_what_another_lane_met_first() {
        let one = |code| vec![Reason::new(code, "x")];
        let told = |codes: &[Code]| {
            let mut first = Vec::new();
            codes.iter().for_each(|code| to_tell(&mut first, one(*code)));
            first
        };
        assert_eq!(told(&[Code::StateUnfinished, Code::HsmOperation]), one(Code::StateUnfinished));
        assert_eq!(told(&[Code::HsmOperation, Code::HsmLocked]), one(Code::HsmLocked));
        assert_eq!(told(&[Code::HsmLocked, Code::HsmOperation]), one(Code::HsmLocked));
    }
}
