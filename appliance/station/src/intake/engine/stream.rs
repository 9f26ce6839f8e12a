//! One file, or a run of shards of one, on its way through a worker.
//!
//! ```text
//!   item.start        hashed            here               asked            next      item.end
//!       ├───────────────┼─────────────────┼──────────────────┼────────────────┼────────────┤
//!         hashed,          Chunk::Here:     Chunk::Asked: in    not asked for
//!         perhaps being    read, waits      flight, or
//!         written          for its turn     Chunk::Missing
//! ```
//!
//! Chunks are read in any order and hashed in theirs. A read that fails and may be repeated, or that
//! brings less than it was asked for, leaves a chunk that is missing; it is asked for before
//! anything else. No byte that was read is read again.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use oms_sys::beneath::RegularFile;
use oms_sys::ring::{Buffer, Handle};
use oms_sys::sha256::Lanes;
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::Reason;
use oms_verify::statement::{Method, Shard};

use super::Piece;
use super::copy::Output;
use super::sums::Sum;
use super::work::Item;
use crate::intake::attend::Asked;

/// What a last read of this many bytes is left for, so that it can ask for one byte more than
/// there are: a file that grew is seen to have grown.
const LAST: u64 = 4096;

/// What direct I/O is a multiple of.
pub(super) const PAGE: u64 = 4096;

/// Bytes that the kernel is asked at once to write back.
const BACK: u64 = 4 << 20;

/// A file as its ring knows it.
#[derive(Debug)]
pub(super) struct Way {
    /// Through the page cache.
    pub(super) buffered: Handle,
    /// Past it, for what begins and ends where pages do.
    pub(super) direct: Option<Handle>,
}

impl Way {
    /// The way for `len` bytes at `offset`, and whether it is the direct one.
    pub(super) fn of(&self, offset: u64, len: usize) -> (&Handle, bool) {
        match &self.direct {
            Some(direct) if offset.is_multiple_of(PAGE) && (len as u64).is_multiple_of(PAGE) => {
                (direct, true)
            }
            _ => (&self.buffered, false),
        }
    }
}

/// A part of an item.
#[derive(Debug)]
struct Chunk {
    offset: u64,
    len: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not read, or not to its end.
    Missing,
    /// Being read, by the operation of this name; whether past the page cache; since when.
    Asked(u32, bool, Instant),
    /// Read.
    Here(Buffer),
}

/// A read that is to be started.
#[derive(Debug)]
pub(super) struct Ask {
    /// What the operation is called.
    pub(super) name: u32,
    /// The offset in the file.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) len: usize,
    /// The file.
    pub(super) handle: Handle,
}

/// An operation that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// When it was started.
    pub(super) since: Instant,
    /// Who was asked.
    pub(super) asked: Asked,
    /// The offset in the file.
    pub(super) offset: u64,
}

/// What became of a read.
#[derive(Debug)]
pub(super) enum Taken {
    /// It brought bytes, which wait for their turn.
    Kept,
    /// It brought nothing that is of use: the buffer is free.
    Free(Buffer),
    /// The file is not what it was, and the buffer is free.
    Changed(Buffer),
}

/// An item that is being read. See the [module](self).
pub(super) struct Stream {
    /// What its operations are called, with their own names.
    pub(super) id: u32,
    /// What is read.
    pub(super) item: Item,
    /// The file, to be looked at again: the source, or a copy that shares its blocks.
    pub(super) file: RegularFile,
    /// The file, to be read.
    pub(super) input: Way,
    /// The copy, to be written.
    pub(super) output: Option<(Output, Way)>,
    /// What is wrong with it: it is not read on.
    pub(super) refused: Option<Reason>,
    /// Operations in flight.
    pub(super) in_flight: usize,
    /// When one of them ended last.
    pub(super) heard: Instant,
    /// The digests so far.
    pub(super) pieces: Vec<Piece>,
    hash: HashAlgorithm,
    method: Method,
    sum: Sum,
    /// The first byte of the piece that is being hashed.
    piece: u64,
    /// The byte after the last that was hashed.
    hashed: u64,
    /// The first byte that was not asked for.
    next: u64,
    chunks: VecDeque<Chunk>,
    /// The file whose bytes are written back behind the hashing, where that is to be.
    back: Option<Handle>,
    /// The first byte that was not asked to be written back.
    kept: u64,
    /// What the request in flight to write back is called.
    asked_back: Option<u32>,
    /// Names and offsets of the writes in flight, whether they go past the page cache, since when.
    writes: Vec<(u32, u64, bool, Instant)>,
    names: u32,
}

