//! The board: what the threads of the daemon know of one another.
//!
//! ```text
//!  main thread ── carriers that came or went ──▶ Board ◀── what it does ── serving thread, lanes
//!                                                  │
//!                            status socket ◀───────┴──────▶ metrics
//! ```
//!
//! Everything on it is bounded: it is kept for years.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oms_verify::reason::{Printable, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::ReasonDetail;

use super::status::{
    CarrierStatus, CheckStatus, Health, ModelStatus, SCHEMA, State, Status, VerdictStatus,
};
use crate::carriers::Arrival;
use crate::clock::system_time;
use crate::doctor::Check;
use crate::outbound::VERSION;
use crate::progress::Progress;

/// The most carriers that wait: others are found when there is room again.
pub(super) const MOST_WAITING: usize = 64;
/// Carriers that are remembered after they were served.
const MOST_SERVED: usize = 16;
/// Verdicts that are remembered.
const MOST_VERDICTS: usize = 20;
/// Codes that are shown of one verdict.
const MOST_CODES: usize = 8;
/// Reasons that are shown of one carrier.
const MOST_REASONS: usize = 10;
/// The most characters of one text.
const MOST_TEXT: usize = 1_000;

/// What is known of a daemon.
#[derive(Debug)]
pub(super) struct Board {
    id: String,
    since: UnixTime,
    facts: Mutex<Facts>,
    changed: Condvar,
}

/// What changes.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) state: State,
    /// Why nobody is served, and when that is tried again.
    pub(super) why: Vec<Reason>,
    pub(super) again: Option<Instant>,
    queue: VecDeque<Arrival>,
    /// The identities of those that a lane has in hand.
    in_hand: Vec<String>,
    /// Carriers that are or were served, the newest first.
    served: VecDeque<Served>,
    verdicts: VecDeque<VerdictStatus>,
    pub(super) health: Health,
    pub(super) counts: Counts,
}

/// A carrier that is or was served.
#[derive(Debug)]
struct Served {
    identity: String,
    status: CarrierStatus,
    is_now: bool,
    /// The model that is being read.
    reading: Option<(String, Arc<Progress>)>,
}

/// What is counted from the start on, for the metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) carriers: u64,
    pub(super) passed: u64,
    pub(super) refused: u64,
    pub(super) undecided: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) reasons: BTreeMap<String, u64>,
    /// When a verdict was published last.
    pub(super) last_success: Option<UnixTime>,
    /// How often the station could not be opened, or had to be opened anew.
    pub(super) failures: u64,
}

impl Board {
    pub(super) fn new(id: &str) -> Self {
        let facts = Facts {
            state: State::Starting,
            why: Vec::new(),
            again: None,
            queue: VecDeque::new(),
            in_hand: Vec::new(),
            served: VecDeque::new(),
            verdicts: VecDeque::new(),
            health: Health::default(),
            counts: Counts::default(),
        };
        Board {
            id: id.to_owned(),
            since: system_time(),
            facts: Mutex::new(facts),
            changed: Condvar::new(),
        }
    }

    /// When the daemon was started.
    pub(super) fn since(&self) -> UnixTime {
        self.since
    }

    /// What is known. Nobody who holds it waits for anything.
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for another carrier in the queue.
    pub(super) fn has_room(&self) -> bool {
        self.facts().queue.len() < MOST_WAITING
    }

    /// A carrier has come.
    pub(super) fn arrived(&self, arrival: Arrival) {
        self.facts().queue.push_back(arrival);
        self.changed.notify_all();
    }

    /// A carrier is gone: it waits no longer. Gives what people know it by, where it was served.
    pub(super) fn gone(&self, identity: &str) -> Option<String> {
        let mut facts = self.facts();
        facts.queue.retain(|arrival| arrival.identity != identity);
        let carrier = facts.served.iter_mut().find(|served| served.identity == identity)?;
        carrier.status.is_gone = true;
        Some(carrier.status.source.clone())
    }

