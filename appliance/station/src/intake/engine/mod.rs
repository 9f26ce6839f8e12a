//! The engine: every byte of every file, read once, hashed, and copied where that is asked for.
//!
//! ```text
//!   Order ──▶ Queue ─┬─▶ worker 1 ─┬─ streams: ring reads ──▶ lanes hash ──▶ ring writes (copies)
//!   (files,          │             └─ small files, many at once ─▶ lanes hash ─▶ copies
//!    sizes)          └─▶ worker 2 ── …                                  │
//!                                                                       ▼
//!   Gathered ◀──────────── pieces of each file, what is wrong with it ◀─┘
//! ```
//!
//! A worker is a thread with a ring of its own. It reads as many files or runs of shards at once as
//! its core can hash side by side, the largest first, and then the small files. Buffers are all
//! that holds bytes, and there are as many as the settings allow: when hash or disk cannot follow,
//! there is none to read into. What comes out does not depend on which worker read what, or when.
//!
//! Where a copy can share the blocks of its source, it is made first and read instead: see [`clone`].

mod clone;
mod cold;
mod copy;
mod job;
mod means;
mod small;
mod stream;
mod sums;
#[cfg(test)]
mod tests;
mod work;
mod worker;

use std::sync::Arc;

use oms_sys::sha256::{Lanes, Unusable};
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::{Code, Reason, Reasons};
use oms_verify::statement::{Manifest, Method, Pieces, Shard};

use self::job::Job;
use self::means::{Means, ground_of};
use super::attend::{Terms, attend};
use super::quarantine::Copies;
use super::{Reading, Source};
use crate::inspection::Inspected;

/// The names of a model's files.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// Those of a manifest.
    Listed(Arc<Manifest>),
    /// Those that were found.
    Found(Arc<Vec<String>>),
}

impl Names {
    /// The path of file `number`, as it is shown and copied.
    pub(super) fn path(&self, number: usize) -> &str {
        match self {
            Names::Listed(manifest) => manifest.files().get(number).map(|file| file.path.as_str()),
            Names::Found(paths) => paths.get(number).map(String::as_str),
        }
        .unwrap_or_default()
    }
}

/// What is to be read.
#[derive(Debug)]
pub(super) struct Order {
    /// Where the files are.
    pub(super) source: Source,
    /// Their names.
    pub(super) names: Names,
    /// Their sizes in bytes, by number. One without a size is not read.
    pub(super) sizes: Vec<Option<u64>>,
    /// The hash.
    pub(super) hash: HashAlgorithm,
    /// How files are divided.
    pub(super) method: Method,
    /// Where the copies go, if there are to be any.
    pub(super) copies: Option<Copies>,
    /// Whether the files are copies that another process made: they are written back meanwhile.
    pub(super) is_of_copies: bool,
    /// Whether small files of a manifest are looked into, where their bytes are the signed ones.
    pub(super) inspect: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The pieces of each file that was read to its end, by number, with its size in bytes.
    pub(super) files: Vec<(usize, u64, Pieces)>,
    /// What was wrong with others.
    pub(super) problems: Reasons,
    /// Reads that were repeated.
    pub(super) retries: u32,
    /// What was found in files that were looked into.
    pub(super) inspected: Inspected,
}

/// Reads what `order` says.
///
/// # Errors
/// When carrier or station fail, or the operator cancels: nothing can be said about the model.
pub(super) fn run(order: Order, reading: &Reading<'_>) -> Result<Gathered, Reason> {
    let terms = Terms { stall: reading.stall(), progress: reading.progress };
    let ground = ground_of(&order.source, terms)?;
    let means = Means::of(reading, order.copies.is_some()).fitted_to(ground);
    run_with(order, reading, means)
}

fn run_with(order: Order, reading: &Reading<'_>, means: Means) -> Result<Gathered, Reason> {
    let lanes = Lanes::of_this_machine().map_err(broken)?;
    let job = Arc::new(Job::new(order, lanes, means));
    reading.progress.describe(job.describe()?);
    let works = (0..job.workers()).map(|_| {
        let job = Arc::clone(&job);
        move |pulse: &_| worker::work(&job, pulse)
    });
    let terms = Terms { stall: means.stall, progress: reading.progress };
    let outcome = attend(works.collect(), terms);
    let retries = job.retried();
    (0..retries).for_each(|_| reading.progress.retried());
    let mut gathered = Gathered { retries, ..Gathered::default() };
    let mut pieces = Vec::new();
    for one in outcome? {
        pieces.extend(one.pieces);
        gathered.problems.append(one.problems);
        gathered.inspected.append(one.inspected);
    }
    assemble(&job, pieces, &mut gathered)?;
    Ok(gathered)
}

/// A machine that gives wrong digests decides nothing.
fn broken(error: Unusable) -> Reason {
    Reason::new(Code::IntakeSha256, error.to_string())
}

/// A digest of a part of a file.
#[derive(Debug)]
struct Piece {
    file: usize,
    shard: Shard,
}

/// Puts the pieces of each file together, in the order of the model.
///
/// # Errors
/// When they are not all of the file, which is a mistake of this program: nothing is decided.
fn assemble(job: &Job, mut pieces: Vec<Piece>, gathered: &mut Gathered) -> Result<(), Reason> {
    pieces.sort_unstable_by_key(|piece| (piece.file, piece.shard.start));
    let mut pieces = pieces.into_iter().peekable();
    while let Some(first) = pieces.peek() {
        let file = first.file;
        let mut shards = Vec::new();
        while let Some(piece) = pieces.next_if(|piece| piece.file == file) {
            shards.push(piece.shard);
        }
        if job.is_refused(file) {
            continue;
        }
        let size = job.size(file);
        let (mut end, mut tiled) = (0, true);
        for shard in &shards {
            tiled &= shard.start == end;
            end = shard.end;
        }
        let pieces = match (job.method(), shards.len()) {
            (Method::Files, 1) => shards.pop().map(|whole| Pieces::Whole(whole.digest)),
            (Method::Files, _) => None,
            // An empty file has one piece, which no manifest can list.
            (Method::Shards { .. }, _) if size == 0 => Some(Pieces::Shards(Vec::new())),
            (Method::Shards { .. }, _) => Some(Pieces::Shards(shards)),
        };
        match pieces {
            Some(pieces) if tiled && end == size => gathered.files.push((file, size, pieces)),
            _ => {
                let detail = format!("{end} of {size} bytes were hashed");
                return Err(Reason::new(Code::MediaUnreadable, detail).about(job.path(file)));
            }
        }
    }
    Ok(())
}
