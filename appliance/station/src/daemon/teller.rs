//! Hears what happens to the carrier that is served, and puts it on the board and into the log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_verify::reason::Reason;

use super::board::{Board, shown};
use super::log::{Level, Log};
use super::server::said;
use super::status::VerdictStatus;
use crate::cancel::Cancel;
use crate::media::Candidate;
use crate::progress::{Display, Progress};
use crate::supervisor::{Event, Observer};

/// Codes that are shown of one verdict.
const MOST_CODES: usize = 8;
/// Reasons of one carrier that are written to the log.
const MOST_LOGGED: usize = 20;

/// The observer of one carrier.
pub(super) struct Teller<'a> {
    board: &'a Board,
    log: &'a Log,
    cancel: &'a Cancel,
    source: &'a str,
    /// The models that have their end.
    done: &'a mut BTreeSet<PathBuf>,
    /// The model that is being read.
    pub(super) at: Option<PathBuf>,
    /// Why the carrier has to wait.
    pub(super) held: Option<Reason>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        board: &'a Board,
        log: &'a Log,
        cancel: &'a Cancel,
        source: &'a str,
        done: &'a mut BTreeSet<PathBuf>,
    ) -> Self {
        Teller { board, log, cancel, source, done, at: None, held: None }
    }

    /// What has come cannot be served at all.
    pub(super) fn is_no_carrier(&self, reason: &Reason) {
        self.trouble(std::slice::from_ref(reason));
    }

    fn trouble(&self, reasons: &[Reason]) {
        self.board.facts().blame(reasons);
        for reason in reasons.iter().take(MOST_LOGGED) {
            let fields = [
                ("carrier", self.source.into()),
                ("code", reason.code.id().into()),
                ("reason", said(reason)),
            ];
            self.log.tell(Level::Warning, "carrier-trouble", &fields);
        }
    }
}

impl Observer for Teller<'_> {
    fn tell(&mut self, event: Event<'_>) {
        let carrier = ("carrier", self.source.into());
        match event {
            Event::Troubled(reasons) => self.trouble(reasons),
            Event::Surveyed { models, unclaimed } => {
                if let Some(carrier) = self.board.facts().carrier() {
                    carrier.models = Some(models);
                }
                let unclaimed = ("unclaimed", unclaimed.len().into());
                let fields = [carrier, ("models", models.into()), unclaimed];
                self.log.tell(Level::Info, "carrier-surveyed", &fields);
            }
            Event::Published { path, decision, published, summary } => {
                self.done.extend(self.at.take());
                let mut codes: Vec<String> =
                    decision.reasons.iter().map(|reason| reason.code.clone()).collect();
                codes.sort();
                codes.dedup();
                let mut facts = self.board.facts();
                facts.read(None);
                let (passed, counts) = (decision.passed(), &mut facts.counts);
                let count = if passed { &mut counts.passed } else { &mut counts.refused };
                *count = count.saturating_add(1);
                counts.bytes = counts.bytes.saturating_add(summary.bytes);
                counts.seconds += summary.took.as_secs_f64();
                codes.iter().for_each(|code| facts.count(code));
                if let Some(carrier) = facts.carrier() {
                    let count = if passed { &mut carrier.passed } else { &mut carrier.refused };
                    *count = count.saturating_add(1);
                }
                let all = codes.join(" ");
                codes.truncate(MOST_CODES);
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
                let counts = &mut self.board.facts().counts;
                counts.carriers = counts.carriers.saturating_add(1);
                self.log.tell(Level::Info, "carrier-released", &[carrier]);
            }
        }
    }

    fn wants(&mut self, candidate: &Candidate) -> bool {
        !self.done.contains(Path::new(&candidate.model))
    }

    fn begin(&mut self, candidate: &Candidate) -> Arc<Progress> {
        self.at = Some(PathBuf::from(&candidate.model));
        let progress = Arc::new(Progress::new("", Display::None, self.cancel));
        self.board.facts().read(Some((&candidate.model, &progress)));
        progress
    }

    fn failed(&mut self, candidate: &Candidate, reason: &Reason) -> bool {
        self.board.facts().read(None);
        // The station's own trouble is no model's end, nor is the wish to stop.
        let code = reason.code.id();
        if code.starts_with("hsm.") || self.cancel.is_asked() {
            self.held = Some(reason.clone());
            return false;
        }
        self.done.extend(self.at.clone());
        let mut facts = self.board.facts();
        facts.counts.undecided = facts.counts.undecided.saturating_add(1);
        if let Some(carrier) = facts.carrier() {
            carrier.undecided = carrier.undecided.saturating_add(1);
        }
        facts.blame(std::slice::from_ref(reason));
        drop(facts);
        let fields = [
            ("carrier", self.source.into()),
            ("path", candidate.model.as_str().into()),
            ("code", code.into()),
            ("reason", said(reason)),
        ];
        self.log.tell(Level::Warning, "undecided", &fields);
        true
    }
}