    /// The next carrier, which is waited for no longer than `most`. It is in hand from now on, until
    /// [`Board::done`] or [`Board::put_back`]: one that went and came again meanwhile waits for that,
    /// so that no two lanes ever serve the same.
    pub(super) fn next(&self, most: Duration) -> Option<Arrival> {
        let wait =
            self.changed.wait_timeout_while(self.facts(), most, |facts| facts.next().is_none());
        let mut facts = wait.unwrap_or_else(PoisonError::into_inner).0;
        let arrival = facts.next().and_then(|at| facts.queue.remove(at))?;
        facts.in_hand.push(arrival.identity.clone());
        Some(arrival)
    }

    /// A carrier is in hand no longer, and does not wait.
    pub(super) fn done(&self, identity: &str) {
        self.facts().in_hand.retain(|other| other != identity);
        self.changed.notify_all();
    }

    /// Puts a carrier back that could not be served yet: it is the next one, if it is still here.
    pub(super) fn put_back(&self, arrival: Arrival) {
        let mut facts = self.facts();
        facts.in_hand.retain(|other| *other != arrival.identity);
        let is_gone = |one: &Served| one.identity == arrival.identity && one.status.is_gone;
        if !facts.served.iter().any(is_gone) {
            facts.queue.push_front(arrival);
        }
        drop(facts);
        self.changed.notify_all();
    }

    /// How it is now.
    pub(super) fn status(&self) -> Status {
        let facts = self.facts();
        let until = |at: Instant| at.saturating_duration_since(Instant::now()).as_secs();
        Status {
            schema: SCHEMA.to_owned(),
            version: VERSION.to_owned(),
            id: self.id.clone(),
            since: self.since.to_string(),
            time: system_time().to_string(),
            state: facts.state,
            why: facts.why.iter().take(MOST_REASONS).map(detail).collect(),
            again_in: facts.again.map(until),
            carriers: facts.served.iter().map(Served::status).collect(),
            queue: facts.queue.iter().map(|arrival| arrival.source.to_string()).collect(),
            verdicts: facts.verdicts.iter().cloned().collect(),
            health: facts.health.clone(),
        }
    }
}

impl Facts {
    /// Where the next carrier waits that no lane has in hand.
    fn next(&self) -> Option<usize> {
        self.queue.iter().position(|arrival| !self.in_hand.contains(&arrival.identity))
    }

    /// What it does, and by which codes it serves nobody, in a line.
    pub(super) fn headline(&self) -> String {
        let mut codes: Vec<&str> = self.why.iter().map(|reason| reason.code.id()).collect();
        codes.dedup();
        match (self.state, codes.as_slice()) {
            (State::Unfit, [_, ..]) => format!("{} ({})", self.state.word(), codes.join(", ")),
            _ => self.state.word().to_owned(),
        }
    }

    /// How many carriers wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The service of a carrier begins, or is taken up again.
    pub(super) fn begin(&mut self, identity: &str, source: &str) {
        self.state = State::Serving;
        self.served.retain(|served| served.identity != identity);
        let status = CarrierStatus {
            source: shown(source),
            may_be_pulled: false,
            is_gone: false,
            since: system_time().to_string(),
            models: None,
            passed: 0,
            refused: 0,
            undecided: 0,
            reading: None,
            reasons: Vec::new(),
        };
        let identity = identity.to_owned();
        self.served.push_front(Served { identity, status, is_now: true, reading: None });
        let mut room = MOST_SERVED;
        self.served.retain(|served| {
            let stays = served.is_now || room > 0;
            room = room.saturating_sub(1);
            stays
        });
    }

    fn served(&mut self, identity: &str) -> Option<&mut Served> {
        self.served.iter_mut().find(|served| served.is_now && served.identity == identity)
    }

    /// A model of this carrier is being read; none any more.
    pub(super) fn read(&mut self, identity: &str, model: Option<(&str, &Arc<Progress>)>) {
        if let Some(served) = self.served(identity) {
            served.reading = model.map(|(path, progress)| (shown(path), Arc::clone(progress)));
        }
    }

