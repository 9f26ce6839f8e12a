//! Carriers in the journal: that one arrived, and that it may be pulled.

use oms_verify::reason::Reason;
use oms_verify::time::UnixTime;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Transaction, named_params};

use super::Journal;

/// A carrier in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarrierId(pub(super) i64);

/// What a carrier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierKind {
    /// A folder that is mounted already.
    Folder,
    /// A block device.
    Device,
    /// A stream of files.
    Stream,
}

impl CarrierKind {
    fn name(self) -> &'static str {
        match self {
            CarrierKind::Folder => "folder",
            CarrierKind::Device => "device",
            CarrierKind::Stream => "stream",
        }
    }
}

impl Journal {
    /// Records that a carrier has arrived. `source` is what people know it by.
    ///
    /// # Errors
    /// When it cannot be made durable: then there is no record.
    pub fn arrive(
        &mut self,
        kind: CarrierKind,
        source: &str,
        time: UnixTime,
    ) -> Result<CarrierId, Reason> {
        self.arrived(kind, source, None, time)
    }

    /// Records that a carrier has come by itself, which `identity` tells from every other.
    ///
    /// # Errors
    /// As [`Journal::arrive`].
    pub fn arrive_as(
        &mut self,
        kind: CarrierKind,
        source: &str,
        identity: &str,
        time: UnixTime,
    ) -> Result<CarrierId, Reason> {
        self.arrived(kind, source, Some(identity), time)
    }

    /// Whether a carrier of this identity was served to its end before. One that the station was
    /// interrupted at was not.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn was_served(&self, identity: &str) -> Result<bool, Reason> {
        self.read("looking for a carrier", |connection| {
            connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM carrier
                 WHERE identity = :identity AND state = 'released')",
                named_params! { ":identity": identity },
                |row| row.get(0),
            )
        })
    }

    /// The models of a carrier of this identity that were decided about before it was interrupted,
    /// by their paths on it, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn decided_on(&self, identity: &str) -> Result<Vec<String>, Reason> {
        self.read("looking for a carrier's models", |connection| {
            let mut statement = connection.prepare(
                "SELECT DISTINCT model FROM intake JOIN carrier ON carrier.id = intake.carrier
                 WHERE identity = :identity AND intake.state = 'decided' ORDER BY model",
            )?;
            let models =
                statement.query_map(named_params! { ":identity": identity }, |row| row.get(0))?;
            models.collect()
        })
    }

    fn arrived(
        &mut self,
        kind: CarrierKind,
        source: &str,
        identity: Option<&str>,
        time: UnixTime,
    ) -> Result<CarrierId, Reason> {
        self.write("recording a carrier", |transaction| {
            transaction.execute(
                "INSERT INTO carrier (kind, source, identity, arrived, state)
                 VALUES (:kind, :source, :identity, :time, 'present')",
                named_params! {
                    ":kind": kind.name(),
                    ":source": source,
                    ":identity": identity,
                    ":time": time.0,
                },
            )?;
            Ok(CarrierId(transaction.last_insert_rowid()))
        })
    }

    /// Records that a carrier may be pulled, with the first of the reasons that are no model's.
    ///
    /// # Errors
    /// When it cannot be made durable: the next start records it as interrupted.
    pub fn released(
        &mut self,
        carrier: CarrierId,
        reasons: &[Reason],
        time: UnixTime,
    ) -> Result<(), Reason> {
        let first = reasons.first();
        self.write("recording a carrier", |transaction| end(transaction, carrier, first, time))
    }
}

fn end(
    transaction: &Transaction<'_>,
    carrier: CarrierId,
    reason: Option<&Reason>,
    time: UnixTime,
) -> rusqlite::Result<()> {
    let ended = transaction.execute(
        "UPDATE carrier SET state = 'released', ended = :time, reason = :reason, detail = :detail
         WHERE id = :id AND state = 'present'",
        named_params! {
            ":id": carrier.0,
            ":time": time.0,
            ":reason": reason.map(|reason| reason.code.id()),
            ":detail": reason.map(Said),
        },
    )?;
    super::one_row(ended)
}

/// What a reason says, for people.
pub(super) struct Said<'a>(pub(super) &'a Reason);

impl rusqlite::ToSql for Said<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.0.to_string())))
    }
}
