//! One worker: a thread that reads, hashes and copies until nothing is left to take.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────────────┐
//!        ▼                                                                  │
//!   take items ─▶ ask: free buffers to the ring ─▶ collect what has come ─▶ hash all that is
//!   (fair share)                                   (wait if nothing has)    ready, in lanes
//!                       ▲                                                   │
//!                       └── buffers: free again, or after they are written ◀┘
//! ```

use std::io::{self, ErrorKind};
use std::time::Duration;

use oms_sys::beneath::Folders;
use oms_sys::ring::{Buffer, Outcome, Place, Ring};
use oms_verify::reason::{Code, Reason};

use super::job::{Harvest, Job, Opened, changed};
use super::small;
use super::stream::{Ask, PAGE, Stream, Taken, Way};
use super::sums;
use crate::intake::attend::{Pulse, is_stall};

/// How long a worker waits at most before it looks whether it shall end.
const TICK: Duration = Duration::from_millis(100);

/// How long it waits for more streams before it hashes those that are ready.
const LINGER: Duration = Duration::from_micros(300);

/// Chunks that one stream may have read ahead.
const AHEAD: usize = 16;

/// The bit of a token that says that it is a write.
const WRITE: u64 = 1 << 63;

/// Works until nothing is left.
///
/// # Errors
/// When carrier or station fail.
pub(super) fn work(job: &Job, pulse: &Pulse) -> Result<Harvest, Reason> {
    let mut harvest = Harvest::default();
    if job.queue().large_left() {
        Worker::new(job, pulse, &mut harvest)?.run()?;
    }
    small::work(job, pulse, &mut harvest)?;
    Ok(harvest)
}