    /// The carrier of this identity, while it is served.
    pub(super) fn carrier(&mut self, identity: &str) -> Option<&mut CarrierStatus> {
        self.served(identity).map(|served| &mut served.status)
    }

    /// Whether any carrier is served.
    pub(super) fn is_serving(&self) -> bool {
        self.served.iter().any(|served| served.is_now)
    }

    /// The carrier is no longer served. It is the newest of those: one that took long is not
    /// forgotten for the many that came and went beside it.
    pub(super) fn end(&mut self, identity: &str, may_be_pulled: bool) {
        let is_it = |served: &Served| served.is_now && served.identity == identity;
        let at = self.served.iter().position(is_it);
        if let Some(mut served) = at.and_then(|at| self.served.remove(at)) {
            served.status.may_be_pulled = may_be_pulled;
            (served.is_now, served.reading) = (false, None);
            let after = self.served.iter().take_while(|served| served.is_now).count();
            self.served.insert(after, served);
        }
        if self.state == State::Serving && !self.is_serving() {
            self.state = State::Waiting;
        }
    }

    /// Reasons that a person should see beside the carrier, and that are counted.
    pub(super) fn blame(&mut self, identity: &str, reasons: &[Reason]) {
        for reason in reasons {
            self.count(reason.code.id());
        }
        if let Some(carrier) = self.carrier(identity) {
            let room = MOST_REASONS.saturating_sub(carrier.reasons.len());
            carrier.reasons.extend(reasons.iter().take(room).map(detail));
        }
    }

