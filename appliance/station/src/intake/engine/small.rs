//! Small files: opened, read and closed by plain calls, and hashed many at once.
//!
//! ```text
//!   warm: look, open, read, one after another ─┐
//!   cold: the same through a ring, side by side ┴▶ look again, close ─┐
//!         ┌──────────────────────────────────────────────────────────┘
//!         ├─▶ | file | file | file | … |  one piece of memory
//!         │        ▼      ▼      ▼
//!         │      lanes hash all of them
//!         │        ▼
//!         ├─▶ a look inside each that is signed, in place
//!         └─▶ copy, where there are to be copies
//! ```
//!
//! Such a file takes fewer calls of the kernel than a stream's setting up would. Where it is in
//! memory, plain calls are the cheapest; a device that lets us wait is asked for many at once.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use oms_sys::beneath::{Folders, RegularFile};
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Method, Pieces, Shard};

use super::Piece;
use super::cold::Cold;
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
    work_where(Job::is_cold, job, pulse, harvest)
}

/// The same, where `is_cold` tells of files that are taken together whether they are to be waited
/// for side by side.
pub(super) fn work_where(
    is_cold: impl Fn(&Job, &mut Folders, &[usize]) -> bool,
    job: &Job,
    pulse: &Pulse,
    harvest: &mut Harvest,
) -> Result<(), Reason> {
    let mut batch = Batch { memory: Vec::new(), parts: Vec::new() };
    let mut folders = job.folders();
    let mut ring = None;
    loop {
        let mut files = job.queue().take_small(AT_ONCE);
        if files.is_empty() {
            return Ok(());
        }
        let cold = is_cold(job, &mut folders, files);
        while !files.is_empty() {
            let parts;
            (parts, files) = batch.room_for(job, files);
            if cold {
                let ready = match ring.take() {
                    Some(ready) => ready,
                    None => Cold::new(job)?,
                };
                ring = Some(batch.read_cold(ready, job, pulse, &mut folders, parts, harvest)?);
            } else {
                batch.read(job, pulse, &mut folders, parts, harvest)?;
            }
            if pulse.is_stopped() {
                return Ok(());
            }
            batch.hash(job, pulse, harvest)?;
        }
    }
}

/// A file's place in the memory.
pub(super) struct Part {
    /// The file's number.
    pub(super) file: usize,
    /// Bytes that were read.
    pub(super) at: usize,
    start: usize,
    size: usize,
}

impl Part {
    /// The room for what was not read: to one byte more than the file has, so that it is seen to
    /// have grown.
    pub(super) fn room<'a>(&self, memory: &'a mut [u8]) -> &'a mut [u8] {
        let from = self.start.saturating_add(self.at);
        memory.get_mut(from..from.saturating_add(self.left())).unwrap_or_default()
    }

    /// The bytes of that room.
    pub(super) fn left(&self) -> usize {
        self.size.saturating_add(1).saturating_sub(self.at)
    }

    /// Takes note that `read` bytes came; whether there is nothing more to ask for.
    pub(super) fn came(&mut self, read: usize) -> bool {
        // It was asked for more than there is and gave what there is.
        let whole = self.at == 0 && read == self.size;
        self.at = self.at.saturating_add(read);
        whole || read == 0 || self.left() == 0
    }

    fn range(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.size)
    }
}

/// A read that failed.
pub(super) fn unreadable(at: usize, error: &io::Error) -> Reason {
    Reason::new(Code::MediaUnreadable, format!("reading at byte {at}: {error}"))
}

/// Reads a file with plain calls.
fn read(
    job: &Job,
    folders: &mut Folders,
    part: &mut Part,
    memory: &mut [u8],
) -> Result<RegularFile, Reason> {
    let opened = job.open(folders, part.file)?;
    loop {
        match opened.as_file().read_at(part.room(memory), part.at as u64) {
            Ok(read) if part.came(read) => return Ok(opened),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) if job.may_retry() => {}
            Err(error) => return Err(unreadable(part.at, &error)),
        }
    }
}

/// Files that were read and wait to be hashed.
struct Batch {
    memory: Vec<u8>,
    parts: Vec<Part>,
}

