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
    #[error("there were {before} mounts, and there are {after}")]
    Mounts { before: usize, after: usize },
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
    #[error("intake {0} has two decisions")]
    TwoDecisions(u64),
    /// A model that is not as signed passed, or the other way round.
    #[error("{model} is {result}")]
    Result { model: String, result: String },
    /// Something was begun and is not ended.
    #[error("begun and not ended: {}", .0.join(", "))]
    Unfinished(Vec<String>),
    /// The spool or the folder of open payloads is not empty.
    #[error("left behind: {}", .0.join(", "))]
    Left(Vec<String>),
    /// What the station keeps is not what went out.
    #[error("the archive of {0} is another than its entry")]
    Archive(String),
    /// `verdict verify --ledger` does not take outbound.
    #[error("verdict verify --ledger: {0}")]
    Ledger(String),
}
