//! `[time]`: the times of signatures.

use super::sections::section;
use super::signer::names_of_anchors;
use super::{Located, span};
use crate::policy::error::PolicyError;
use crate::policy::reader::{Table, Value};
use crate::policy::time::Afterwards;
use crate::time::Span;

/// `[time]`, whose anchors are only names so far. What the text gives has a place.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct RawTime {
    pub(in crate::policy) timestamp_anchors: Vec<Located<String>>,
    pub(in crate::policy) require_timestamp: Option<Located<bool>>,
    pub(in crate::policy) expired_certificates: Option<Located<Afterwards>>,
    pub(in crate::policy) revoked_certificates: Option<Located<Afterwards>>,
    pub(in crate::policy) max_signature_age: Option<Located<Span>>,
}

/// `[time]`; nothing when absent.
pub(super) fn time(root: &Table<'_>) -> Result<RawTime, PolicyError> {
    const KEYS: &[&str] = &[
        "timestamp-anchors",
        "require-timestamp",
        "expired-certificates",
        "revoked-certificates",
        "max-signature-age",
    ];
    let Some(table) = section(root, "time", KEYS)? else { return Ok(RawTime::default()) };
    let afterwards = |value: &Value<'_>| {
        value.choice(&[
            ("refuse", Afterwards::Refuse),
            ("with-timestamp", Afterwards::WithTimestamp),
        ])
    };
    Ok(RawTime {
        timestamp_anchors: table
            .optional("timestamp-anchors")
            .map(names_of_anchors)
            .transpose()?
            .unwrap_or_default(),
        require_timestamp: located(&table, "require-timestamp", Value::boolean)?,
        expired_certificates: located(&table, "expired-certificates", afterwards)?,
        revoked_certificates: located(&table, "revoked-certificates", afterwards)?,
        max_signature_age: span(&table, "max-signature-age")?,
    })
}

/// What `read` makes of the value of `key`, with its place, if the key is given.
fn located<'a, T>(
    table: &Table<'a>,
    key: &'static str,
    read: impl FnOnce(&Value<'a>) -> Result<T, PolicyError>,
) -> Result<Option<Located<T>>, PolicyError> {
    let Some(value) = table.optional(key) else { return Ok(None) };
    Ok(Some(Located { value: read(&value)?, place: value.place() }))
}