impl Batch {
    /// Gives places to the first of `files`, as many as there is room for, and the other files.
    fn room_for<'a>(&mut self, job: &Job, files: &'a [usize]) -> (Vec<Part>, &'a [usize]) {
        let (mut parts, mut used) = (Vec::with_capacity(files.len()), 0usize);
        for file in files {
            let size = usize::try_from(job.size(*file).min(SMALL)).unwrap_or(0);
            let end = used.saturating_add(size).saturating_add(1);
            if end > MEMORY {
                break;
            }
            parts.push(Part { file: *file, at: 0, start: used, size });
            used = end;
        }
        if self.memory.len() < used {
            self.memory.resize(used, 0);
        }
        let later = files.get(parts.len()..).unwrap_or_default();
        (parts, later)
    }

    /// Reads files one after another.
    fn read(
        &mut self,
        job: &Job,
        pulse: &Pulse,
        folders: &mut Folders,
        parts: Vec<Part>,
        harvest: &mut Harvest,
    ) -> Result<(), Reason> {
        for mut part in parts {
            if pulse.is_stopped() {
                return Ok(());
            }
            let read = read(job, folders, &mut part, &mut self.memory);
            self.settle(job, pulse, part, read, harvest)?;
        }
        Ok(())
    }

    /// Reads files side by side, and gives the ring back.
    fn read_cold(
        &mut self,
        ring: Cold,
        job: &Job,
        pulse: &Pulse,
        folders: &mut Folders,
        mut parts: Vec<Part>,
        harvest: &mut Harvest,
    ) -> Result<Cold, Reason> {
        let (ring, read) = ring.read((job, pulse), folders, &mut parts, &mut self.memory)?;
        for (part, read) in parts.into_iter().zip(read) {
            if let Some(read) = read {
                self.settle(job, pulse, part, read, harvest)?;
            }
        }
        Ok(ring)
    }

    /// Takes in a file that was read, and writes its copy; or what was wrong with it.
    fn settle(
        &mut self,
        job: &Job,
        pulse: &Pulse,
        part: Part,
        read: Result<RegularFile, Reason>,
        harvest: &mut Harvest,
    ) -> Result<(), Reason> {
        let bytes = self.memory.get(part.range()).unwrap_or_default();
        let settled = read.and_then(|opened| {
            if part.at != part.size {
                return Err(changed(opened.size()));
            }
            job.check(&opened)?;
            pulse.in_spool(|| job.copy_small(part.file, bytes))
        });
        match settled {
            Ok(()) => {
                pulse.read(bytes.len() as u64);
                pulse.files_done(1);
                self.parts.push(part);
                Ok(())
            }
            Err(reason) => {
                pulse.beat();
                job.refuse(part.file, reason, harvest)
            }
        }
    }

    /// Hashes what was read, looks inside where that is asked for, and forgets it.
    fn hash(&mut self, job: &Job, pulse: &Pulse, harvest: &mut Harvest) -> Result<(), Reason> {
        let first = harvest.pieces.len();
        let mut shards = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let Range { start, end } = part.range();
            let step = match job.method() {
                Method::Files => usize::MAX,
                Method::Shards { size } => usize::try_from(size).unwrap_or(usize::MAX).max(1),
            };
            let mut from = start;
            // An empty file has one piece.
            loop {
                let to = from.saturating_add(step).min(end);
                shards.push((part.file, from.saturating_sub(start), from..to));
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
        for (part, pieces) in self.parts.iter().zip(found) {
            let file = part.file;
            let Some(listed) = job.to_inspect(file) else { continue };
            if pulse.is_stopped() {
                return Ok(());
            }
            if !are_signed(pieces, file, &listed.pieces) {
                continue;
            }
            let bytes = self.memory.get(part.range()).unwrap_or_default();
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::cold::Ended;
    use super::*;

    /// Places for the first small files of `job`.
    pub(in super::super) fn parts(job: &Job) -> (Vec<Part>, Vec<u8>) {
        let mut batch = Batch { memory: Vec::new(), parts: Vec::new() };
        let (parts, _) = batch.room_for(job, job.queue().take_small(AT_ONCE));
        (parts, batch.memory)
    }

    /// What comes of files that were read.
    pub(in super::super) fn settled(
        job: &Job,
        parts: Vec<Part>,
        memory: Vec<u8>,
        ended: Ended,
    ) -> Harvest {
        let (pulse, mut harvest) = (Pulse::default(), Harvest::default());
        let mut batch = Batch { memory, parts: Vec::new() };
        for (part, read) in parts.into_iter().zip(ended) {
            batch.settle(job, &pulse, part, read.unwrap(), &mut harvest).unwrap();
        }
        batch.hash(job, &pulse, &mut harvest).unwrap();
        harvest
    }
}
