//! What commands print: one JSON document for machines, text for people.
//!
//! The JSON of `verify` and `ingest` has schemas beside this crate, in `schemas/`.

use std::fmt::Write as _;

use oms_verify::reason::{Class, Printable, Reason};
use oms_verify::verdict::{AttestationDetail, Mode, ReasonDetail, SignerDetail, Verdict};
use serde::Serialize;

use crate::outbound::Published;
use crate::progress::Summary;

/// How a model fared, from the best to the gravest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Accepted.
    Passed,
    /// Refused.
    Refused,
    /// Nothing was decided: usage or configuration.
    Error,
    /// Nothing was decided: I/O, HSM, resources.
    Undecided,
}

impl Outcome {
    /// What a set of reasons amounts to: the gravest class counts.
    pub fn of(reasons: &[Reason]) -> Self {
        match reasons.iter().map(|reason| reason.code.class()).max() {
            None => Outcome::Passed,
            Some(Class::Refusal) => Outcome::Refused,
            Some(Class::Configuration) => Outcome::Error,
            Some(Class::Undecided) => Outcome::Undecided,
        }
    }

    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Passed => 0,
            Outcome::Refused => Class::Refusal.exit_code(),
            Outcome::Error => Class::Configuration.exit_code(),
            Outcome::Undecided => Class::Undecided.exit_code(),
        }
    }
}

/// The document of `verify --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyDocument {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    #[serde(flatten)]
    decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<IntakeDetail>,
    reasons: Vec<ReasonDetail>,
    warnings: Vec<ReasonDetail>,
}

/// The document of `ingest --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestDocument {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    /// Decisions that an earlier crash had left and that were published first.
    recovered: Vec<String>,
    models: Vec<IngestedModel>,
    /// What no bundle names at the top of a carrier.
    unclaimed: Vec<String>,
    reasons: Vec<ReasonDetail>,
}

/// One model of a carrier.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestedModel {
    /// Where it is on the carrier.
    path: String,
    result: Outcome,
    #[serde(flatten)]
    decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<IntakeDetail>,
    reasons: Vec<ReasonDetail>,
    warnings: Vec<ReasonDetail>,
}

/// The document of a command that makes no decision and failed, such as `sign --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureDocument {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    reasons: Vec<ReasonDetail>,
}

impl FailureDocument {
    /// The document of these reasons.
    pub fn new(reasons: &[Reason]) -> Self {
        let result = Outcome::of(reasons);
        FailureDocument {
            schema: "urn:oms-appliance:failure:1",
            result,
            exit_code: result.exit_code(),
            reasons: details(reasons),
        }
    }
}

/// The particulars of a decision.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    model: String,
    mode: &'static str,
    time: String,
    policy: PolicyUsed,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_digest: Option<String>,
    signers: Vec<SignerDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attestations: Vec<AttestationDetail>,
    files: usize,
    bytes: u64,
    checks: Vec<String>,
}

/// How the files of a model were read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntakeDetail {
    bytes: u64,
    files: u64,
    seconds: f64,
    bytes_per_second: u64,
    reader: &'static str,
    because: String,
    kernels: Vec<String>,
    medium: &'static str,
    direct: bool,
    workers: usize,
    retries: u32,
}

impl IntakeDetail {
    /// `None` when no file was read.
    pub fn of(summary: &Summary) -> Option<Self> {
        let engine = summary.engine.clone()?;
        Some(IntakeDetail {
            bytes: summary.bytes,
            files: summary.files,
            seconds: summary.took.as_secs_f64(),
            bytes_per_second: summary.rate() as u64,
            reader: engine.reader,
            because: engine.because,
            kernels: engine.kernels,
            medium: engine.medium,
            direct: engine.direct,
            workers: engine.workers,
            retries: summary.retries,
        })
    }
}

#[derive(Debug, Serialize)]
struct PolicyUsed {
    id: String,
    version: u64,
    sha256: String,
}

impl Decision {
    fn of(verdict: &Verdict) -> Self {
        let policy = verdict.policy();
        Decision {
            model: verdict.subject_name().to_owned(),
            mode: verdict.mode().name(),
            time: verdict.time().to_string(),
            policy: PolicyUsed {
                id: policy.id.clone(),
                version: policy.version,
                sha256: policy.digest.to_hex(),
            },
            root_digest: verdict.manifest().map(|manifest| manifest.root().to_hex()),
            signers: verdict.signers().map(SignerDetail::from).collect(),
            attestations: attestations(verdict),
            files: verdict.files().len(),
            bytes: verdict.files().iter().map(|(_, size)| size).sum(),
            checks: verdict.checks().to_vec(),
        }
    }
}

/// The accepted attestations, with the names under which an entry holds them.
fn attestations(verdict: &Verdict) -> Vec<AttestationDetail> {
    let published = verdict.passed() && verdict.mode() == Mode::Ingest;
    let number = |at: usize| published.then_some(at.saturating_add(1));
    let all = verdict.attestations().iter().enumerate();
    all.map(|(at, one)| AttestationDetail::new(one, number(at))).collect()
}

