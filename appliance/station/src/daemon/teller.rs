//! Hears what happens to the carrier that is served, and puts it on the board and into the log.

use std::path::Path;
use std::sync::Arc;

use oms_verify::reason::{Code, Reason};

use super::board::{Board, shown};
use super::log::{Level, Log};
use super::server::said;
use super::status::VerdictStatus;
use crate::cancel::Cancel;
use crate::media::Candidate;
use crate::progress::{Display, Progress};
use crate::supervisor::{Event, Observer};

/// Reasons of one carrier that are written to the log.
const MOST_LOGGED: usize = 20;

/// The observer of one carrier.
pub(super) struct Teller<'a> {
    board: &'a Board,
    log: &'a Log,
    cancel: &'a Cancel,
    /// The carrier's identity, and what people know it by.
    carrier: (&'a str, &'a str),
    /// The station's state: what cannot be written there is no model's fault.
    state: &'a Path,
    /// Why the carrier has to wait.
    pub(super) held: Option<Reason>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        board: &'a Board,
        log: &'a Log,
        cancel: &'a Cancel,
        carrier: (&'a str, &'a str),
        state: &'a Path,
    ) -> Self {
        Teller { board, log, cancel, carrier, state, held: None }
    }

    fn trouble(&self, reasons: &[Reason]) {
        self.board.facts().blame(self.carrier.0, reasons);
        for reason in reasons.iter().take(MOST_LOGGED) {
            let fields = [
                ("carrier", self.carrier.1.into()),
                ("code", reason.code.id().into()),
                ("reason", said(reason)),
            ];
            self.log.tell(Level::Warning, "carrier-trouble", &fields);
        }
    }
}

impl Teller<'_> {
    /// Whether a reason is about the station itself, so that the next model would have it too: its
    /// keys, its record, its clock, or the disk with its state.
    fn is_stations(&self, reason: &Reason) -> bool {
        let areas = ["hsm.", "key.", "state.", "clock."];
        let file = reason.file.as_ref().filter(|_| reason.code == Code::OutboundWrite);
        areas.iter().any(|area| reason.code.id().starts_with(area))
            || file.is_some_and(|file| Path::new(file).starts_with(self.state))
    }
}

impl Observer for Teller<'_> {
    fn tell(&mut self, event: Event<'_>) {
        let carrier = ("carrier", self.carrier.1.into());
        match event {
            Event::Troubled(reasons) => self.trouble(reasons),
            Event::Surveyed { models, unclaimed } => {
                if let Some(carrier) = self.board.facts().carrier(self.carrier.0) {
                    carrier.models = Some(models);
                }
                let unclaimed = ("unclaimed", unclaimed.len().into());
                let fields = [carrier, ("models", models.into()), unclaimed];
                self.log.tell(Level::Info, "carrier-surveyed", &fields);
            }
            Event::Published { path, decision, published, summary } => {
                let mut codes: Vec<String> =
                    decision.reasons.iter().map(|reason| reason.code.clone()).collect();
                codes.sort();
                codes.dedup();
                let mut facts = self.board.facts();
                facts.read(self.carrier.0, None);
                let (passed, counts) = (decision.passed(), &mut facts.counts);
                counts.bytes = counts.bytes.saturating_add(summary.bytes);
                counts.seconds += summary.took.as_secs_f64();
                if let Some(carrier) = facts.carrier(self.carrier.0) {
                    let count = if passed { &mut carrier.passed } else { &mut carrier.refused };
                    *count = count.saturating_add(1);
                }
                let all = codes.join(" ");
                let entry = published.entry.file_name().unwrap_or_default().to_string_lossy();
                facts.publish(VerdictStatus {
                    sequence: published.sequence,
                    model: shown(&decision.model),
                    passed,
                    time: decision.time.to_string(),
                    codes,
                    entry: shown(&entry),
                });
                drop(facts);
                let fields = [
                    carrier,
                    ("path", path.into()),
                    ("model", decision.model.as_str().into()),
                    ("sequence", published.sequence.into()),
                    ("result", if passed { "passed" } else { "refused" }.into()),
                    ("codes", all.into()),
                    ("bytes", summary.bytes.into()),
                    ("seconds", summary.took.as_secs().into()),
                ];
                let level = if passed { Level::Info } else { Level::Notice };
                self.log.tell(level, "published", &fields);
            }
            Event::Released => {
                let mut facts = self.board.facts();
                facts.counts.carriers = facts.counts.carriers.saturating_add(1);
                // Nobody who asks for the status waits for the log.
                drop(facts);
                self.log.tell(Level::Info, "carrier-released", &[carrier]);
            }
        }
    }

    fn begin(&mut self, candidate: &Candidate) -> Arc<Progress> {
        let progress = Arc::new(Progress::new("", Display::None, self.cancel));
        self.board.facts().read(self.carrier.0, Some((&candidate.model, &progress)));
        progress
    }

    fn failed(&mut self, candidate: &Candidate, reason: &Reason) -> bool {
        self.board.facts().read(self.carrier.0, None);
        // The station's own trouble is no model's end, nor is the wish to stop.
        if self.is_stations(reason) || self.cancel.is_asked() {
            self.held = Some(reason.clone());
            return false;
        }
        let mut facts = self.board.facts();
        facts.counts.undecided = facts.counts.undecided.saturating_add(1);
        if let Some(carrier) = facts.carrier(self.carrier.0) {
            carrier.undecided = carrier.undecided.saturating_add(1);
        }
        facts.blame(self.carrier.0, std::slice::from_ref(reason));
        drop(facts);
        let fields = [
            ("carrier", self.carrier.1.into()),
            ("path", candidate.model.as_str().into()),
            ("code", reason.code.id().into()),
            ("reason", said(reason)),
        ];
        self.log.tell(Level::Warning, "undecided", &fields);
        true
    }
}