impl Stream {
    pub(super) fn new(
        id: u32,
        item: Item,
        (file, input, output): (RegularFile, Way, Option<(Output, Way)>),
        (hash, method): (HashAlgorithm, Method),
        lanes: &Lanes,
    ) -> Self {
        Stream {
            back: None,
            kept: item.start,
            asked_back: None,
            id,
            item,
            file,
            input,
            output,
            refused: None,
            in_flight: 0,
            heard: Instant::now(),
            pieces: Vec::new(),
            hash,
            method,
            sum: Sum::new(hash, lanes),
            piece: item.start,
            hashed: item.start,
            next: item.start,
            chunks: VecDeque::new(),
            writes: Vec::new(),
            names: 0,
        }
    }

    /// Whether there is a part that must be read before anything else.
    pub(super) fn has_missing(&self) -> bool {
        self.refused.is_none() && self.chunks.iter().any(|c| matches!(c.state, State::Missing))
    }

    /// The read that brings what is missing.
    pub(super) fn ask_missing(&mut self, capacity: usize) -> Option<Ask> {
        if self.refused.is_some() {
            return None;
        }
        let at = self.chunks.iter().position(|chunk| matches!(chunk.state, State::Missing))?;
        self.start(at, capacity)
    }

    /// An operation has ended.
    pub(super) fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.heard = Instant::now();
    }

    /// Chunks that are not hashed yet.
    pub(super) fn pending(&self) -> usize {
        self.chunks.len()
    }

    /// The next read, into a buffer of `capacity` bytes.
    pub(super) fn ask(&mut self, capacity: usize) -> Option<Ask> {
        let left = self.item.end.saturating_sub(self.next);
        if left == 0 || self.refused.is_some() {
            return None;
        }
        let room = capacity as u64;
        let to_the_page = self.next.next_multiple_of(PAGE).saturating_sub(self.next);
        let bytes = match self.item.end == self.file.size() && left == room && room > LAST {
            // Chunks begin and end where pages do, but for the edges of the item: so they can go
            // past the page cache.
            _ if self.is_direct() && to_the_page > 0 => left.min(to_the_page),
            true => room.saturating_sub(LAST),
            false if self.is_direct() && left > PAGE => {
                let most = left.min(room);
                most.saturating_sub(most % PAGE)
            }
            false => left.min(room),
        };
        let (offset, len) = (self.next, usize::try_from(bytes).ok()?);
        self.next = self.next.saturating_add(bytes);
        self.chunks.push_back(Chunk { offset, len, state: State::Missing });
        self.start(self.chunks.len().saturating_sub(1), capacity)
    }

    /// Whether some of it goes past the page cache.
    fn is_direct(&self) -> bool {
        let output = self.output.as_ref().is_some_and(|(_, way)| way.direct.is_some());
        output || self.input.direct.is_some()
    }

    fn start(&mut self, at: usize, capacity: usize) -> Option<Ask> {
        let chunk = self.chunks.get_mut(at)?;
        let (handle, direct) = self.input.of(chunk.offset, chunk.len);
        let handle = handle.clone();
        self.names = self.names.wrapping_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
        chunk.state = State::Asked(self.names, direct, Instant::now());
        // Some bytes more than there are, where nothing should be.
        let is_last = chunk.offset.saturating_add(chunk.len as u64) == self.file.size();
        let more = chunk.len.saturating_add(if direct { PAGE as usize } else { 1 });
        let len = if is_last && more <= capacity { more } else { chunk.len };
        Some(Ask { name: self.names, offset: chunk.offset, len, handle })
    }

    /// Takes what the read of this name brought: the bytes that are filled.
    pub(super) fn take(&mut self, name: u32, mut buffer: Buffer) -> Taken {
        let read = buffer.filled().len();
        let Some((at, chunk)) = self.asked(name) else { return Taken::Free(buffer) };
        if read == 0 || read > chunk.len {
            return Taken::Changed(buffer);
        }
        let rest = chunk.len.saturating_sub(read);
        let offset = chunk.offset.saturating_add(read as u64);
        buffer.set_filled(0..read);
        (chunk.len, chunk.state) = (read, State::Here(buffer));
        if rest > 0 {
            let missing = Chunk { offset, len: rest, state: State::Missing };
            self.chunks.insert(at.saturating_add(1), missing);
        }
        Taken::Kept
    }

    /// The read of this name failed: what it was to bring is missing now. Gives its offset, and
    /// whether it went past the page cache.
    pub(super) fn failed(&mut self, name: u32) -> (u64, bool) {
        let hashed = self.hashed;
        let Some((_, chunk)) = self.asked(name) else { return (hashed, false) };
        let direct = matches!(chunk.state, State::Asked(_, true, _));
        chunk.state = State::Missing;
        (chunk.offset, direct)
    }

    fn asked(&mut self, name: u32) -> Option<(usize, &mut Chunk)> {
        let mut chunks = self.chunks.iter_mut().enumerate();
        chunks.find(|(_, chunk)| matches!(chunk.state, State::Asked(asked, ..) if asked == name))
    }

    /// What has been in flight for the longest time.
    pub(super) fn oldest(&self) -> Option<Waiting> {
        let reads = self.chunks.iter().filter_map(|chunk| match chunk.state {
            State::Asked(_, _, since) => {
                Some(Waiting { since, asked: Asked::Carrier, offset: chunk.offset })
            }
            State::Missing | State::Here(_) => None,
        });
        let writes = self.writes.iter();
        let writes = writes.map(|(_, offset, _, since)| Waiting {
            since: *since,
            asked: Asked::Spool,
            offset: *offset,
        });
        // The reads of a refused one are not kept.
        let lost = || Waiting { since: self.heard, asked: Asked::Carrier, offset: self.hashed };
        let oldest = reads.chain(writes).min_by_key(|waiting| waiting.since);
        oldest.or_else(|| (self.in_flight > 0).then(lost))
    }

    /// Whether the next bytes to be hashed are here.
    pub(super) fn is_ready(&self) -> bool {
        let first = self.chunks.front();
        self.refused.is_none() && first.is_some_and(|c| matches!(c.state, State::Here(_)))
    }

    /// The next bytes to be hashed and the stream to add them to: up to the end of the chunk or of
    /// the piece.
    pub(super) fn work(&mut self) -> Option<(&mut Sum, &[u8])> {
        if self.refused.is_some() {
            return None;
        }
        let (from, to) = self.due()?;
        let State::Here(buffer) = &self.chunks.front()?.state else { return None };
        Some((&mut self.sum, buffer.filled().get(from..to)?))
    }

    /// The part of the first chunk that is hashed next.
    fn due(&self) -> Option<(usize, usize)> {
        let chunk = self.chunks.front()?;
        let from = usize::try_from(self.hashed.saturating_sub(chunk.offset)).ok()?;
        let in_piece = self.piece_end().saturating_sub(self.hashed);
        let in_piece = usize::try_from(in_piece).unwrap_or(usize::MAX);
        Some((from, from.saturating_add(in_piece).min(chunk.len)))
    }

    fn piece_end(&self) -> u64 {
        match self.method {
            Method::Files => self.item.end,
            Method::Shards { size } => self.piece.saturating_add(size).min(self.item.end),
        }
    }

    /// Goes on after [`Stream::work`] was done. Gives the chunk when all of it was hashed, with its
    /// offset.
    pub(super) fn advance(&mut self, lanes: &Lanes) -> Option<(Buffer, u64)> {
        if !self.is_ready() {
            return None;
        }
        let (from, to) = self.due()?;
        self.hashed = self.hashed.saturating_add(to.saturating_sub(from) as u64);
        if self.hashed >= self.piece_end() {
            let sum = mem::replace(&mut self.sum, Sum::new(self.hash, lanes));
            let (start, end) = (self.piece, self.hashed);
            if let Some(digest) = sum.finish() {
                let shard = Shard { start, end, digest };
                self.pieces.push(Piece { file: self.item.file, shard });
            }
            self.piece = self.hashed;
        }
        let first = self.chunks.front()?;
        if self.hashed < first.offset.saturating_add(first.len as u64) {
            return None;
        }
        match self.chunks.pop_front()? {
            Chunk { offset, state: State::Here(buffer), .. } => Some((buffer, offset)),
            Chunk { .. } => None,
        }
    }

    /// A write at this offset is started; gives its name.
    pub(super) fn write_at(&mut self, offset: u64, direct: bool) -> u32 {
        self.names = self.names.wrapping_add(1);
        self.in_flight = self.in_flight.saturating_add(1);
        self.writes.push((self.names, offset, direct, Instant::now()));
        self.names
    }

    /// From now on what was hashed is written back.
    pub(super) fn write_back(&mut self, file: Handle) {
        self.back = Some(file);
    }

    /// The next bytes that are to be written back: one request after the other, for what was written
    /// before. Gives its name, the file, the offset and how many.
    pub(super) fn ask_back(&mut self) -> Option<(u32, Handle, u64, u32)> {
        if self.refused.is_some() || self.asked_back.is_some() {
            return None;
        }
        let file = self.back.clone()?;
        let written = self.writes.iter().map(|(_, offset, ..)| *offset).min();
        let end = written.unwrap_or(self.hashed).min(self.hashed);
        if end.saturating_sub(self.kept) < BACK {
            return None;
        }
        let offset = self.kept;
        self.kept = offset.saturating_add(BACK);
        let name = self.write_at(offset, false);
        self.asked_back = Some(name);
        Some((name, file, offset, BACK as u32))
    }

    /// Writing back was begun, or cannot be, and then is left to the last sync.
    pub(super) fn begun_back(&mut self, name: u32, begun: bool) {
        self.written(name);
        self.asked_back = None;
        if !begun {
            self.back = None;
        }
    }

    /// The write of this name has ended; gives its offset, and whether it went past the page cache.
    pub(super) fn written(&mut self, name: u32) -> Option<(u64, bool)> {
        let at = self.writes.iter().position(|(write, ..)| *write == name)?;
        let (_, offset, direct, _) = self.writes.swap_remove(at);
        Some((offset, direct))
    }

    /// Ends it: nothing more is read or hashed. Gives the buffers that it holds.
    pub(super) fn refuse(&mut self, reason: Reason) -> Vec<Buffer> {
        self.refused.get_or_insert(reason);
        let here = |chunk: Chunk| match chunk.state {
            State::Here(buffer) => Some(buffer),
            State::Missing | State::Asked(..) => None,
        };
        self.chunks.drain(..).filter_map(here).collect()
    }

    /// Whether all of it was hashed and written, or nothing of a refused one is in flight.
    pub(super) fn has_ended(&self) -> bool {
        self.in_flight == 0 && (self.refused.is_some() || self.hashed >= self.item.end)
    }
}

