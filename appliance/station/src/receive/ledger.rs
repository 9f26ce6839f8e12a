//! A folder of entries, in order: whether any was lost, exchanged or sent again.
//!
//! ```text
//!  000000000001-…-passed/  ─▶ verdict ─▶ number 1, previous 0…0, SHA-256 of its payload ─┐
//!  000000000002-…-refused/ ─▶ verdict ─▶ number 2, previous = ◀──────────────────────────┘
//!  000000000004-….verdict.json           ledger.gap: 3 is missing
//!  000000000004-…-passed.tar             its own verdict is the one beside it
//! ```
//!
//! A diode has no way back, so the numbers and digests that stations put into their verdicts are
//! all that tells of a loss.

use std::collections::BTreeMap;
use std::path::Path;

use oms_sys::beneath::{Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Class, Code, Reason, Reasons};
use oms_verify::time::UnixTime;
use oms_verify::verdict::Ledger as Position;

use super::{ReceiverTrust, TAR, VERDICT, beside, budget, differs_beside, received, tar};
use crate::cancel::Cancel;
use crate::intake::{absent_or_unreadable, refusal_or_failure};
use crate::outbound::BESIDE;

/// Entries of a folder.
const MOST_ENTRIES: usize = 10_000_000;

/// What was found in a folder of entries.
#[derive(Debug, Default)]
pub struct CheckedLedger {
    /// Verdicts that passed and verdicts that refused.
    pub passed: u64,
    /// See there.
    pub refused: u64,
    /// The first and the last number that were found.
    pub numbers: Option<(u64, u64)>,
    /// What the next check of a folder starts from, when these entries have been taken away; `None`
    /// when the last verdict cannot be relied on.
    pub next: Option<Position>,
    /// Names that are not those of an entry, and were not looked at.
    pub ignored: Vec<String>,
    /// Every reason not to rely on the folder, in order of number.
    pub reasons: Vec<Reason>,
}

/// Checks the verdicts in the folder `path`: each by `verifier`, and with the numbers from
/// `first.sequence` on, none missing, none twice, each naming the payload before it. The first one
/// is to name `first.previous`, where that is known.
///
/// The entries' other files are not read: [`super::check_entry`] does that.
///
/// # Errors
/// When the folder or a file cannot be read, or the check is cancelled.
pub fn check_ledger(
    path: &Path,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    first: (u64, Option<Sha256Digest>),
    cancel: &Cancel,
) -> Result<CheckedLedger, Reason> {
    let budget = budget();
    let root = Root::open(path).map_err(|error| absent_or_unreadable(&error, path))?;
    let (entries, ignored) = entries(&root)?;
    let mut checked = CheckedLedger { ignored, ..CheckedLedger::default() };
    let mut reasons = Reasons::default();
    let (mut expected, mut previous) = first;
    for (number, names) in entries {
        cancel.check()?;
        let Some((name, others)) = names.split_first() else { continue };
        for other in others {
            let detail = format!("number {number} is that of {name:?} too");
            reasons.push(Reason::new(Code::LedgerDuplicate, detail).about(other));
        }
        if number < expected {
            let detail = format!("number {number} came before {expected}, with which to begin");
            reasons.push(Reason::new(Code::LedgerDuplicate, detail).about(name));
            continue;
        }
        if number > expected {
            reasons.push(gap(expected, number.saturating_sub(1)));
            previous = None;
        }
        expected = number.saturating_add(1);
        checked.numbers = Some((checked.numbers.map_or(number, |(first, _)| first), number));
        checked.next = None;
        let verdict = verdict_of(&root, name, &budget, &mut reasons)
            .and_then(|bytes| received(bytes, name, verifier, trust, time, &budget));
        let mut verdict = match verdict {
            Ok(verdict) => verdict,
            Err(reason) if reason.code.class() == Class::Refusal => {
                reasons.push(reason);
                previous = None;
                continue;
            }
            Err(reason) => return Err(reason),
        };
        if verdict.sequence != number {
            let detail = format!("the verdict in it is number {}", verdict.sequence);
            reasons.push(Reason::new(Code::LedgerDuplicate, detail).about(name));
            previous = None;
            continue;
        }
        if previous.is_some_and(|previous| previous != verdict.previous) {
            let detail = format!(
                "verdict {number} names {} as the payload before it, which is not that of verdict {}",
                verdict.previous,
                number.saturating_sub(1)
            );
            reasons.push(Reason::new(Code::LedgerChain, detail).about(name));
        }
        let digest = Sha256Digest::of(verdict.payload());
        verdict.drop_payload();
        previous = Some(digest);
        checked.next = Some(Position { sequence: expected, previous: digest });
        if verdict.passed {
            checked.passed = checked.passed.saturating_add(1);
        } else {
            checked.refused = checked.refused.saturating_add(1);
        }
    }
    if checked.numbers.is_none() {
        let detail = format!("no verdict is there, number {expected} was to be the first");
        reasons.push(Reason::new(Code::VerdictMissing, detail));
    }
    checked.reasons = reasons.into_vec();
    Ok(checked)
}

/// The verdict's bytes in the file or the tar `name`; a tar beside its verdict has the same.
fn verdict_of(
    root: &Root,
    name: &str,
    budget: &Budget,
    reasons: &mut Reasons,
) -> Result<Vec<u8>, Reason> {
    if !name.ends_with(TAR) {
        return super::read(root, name, budget, Code::VerdictMissing);
    }
    let file = super::open(root, name, Code::VerdictMissing)?;
    let bytes = tar::verdict_in(&file, budget).map_err(|reason| reason.about(name))?;
    if let Some(other) = differs_beside(root, name, &bytes, budget)? {
        reasons.push(Reason { code: Code::LedgerDuplicate, ..other });
    }
    Ok(bytes)
}

fn gap(first: u64, last: u64) -> Reason {
    let detail = match last.saturating_sub(first) {
        0 => format!("verdict {first} is missing"),
        _ => format!("verdicts {first} to {last} are missing"),
    };
    Reason::new(Code::LedgerGap, detail)
}

/// The verdicts' files by number, and the names that are not those of an entry.
type Named = (BTreeMap<u64, Vec<String>>, Vec<String>);

fn entries(root: &Root) -> Result<Named, Reason> {
    let mut verdicts: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut ignored = Vec::new();
    let found = root.entries(MOST_ENTRIES).map_err(|error| refusal_or_failure(error, "."))?;
    for entry in found {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let number = number(&name);
        match (number, entry.kind) {
            (Some(number), Kind::Directory) => {
                verdicts.entry(number).or_default().push(format!("{name}/{VERDICT}"));
            }
            (Some(number), Kind::File) if name.ends_with(BESIDE) => {
                verdicts.entry(number).or_default().push(name);
            }
            (Some(number), Kind::File) if name.ends_with(TAR) => {
                verdicts.entry(number).or_default().push(name);
            }
            _ => ignored.push(name),
        }
    }
    for names in verdicts.values_mut() {
        names.sort();
        let pairs: Vec<_> = names.iter().filter_map(|name| beside(name)).collect();
        names.retain(|name| !pairs.contains(name));
    }
    ignored.sort();
    Ok((verdicts, ignored))
}

/// The number that an entry's name begins with: 12 digits and a hyphen.
fn number(name: &str) -> Option<u64> {
    let (number, _) = name.split_once('-')?;
    let is_number = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok())?.filter(|number| *number > 0)
}
