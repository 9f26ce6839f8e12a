//! The journal for those who only read it, while the station works on.

use std::path::Path;

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};
use serde::Serialize;

use super::schema::{self, FILE};
use crate::archive::stem;
use crate::outbound::VERDICT;
use crate::record::check_own;

/// A decision as auditors read it: a line of `ledger export`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Always `urn:oms-appliance:ledger:1`.
    pub schema: &'static str,
    /// Its number.
    pub sequence: u64,
    /// `begun`, `composed`, `signed` or `published`.
    pub state: String,
    /// `passed` or `refused`.
    pub result: String,
    /// The model's name.
    pub model: String,
    /// Its root digest, or the digest of the bundle that was refused.
    pub sha256: String,
    /// `verifier.id`.
    pub verifier: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the verdict key.
    pub key: String,
    /// When it was made, RFC 3339.
    pub time: String,
    /// When its entry was known to be out.
    pub published: Option<String>,
    /// SHA-256 of the payload before it.
    pub previous: Option<String>,
    /// SHA-256 of its payload.
    pub payload_sha256: Option<String>,
    /// SHA-256 of the file of its verdict.
    pub verdict_sha256: Option<String>,
    /// Where its verdict is, in the folder `archive` of the state.
    pub archive: String,
    /// The number of the decision whose model was sent again.
    pub resend_of: Option<u64>,
    /// Until when the model is kept, or was to be; none for one that never was.
    pub kept_until: Option<String>,
    /// When it was given up.
    pub removed_at: Option<String>,
    /// Where the model came from; none for one that was sent again.
    pub carrier: Option<Carrier>,
}

/// Where a model came from.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Carrier {
    /// `folder`, `device` or `stream`.
    pub kind: String,
    /// As people know it.
    pub source: String,
    /// When it arrived, RFC 3339.
    pub arrived: String,
    /// The model's path on it.
    pub path: String,
}

/// Gives every decision in the folder `state` to `take`, in order. The station may be at work: the
/// decisions are those of one moment.
///
/// # Errors
/// When there is no journal, it cannot be read, or `take` fails.
pub fn records(
    state: &Path,
    mut take: impl FnMut(Record) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let path = state.join(FILE);
    if check_own(&path)?.is_none() {
        let reason = Reason::new(Code::ConfigPath, "the station has no journal yet");
        return Err(reason.about(path.display().to_string()));
    }
    let told = |error: rusqlite::Error| schema::failure("reading the journal", &error, &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(told)?;
    schema::check_readable(&connection, &path)?;
    let mut statement = connection
        .prepare(
            "SELECT sequence, decision.state, result, subject, root, verifier, verdict_key, time,
                    published, previous, payload_sha256, verdict_sha256, entry, resend_of,
                    carrier.kind, carrier.source, carrier.arrived, intake.model,
                    kept.until, kept.removed
             FROM decision LEFT JOIN kept ON kept.decision = sequence
                           LEFT JOIN intake ON intake.id = decision.intake
                           LEFT JOIN carrier ON carrier.id = intake.carrier
             ORDER BY sequence",
        )
        .map_err(told)?;
    for record in statement.query_map([], record).map_err(told)? {
        take(record.map_err(told)?)?;
    }
    Ok(())
}

/// The SHA-256 of the decision that the journal in the folder `state` has under a number, as it was
/// written down before it was signed.
///
/// # Errors
/// When the journal cannot be read.
pub fn recorded(state: &Path, sequence: u64) -> Result<Option<Sha256Digest>, Reason> {
    let path = state.join(FILE);
    let told = |error: rusqlite::Error| schema::failure("reading the journal", &error, &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(told)?;
    schema::check_readable(&connection, &path)?;
    let query = "SELECT decision_sha256 FROM decision WHERE sequence = ?1";
    let found: Option<Option<String>> =
        connection.query_row(query, [sequence], |row| row.get(0)).optional().map_err(told)?;
    Ok(found.flatten().as_deref().and_then(Sha256Digest::from_hex))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let time = |seconds: i64| UnixTime(seconds).to_string();
    let entry: String = row.get(12)?;
    let name = entry.rsplit('/').next().unwrap_or_default();
    let carrier = match row.get::<_, Option<String>>(14)? {
        None => None,
        Some(kind) => Some(Carrier {
            kind,
            source: row.get(15)?,
            arrived: time(row.get(16)?),
            path: row.get(17)?,
        }),
    };
    Ok(Record {
        schema: "urn:oms-appliance:ledger:1",
        sequence: row.get(0)?,
        state: row.get(1)?,
        result: row.get(2)?,
        model: row.get(3)?,
        sha256: row.get(4)?,
        verifier: row.get(5)?,
        key: row.get(6)?,
        time: time(row.get(7)?),
        published: row.get::<_, Option<i64>>(8)?.map(time),
        previous: row.get(9)?,
        payload_sha256: row.get(10)?,
        verdict_sha256: row.get(11)?,
        archive: format!("{}/{VERDICT}", stem(name)),
        resend_of: row.get(13)?,
        kept_until: row.get::<_, Option<i64>>(18)?.map(time),
        removed_at: row.get::<_, Option<i64>>(19)?.map(time),
        carrier,
    })
}
