//! What `cert verify` prints. Its JSON has a schema in `schemas/cert-verify.schema.json`.

use std::fmt::Write as _;

use oms_verify::pki::{ExplainedCertificate, Outcome as CheckOutcome};
use oms_verify::reason::{Printable, Reason};
use oms_verify::verdict::ReasonDetail;
use serde::Serialize;

use super::files::Skipped;
use super::{Args, Judged, Purpose};
use crate::present::{Outcome, reasons_text};

/// The document of `cert verify --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    schema: &'static str,
    accepted: bool,
    result: Outcome,
    exit_code: u8,
    /// Absent when it did not come to a judgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    purpose: &'static str,
    revocation: String,
    reasons: Vec<ReasonDetail>,
    /// From the leaf towards the anchor.
    path: Vec<Step>,
    skipped: Vec<Skipped>,
    #[serde(skip)]
    words: String,
}

/// A certificate of the path.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    subject: String,
    issuer: String,
    serial: String,
    sha256: String,
    not_before: String,
    not_after: String,
    checks: Vec<CheckShown>,
}

#[derive(Debug, Serialize)]
struct CheckShown {
    name: &'static str,
    outcome: &'static str,
    sentence: String,
}

impl CheckShown {
    /// Whether neither was run, for the same reason: people are told once.
    fn is_left_out_like(&self, other: &CheckShown) -> bool {
        let is_left_out = self.outcome == CheckOutcome::NotRun.name();
        is_left_out && other.outcome == self.outcome && other.sentence == self.sentence
    }
}

impl Document {
    /// The document of a judgement, or of what kept it from being made.
    pub(super) fn new(args: &Args, judged: Result<Judged, Reason>, skipped: Vec<Skipped>) -> Self {
        let (time, path, reasons) = match judged {
            Ok(judged) => {
                let path = judged.explanation.certificates().iter().map(Step::of).collect();
                (Some(judged.time.to_string()), path, judged.reasons)
            }
            Err(reason) => (None, Vec::new(), vec![reason]),
        };
        let result = Outcome::of(&reasons);
        Document {
            schema: "urn:oms-appliance:cert-verify:1",
            accepted: result == Outcome::Passed,
            result,
            exit_code: result.exit_code(),
            time,
            purpose: match args.purpose {
                Purpose::CodeSigning => "code-signing",
                Purpose::Any => "any",
            },
            revocation: args.revocation_mode().to_string(),
            reasons: reasons.iter().map(ReasonDetail::from).collect(),
            path,
            skipped,
            words: match result {
                Outcome::Passed => String::new(),
                Outcome::Refused => reasons_text("refused", &reasons),
                Outcome::Error | Outcome::Undecided => reasons_text("error", &reasons),
            },
        }
    }

    /// How it ended.
    pub(super) fn outcome(&self) -> Outcome {
        self.result
    }

    /// The same in words.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            step.write(&mut text);
        }
        for skipped in &self.skipped {
            let (file, why) = (Printable(&skipped.file), Printable(&skipped.why));
            let _ = writeln!(text, "skipped {}: {file}: {why}", skipped.what.name());
        }
        let word = match self.result {
            Outcome::Passed => "ACCEPTED",
            Outcome::Refused => "REFUSED",
            Outcome::Error | Outcome::Undecided => "NOT JUDGED",
        };
        let _ = write!(text, "{word}: purpose {}, revocation {}", self.purpose, self.revocation);
        if let Some(time) = &self.time {
            let _ = write!(text, ", at {time}");
        }
        text.push('\n');
        text.push_str(&self.words);
        text
    }
}

impl Step {
    fn of(explained: &ExplainedCertificate) -> Step {
        let certificate = explained.certificate();
        Step {
            role: explained.role().name(),
            anchor: explained.role().anchor_name().map(str::to_owned),
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            serial: certificate.serial_hex(),
            sha256: certificate.fingerprint().to_hex(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            checks: explained
                .checks()
                .iter()
                .map(|check| CheckShown {
                    name: check.name.name(),
                    outcome: check.outcome.name(),
                    sentence: check.sentence.clone(),
                })
                .collect(),
        }
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "{} {}", self.role, Printable(&self.subject));
        if let Some(anchor) = &self.anchor {
            let _ = writeln!(text, "  from     {}", Printable(anchor));
        }
        let _ = writeln!(text, "  issuer   {}", Printable(&self.issuer));
        let _ = writeln!(text, "  serial   {}, SHA-256 {}", self.serial, self.sha256);
        let _ = writeln!(text, "  valid    {} to {}", self.not_before, self.not_after);
        for alike in self.checks.chunk_by(CheckShown::is_left_out_like) {
            let Some(first) = alike.first() else { continue };
            let mark = match first.outcome {
                outcome if outcome == CheckOutcome::Passed.name() => "ok",
                outcome if outcome == CheckOutcome::Failed.name() => "FAILED",
                _ => "not run",
            };
            let names = if alike.len() == self.checks.len() {
                "all checks".to_owned()
            } else {
                alike.iter().map(|check| check.name).collect::<Vec<_>>().join(", ")
            };
            let sentence = Printable(&first.sentence);
            let _ = writeln!(text, "  {mark:<8} {names:<21} {sentence}");
        }
        text.push('\n');
    }
}
