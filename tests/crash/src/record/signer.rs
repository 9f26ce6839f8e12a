//! The signer's own record, as it was left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::journal::Decision;
use crate::violation::Violation;

/// What the signer wrote down of one number: the number, and SHA-256 of decision and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(String);

/// The whole lines: one that a crash cut off is not there.
pub(super) fn lines(state: &Path) -> Vec<Line> {
    let text = fs::read_to_string(state.join("signer/record")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| Line(line.to_owned())).collect()
}

/// That the record goes on from what was seen of it, that it has each number once and in order, and
/// that it and the journal tell the same.
pub(super) fn check(
    seen: &[Line],
    now: &[Line],
    decisions: &BTreeMap<u64, Decision>,
) -> Result<(), Violation> {
    let wrong = |why: String| Err(Violation::Signer(why));
    if now.get(..seen.len()) != Some(seen) {
        return wrong("a line that was there is gone or another".to_owned());
    }
    for (due, Line(line)) in (1..).zip(now) {
        let words: Vec<&str> = line.split(' ').collect();
        let [number, made, payload] = words.as_slice() else {
            return wrong(format!("{line:?} is no line"));
        };
        if number.parse() != Ok(due) {
            return wrong(format!("number {due} is due, and there is {number}"));
        }
        let Some(decision) = decisions.get(&due) else {
            return wrong(format!("it signed number {due}, which the journal does not know"));
        };
        if decision.made != *made {
            return wrong(format!("it signed another decision under number {due}"));
        }
        if !decision.payload.is_empty() && decision.payload != *payload {
            return wrong(format!("it signed another payload under number {due}"));
        }
    }
    let composed = decisions.values().filter(|decision| !decision.payload.is_empty()).count();
    if composed > now.len() {
        return wrong(format!("{composed} payloads, and {} lines", now.len()));
    }
    Ok(())
}
