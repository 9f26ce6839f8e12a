//! The supervisor: serves a carrier, from its arrival until it may be pulled. `ingest` and `run`
//! both go this way.
//!
//! ```text
//!  arrive ─▶ survey ─▶ each model: begin ─▶ chain::decide ─▶ publish ─▶ released
//!    │         │                     │            │             │           │
//!    └─────────┴─────────────────────┴─── Event ──┴─────────────┴───────────┴──▶ Observer
//! ```
//!
//! It parses nothing of the carrier: processes of the [`chain`] do. What happens is told to an
//! [`Observer`], who shows it to people, and decides whether it is worth going on.

mod observer;

use std::path::Path;

use oms_sys::sealed::Sealed;
use oms_verify::policy::Policy;
use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::Decision;

pub use self::observer::{Event, Observer};
use crate::cancel::Cancel;
use crate::chain::{self, Task};
use crate::clock::system_time;
use crate::handover::Survey;
use crate::intake::Settings;
use crate::journal::{CarrierId, CarrierKind};
use crate::media::Candidate;
use crate::outbound::{Intake, Outbound, Published};
use crate::progress::Progress;
use crate::trust::TrustPaths;

/// A carrier that has come.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    /// What it is.
    pub kind: CarrierKind,
    /// What people know it by.
    pub source: &'a str,
    /// Where it is mounted.
    pub folder: &'a Path,
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
    /// Whether the processes of the chain are sandboxed: only for development not.
    pub is_sandboxed: bool,
}

/// How the service of a carrier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It may be pulled: every model has its end in the record.
    Released,
    /// The observer, or a verdict that was begun and is not out, forbids to go on. The carrier is
    /// not released; the next [`Outbound::recover`] ends what was begun.
    Stopped,
}

/// Serves one carrier: every model on it, one after the other.
///
/// # Errors
/// When it was cancelled, or the record cannot be written. What is wrong with the carrier or a
/// model is told to `observer` and is no error here.
pub fn serve(
    outbound: &mut Outbound,
    carrier: Carrier<'_>,
    means: &Means<'_>,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<Served, Reason> {
    let Carrier { kind, source, folder } = carrier;
    let visit = outbound.journal.arrive(kind, source, system_time())?;
    let floors = &outbound.crl_memory.floors();
    let Means { trust, policy, settings, is_sandboxed } = *means;
    let task = Task { carrier: folder, trust, floors, policy, settings, is_sandboxed };
    // What is wrong with one carrier, or a spot of it, is told and ends nothing else.
    let (found, sealed) = match chain::survey(&task, cancel) {
        Ok(found) => found,
        Err(reason) => {
            cancel.check()?;
            let reasons = [reason];
            outbound.journal.released(visit, &reasons, system_time())?;
            observer.tell(Event::Troubled(&reasons));
            observer.tell(Event::Released);
            return Ok(Served::Released);
        }
    };
    let (candidates, own) = surveyed(found, source, policy, observer);
    for (number, candidate) in candidates.iter().enumerate() {
        cancel.check()?;
        if !observer.wants(candidate) {
            continue;
        }
        let progress = observer.begin(candidate);
        let done = serve_one(outbound, visit, &task, (&sealed, number, candidate), &progress);
        let summary = progress.summary();
        drop(progress);
        match done {
            Ok((path, decision, published)) => observer.tell(Event::Published {
                path: &path,
                decision: &decision,
                published: &published,
                summary: &summary,
            }),
            Err(reason) => {
                let goes_on = observer.failed(candidate, &reason);
                // A verdict that was begun and is not out: the next one must follow it.
                if outbound.is_unfinished()? || !goes_on {
                    return Ok(Served::Stopped);
                }
            }
        }
    }
    outbound.journal.released(visit, own.as_slice(), system_time())?;
    observer.tell(Event::Released);
    Ok(Served::Released)
}

/// Tells what a survey found. Gives the models, and the first reason that is no model's.
fn surveyed(
    found: Survey,
    source: &str,
    policy: &Policy,
    observer: &mut dyn Observer,
) -> (Vec<Candidate>, Option<Reason>) {
    let Survey { candidates, attestations, mut reasons, mut unclaimed } = found;
    if candidates.is_empty() && reasons.is_empty() {
        let detail = "there is no OMS bundle (*.sig) on the carrier";
        reasons.push(Reason::new(Code::BundleMissing, detail).about(source));
    }
    observer.tell(Event::Troubled(&reasons));
    // Attestations beside a model are looked at with it, where the policy asks for any.
    let beside = !policy.attestations.is_empty()
        && candidates.iter().any(|candidate| !candidate.model.contains('/'));
    unclaimed.retain(|path| !(beside && attestations.at_top(path)));
    observer.tell(Event::Surveyed { models: candidates.len(), unclaimed: &unclaimed });
    (candidates, reasons.into_iter().next())
}

/// Brings one model from the carrier to an entry in outbound. Gives where it lay on the carrier,
/// what was decided, and its entry.
fn serve_one(
    outbound: &mut Outbound,
    visit: CarrierId,
    task: &Task<'_>,
    one: (&Sealed, usize, &Candidate),
    progress: &Progress,
) -> Result<(String, Decision, Published), Reason> {
    let intake = outbound.begin(visit, &one.2.model)?;
    let id = intake.id;
    let served = into(outbound, intake, task, one, progress);
    served.or_else(|reason| outbound.fail(id, reason))
}

/// The way of a model whose reading has been recorded.
fn into(
    outbound: &mut Outbound,
    intake: Intake,
    task: &Task<'_>,
    one: (&Sealed, usize, &Candidate),
    progress: &Progress,
) -> Result<(String, Decision, Published), Reason> {
    let quarantine = &intake.quarantine;
    let time = outbound.clock.now()?;
    let decided = chain::decide(task, one, quarantine, time, progress)?;
    // The last moment: what was begun to be published is ended.
    progress.check()?;
    outbound.crl_memory.keep(decided.floors.clone())?;
    let published = outbound.publish(&decided, intake)?;
    Ok((one.2.path(decided.elsewhere).to_owned(), decided.decision, published))
}
