//! The supervisor: serves a carrier, from its arrival until it may be pulled. `ingest` and `run`
//! both go this way.
//!
//! ```text
//!  arrive ─▶ open ─▶ survey ─▶ each model: begin ─▶ chain::decide ─▶ publish ─▶ let go, released
//!    │         │        │                    │            │             │           │
//!    └─────────┴────────┴────────────────────┴─── Event ──┴─────────────┴───────────┴──▶ Observer
//! ```
//!
//! It parses nothing of the carrier: processes of the [`chain`](crate::chain) do. What happens is
//! told to an [`Observer`], who shows it to people, and decides whether it is worth going on.
//! Carriers may be served side by side, each by a thread: they are read and decided about at the
//! same time, and what is recorded and published takes its turn.

mod observer;
mod visit;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oms_verify::policy::Policy;
use oms_verify::reason::Reason;

pub use self::observer::{Event, Observer};
use self::visit::Visit;
use crate::cancel::Cancel;
use crate::carriers::{self, Arrival};
use crate::chain::Folder;
use crate::clock::system_time;
use crate::intake::Settings;
use crate::journal::{CarrierId, CarrierKind, Journal};
use crate::outbound::Outbound;
use crate::scanner;
use crate::trust::TrustPaths;

/// A carrier that has come.
#[derive(Clone, Copy, Debug)]
pub enum Carrier<'a> {
    /// A folder that somebody has mounted and names.
    Folder(&'a Path),
    /// One that came by itself, and what opening it takes.
    Arrival(&'a Arrival, &'a carriers::Means),
}

/// With what models are decided about.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// Policy, anchors and CRLs.
    pub trust: &'a TrustPaths,
    /// The policy, as it was read for this carrier.
    pub policy: &'a Policy,
    /// The means of reading.
    pub settings: Settings,
    /// The virus scanner, where there is one.
    pub scanner: Option<&'a scanner::Settings>,
    /// Whether the processes of the chain are sandboxed: only for development not.
    pub is_sandboxed: bool,
}

/// How the service of a carrier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It may be pulled: every model has its end in the record.
    Released,
    /// Every model has its end in the record, and something still holds the device.
    Held,
    /// The observer, or a verdict that was begun and is not out, forbids to go on. The carrier is
    /// not released; the next [`Outbound::recover`] ends what was begun.
    Stopped,
}

/// Serves one carrier: every model on it, one after the other. Of one that came by itself and was
/// interrupted, those that have no verdict yet.
///
/// # Errors
/// When it was cancelled, or the record cannot be written. What is wrong with the carrier or a
/// model is told to `observer` and is no error here.
pub fn serve(
    outbound: &Mutex<Outbound>,
    carrier: Carrier<'_>,
    means: &Means<'_>,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<Served, Reason> {
    let source = &carrier.source();
    let (id, done, floors) = {
        let Outbound { journal, crl_memory, .. } = &mut *locked(outbound);
        let done = carrier.done(journal)?;
        (carrier.arrive(source, journal)?, done, crl_memory.floors())
    };
    let visit = Visit { outbound, id, source, done, floors, means, cancel };
    let (own, let_go) = match carrier {
        Carrier::Folder(path) => (visit.models(Folder::Path(path), observer)?, Ok(())),
        Carrier::Arrival(arrival, with) => match arrival.open(with, cancel) {
            Ok(opened) => {
                let folder = Folder::Open { root: opened.root(), shown: source };
                let own = visit.models(folder, observer)?;
                (own, opened.release())
            }
            Err(reason) => (visit.is_in_trouble(reason, observer)?, Ok(())),
        },
    };
    match own {
        Some(own) => visit.end(own, let_go, observer),
        None => Ok(Served::Stopped),
    }
}

/// The station, when nobody else works with it.
pub(crate) fn locked(outbound: &Mutex<Outbound>) -> MutexGuard<'_, Outbound> {
    // Whoever panicked left the record as a crash would, and it says what is unfinished.
    outbound.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Carrier<'_> {
    /// What people know it by.
    fn source(&self) -> String {
        match self {
            Carrier::Folder(path) => path.display().to_string(),
            Carrier::Arrival(arrival, _) => arrival.source.to_string(),
        }
    }

    /// Of one that was interrupted, the models that have their verdicts, by their paths.
    fn done(&self, journal: &Journal) -> Result<Vec<String>, Reason> {
        match self {
            Carrier::Folder(_) => Ok(Vec::new()),
            Carrier::Arrival(arrival, _) => journal.decided_on(&arrival.identity),
        }
    }

    /// Records that it has arrived.
    fn arrive(&self, source: &str, journal: &mut Journal) -> Result<CarrierId, Reason> {
        let now = system_time();
        match self {
            Carrier::Folder(_) => journal.arrive(CarrierKind::Folder, source, now),
            Carrier::Arrival(arrival, _) => {
                journal.arrive_as(arrival.source.kind(), source, &arrival.identity, now)
            }
        }
    }
}
