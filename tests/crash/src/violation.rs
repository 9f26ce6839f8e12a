//! What must not be found after a crash.

use std::time::Duration;

/// One cause, one variant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Violation {
    /// It neither ended nor gave up.
    #[error("after {0:?} it still ran")]
    Hang(Duration),
    /// It ended as no run may end.
    #[error("it ended with {status}: {said}")]
    Status { status: i32, said: String },
    /// Somebody is still there.
    #[error("processes were left behind: {}", .0.join(", "))]
    Processes(Vec<String>),
    /// Something is still mounted.
    #[error("it is still mounted: {0}")]
    Mounts(String),
    /// An entry of outbound is not complete, or not as its verdict says.
    #[error("the entry {name}: {why}")]
    Entry { name: String, why: String },
    /// An entry went away that nobody took.
    #[error("the entry {0} is gone")]
    Gone(String),
    /// An entry is another than it was.
    #[error("the entry {0} has changed")]
    Changed(String),
    /// Two entries have the same number.
    #[error("number {0} is used twice")]
    Twice(u64),
    /// Numbers do not follow one another.
    #[error("number {due} is due, and there is {found}")]
    Hole { due: u64, found: u64 },
    /// The journal's file is damaged.
    #[error("the journal: {0}")]
    Journal(String),
    /// A decision that was written down is not there any more, or says something else.
    #[error("decision {sequence} was {before}, and is {after}")]
    Decision { sequence: u64, before: String, after: String },
    /// One model was decided about twice within one visit.
    #[error("the model {0} has two decisions of one visit")]
    TwoDecisions(String),
    /// An entry is visible before its decision was signed in the journal.
    #[error("number {0} is out, and the journal has no signature of it")]
    Early(u64),
    /// What shows in outbound was not moved there as a whole.
    #[error("in outbound itself was made or changed: {}", .0.join(", "))]
    InPlace(Vec<String>),
    /// A visit that nothing came between did not decide about what was on the carrier.
    #[error("on the carrier are {due:?}, and decided was {found:?}")]
    Visit { due: Vec<String>, found: Vec<String> },
    /// A model, or what was begun of it, is not there any more.
    #[error("{0} is lost")]
    Lost(String),
    /// The signer's record tells something else than it did, or than the journal.
    #[error("the signer's record: {0}")]
    Signer(String),
    /// What is kept is not what passed.
    #[error("the kept model of {0} is missing, or is another")]
    Kept(String),
    /// Outbound holds more than it may, or takes nothing though it is empty.
    #[error("outbound holds {held} bytes, and may hold {quota}")]
    Quota { held: u64, quota: u64 },
    /// An ingest beside the daemon did something.
    #[error("an ingest beside the daemon changed outbound")]
    Beside,
    /// A model that is not as signed passed, or the other way round.
    #[error("{model} is {result}")]
    Result { model: String, result: String },
    /// Something was begun and is not ended.
    #[error("begun and not ended: {}", .0.join(", "))]
    Unfinished(Vec<String>),
    /// Something is in the spool or the state that belongs to nothing.
    #[error("left behind: {}", .0.join(", "))]
    Left(Vec<String>),
    /// What the station keeps is not what went out.
    #[error("the archive of {0} is not as its entry")]
    Archive(String),
    /// `verdict verify --ledger` does not take outbound.
    #[error("verdict verify --ledger: {0}")]
    Ledger(String),
}
