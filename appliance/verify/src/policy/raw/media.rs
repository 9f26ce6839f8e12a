//! `[media]`: how patiently a carrier is read.

use super::sections::section;
use crate::policy::error::PolicyError;
use crate::policy::reader::Table;
use crate::policy::{MOST_RETRIES, MediaRules};
use crate::time::Span;

const STALL: &str = "a span from \"1s\" to \"1h\", such as \"2m\"";
/// Seconds. A carrier that spins up takes several; nobody waits for an hour.
const STALL_SECONDS: std::ops::RangeInclusive<i64> = 1..=3600;

/// `[media]`; no retries and two minutes when absent.
pub(super) fn media(root: &Table<'_>) -> Result<MediaRules, PolicyError> {
    let mut rules = MediaRules::default();
    let Some(table) = section(root, "media", &["retries", "stall"])? else { return Ok(rules) };
    if let Some(value) = table.optional("retries") {
        let number = value.integer(0..=u64::from(MOST_RETRIES))?;
        rules.retries = u32::try_from(number).map_err(|_| value.wrong("a smaller number"))?;
    }
    if let Some(value) = table.optional("stall") {
        let read =
            |text: &str| Span::parse(text).filter(|span| STALL_SECONDS.contains(&span.seconds));
        rules.stall = value.parsed(STALL, read)?;
    }
    Ok(rules)
}