#[cfg(test)]
mod tests {
    use oms_sys::ring::{Reader, Ring, Settings};

    use super::*;
    use crate::intake::Source;

    #[test]
    fn what_was_hashed_and_written_is_written_back_one_request_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let len = 5 * BACK;
        std::fs::File::create(folder.path().join("file")).unwrap().set_len(len).unwrap();
        let source = Source::at(folder.path()).unwrap();
        let file = source.root().file("file").unwrap();
        let settings = Settings { reader: Reader::Auto, buffers: 1, buffer_bytes: 4096 };
        let (mut ring, _) = Ring::new(&settings).unwrap();
        let handle = ring.attach(&file);
        let input = Way { buffered: handle.clone(), direct: None };
        let item = Item { file: 0, start: 0, end: len, shared: None };
        let how = (HashAlgorithm::Sha256, Method::Files);
        let lanes = Lanes::of_this_machine().unwrap();
        let mut stream = Stream::new(1, item, (file, input, None), how, lanes);
        let range = |asked: &Option<(u32, Handle, u64, u32)>| {
            asked.as_ref().map(|(_, _, offset, len)| (*offset, u64::from(*len)))
        };

        stream.hashed = 3 * BACK - 1;
        assert!(stream.ask_back().is_none(), "nobody asked for it");
        stream.write_back(handle);
        let write = stream.write_at(2 * BACK - 1, false);
        let first = stream.ask_back();
        assert_eq!(range(&first), Some((0, BACK)));
        assert_eq!(stream.in_flight, 2, "it is waited for");
        stream.written(write);
        assert!(stream.ask_back().is_none(), "one after the other");
        let write = stream.write_at(2 * BACK - 1, false);
        stream.begun_back(first.unwrap().0, true);
        assert!(stream.ask_back().is_none(), "it is not written yet");
        stream.written(write);
        let second = stream.ask_back();
        assert_eq!(range(&second), Some((BACK, BACK)));
        stream.begun_back(second.unwrap().0, true);
        assert!(stream.ask_back().is_none(), "it is not hashed yet");
        stream.hashed = len;
        let third = stream.ask_back();
        assert_eq!(range(&third), Some((2 * BACK, BACK)));
        stream.begun_back(third.unwrap().0, false);
        assert!(stream.ask_back().is_none(), "who cannot is not asked again");
        assert!(stream.writes.is_empty());
    }
}
