//! `verdict verify --ledger`: a whole folder of verdicts, in order.

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Printable, Reason};
use oms_verify::verdict::ReasonDetail;

use super::super::{Done, print, print_json};
use super::{Args, trust};
use crate::clock::system_time;
use crate::present::{Outcome, reasons_text};
use crate::receive::ledger::{CheckedLedger, check_ledger};
use crate::trust::Guard;

pub(super) fn run(args: &Args) -> Done {
    match check(args) {
        Ok(checked) => {
            if args.json {
                print_json(&document(&checked));
            } else {
                print(&text(&checked));
            }
            Ok(Outcome::of(&checked.reasons))
        }
        Err(reason) if args.json => {
            print_json(&document(&CheckedLedger {
                reasons: vec![reason.clone()],
                ..Default::default()
            }));
            Ok(Outcome::of(&[reason]))
        }
        Err(reason) => Err(vec![reason]),
    }
}

fn check(args: &Args) -> Result<CheckedLedger, Reason> {
    let watch = args.reading.watch()?;
    let folder = args.ledger.as_deref().unwrap_or(std::path::Path::new("."));
    let trust = trust(args, &Guard::default().against(folder))?;
    // Before the first verdict of a station there is none.
    let after = args.after.or((args.from == 1).then_some(Sha256Digest::ZERO));
    let time = args.at.unwrap_or_else(system_time);
    check_ledger(folder, &args.verifier, &trust, time, (args.from, after), &watch.cancel)
}

fn document(checked: &CheckedLedger) -> serde_json::Value {
    let outcome = Outcome::of(&checked.reasons);
    serde_json::json!({
        "schema": "urn:oms-appliance:verdict-ledger:1",
        "result": outcome,
        "exitCode": outcome.exit_code(),
        "passed": checked.passed,
        "refused": checked.refused,
        "first": checked.numbers.map(|(first, _)| first),
        "last": checked.numbers.map(|(_, last)| last),
        "next": checked.next.map(|next| serde_json::json!({
            "from": next.sequence,
            "after": next.previous.to_hex(),
        })),
        "ignored": checked.ignored,
        "reasons": checked.reasons.iter().map(ReasonDetail::from).collect::<Vec<_>>(),
    })
}

fn text(checked: &CheckedLedger) -> String {
    let word = if checked.reasons.is_empty() { "COMPLETE" } else { "NOT COMPLETE" };
    let numbers = match checked.numbers {
        Some((first, last)) => format!("verdicts {first} to {last}"),
        None => "no verdicts".to_owned(),
    };
    let mut text = format!(
        "{word}: {numbers}\n  passed   {}\n  refused  {}\n",
        checked.passed, checked.refused
    );
    if let Some(next) = checked.next {
        text.push_str(&format!("  next     --from {} --after {}\n", next.sequence, next.previous));
    }
    if let Some(first) = checked.ignored.first() {
        let (count, first) = (checked.ignored.len(), Printable(first));
        text.push_str(&format!("  ignored  {count} that are no entries: {first}, ...\n"));
    }
    text.push_str(&reasons_text("because", &checked.reasons));
    text
}
