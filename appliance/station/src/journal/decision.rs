//! Decisions in the journal, step by step.
//!
//! ```text
//!  decided ──▶ begun ──composed──▶ composed ──signed──▶ signed ──published──▶ published
//!              has its number      its payload          its verdict           its entry is
//!                                  is written down      is staged             out
//! ```
//!
//! Several may be begun, in order of their numbers; which payload comes before one is known when
//! that one is composed. A payload is written down before it is signed: after a crash the same
//! bytes are signed again, so a number never stands for two payloads, and none is skipped.

use std::path::{Path, PathBuf};

use oms_verify::hash::Sha256Digest;
use oms_verify::reason::Reason;
use oms_verify::time::UnixTime;
use oms_verify::verdict::Ledger as Position;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params};

use super::intake;
use super::payload::Paper;
use super::{IntakeId, Journal, Payload, one_row};
use crate::record::damaged;

/// A decision that has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number: the one that [`Journal::next`] gives.
    pub sequence: u64,
    /// What it is about.
    pub origin: Origin,
    /// `verifier.id`.
    pub verifier: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the verdict key.
    pub key: Sha256Digest,
    /// Whether the model passed.
    pub passed: bool,
    /// The model's name.
    pub subject: String,
    /// Its root digest, or the digest of the bundle that was refused.
    pub root: Sha256Digest,
    /// When it was made.
    pub time: UnixTime,
    /// Its folder in the spool.
    pub folder: PathBuf,
    /// Its entry in outbound.
    pub entry: PathBuf,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A model of a carrier.
    Intake(IntakeId),
    /// The model of the decision with this number, which is sent again.
    ResendOf(u64),
}

/// How far a decision has come that is not out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has its number.
    Begun,
    /// Its payload is written down.
    Composed,
    /// Its verdict is staged.
    Signed,
}

/// A decision whose entry is not known to be out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The decision.
    pub decision: Numbered,
    /// How far it has come.
    pub step: Step,
    /// SHA-256 of the payload before it, once it is composed.
    pub previous: Option<Sha256Digest>,
    payload: Option<Sha256Digest>,
    made: Option<Sha256Digest>,
}

impl Journal {
    /// The number of the next decision.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn next(&self) -> Result<u64, Reason> {
        self.read("asking for the next number", |connection| {
            connection.query_row("SELECT coalesce(max(sequence), 0) + 1 FROM decision", [], |row| {
                row.get(0)
            })
        })
    }

    /// The place of the payload with this number, which follows those that are composed.
    ///
    /// # Errors
    /// When the one before is not composed yet, or the journal cannot be read.
    pub fn position(&self, sequence: u64) -> Result<Position, Reason> {
        if sequence == 1 {
            return Ok(Position { sequence, previous: Sha256Digest::ZERO });
        }
        let before = sequence.saturating_sub(1);
        let previous = self.read("asking for the payload before", |connection| {
            connection
                .query_row(
                    "SELECT payload_sha256 FROM decision WHERE sequence = ?1",
                    [before],
                    |row| digest(row, 0),
                )
                .optional()
        })?;
        let previous = previous.flatten().ok_or_else(|| {
            damaged(&format!("decision {before} has no payload yet"), &self.path())
        })?;
        Ok(Position { sequence, previous })
    }

    /// Records a decision and gives it its number. `made` is the decision as the decider made it,
    /// from which its payload is composed, now or after a restart.
    ///
    /// # Errors
    /// When it cannot be made durable. Whether it was begun is not known when
    /// [`Journal::is_uncertain`] says so; else it was not.
    pub fn decided(&mut self, decision: &Numbered, made: &[u8]) -> Result<(), Reason> {
        self.papers.write(decision.sequence, Paper::Made, made)?;
        let made = Sha256Digest::of(made);
        self.write("recording a decision", |transaction| insert(transaction, decision, made))
    }

    /// Writes down the payload of a decision that was begun, before it is signed.
    ///
    /// # Errors
    /// As [`Journal::decided`].
    pub fn composed(&mut self, position: Position, payload: &Payload) -> Result<(), Reason> {
        let Position { sequence, previous } = position;
        self.papers.write(sequence, Paper::Payload, payload.message().payload())?;
        self.write("recording a payload", |transaction| {
            let changed = transaction.execute(
                "UPDATE decision SET state = 'composed', previous = :previous,
                 payload_sha256 = :payload WHERE sequence = :sequence AND state = 'begun'",
                named_params! {
                    ":sequence": sequence,
                    ":previous": previous.to_hex(),
                    ":payload": payload.digest().to_hex(),
                },
            )?;
            one_row(changed)
        })
    }

    /// Records that the verdict is signed and staged, with the SHA-256 of its file. It may be
    /// signed again until it is out.
    ///
    /// # Errors
    /// When it cannot be made durable: the next start signs it again.
    pub fn signed(&mut self, sequence: u64, verdict: Sha256Digest) -> Result<(), Reason> {
        self.write("recording a signature", |transaction| {
            let changed = transaction.execute(
                "UPDATE decision SET state = 'signed', verdict_sha256 = :verdict
                 WHERE sequence = :sequence AND state IN ('composed', 'signed')",
                named_params! { ":sequence": sequence, ":verdict": verdict.to_hex() },
            )?;
            one_row(changed)
        })
    }

    /// Records that the entry of a decision is out.
    ///
    /// # Errors
    /// When it cannot be made durable: the next start records it.
    pub fn published(&mut self, sequence: u64, time: UnixTime) -> Result<(), Reason> {
        self.write("recording an entry", |transaction| {
            let changed = transaction.execute(
                "UPDATE decision SET state = 'published', published = :time
                 WHERE sequence = :sequence AND state = 'signed'",
                named_params! { ":sequence": sequence, ":time": time.0 },
            )?;
            one_row(changed)
        })?;
        for paper in [Paper::Made, Paper::Payload] {
            // What cannot be removed now is swept when the station starts again.
            let _ = std::fs::remove_file(self.papers.path(sequence, paper));
        }
        Ok(())
    }

    /// The decisions that are not known to be out, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, Reason> {
        self.read("asking for what was begun", |connection| {
            let mut statement = connection.prepare(
                "SELECT sequence, intake, resend_of, verifier, verdict_key, result, subject, root,
                        time, folder, entry, state, previous, payload_sha256, decision_sha256
                 FROM decision WHERE state <> 'published' ORDER BY sequence",
            )?;
            statement.query_map([], unfinished)?.collect()
        })
    }

    /// The payload of a decision, as it was written down.
    ///
    /// # Errors
    /// When it has none, or the file is not the one that was written.
    pub fn payload(&self, unfinished: &Unfinished) -> Result<Payload, Reason> {
        let sequence = unfinished.decision.sequence;
        let digest = unfinished.payload.ok_or_else(|| {
            damaged(&format!("decision {sequence} has no payload yet"), &self.path())
        })?;
        let bytes = self.papers.read(sequence, Paper::Payload, digest)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| damaged("the payload is not UTF-8", &self.path()))?;
        Ok(Payload::from(text))
    }

    /// A decision as the decider made it.
    ///
    /// # Errors
    /// When there is none, or the file is not the one that was written.
    pub fn made(&self, unfinished: &Unfinished) -> Result<Vec<u8>, Reason> {
        let sequence = unfinished.decision.sequence;
        let digest = unfinished
            .made
            .ok_or_else(|| damaged(&format!("decision {sequence} was not kept"), &self.path()))?;
        self.papers.read(sequence, Paper::Made, digest)
    }
}

