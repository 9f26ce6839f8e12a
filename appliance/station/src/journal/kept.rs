//! Models that stay in the spool after their entries went out, and what is known of a decision that
//! is to be sent again.

use std::path::PathBuf;

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::Reason;
use oms_verify::time::UnixTime;
use rusqlite::{OptionalExtension as _, Row, named_params};

use super::decision::{digest, wrong};
use super::{Journal, one_row};

/// A decision that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whether the model passed.
    pub passed: bool,
    /// The decision whose model this one sent again.
    pub resend_of: Option<u64>,
    /// SHA-256 of its payload.
    pub payload: Sha256Digest,
    /// Its entry in outbound.
    pub entry: PathBuf,
    /// Where its model is, while it is kept.
    pub kept: Option<Kept>,
}

/// A model that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number of its decision.
    pub sequence: u64,
    /// The name of its folder in the spool's folder of kept models.
    pub folder: String,
    /// Until when.
    pub until: UnixTime,
}

impl Journal {
    /// Records that the model of a decision is kept until a time, before its entry goes out; once
    /// more after a crash.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn keep(&mut self, kept: &Kept) -> Result<(), Reason> {
        self.write("recording a kept model", |transaction| {
            let changed = transaction.execute(
                "INSERT INTO kept (decision, folder, until) VALUES (:sequence, :folder, :until)
                 ON CONFLICT (decision) DO UPDATE SET until = :until WHERE removed IS NULL",
                named_params! {
                    ":sequence": kept.sequence,
                    ":folder": kept.folder,
                    ":until": kept.until.0,
                },
            )?;
            one_row(changed)
        })
    }

    /// The models that are kept, in order of number.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept(&self) -> Result<Vec<Kept>, Reason> {
        self.read("asking for kept models", |connection| {
            let mut statement = connection.prepare(
                "SELECT decision, folder, until FROM kept WHERE removed IS NULL ORDER BY decision",
            )?;
            statement.query_map([], |row| kept(row, 0))?.collect()
        })
    }

    /// Records that a model is not kept any more, before its files are removed: what a crash leaves
    /// of them belongs to nobody.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn removed(&mut self, sequence: u64, time: UnixTime) -> Result<(), Reason> {
        self.write("recording the end of a kept model", |transaction| {
            let changed = transaction.execute(
                "UPDATE kept SET removed = :time WHERE decision = :sequence AND removed IS NULL",
                named_params! { ":sequence": sequence, ":time": time.0 },
            )?;
            one_row(changed)
        })
    }

    /// The decision with this number, if its entry is out.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn sent(&self, sequence: u64) -> Result<Option<Sent>, Reason> {
        self.read("asking for a decision", |connection| {
            let query = "SELECT result, resend_of, payload_sha256, entry,
                                kept.decision, kept.folder, kept.until
                         FROM decision
                         LEFT JOIN kept ON kept.decision = sequence AND kept.removed IS NULL
                         WHERE sequence = ?1 AND state = 'published'";
            connection.query_row(query, [sequence], sent).optional()
        })
    }
}

fn sent(row: &Row<'_>) -> rusqlite::Result<Sent> {
    let is_kept = row.get::<_, Option<u64>>(4)?.is_some();
    Ok(Sent {
        passed: row.get::<_, String>(0)? == "passed",
        resend_of: row.get(1)?,
        payload: digest(row, 2)?.ok_or_else(|| wrong(2, "a digest"))?,
        entry: PathBuf::from(row.get::<_, String>(3)?),
        kept: if is_kept { Some(kept(row, 4)?) } else { None },
    })
}

fn kept(row: &Row<'_>, first: usize) -> rusqlite::Result<Kept> {
    Ok(Kept {
        sequence: row.get(first)?,
        folder: row.get(first.saturating_add(1))?,
        until: UnixTime(row.get(first.saturating_add(2))?),
    })
}
