//! Intakes in the journal: one for each model of a carrier, decided about or not.

use oms_verify::reason::Reason;
use oms_verify::time::UnixTime;
use rusqlite::{Transaction, named_params};

use super::carrier::Said;
use super::{CarrierId, Journal, one_row};

/// A model of a carrier in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntakeId(pub(super) i64);

impl IntakeId {
    /// How the folders of intakes in the spool begin.
    pub const FOLDER: &str = "ingest-";

    /// The name of its folder in the spool.
    pub fn folder(self) -> String {
        format!("{}{}", Self::FOLDER, self.0)
    }
}

impl Journal {
    /// Records that the model at the path `model` of a carrier is going to be read.
    ///
    /// # Errors
    /// When it cannot be made durable: then there is no record.
    pub fn begin_intake(
        &mut self,
        carrier: CarrierId,
        model: &str,
        time: UnixTime,
    ) -> Result<IntakeId, Reason> {
        self.write("recording a model", |transaction| {
            transaction.execute(
                "INSERT INTO intake (carrier, model, begun, state)
                 VALUES (:carrier, :model, :time, 'reading')",
                named_params! { ":carrier": carrier.0, ":model": model, ":time": time.0 },
            )?;
            Ok(IntakeId(transaction.last_insert_rowid()))
        })
    }

    /// Records that nothing could be decided about a model, and why. An intake that was decided
    /// stays that.
    ///
    /// # Errors
    /// When it cannot be made durable: the next start records it as interrupted.
    pub fn failed(
        &mut self,
        intake: IntakeId,
        reason: &Reason,
        time: UnixTime,
    ) -> Result<(), Reason> {
        self.write("recording a model", |transaction| {
            let parameters = named_params! {
                ":id": intake.0,
                ":time": time.0,
                ":reason": reason.code.id(),
                ":detail": Said(reason),
            };
            transaction.execute(
                "UPDATE intake SET state = 'failed', ended = :time, reason = :reason,
                 detail = :detail WHERE id = :id AND state = 'reading'",
                parameters,
            )?;
            Ok(())
        })
    }
}

/// Ends an intake with its decision, in the transaction that records it.
pub(super) fn decided(
    transaction: &Transaction<'_>,
    intake: IntakeId,
    time: UnixTime,
) -> rusqlite::Result<()> {
    let ended = transaction.execute(
        "UPDATE intake SET state = 'decided', ended = :time WHERE id = :id AND state = 'reading'",
        named_params! { ":id": intake.0, ":time": time.0 },
    )?;
    one_row(ended)
}