fn insert(
    transaction: &Transaction<'_>,
    decision: &Numbered,
    made: Sha256Digest,
) -> rusqlite::Result<()> {
    let (intake, resend_of) = match decision.origin {
        Origin::Intake(id) => (Some(id), None),
        Origin::ResendOf(sequence) => (None, Some(sequence)),
    };
    if let Some(intake) = intake {
        intake::decided(transaction, intake, decision.time)?;
    }
    transaction.execute(
        "INSERT INTO decision (sequence, intake, resend_of, state, verifier, verdict_key, result,
             subject, root, time, folder, entry, decision_sha256)
         VALUES (:sequence, :intake, :resend_of, 'begun', :verifier, :key, :result,
             :subject, :root, :time, :folder, :entry, :made)",
        named_params! {
            ":sequence": decision.sequence,
            ":intake": intake.map(|id| id.0),
            ":resend_of": resend_of,
            ":verifier": decision.verifier,
            ":key": decision.key.to_hex(),
            ":result": if decision.passed { "passed" } else { "refused" },
            ":subject": decision.subject,
            ":root": decision.root.to_hex(),
            ":time": decision.time.0,
            ":folder": text(&decision.folder)?,
            ":entry": text(&decision.entry)?,
            ":made": made.to_hex(),
        },
    )?;
    let latest = "UPDATE station SET latest = max(coalesce(latest, :time), :time)";
    one_row(transaction.execute(latest, named_params! { ":time": decision.time.0 })?)
}

fn unfinished(row: &Row<'_>) -> rusqlite::Result<Unfinished> {
    let origin = match (row.get(1)?, row.get(2)?) {
        (Some(intake), None) => Origin::Intake(IntakeId(intake)),
        (None, Some(sequence)) => Origin::ResendOf(sequence),
        _ => return Err(wrong(1, "the origin")),
    };
    let step = match row.get::<_, String>(11)?.as_str() {
        "begun" => Step::Begun,
        "composed" => Step::Composed,
        "signed" => Step::Signed,
        _ => return Err(wrong(11, "the step")),
    };
    let decision = Numbered {
        sequence: row.get(0)?,
        origin,
        verifier: row.get(3)?,
        key: digest(row, 4)?.ok_or_else(|| wrong(4, "a digest"))?,
        passed: row.get::<_, String>(5)? == "passed",
        subject: row.get(6)?,
        root: digest(row, 7)?.ok_or_else(|| wrong(7, "a digest"))?,
        time: UnixTime(row.get(8)?),
        folder: PathBuf::from(row.get::<_, String>(9)?),
        entry: PathBuf::from(row.get::<_, String>(10)?),
    };
    let (previous, payload, made) = (digest(row, 12)?, digest(row, 13)?, digest(row, 14)?);
    Ok(Unfinished { decision, step, previous, payload, made })
}

pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Sha256Digest>> {
    let hex: Option<String> = row.get(column)?;
    hex.map(|hex| Sha256Digest::from_hex(&hex).ok_or_else(|| wrong(column, "a digest"))).transpose()
}

pub(super) fn wrong(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, what.to_owned(), Type::Text)
}

fn text(path: &Path) -> rusqlite::Result<&str> {
    path.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(path.to_owned()))
}