    /// Counts a reason.
    pub(super) fn count(&mut self, code: &str) {
        // Codes are ours, so that there are only so many.
        let count = self.counts.reasons.entry(code.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// A verdict is out.
    pub(super) fn publish(&mut self, mut verdict: VerdictStatus) {
        let Counts { passed, refused, .. } = &mut self.counts;
        let count = if verdict.passed { passed } else { refused };
        *count = count.saturating_add(1);
        verdict.codes.iter().for_each(|code| self.count(code));
        verdict.codes.truncate(MOST_CODES);
        self.verdicts.push_front(verdict);
        self.verdicts.truncate(MOST_VERDICTS);
        self.counts.last_success = Some(system_time());
    }

    /// What the self-test came to.
    pub(super) fn tested(&mut self, checks: &[Check]) {
        self.health.checked = Some(system_time().to_string());
        self.health.checks = checks.iter().map(check).collect();
    }

    /// Looks how much room there is.
    pub(super) fn measure(&mut self, spool: &Path) {
        let told = rustix::fs::statvfs(spool).ok();
        self.health.free_bytes = told.map(|told| told.f_bavail.saturating_mul(told.f_frsize));
    }
}

impl Served {
    fn status(&self) -> CarrierStatus {
        let mut status = self.status.clone();
        status.reading = self.reading.as_ref().map(|(path, progress)| ModelStatus {
            path: path.clone(),
            progress: progress.reached(),
        });
        status
    }
}

/// A text as it may be shown anywhere.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(MOST_TEXT).collect();
    Printable(&short).to_string()
}

fn detail(reason: &Reason) -> ReasonDetail {
    let plain = ReasonDetail::from(reason);
    ReasonDetail {
        file: plain.file.as_deref().map(shown),
        place: plain.place.as_deref().map(shown),
        rule: plain.rule.as_deref().map(shown),
        detail: shown(&plain.detail),
        ..plain
    }
}

fn check(check: &Check) -> CheckStatus {
    CheckStatus {
        name: check.name.to_owned(),
        state: check.state.name().to_owned(),
        found: shown(&check.found),
        remedy: check.remedy.as_deref().map(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::{Entry, Source};
    use oms_verify::reason::Code;

    fn arrival(name: &str) -> Arrival {
        let entry = Entry { hot_folder: "/in".into(), name: name.into(), inode: (1, 2) };
        Arrival { source: Source::Folder(entry), identity: name.to_owned() }
    }

    #[test]
    fn carriers_wait_in_their_order_and_go_when_they_are_pulled() {
        let board = Board::new("urn:x");
        for name in ["a", "b", "c"] {
            board.arrived(arrival(name));
        }
        assert_eq!(board.gone("b"), None);
        assert_eq!(board.status().queue, ["/in/a", "/in/c"]);
        let a = board.next(Duration::ZERO).unwrap();
        board.facts().begin(&a.identity, "/in/a");
        board.put_back(a.clone());
        assert_eq!(board.status().queue, ["/in/a", "/in/c"]);
        let a = board.next(Duration::ZERO).unwrap();
        assert_eq!(board.gone("a").as_deref(), Some("/in/a"));
        board.put_back(a);
        assert_eq!(board.status().queue, ["/in/c"], "what is gone does not come back by itself");
        assert!(board.status().carriers[0].is_gone);
    }

    #[test]
    fn no_two_lanes_have_the_same_carrier_in_hand() {
        let board = Board::new("urn:x");
        board.arrived(arrival("a"));
        let a = board.next(Duration::ZERO).unwrap();
        board.facts().begin(&a.identity, "/in/a");
        // It was away for a moment, or could not be seen.
        assert_eq!(board.gone("a").as_deref(), Some("/in/a"));
        board.arrived(arrival("a"));
        board.arrived(arrival("b"));
        assert_eq!(board.next(Duration::ZERO).unwrap().identity, "b");
        assert_eq!(board.next(Duration::ZERO), None);
        assert!(!board.status().carriers[0].may_be_pulled);
        board.facts().end("a", true);
        board.done("a");
        assert_eq!(board.next(Duration::ZERO).unwrap().identity, "a", "the journal knows it");
    }

    #[test]
    fn one_that_took_long_is_told_among_the_many_beside_it() {
        let board = Board::new("urn:x");
        let mut facts = board.facts();
        facts.begin("long", "/in/long");
        for number in 0..100 {
            facts.begin(&number.to_string(), "/in/short");
            facts.end(&number.to_string(), true);
        }
        facts.end("long", true);
        for number in 0..MOST_SERVED - 2 {
            facts.begin(&number.to_string(), "/in/short");
            facts.end(&number.to_string(), true);
        }
        facts.begin("last", "/in/last");
        drop(facts);
        let carriers = board.status().carriers;
        let long = carriers.iter().find(|carrier| carrier.source == "/in/long");
        assert!(long.is_some_and(|long| long.may_be_pulled), "{carriers:#?}");
    }

    #[test]
    fn whatever_comes_is_remembered_only_so_far() {
        let board = Board::new("urn:x");
        for number in 0..100_u64 {
            let mut facts = board.facts();
            facts.begin(&number.to_string(), "x\u{1b}[2J");
            let reasons = vec![Reason::new(Code::BundleMissing, "n\u{202e}".repeat(9_000)); 50];
            facts.blame(&number.to_string(), &reasons);
            facts.end(&number.to_string(), true);
            facts.publish(VerdictStatus {
                sequence: number,
                model: shown(&"m".repeat(9_000)),
                passed: true,
                time: String::new(),
                codes: Vec::new(),
                entry: String::new(),
            });
        }
        let status = board.status();
        assert_eq!((status.carriers.len(), status.verdicts.len()), (MOST_SERVED, MOST_VERDICTS));
        assert_eq!(status.carriers[0].reasons.len(), MOST_REASONS);
        assert_eq!(status.carriers[0].source, "x\\u{1b}[2J");
        assert_eq!(board.facts().counts.reasons["bundle.missing"], 5_000);
        let document = serde_json::to_string(&status).unwrap();
        assert!(document.len() < 3 << 20, "{}", document.len());
        assert!(!document.contains('\u{202e}'));
    }
}
