//! What commands print: one JSON document for machines, text for people.
//!
//! The JSON of `verify` and `ingest` has schemas beside this crate, in `schemas/`.

use std::fmt::Write as _;

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Class, Code, Printable, Reason};
use oms_verify::verdict::{AttestationDetail, Decision, Mode, ReasonDetail, SignerDetail};
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
        Outcome::of_classes(reasons.iter().map(|reason| reason.code.class()))
    }

    /// What a decision amounts to.
    pub fn of_decision(decision: &Decision) -> Self {
        // A code that is in no table cannot be one that passes.
        let class = |code: &str| Code::from_id(code).map_or(Class::Undecided, Code::class);
        Outcome::of_classes(decision.reasons.iter().map(|reason| class(&reason.code)))
    }

    fn of_classes(classes: impl Iterator<Item = Class>) -> Self {
        match classes.max() {
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
    decision: Option<Decided>,
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
    decision: Option<Decided>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<IntakeDetail>,
    reasons: Vec<ReasonDetail>,
    warnings: Vec<ReasonDetail>,
}

/// The document of `resend --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResendDocument {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    /// The number of the decision whose model was to be sent again.
    resend_of: u64,
    model: Option<String>,
    sequence: Option<u64>,
    entry: Option<String>,
    /// Decisions that an earlier crash had left and that were published first.
    recovered: Vec<String>,
    reasons: Vec<ReasonDetail>,
}

impl ResendDocument {
    /// What became of the wish to send the model of decision `first` again.
    pub fn new(
        first: u64,
        sent: Option<&(Decision, Published)>,
        recovered: Vec<String>,
        reasons: &[Reason],
    ) -> Self {
        let outcome = Outcome::of(reasons);
        ResendDocument {
            schema: "urn:oms-appliance:resend:1",
            result: outcome,
            exit_code: outcome.exit_code(),
            resend_of: first,
            model: sent.map(|(decision, _)| decision.model.clone()),
            sequence: sent.map(|(_, published)| published.sequence),
            entry: sent.map(|(_, published)| published.entry.display().to_string()),
            recovered,
            reasons: details(reasons),
        }
    }
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
struct Decided {
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
    reader: String,
    because: String,
    kernels: Vec<String>,
    medium: String,
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
            reader: engine.reader.into_owned(),
            because: engine.because,
            kernels: engine.kernels,
            medium: engine.medium.into_owned(),
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

impl Decided {
    fn of(decision: &Decision) -> Self {
        let policy = &decision.policy;
        Decided {
            model: decision.model.clone(),
            mode: decision.mode.name(),
            time: decision.time.to_string(),
            policy: PolicyUsed {
                id: policy.id.clone(),
                version: policy.version,
                sha256: policy.sha256.clone(),
            },
            root_digest: decision.root.map(Sha256Digest::to_hex),
            signers: decision.signers.clone(),
            attestations: attestations(decision),
            files: decision.matching,
            bytes: decision.bytes,
            checks: decision.checks.clone(),
        }
    }
}

/// The accepted attestations, with the names under which an entry holds them.
fn attestations(decision: &Decision) -> Vec<AttestationDetail> {
    let published = decision.passed() && decision.mode == Mode::Ingest;
    let number = |at: usize| published.then_some(at.saturating_add(1));
    let all = decision.attestations.iter().enumerate();
    all.map(|(at, one)| one.clone().numbered(number(at))).collect()
}

fn details(reasons: &[Reason]) -> Vec<ReasonDetail> {
    reasons.iter().map(ReasonDetail::from).collect()
}

impl VerifyDocument {
    /// The document of a decision, and of how the files were read for it.
    pub fn decided(decision: &Decision, summary: &Summary) -> Self {
        let result = Outcome::of_decision(decision);
        VerifyDocument {
            schema: "urn:oms-appliance:verify:1",
            result,
            exit_code: result.exit_code(),
            decision: Some(Decided::of(decision)),
            intake: IntakeDetail::of(summary),
            reasons: decision.reasons.clone(),
            warnings: decision.warnings.clone(),
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
        decision: &Decision,
        published: &Published,
        summary: &Summary,
    ) -> Self {
        IngestedModel {
            path: path.to_owned(),
            result: Outcome::of_decision(decision),
            decision: Some(Decided::of(decision)),
            sequence: Some(published.sequence),
            entry: Some(published.entry.display().to_string()),
            intake: IntakeDetail::of(summary),
            reasons: decision.reasons.clone(),
            warnings: decision.warnings.clone(),
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

/// A decision for people.
pub fn decision_text(decision: &Decision) -> String {
    let mut text = String::new();
    let word = if decision.passed() { "PASSED" } else { "REFUSED" };
    let policy = &decision.policy;
    let _ = writeln!(text, "{word}: {}", Printable(&decision.model));
    let _ = writeln!(text, "  policy   {} version {}", policy.id, policy.version);
    let _ = writeln!(text, "  time     {} ({})", decision.time, decision.mode.name());
    for signer in &decision.signers {
        let _ = write!(text, "  signer   {} by {}", Printable(&signer.identity), signer.rule);
        let _ = match &signer.anchor {
            Some(anchor) => writeln!(text, ", anchor {anchor}, {}", signer.key_type),
            None => writeln!(text, ", {}", signer.key_type),
        };
        if let Some(signed) = &signer.signed {
            let _ = writeln!(text, "  signed   {} by {}", signed.time, Printable(&signed.source));
        }
    }
    for attestation in &decision.attestations {
        let signer = attestation.signers.first();
        let _ = writeln!(
            text,
            "  attested {} by {}",
            Printable(&attestation.predicate_type),
            Printable(signer.map_or("nobody", |signer| &signer.identity))
        );
    }
    if let Some(root) = decision.root {
        let Decision { matching, listed, bytes, .. } = decision;
        let _ = writeln!(text, "  root     sha256:{root}");
        let _ = writeln!(text, "  files    {matching} of {listed} as signed, {bytes} bytes");
    }
    text.push_str(&details_text("refused because", &decision.reasons));
    text.push_str(&details_text("to be known", &decision.warnings));
    text
}

/// Most reasons that are shown to people at once.
const MAX_SHOWN: usize = 50;

/// Reasons for people, with what to do about each.
pub fn reasons_text(title: &str, reasons: &[Reason]) -> String {
    details_text(title, &details(reasons))
}

fn details_text(title: &str, reasons: &[ReasonDetail]) -> String {
    let mut text = String::new();
    if reasons.is_empty() {
        return text;
    }
    let _ = writeln!(text, "  {title}:");
    for reason in reasons.iter().take(MAX_SHOWN) {
        let _ = writeln!(text, "    {reason}");
        let _ = writeln!(text, "      -> {}", reason.remedy);
    }
    if let Some(more) = reasons.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "    and {more} more: see --json or the verdict");
    }
    text
}