struct Worker<'a> {
    job: &'a Job,
    pulse: &'a Pulse,
    harvest: &'a mut Harvest,
    ring: Ring,
    folders: Folders,
    free: Vec<Buffer>,
    streams: Vec<Stream>,
    /// Streams that it may have at once.
    most: usize,
    last_id: u32,
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job, pulse: &'a Pulse, harvest: &'a mut Harvest) -> Result<Self, Reason> {
        let means = job.means();
        let most = if means.in_order { 1 } else { job.lanes().streams() };
        let (buffers, buffer_bytes) = means.buffers(job.workers(), most);
        let (ring, free) = job.ring(buffers, buffer_bytes)?;
        // Each stream reads ahead while it is hashed.
        let most = most.min(buffers.div_ceil(2)).max(1);
        let (folders, streams) = (job.folders(), Vec::new());
        Ok(Worker { job, pulse, harvest, ring, folders, free, streams, most, last_id: 0 })
    }

    fn run(mut self) -> Result<(), Reason> {
        loop {
            if self.pulse.is_stopped() {
                return Ok(());
            }
            self.take_items()?;
            if self.streams.is_empty() {
                return Ok(());
            }
            self.ask();
            if let Err(reason) = self.collect() {
                if is_stall(&reason) {
                    self.ring.abandon();
                }
                return Err(reason);
            }
            self.hash()?;
            self.end_streams()?;
        }
    }

    /// Takes items while there are some, up to this worker's share.
    fn take_items(&mut self) -> Result<(), Reason> {
        let queue = self.job.queue();
        let share = queue.fair_share(self.job.workers()).min(self.most).max(1);
        while self.streams.len() < share {
            let Some(item) = queue.take_large() else { return Ok(()) };
            let opened = self.job.begin(self.pulse, &mut self.folders, &item);
            self.pulse.beat();
            let Opened { file, direct, output } = match opened {
                Ok(opened) => opened,
                Err(reason) => {
                    queue.finished();
                    self.job.ends_last(&item);
                    self.job.refuse(item.file, reason, self.harvest)?;
                    continue;
                }
            };
            let input = Way {
                buffered: self.ring.attach(&file),
                direct: direct.map(|direct| self.ring.attach(&direct)),
            };
            let output = output.map(|output| {
                let buffered = self.ring.attach(output.buffered());
                let direct = output.direct().map(|direct| self.ring.attach(direct));
                (output, Way { buffered, direct })
            });
            self.last_id = self.last_id.wrapping_add(1) & (u32::MAX >> 1);
            // A copy on its way through the page cache, or one that came that way.
            let back = match &output {
                Some((_, way)) => way.direct.is_none().then(|| way.buffered.clone()),
                None => self.job.is_of_copies().then(|| input.buffered.clone()),
            };
            let files = (file, input, output);
            let how = (self.job.hash(), self.job.method());
            let mut stream = Stream::new(self.last_id, item, files, how, self.job.lanes());
            back.into_iter().for_each(|file| stream.write_back(file));
            self.streams.push(stream);
        }
        Ok(())
    }

    /// Starts reads: first those of what is missing, so that every stream comes to its end; then
    /// ahead, the streams by turns.
    fn ask(&mut self) {
        let place = match self.streams.len() {
            1 => Place::Worker,
            _ => Place::Here,
        };
        for stream in &mut self.streams {
            while stream.has_missing() {
                let Some(buffer) = self.free.pop() else { return };
                start(&mut self.ring, stream, buffer, place, Stream::ask_missing, &mut self.free);
            }
        }
        for ahead in 1..=AHEAD {
            for stream in &mut self.streams {
                if stream.pending() >= ahead {
                    continue;
                }
                let Some(buffer) = self.free.pop() else { return };
                start(&mut self.ring, stream, buffer, place, Stream::ask, &mut self.free);
            }
        }
    }

    /// Takes what has come. Waits for something while nothing can be hashed, and a moment for
    /// others to come along.
    fn collect(&mut self) -> Result<(), Reason> {
        loop {
            while let Some(done) = self.ring.reap() {
                self.take(done.token, done.outcome)?;
            }
            let ready = self.streams.iter().filter(|stream| stream.is_ready()).count();
            let waiting = self.streams.iter().any(|s| !s.is_ready() && s.in_flight > 0);
            if !waiting {
                return Ok(());
            }
            let patience = if ready == 0 { TICK } else { LINGER };
            let done = self.ring.wait(Some(patience)).map_err(|error| {
                Reason::new(Code::MediaUnreadable, format!("waiting for the kernel: {error}"))
            })?;
            match done {
                Some(done) => self.take(done.token, done.outcome)?,
                None if ready > 0 => return Ok(()),
                None => {
                    self.look_for_silence()?;
                    return Ok(());
                }
            }
        }
    }

    /// A stream that waits for longer than the carrier may be silent ends the work.
    fn look_for_silence(&self) -> Result<(), Reason> {
        let stall = self.job.means().stall;
        let silent = |s: &Stream| s.in_flight > 0 && s.heard.elapsed() >= stall;
        if !self.streams.iter().any(silent) {
            // This thread itself is well: who waits for it leaves it to tell whose silence it is.
            self.pulse.beat();
            return Ok(());
        }
        // Younger ones may wait behind the oldest, for a thread of the ring or for the same disk.
        let of = |s: &Stream| Some((s.oldest()?, s.item.file));
        let oldest = self.streams.iter().filter_map(of).min_by_key(|(oldest, _)| oldest.since);
        match oldest {
            Some((oldest, file)) => Err(self.job.stalled(oldest.asked, file, oldest.offset)),
            None => Ok(()),
        }
    }

    fn take(&mut self, token: u64, outcome: Outcome) -> Result<(), Reason> {
        self.pulse.beat();
        let (id, name) = (((token & !WRITE) >> 32) as u32, token as u32);
        let stream = self.streams.iter_mut().find(|stream| stream.id == id);
        let (mut buffer, bytes, stream) = match (outcome, stream) {
            (Outcome::Moved { buffer, bytes }, Some(stream)) => {
                stream.answered();
                (buffer, bytes, stream)
            }
            (Outcome::Begun(begun), Some(stream)) => {
                stream.answered();
                stream.begun_back(name, begun.is_ok());
                return Ok(());
            }
            (Outcome::Moved { buffer, .. }, None) => {
                self.free.push(buffer);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let (job, file) = (self.job, stream.item.file);
        if token & WRITE == 0 {
            match bytes {
                Ok(bytes) => match stream.take(name, buffer) {
                    Taken::Kept => self.pulse.read(bytes as u64),
                    Taken::Free(buffer) => self.free.push(buffer),
                    Taken::Changed(buffer) => {
                        self.free.push(buffer);
                        self.free.extend(stream.refuse(changed(stream.file.size())));
                    }
                },
                Err(error) => {
                    self.free.push(buffer);
                    let (offset, direct) = stream.failed(name);
                    // Some file systems tell only now that they have no direct I/O.
                    if direct && error.kind() == ErrorKind::InvalidInput {
                        stream.input.direct = None;
                        return Ok(());
                    }
                    // What a refused file gives does not matter any more.
                    if stream.refused.is_none() && !job.may_retry() {
                        let detail = format!("reading at byte {offset}: {error}");
                        return Err(
                            Reason::new(Code::MediaUnreadable, detail).about(job.path(file))
                        );
                    }
                }
            }
            return Ok(());
        }
        let (offset, direct) = stream.written(name).unwrap_or_default();
        match bytes {
            Ok(written) if written >= buffer.filled().len() => self.free.push(buffer),
            Ok(written) if written > 0 => {
                buffer.skip(written);
                let offset = offset.saturating_add(written as u64);
                // What is left need not begin where a page does: through the page cache.
                write_rest(&mut self.ring, stream, buffer, offset);
            }
            // Some file systems tell only now that they have no direct I/O.
            Err(error) if direct && error.kind() == ErrorKind::InvalidInput => {
                write_rest(&mut self.ring, stream, buffer, offset);
            }
            outcome => {
                let error = outcome.err().unwrap_or_else(|| ErrorKind::WriteZero.into());
                return Err(job.unwritten(file, offset, &error));
            }
        }
        Ok(())
    }

    /// Hashes what is ready, and hands its buffers on: to the copy, or to be filled again.
    ///
    /// # Errors
    /// When a copy cannot be written.
    fn hash(&mut self) -> Result<(), Reason> {
        let lanes = self.job.lanes();
        sums::update(lanes, self.streams.iter_mut().filter_map(Stream::work));
        for stream in &mut self.streams {
            let Some((buffer, offset)) = stream.advance(lanes) else { continue };
            let written = write(&mut self.ring, self.pulse, stream, buffer, offset);
            let file = stream.item.file;
            self.free.extend(written.map_err(|(at, error)| self.job.unwritten(file, at, &error))?);
            if let Some((name, file, offset, len)) = stream.ask_back() {
                self.ring.write_back(token(stream.id, name) | WRITE, &file, offset, len);
            }
        }
        Ok(())
    }

    /// Puts away the streams that have come to their end.
    fn end_streams(&mut self) -> Result<(), Reason> {
        let mut at = 0;
        while let Some(stream) = self.streams.get(at) {
            if !stream.has_ended() {
                at = at.saturating_add(1);
                continue;
            }
            let stream = self.streams.swap_remove(at);
            self.job.queue().finished();
            let is_last = self.job.ends_last(&stream.item);
            if let Some(reason) = stream.refused {
                self.job.refuse(stream.item.file, reason, self.harvest)?;
                continue;
            }
            if is_last {
                match self.job.check(&stream.file) {
                    Ok(()) => self.pulse.files_done(1),
                    Err(reason) => {
                        self.job.refuse(stream.item.file, reason, self.harvest)?;
                        continue;
                    }
                }
            }
            self.harvest.pieces.extend(stream.pieces);
        }
        Ok(())
    }
}

fn token(id: u32, name: u32) -> u64 {
    u64::from(id) << 32 | u64::from(name)
}

/// Starts to write to the copy of a stream. The buffer comes back when there is nothing to wait for.
///
/// # Errors
/// When the bytes beside whole pages, which are written at once, are not taken.
fn write(
    ring: &mut Ring,
    pulse: &Pulse,
    stream: &mut Stream,
    mut buffer: Buffer,
    offset: u64,
) -> Result<Option<Buffer>, (u64, io::Error)> {
    let Some((output, way)) = &stream.output else { return Ok(Some(buffer)) };
    let bytes = buffer.filled();
    let beside = bytes.len() % PAGE as usize;
    let whole = bytes.len().saturating_sub(beside);
    if way.direct.is_some() && beside > 0 && offset.is_multiple_of(PAGE) {
        let (_, rest) = bytes.split_at_checked(whole).unwrap_or_default();
        let at = offset.saturating_add(whole as u64);
        pulse.in_spool(|| output.write(rest, at)).map_err(|error| (at, error))?;
        if whole == 0 {
            return Ok(Some(buffer));
        }
        buffer.set_filled(0..whole);
    }
    let (handle, direct) = way.of(offset, buffer.filled().len());
    let handle = handle.clone();
    let name = stream.write_at(offset, direct);
    ring.write(token(stream.id, name) | WRITE, &handle, offset, buffer);
    Ok(None)
}

/// Starts to write what is left of a chunk, through the page cache.
fn write_rest(ring: &mut Ring, stream: &mut Stream, buffer: Buffer, offset: u64) {
    let Some((_, way)) = &mut stream.output else { return };
    way.direct = None;
    let handle = way.buffered.clone();
    let name = stream.write_at(offset, false);
    ring.write(token(stream.id, name) | WRITE, &handle, offset, buffer);
}

/// Starts the read that `ask` names, or keeps the buffer free.
fn start(
    ring: &mut Ring,
    stream: &mut Stream,
    buffer: Buffer,
    place: Place,
    ask: fn(&mut Stream, usize) -> Option<Ask>,
    free: &mut Vec<Buffer>,
) {
    match ask(stream, buffer.capacity()) {
        Some(ask) => {
            let token = token(stream.id, ask.name);
            ring.read(token, &ask.handle, ask.offset, buffer, ask.len, place);
        }
        None => free.push(buffer),
    }
}