fn details(reasons: &[Reason]) -> Vec<ReasonDetail> {
    reasons.iter().map(ReasonDetail::from).collect()
}

impl VerifyDocument {
    /// The document of a decision, and of how the files were read for it.
    pub fn decided(verdict: &Verdict, summary: &Summary) -> Self {
        let result = Outcome::of(verdict.reasons());
        VerifyDocument {
            schema: "urn:oms-appliance:verify:1",
            result,
            exit_code: result.exit_code(),
            decision: Some(Decision::of(verdict)),
            intake: IntakeDetail::of(summary),
            reasons: details(verdict.reasons()),
            warnings: details(verdict.warnings()),
        }
    }

    /// The document when there is no decision.
    pub fn failed(reasons: &[Reason]) -> Self {
        let result = Outcome::of(reasons);
        VerifyDocument {
            schema: "urn:oms-appliance:verify:1",
            result,
            exit_code: result.exit_code(),
            decision: None,
            intake: None,
            reasons: details(reasons),
            warnings: Vec::new(),
        }
    }
}

impl IngestedModel {
    /// A model that was decided about, with its entry, and how its files were read.
    pub fn published(
        path: &str,
        verdict: &Verdict,
        published: &Published,
        summary: &Summary,
    ) -> Self {
        IngestedModel {
            path: path.to_owned(),
            result: Outcome::of(verdict.reasons()),
            decision: Some(Decision::of(verdict)),
            sequence: Some(published.sequence),
            entry: Some(published.entry.display().to_string()),
            intake: IntakeDetail::of(summary),
            reasons: details(verdict.reasons()),
            warnings: details(verdict.warnings()),
        }
    }

    /// A model that nothing was decided about.
    pub fn failed(path: &str, reason: &Reason) -> Self {
        let reasons = std::slice::from_ref(reason);
        IngestedModel {
            path: path.to_owned(),
            result: Outcome::of(reasons),
            decision: None,
            sequence: None,
            entry: None,
            intake: None,
            reasons: details(reasons),
            warnings: Vec::new(),
        }
    }
}

impl IngestDocument {
    /// The document of a carrier.
    pub fn new(
        result: Outcome,
        recovered: Vec<String>,
        models: Vec<IngestedModel>,
        unclaimed: Vec<String>,
        reasons: &[Reason],
    ) -> Self {
        let reasons = details(reasons);
        let exit_code = result.exit_code();
        let schema = "urn:oms-appliance:ingest:1";
        IngestDocument { schema, result, exit_code, recovered, models, unclaimed, reasons }
    }
}

/// A verdict for people.
pub fn verdict_text(verdict: &Verdict) -> String {
    let mut text = String::new();
    let word = if verdict.passed() { "PASSED" } else { "REFUSED" };
    let policy = verdict.policy();
    let _ = writeln!(text, "{word}: {}", Printable(verdict.subject_name()));
    let _ = writeln!(text, "  policy   {} version {}", policy.id, policy.version);
    let _ = writeln!(text, "  time     {} ({})", verdict.time(), verdict.mode().name());
    for signer in verdict.signers() {
        let detail = SignerDetail::from(signer);
        let _ = write!(text, "  signer   {} by {}", Printable(&detail.identity), detail.rule);
        let _ = match detail.anchor {
            Some(anchor) => writeln!(text, ", anchor {anchor}, {}", detail.key_type),
            None => writeln!(text, ", {}", detail.key_type),
        };
        if let Some(signed) = detail.signed {
            let _ = writeln!(text, "  signed   {} by {}", signed.time, Printable(&signed.source));
        }
    }
    for attestation in verdict.attestations() {
        let signer = attestation.signers().first();
        let _ = writeln!(
            text,
            "  attested {} by {}",
            Printable(attestation.predicate_type()),
            Printable(signer.map_or("nobody", |signer| &signer.identity))
        );
    }
    if let Some(manifest) = verdict.manifest() {
        let _ = writeln!(text, "  root     sha256:{}", manifest.root());
        let bytes: u64 = verdict.files().iter().map(|(_, size)| size).sum();
        let (matching, listed) = (verdict.files().len(), manifest.files().len());
        let _ = writeln!(text, "  files    {matching} of {listed} as signed, {bytes} bytes");
    }
    text.push_str(&reasons_text("refused because", verdict.reasons()));
    text.push_str(&reasons_text("to be known", verdict.warnings()));
    text
}

/// Most reasons that are shown to people at once.
const MAX_SHOWN: usize = 50;

/// Reasons for people, with what to do about each.
pub fn reasons_text(title: &str, reasons: &[Reason]) -> String {
    let mut text = String::new();
    if reasons.is_empty() {
        return text;
    }
    let _ = writeln!(text, "  {title}:");
    for reason in reasons.iter().take(MAX_SHOWN) {
        let _ = writeln!(text, "    {reason}");
        let _ = writeln!(text, "      -> {}", reason.code.remedy());
    }
    if let Some(more) = reasons.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "    and {more} more: see --json or the verdict");
    }
    text
}
