//! Small files: opened, read and closed one after another, and hashed many at once.
//!
//! ```text
//!   look, open, read, look again, close ─┬─▶ | file | file | file | … |  one piece of memory
//!                                        │        ▼      ▼      ▼
//!                                        │      lanes hash all of them
//!                                        │        ▼
//!                                        ├─▶ a look inside each that is signed, in place
//!                                        └─▶ copy, where there are to be copies
//! ```
//!
//! Such a file takes fewer calls of the kernel than a stream's setting up would.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;

use oms_sys::beneath::Folders;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Method, Pieces, Shard};

use super::Piece;
use super::job::{Harvest, Job, changed};
use super::sums::{self, Sum};
use super::work::SMALL;
use crate::intake::attend::Pulse;

/// Files that are taken from the queue at once.
const AT_ONCE: usize = 64;

/// Shards that are hashed at once.
const SHARDS_AT_ONCE: usize = 1024;

/// Bytes of memory that files are read into.
const MEMORY: usize = 1 << 20;

/// Works until no small file is left.
///
/// # Errors
/// When carrier or station fail.
pub(super) fn work(job: &Job, pulse: &Pulse, harvest: &mut Harvest) -> Result<(), Reason> {
    let mut batch = Batch { memory: Vec::new(), used: 0, parts: Vec::new() };
    let mut folders = job.folders();
    loop {
        let files = job.queue().take_small(AT_ONCE);
        if files.is_empty() {
            return Ok(());
        }
        let bytes =
            files.iter().fold(0, |sum: usize, file| sum.saturating_add(room_for(job, *file)));
        batch.make_room(bytes.min(MEMORY));
        for file in files {
            if pulse.is_stopped() {
                return Ok(());
            }
            if batch.left() < room_for(job, *file) {
                batch.hash(job, pulse, harvest)?;
            }
            match batch.read(job, &mut folders, *file) {
                Ok(bytes) => {
                    pulse.read(bytes);
                    pulse.files_done(1);
                }
                Err(reason) => {
                    pulse.beat();
                    job.refuse(*file, reason, harvest)?;
                }
            }
        }
        batch.hash(job, pulse, harvest)?;
    }
}

/// Bytes of memory for a file: one more than it has, so that it is seen to have grown.
fn room_for(job: &Job, file: usize) -> usize {
    usize::try_from(job.size(file).min(SMALL)).unwrap_or(0).saturating_add(1)
}

/// Files that were read and wait to be hashed.
struct Batch {
    memory: Vec<u8>,
    used: usize,
    /// Each file's number, where it begins and ends.
    parts: Vec<(usize, usize, usize)>,
}

impl Batch {
    fn make_room(&mut self, bytes: usize) {
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
    }

    fn left(&self) -> usize {
        self.memory.len().saturating_sub(self.used)
    }

    /// Reads a file, and writes its copy.
    fn read(&mut self, job: &Job, folders: &mut Folders, file: usize) -> Result<u64, Reason> {
        let opened = job.open(folders, file)?;
        let size = room_for(job, file).saturating_sub(1);
        let start = self.used;
        let end = start.saturating_add(size);
        let room = self.memory.get_mut(start..=end).unwrap_or_default();
        let mut at = 0usize;
        while let Some(rest) = room.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match opened.as_file().read_at(rest, at as u64) {
                Ok(0) => break,
                Ok(read) => {
                    let whole = at == 0 && read == size;
                    at = at.saturating_add(read);
                    // It was asked for more than there is and gave what there is.
                    if whole {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if job.may_retry() => {}
                Err(error) => {
                    let detail = format!("reading at byte {at}: {error}");
                    return Err(Reason::new(Code::MediaUnreadable, detail));
                }
            }
        }
        if at != size {
            return Err(changed(opened.size()));
        }
        job.check(&opened)?;
        let bytes = self.memory.get(start..end).unwrap_or_default();
        job.copy_small(file, bytes)?;
        self.used = end;
        self.parts.push((file, start, end));
        Ok(size as u64)
    }

    /// Hashes what was read, looks inside where that is asked for, and forgets it.
    fn hash(&mut self, job: &Job, pulse: &Pulse, harvest: &mut Harvest) -> Result<(), Reason> {
        let first = harvest.pieces.len();
        let mut shards = Vec::with_capacity(self.parts.len());
        for &(file, start, end) in &self.parts {
            let step = match job.method() {
                Method::Files => usize::MAX,
                Method::Shards { size } => usize::try_from(size).unwrap_or(usize::MAX).max(1),
            };
            let mut from = start;
            // An empty file has one piece.
            loop {
                let to = from.saturating_add(step).min(end);
                shards.push((file, from.saturating_sub(start), from..to));
                from = to;
                if from >= end {
                    break;
                }
            }
        }
        let lanes = job.lanes();
        for shards in shards.chunks(SHARDS_AT_ONCE) {
            let mut streams: Vec<_> = shards.iter().map(|_| Sum::new(job.hash(), lanes)).collect();
            let work = streams.iter_mut().zip(shards).map(|(sum, (_, _, range))| {
                (sum, self.memory.get(range.clone()).unwrap_or_default())
            });
            sums::update(lanes, work);
            for ((file, offset, range), digest) in shards.iter().zip(sums::finish(lanes, streams)) {
                let start = *offset as u64;
                let end = start.saturating_add(range.len() as u64);
                let piece = |digest| Piece { file: *file, shard: Shard { start, end, digest } };
                harvest.pieces.extend(digest.map(piece));
            }
        }
        self.look_inside(job, pulse, first, harvest)?;
        self.parts.clear();
        self.used = 0;
        Ok(())
    }

    /// Looks into each file whose pieces, from the one at `first` on, are the signed ones.
    fn look_inside(
        &self,
        job: &Job,
        pulse: &Pulse,
        first: usize,
        harvest: &mut Harvest,
    ) -> Result<(), Reason> {
        let pieces = harvest.pieces.get(first..).unwrap_or_default();
        let found = pieces.chunk_by(|one, other| one.file == other.file);
        for (&(file, start, end), pieces) in self.parts.iter().zip(found) {
            let Some(listed) = job.to_inspect(file) else { continue };
            if pulse.is_stopped() {
                return Ok(());
            }
            if !are_signed(pieces, file, &listed.pieces) {
                continue;
            }
            let bytes = self.memory.get(start..end).unwrap_or_default();
            harvest.inspected.look(file, listed, bytes).map_err(|error| {
                Reason::new(Code::MediaUnreadable, error.to_string()).about(job.path(file))
            })?;
            pulse.beat();
        }
        Ok(())
    }
}

/// Whether `pieces` are those of `file` and what is `signed` of it.
fn are_signed(pieces: &[Piece], file: usize, signed: &Pieces) -> bool {
    pieces.iter().all(|piece| piece.file == file)
        && match signed {
            Pieces::Whole(digest) => {
                matches!(pieces, [whole] if whole.shard.digest == *digest)
            }
            Pieces::Shards(shards) => shards.iter().eq(pieces.iter().map(|piece| &piece.shard)),
        }
}
