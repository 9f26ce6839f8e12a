//! The thread that serves carriers, one after the other, for as long as the daemon runs.
//!
//! ```text
//!  self-test ─▶ open ─▶ recover ─▶ wait ─▶ serve ─▶ wait ─▶ serve ─▶ ...
//!      ▲                  │                  │
//!      └──── pause ◀──────┴── what is wrong ─┘      the pause grows as long as it stays wrong
//! ```
//!
//! Whatever goes wrong with the station itself, an HSM that is away included, ends the session:
//! everything is closed, `status` says why, and after a pause it begins with the self-test again.
//! What was begun is ended by the recovery, and the carrier goes on where it was.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oms_verify::reason::{Code, Reason};
use serde_json::Value;

use super::board::Board;
use super::log::{Level, Log};
use super::status::State;
use super::teller::Teller;
use crate::cancel::Cancel;
use crate::carriers::{Arrival, Source};
use crate::config::Config;
use crate::doctor::{Check, machine, station};
use crate::opening;
use crate::outbound::Outbound;
use crate::progress::{Display, Progress};
use crate::supervisor::{self, Carrier, Means, Served};
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

/// A carrier whose service was broken off.
#[derive(Debug, Default)]
struct Begun {
    identity: String,
    /// The models of it that have their end.
    done: BTreeSet<PathBuf>,
    /// The model at which it was broken off.
    at: Option<PathBuf>,
}

impl Server {
    /// Serves carriers until it is cancelled.
    pub(super) fn work(&self) {
        let mut pause = SHORTEST;
        let mut begun = Begun::default();
        while !self.cancel.is_asked() {
            let start = Instant::now();
            let Err(why) = self.session(&mut begun) else { continue };
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

    /// From the self-test until something is wrong. Ends without an error when it is cancelled.
    fn session(&self, begun: &mut Begun) -> Result<(), Vec<Reason>> {
        self.test(machine::checks(self.config.intake))?;
        let one = |reason: Reason| vec![reason];
        let policy = Trust::load(&self.config.trust, &self.guard).map_err(one)?.policy.digest;
        let mut outbound = self.open(begun).map_err(one)?;
        {
            let mut facts = self.board.facts();
            facts.why.clear();
            (facts.state, facts.again) = (State::Waiting, None);
        }
        self.log.tell(Level::Info, "fit", &[("station", self.config.id.clone().into())]);
        let mut looked = Instant::now();
        while !self.cancel.is_asked() {
            if let Some(arrival) = self.board.next(LOOK) {
                let trust = match self.trust(&arrival) {
                    Ok(trust) if trust.policy.digest == policy => trust,
                    other => {
                        self.board.put_back(arrival);
                        // The signer holds by the policy that it began with: another one begins.
                        return other.map(|_| ()).map_err(one);
                    }
                };
                self.serve(&mut outbound, arrival, &trust, begun).map_err(one)?;
            } else if looked.elapsed() > EVERY {
                self.test(Vec::new())?;
                outbound.clock.look().map_err(one)?;
                looked = Instant::now();
            }
        }
        Ok(())
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
    fn open(&self, begun: &mut Begun) -> Result<Outbound, Reason> {
        let mut outbound = opening::open(&self.config, &self.path, None, self.is_sandboxed)?;
        let recovered = outbound.recover(|| Progress::new("", Display::None, &self.cancel))?;
        for published in &recovered {
            let sequence = ("sequence", published.sequence.into());
            self.log.tell(Level::Notice, "recovered", &[sequence]);
        }
        // A verdict that was begun here is out now: its model is not to be read again.
        if let (Some(at), false) = (begun.at.take(), recovered.is_empty()) {
            begun.done.insert(at);
        }
        Ok(outbound)
    }

    /// Serves a carrier. When it has to be broken off, the carrier is the next one again.
    fn serve(
        &self,
        outbound: &mut Outbound,
        arrival: Arrival,
        trust: &Trust,
        begun: &mut Begun,
    ) -> Result<(), Reason> {
        if begun.identity != arrival.identity {
            *begun = Begun { identity: arrival.identity.clone(), ..Begun::default() };
        }
        let source = arrival.source.to_string();
        let carrier = [("carrier", source.clone().into())];
        self.log.tell(Level::Info, "carrier-arrived", &carrier);
        self.board.facts().begin(&arrival.identity, &source);
        let mut teller =
            Teller::new(&self.board, &self.log, &self.cancel, &source, &mut begun.done);
        let served = self.serve_with(outbound, (&arrival, &source), trust, &mut teller);
        let (held, at) = (teller.held.take(), teller.at.take());
        self.board.facts().end(served.is_ok() && held.is_none());
        let why = match (served, held) {
            (Ok(Served::Released), _) => {
                *begun = Begun::default();
                self.board.facts().state = State::Waiting;
                return Ok(());
            }
            (Err(why), _) | (Ok(Served::Stopped), Some(why)) => why,
            (Ok(Served::Stopped), None) => {
                Reason::new(Code::StateUnfinished, "a verdict was begun and is not out")
            }
        };
        begun.at = at;
        if !self.cancel.is_asked() {
            self.log.tell(Level::Warning, "carrier-waits", &carrier);
        }
        self.board.put_back(arrival);
        Err(why)
    }

    /// Policy, anchors and CRLs, read anew for a carrier. None of them may lie on it.
    fn trust(&self, arrival: &Arrival) -> Result<Trust, Reason> {
        let folder = folder(arrival);
        let guard = folder.iter().fold(self.guard.clone(), |guard, folder| guard.against(folder));
        Trust::load(&self.config.trust, &guard)
    }

    fn serve_with(
        &self,
        outbound: &mut Outbound,
        (arrival, source): (&Arrival, &str),
        trust: &Trust,
        teller: &mut Teller<'_>,
    ) -> Result<Served, Reason> {
        let Some(folder) = folder(arrival) else {
            let reason = Reason::new(Code::CarrierDevice, "this station reads folders only");
            teller.is_no_carrier(&reason.about(source));
            return Ok(Served::Released);
        };
        let means = Means {
            trust: &self.config.trust,
            policy: &trust.policy,
            settings: self.config.intake,
            is_sandboxed: self.is_sandboxed,
        };
        let carrier = Carrier { kind: arrival.source.kind(), source, folder: &folder };
        supervisor::serve(outbound, carrier, &means, &self.cancel, teller)
    }
}

/// Where a carrier that is a folder lies.
fn folder(arrival: &Arrival) -> Option<PathBuf> {
    match &arrival.source {
        Source::Folder(entry) => Some(entry.hot_folder.join(&entry.name)),
        Source::Archive(_) | Source::Device(_) => None,
    }
}

/// A reason in a line of the log.
pub(super) fn said(reason: &Reason) -> Value {
    reason.to_string().into()
}
