//! What the status socket tells: a document for programs, and the same as text for people.
//!
//! Whatever a carrier may have named is harmless here already: it was made so when it came in.

use std::fmt::Write as _;

use oms_verify::verdict::ReasonDetail;
use serde::{Deserialize, Serialize};

use crate::progress::Reached;

/// The document's schema, which is in `schemas/status.schema.json`.
pub const SCHEMA: &str = "urn:oms-appliance:status:1";

/// How a daemon is at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: String,
    /// The software's version.
    pub version: String,
    /// The station's URI.
    pub id: String,
    /// When the daemon was started (RFC 3339).
    pub since: String,
    /// The moment, as the system's clock has it.
    pub time: String,
    /// What it does.
    pub state: State,
    /// Why it serves nobody, where it does not.
    pub why: Vec<ReasonDetail>,
    /// Seconds until it tries again.
    pub again_in: Option<u64>,
    /// The carrier that is being served, and those that were served last, the newest first.
    pub carriers: Vec<CarrierStatus>,
    /// The carriers that wait, in their order.
    pub queue: Vec<String>,
    /// The last verdicts, the newest first.
    pub verdicts: Vec<VerdictStatus>,
    /// The self-test.
    pub health: Health,
}

/// What the daemon does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It tests itself and ends what was begun before.
    Starting,
    /// It serves nobody until what is wrong has been put right.
    Unfit,
    /// It waits for carriers.
    Waiting,
    /// It serves a carrier.
    Serving,
    /// It is about to end.
    Stopping,
}

/// A carrier that is or was served.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarrierStatus {
    /// What people know it by.
    pub source: String,
    /// Whether it may be pulled.
    pub may_be_pulled: bool,
    /// Whether it is gone.
    pub is_gone: bool,
    /// When its service began (RFC 3339).
    pub since: String,
    /// How many models are on it, once that is known.
    pub models: Option<usize>,
    /// How many of them passed.
    pub passed: usize,
    /// How many were refused.
    pub refused: usize,
    /// About how many nothing could be decided.
    pub undecided: usize,
    /// The model that is being read.
    pub reading: Option<ModelStatus>,
    /// What is wrong with it, or with models that could not be decided about; the first ones.
    pub reasons: Vec<ReasonDetail>,
}

/// A model that is being read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelStatus {
    /// Where it lies on the carrier.
    pub path: String,
    /// How far it is.
    pub progress: Reached,
}

/// A verdict that is out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerdictStatus {
    /// Its number.
    pub sequence: u64,
    /// The model's name.
    pub model: String,
    /// Whether it passed.
    pub passed: bool,
    /// When it was decided (RFC 3339).
    pub time: String,
    /// The codes of the reasons, each once; the first ones.
    pub codes: Vec<String>,
    /// Its entry's name in outbound.
    pub entry: String,
}

/// Whether the station is fit for its work.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// When the self-test was done last (RFC 3339).
    pub checked: Option<String>,
    /// Its checks, as `doctor` has them.
    pub checks: Vec<CheckStatus>,
    /// Bytes that are free in the spool.
    pub free_bytes: Option<u64>,
}

/// A check of the self-test.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckStatus {
    /// Its name.
    pub name: String,
    /// `ok`, `warning` or `failed`.
    pub state: String,
    /// What it found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}

impl State {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Starting => "starting: it tests itself",
            State::Unfit => "UNFIT: no carrier is served",
            State::Waiting => "waiting for carriers",
            State::Serving => "serving a carrier",
            State::Stopping => "stopping",
        }
    }
}

impl Status {
    /// The same for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let Status { id, version, since, time, .. } = self;
        let _ = writeln!(text, "station   {id}, version {version}, since {since}");
        let _ = writeln!(text, "state     {}, at {time}", self.state.word());
        for reason in &self.why {
            let _ = writeln!(text, "          {reason}\n            -> {}", reason.remedy);
        }
        if let Some(seconds) = self.again_in {
            let _ = writeln!(text, "          tried again in {seconds} s");
        }
        self.carriers.iter().for_each(|carrier| carrier.write(&mut text));
        for source in &self.queue {
            let _ = writeln!(text, "queue     {source}");
        }
        for verdict in &self.verdicts {
            let word = if verdict.passed { "passed " } else { "REFUSED" };
            let _ = write!(text, "verdict   {:012} {word} {}", verdict.sequence, verdict.model);
            let codes = verdict.codes.join(", ");
            let _ = if codes.is_empty() { writeln!(text) } else { writeln!(text, ": {codes}") };
        }
        self.health.write(&mut text);
        text
    }
}

impl CarrierStatus {
    fn write(&self, text: &mut String) {
        let word = match (self.is_gone, self.may_be_pulled) {
            (true, _) => "gone",
            (_, true) => "MAY BE PULLED",
            _ => "do not pull it",
        };
        let _ = write!(text, "carrier   {}: {word}", self.source);
        let CarrierStatus { passed, refused, undecided, .. } = self;
        let _ = match self.models {
            None => writeln!(text),
            Some(models) => writeln!(
                text,
                "; {models} models: {passed} passed, {refused} refused, {undecided} undecided"
            ),
        };
        if let Some(ModelStatus { path, progress }) = &self.reading {
            let of = |all: Option<u64>| all.map_or_else(|| "?".to_owned(), |all| all.to_string());
            let Reached { bytes, total_bytes, files, total_files, bytes_per_second, .. } = progress;
            let _ = writeln!(
                text,
                "          {path}: {bytes} of {} bytes, {files} of {} files, {bytes_per_second} bytes/s",
                of(*total_bytes),
                of(*total_files)
            );
            if let Some(seconds) = progress.seconds_left {
                let _ = writeln!(text, "          {seconds} s left");
            }
        }
        for reason in &self.reasons {
            let _ = writeln!(text, "          {reason}");
        }
    }
}

impl Health {
    fn write(&self, text: &mut String) {
        let failed = |state: &str| self.checks.iter().filter(|one| one.state == state).count();
        let checked = self.checked.as_deref().unwrap_or("not yet");
        let _ = writeln!(
            text,
            "health    self-test {checked}: {} checks, {} failed, {} warnings",
            self.checks.len(),
            failed("failed"),
            failed("warning")
        );
        for check in self.checks.iter().filter(|check| check.state != "ok") {
            let CheckStatus { name, state, found, .. } = check;
            let _ = writeln!(text, "          {state} {name}: {found}");
        }
        if let Some(bytes) = self.free_bytes {
            let _ = writeln!(text, "          {bytes} bytes are free in the spool");
        }
    }
}
