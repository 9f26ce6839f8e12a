//! `verdict verify`: what the receiving side of the diode runs.

mod ledger;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::key::PublicKey;
use oms_verify::pki::CrlSet;
use oms_verify::reason::{Code, Printable, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{ReasonDetail, ReceivedVerdict};

use super::reading::{ReadingArgs, plain};
use super::verify::parse_time;
use super::{Done, print, print_json};
use crate::clock::system_time;
use crate::present::{Outcome, reasons_text};
use crate::receive::{self, Checked, ReceiverTrust};
use crate::trust::{Anchors, Guard, guarded_read, load_crls};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check an entry: its verdict, its re-signed bundle and its files together
    Verify(Args),
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("trust").required(true).args(["roots", "key"])))]
pub(super) struct Args {
    /// The entry as a station publishes it: a folder, or a tar, which is read and not unpacked
    #[arg(required_unless_present = "ledger", conflicts_with = "ledger")]
    path: Option<PathBuf>,
    /// Instead of one entry, a folder of entries: whether each verdict is there, once, and follows
    /// the one before it. The entries' files are not read
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The number of the first verdict in the folder, when those before it were taken away
    #[arg(long, value_name = "NUMBER", requires = "ledger", default_value_t = 1)]
    from: u64,
    /// SHA-256 of the payload of the verdict before the first one, as the check before printed it:
    /// else the first one is taken as it comes
    #[arg(long, value_name = "SHA256", requires = "ledger", value_parser = parse_digest)]
    after: Option<Sha256Digest>,
    /// The folder of trust anchors: those of purpose `verdict` may vouch for verdicts, those of
    /// purpose `code-signing` for the re-signed bundle
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
    /// The station's verdict key, a public key in PEM. It covers the verdict, and what the verdict
    /// names by digest: files and bundles. It does not cover the chain of the re-signed bundle, nor
    /// revocation; and when that bundle carries no certificate and is signed by another key, its
    /// signature is not verified either: use --roots for those
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// The verifier's URI: the id of the station that is expected
    #[arg(long, value_name = "URI")]
    verifier: String,
    /// The folder of CRLs: what they revoke is refused [default: revocation is not checked]
    #[arg(long, value_name = "DIR", requires = "roots")]
    crls: Option<PathBuf>,
    /// The time of validation, RFC 3339 [default: the clock's]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Most reasons of a refusal that are shown to people.
const MOST_SHOWN: usize = 50;

/// Bytes of a file with a public key.
const KEY_LIMIT: u64 = 64 << 10;

pub(super) fn run(command: &Command) -> Done {
    let Command::Verify(args) = command;
    let Some(path) = &args.path else { return ledger::run(args) };
    match check(args, path) {
        Ok(Checked { verdict, reasons, warnings }) => {
            if args.json {
                print_json(&document(Some(&verdict), &reasons, &warnings));
            } else {
                print(&text(&verdict, &reasons, &warnings));
            }
            Ok(Outcome::of(&reasons))
        }
        Err(reason) if args.json => {
            print_json(&document(None, std::slice::from_ref(&reason), &[]));
            Ok(Outcome::of(&[reason]))
        }
        Err(reason) => Err(vec![reason]),
    }
}

fn parse_digest(text: &str) -> Result<Sha256Digest, String> {
    Sha256Digest::from_hex(text).ok_or_else(|| "64 hexadecimal digits are expected".to_owned())
}

fn check(args: &Args, path: &Path) -> Result<Checked, Reason> {
    let watch = args.reading.watch()?;
    let trust = trust(args, &Guard::default().against(path))?;
    let progress = watch.progress("checking");
    let reading = plain(&args.reading, &progress);
    receive::check(path, &args.verifier, &trust, args.at.unwrap_or_else(system_time), &reading)
}

/// Whom the caller trusts.
fn trust(args: &Args, guard: &Guard) -> Result<ReceiverTrust, Reason> {
    match (&args.key, &args.roots) {
        (Some(file), _) => {
            let wrong = |detail: String| {
                Reason::new(Code::PolicyKey, detail).about(file.display().to_string())
            };
            let pem = guarded_read(file, KEY_LIMIT, guard, Code::PolicyKey)?;
            let key = PublicKey::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
            Ok(ReceiverTrust::Key(key))
        }
        (None, Some(roots)) => {
            let anchors = Anchors::load(Some(roots), guard)?.certificates;
            let crls = match &args.crls {
                Some(folder) => load_crls(Some(folder), &Budget::default(), guard)?.0,
                None => CrlSet::default(),
            };
            Ok(ReceiverTrust::Anchors { anchors, crls })
        }
        (None, None) => Err(Reason::new(Code::ConfigUsage, "give --roots or --key")),
    }
}

fn document(
    verdict: Option<&ReceivedVerdict>,
    reasons: &[Reason],
    warnings: &[Reason],
) -> serde_json::Value {
    let details = |of: &[Reason]| of.iter().map(ReasonDetail::from).collect::<Vec<_>>();
    let outcome = Outcome::of(reasons);
    serde_json::json!({
        "schema": "urn:oms-appliance:verdict-verify:1",
        "result": outcome,
        "exitCode": outcome.exit_code(),
        "verdict": verdict.map(|verdict| serde_json::json!({
            "passed": verdict.passed,
            "model": verdict.subject_name,
            "sha256": verdict.subject_digest.to_hex(),
            "sequence": verdict.sequence,
            "resendOf": verdict.resend_of,
            "verifier": verdict.verifier,
            "time": verdict.time,
            "files": verdict.files.len(),
            "refusedBecause": verdict.reasons,
        })),
        "reasons": details(reasons),
        "warnings": details(warnings),
    })
}

fn text(verdict: &ReceivedVerdict, reasons: &[Reason], warnings: &[Reason]) -> String {
    let word = if reasons.is_empty() { "GOOD" } else { "DO NOT USE" };
    let mut text = format!(
        "{word}: {}\n  verdict  {} of {}, {}\n  sha256   {}\n  files    {}\n",
        Printable(&verdict.subject_name),
        verdict.sequence,
        verdict.verifier,
        Printable(&verdict.time),
        verdict.subject_digest,
        verdict.files.len()
    );
    if let Some(first) = verdict.resend_of {
        text.push_str(&format!("  resend   of verdict {first}, by the decision of that time\n"));
    }
    for reason in verdict.reasons.iter().take(MOST_SHOWN) {
        text.push_str(&format!("  refused  {}\n", Printable(reason)));
    }
    if let Some(more) = verdict.reasons.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("  refused  and {more} more: --json shows them\n"));
    }
    text.push_str(&reasons_text("because", reasons));
    text.push_str(&reasons_text("to be known", warnings));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_told_and_refuse_nothing() {
        let warning = Reason::new(Code::VerdictFiles, "differs").about("report.html");
        let document = document(None, &[], &[warning]);
        assert_eq!(document["result"], "passed");
        assert_eq!(document["reasons"], serde_json::json!([]));
        assert_eq!(document["warnings"][0]["file"], "report.html");
    }
}
