//! The station's record: carriers, models, decisions and what came of them, in SQLite.
//!
//! ```text
//!  arrive ─▶ begin_intake ─▶ decided ─▶ composed ─▶ signed ─▶ published       released
//!  carrier   │               decision   payload     verdict    entry           carrier
//!            └─▶ failed      numbered   chained     staged     visible
//! ```
//!
//! Each step is one transaction, synced before the next step begins. Whatever crashes, the next
//! start asks for what is [`Journal::unfinished`] and ends it, and [`Journal::interrupt`]s what was
//! only being read. The file is `journal.sqlite` in the folder of the state; `schema.rs` has its
//! tables and the rules that hold in them.

mod carrier;
mod decision;
mod export;
mod intake;
mod kept;
mod payload;
mod schema;

pub use self::carrier::{CarrierId, CarrierKind};
pub use self::decision::{Numbered, Origin, Step, Unfinished};
pub use self::export::{Carrier, Record, recorded, records};
pub use self::intake::IntakeId;
pub use self::kept::{Kept, Sent};
pub use self::payload::Payload;
pub use self::schema::FILE;

use std::path::{Path, PathBuf};

use oms_sys::durable::Lock;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, named_params};

use self::payload::Papers;
use crate::archive::Archive;
use crate::clock::Past;
use crate::record::damaged;
use crate::storage::failed;

const LOCK: &str = "lock";

/// The open record of a station. Only one process at a time has it.
#[derive(Debug)]
pub struct Journal {
    state: PathBuf,
    connection: Connection,
    papers: Papers,
    archive: Archive,
    uncertain: bool,
    _lock: Lock,
}

impl Journal {
    /// Opens the record in the folder `state`, which must exist.
    ///
    /// # Errors
    /// When another process has it, or it cannot be read, or it is damaged.
    pub fn open(state: &Path) -> Result<Self, Reason> {
        let lock = Lock::try_take(&state.join(LOCK))
            .map_err(|error| failed("locking the state", &error, state))?
            .ok_or_else(|| {
                let detail = "another process holds the lock";
                Reason::new(Code::StateLocked, detail).about(state.display().to_string())
            })?;
        let archive = Archive::open(state)?;
        let papers = Papers::open(state)?;
        let connection = schema::open(state)?;
        let journal = Journal {
            state: state.to_owned(),
            connection,
            papers,
            archive,
            uncertain: false,
            _lock: lock,
        };
        journal.check_archive()?;
        Ok(journal)
    }

    /// A record that fell behind its own archive was lost or put back from a copy: going on would
    /// use numbers twice.
    fn check_archive(&self) -> Result<(), Reason> {
        let next = self.next()?;
        match self.archive.newest()? {
            Some((number, name)) if number >= next => {
                let begun = next.saturating_sub(1);
                let detail = format!("the archive holds {name:?}, the record ends at {begun}");
                Err(damaged(&detail, &self.state))
            }
            _ => Ok(()),
        }
    }

    /// The archive beside it.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// What the record tells about the time that has passed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn past(&self) -> Result<Past, Reason> {
        if self.next()? == 1 {
            return Ok(Past::None);
        }
        let latest: Option<i64> = self.read("asking for the latest time", |connection| {
            connection.query_row("SELECT latest FROM station", [], |row| row.get(0))
        })?;
        Ok(Past::Decided(latest.map(UnixTime)))
    }

    /// Ends what no process works at any more: carriers that were present and models that were
    /// being read are recorded as interrupted, and what is of no decision is removed.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn interrupt(&mut self, time: UnixTime) -> Result<(), Reason> {
        self.write("recording an interruption", |transaction| {
            for query in [
                "UPDATE intake SET state = 'interrupted', ended = :time WHERE state = 'reading'",
                "UPDATE carrier SET state = 'interrupted', ended = :time WHERE state = 'present'",
            ] {
                transaction.execute(query, named_params! { ":time": time.0 })?;
            }
            Ok(())
        })?;
        let kept: Vec<u64> = self.unfinished()?.iter().map(|one| one.decision.sequence).collect();
        self.papers.sweep(&kept)
    }

    /// Whether a write failed so that only a restart tells whether it is durable. Until then
    /// nothing more may be done, and nothing that it may be about may be removed.
    pub fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    fn path(&self) -> PathBuf {
        self.state.join(FILE)
    }

    fn read<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Reason> {
        work(&self.connection).map_err(|error| schema::failure(what, &error, &self.path()))
    }

    /// Does `work` in one transaction, which is durable when this returns.
    fn write<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Reason> {
        let path = self.path();
        let told = |error: rusqlite::Error| schema::failure(what, &error, &path);
        if self.uncertain {
            return Err(Reason::new(Code::OutboundWrite, "a write before it failed: start again"));
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(told)?;
        let done = work(&transaction).map_err(told)?;
        if let Err(error) = transaction.commit() {
            // A disk without room did not take it. After any other error it may still come up when
            // the log is read again.
            self.uncertain = error.sqlite_error_code() != Some(ErrorCode::DiskFull);
            return Err(told(error));
        }
        Ok(done)
    }
}

/// An update met the row that it is about: else the steps were taken out of order.
fn one_row(changed: usize) -> rusqlite::Result<()> {
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

#[cfg(test)]
mod tests;
