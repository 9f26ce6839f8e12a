//! Small files of a medium that has to be waited for: many operations in flight at once.
//!
//! ```text
//!            ┌─ look ─▶ open ─▶ read ─┐
//!   files ───┼─ look ─▶ open ─▶ read ─┼──▶ memory, each file at its place
//!            └─ look ─▶ open ─▶ read ─┘
//!     each goes on when its own answer comes; reads wait for one of the ring's buffers
//! ```
//!
//! Plain calls would wait for the device at every step of every file. Each file takes the same
//! steps here, and none is left out.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oms_sys::beneath::{BeneathError, Folders, Look, Name, RegularFile, Root};
use oms_sys::ring::{Buffer, Done, Handle, Outcome, Place, Ring};
use oms_verify::reason::{Code, Reason};

use super::job::Job;
use super::small::{Part, unreadable};
use super::work::SMALL;
use crate::intake::attend::{Asked, Pulse, is_stall};

/// Reads in flight at most. Looks and opens have no buffers, and all may be in flight.
const READS: usize = 32;

/// Bytes of a buffer: the largest file, and the byte that would tell that it has grown.
const BUFFER: usize = SMALL as usize + 1;

/// How long is waited at most before a look whether to end.
const TICK: Duration = Duration::from_millis(100);

/// For each part: the file, which was read to its end, or why it was not; nothing for one that has
/// not come to its end.
pub(super) type Ended = Vec<Option<Result<RegularFile, Reason>>>;

/// A ring for small files, with nothing in flight.
pub(super) struct Cold {
    ring: Ring,
    free: Vec<Buffer>,
}

impl Cold {
    /// A ring within one worker's share of the memory.
    ///
    /// # Errors
    /// When there can be none of the kind that was asked for.
    pub(super) fn new(job: &Job) -> Result<Self, Reason> {
        let own = job.means().memory.checked_div(job.workers() as u64).unwrap_or(0);
        let reads = usize::try_from(own).unwrap_or(usize::MAX).checked_div(BUFFER).unwrap_or(1);
        let (ring, free) = job.ring(reads.clamp(1, READS), BUFFER)?;
        Ok(Cold { ring, free })
    }

    /// Reads all `parts`, each to its place in `memory`. Only when the work is stopped meanwhile
    /// have not all of them come to their end; then the ring is of no more use.
    ///
    /// # Errors
    /// When the carrier does not answer.
    pub(super) fn read(
        mut self,
        (job, pulse): (&Job, &Pulse),
        folders: &mut Folders,
        parts: &mut [Part],
        memory: &mut [u8],
    ) -> Result<(Self, Ended), Reason> {
        let mut round = Round::begin(&mut self, job, folders, parts, memory);
        match round.finish(pulse) {
            Ok(()) => {
                let ended = round.ended;
                Ok((self, ended))
            }
            Err(reason) => {
                if is_stall(&reason) {
                    self.ring.abandon();
                }
                Err(reason)
            }
        }
    }
}

/// Where a file is on its way.
enum Going {
    /// It is looked at or opened.
    Named(Arc<Root>, Name),
    /// It is read, or waits for a buffer.
    Opened(RegularFile, Handle),
    /// It was read, or will not be.
    Ended,
}

/// Files that are read side by side. What is in flight is called by the place of its part.
struct Round<'a> {
    ring: &'a mut Ring,
    free: &'a mut Vec<Buffer>,
    job: &'a Job,
    parts: &'a mut [Part],
    memory: &'a mut [u8],
    going: Vec<Going>,
    /// Those that wait for a buffer.
    hungry: VecDeque<usize>,
    ended: Ended,
    /// Those that have not ended.
    left: usize,
}

impl<'a> Round<'a> {
    /// Starts to look at every file.
    fn begin(
        cold: &'a mut Cold,
        job: &'a Job,
        folders: &mut Folders,
        parts: &'a mut [Part],
        memory: &'a mut [u8],
    ) -> Self {
        let Cold { ring, free } = cold;
        let mut going = Vec::with_capacity(parts.len());
        let mut ended: Ended = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let (one, end) = match job.locate(folders, part.file) {
                Ok((folder, name)) => {
                    ring.look(number as u64, &folder, name.clone());
                    (Going::Named(folder, name), None)
                }
                Err(reason) => (Going::Ended, Some(Err(reason))),
            };
            going.push(one);
            ended.push(end);
        }
        let left = ended.iter().filter(|end| end.is_none()).count();
        Round { ring, free, job, parts, memory, going, hungry: VecDeque::new(), ended, left }
    }

    /// Goes on until every file has come to its end, or the work is stopped.
    fn finish(&mut self, pulse: &Pulse) -> Result<(), Reason> {
        let mut heard = Instant::now();
        while self.left > 0 && !pulse.is_stopped() {
            let done = self.ring.wait(Some(TICK)).map_err(|error| {
                Reason::new(Code::MediaUnreadable, format!("waiting for the kernel: {error}"))
            })?;
            match done {
                Some(done) => {
                    pulse.beat();
                    heard = Instant::now();
                    self.take(done);
                }
                None if heard.elapsed() >= self.job.means().stall => return Err(self.stalled()),
                None => {}
            }
        }
        Ok(())
    }

    /// Takes the answer to one operation, and starts what comes next.
    fn take(&mut self, done: Done) {
        let number = usize::try_from(done.token).unwrap_or(usize::MAX);
        match done.outcome {
            Outcome::Looked(look) => self.looked(number, look),
            Outcome::Opened(opened) => self.opened(number, opened),
            Outcome::Moved { buffer, bytes } => {
                self.moved(number, buffer.filled(), bytes);
                self.free.push(buffer);
            }
            // Small copies are left to the sync.
            Outcome::Begun(_) => {}
        }
        self.feed();
    }

    fn looked(&mut self, number: usize, look: Result<Look, BeneathError>) {
        match (look, self.going.get(number)) {
            (Ok(look), Some(Going::Named(folder, name))) => {
                self.ring.open(number as u64, folder, name.clone(), look);
            }
            (Err(error), _) => self.fail(number, error),
            _ => {}
        }
    }

    fn opened(&mut self, number: usize, opened: Result<RegularFile, BeneathError>) {
        let (Some(part), Some(going)) = (self.parts.get(number), self.going.get_mut(number)) else {
            return;
        };
        match opened.map(|opened| self.job.as_measured(opened, part.file)) {
            Ok(Ok(file)) => {
                let handle = self.ring.attach(&file);
                *going = Going::Opened(file, handle);
                self.hungry.push_back(number);
            }
            Ok(Err(reason)) => self.end(number, Some(reason)),
            Err(error) => self.fail(number, error),
        }
    }

    fn moved(&mut self, number: usize, bytes: &[u8], outcome: io::Result<usize>) {
        let Some(part) = self.parts.get_mut(number) else { return };
        match outcome {
            Ok(_) => {
                let room = part.room(self.memory).get_mut(..bytes.len()).unwrap_or_default();
                if let Some(bytes) = bytes.get(..room.len()) {
                    room.copy_from_slice(bytes);
                }
                match part.came(bytes.len()) {
                    true => self.end(number, None),
                    false => self.hungry.push_back(number),
                }
            }
            Err(_) if self.job.may_retry() => self.hungry.push_back(number),
            Err(error) => {
                let reason = unreadable(part.at, &error);
                self.end(number, Some(reason));
            }
        }
    }

    /// Starts the reads for which there are buffers.
    fn feed(&mut self) {
        while let (Some(number), false) = (self.hungry.front().copied(), self.free.is_empty()) {
            self.hungry.pop_front();
            let file = self.parts.get(number).zip(self.going.get(number));
            let Some((part, Going::Opened(_, handle))) = file else { continue };
            let Some(buffer) = self.free.pop() else { return };
            let (offset, len) = (part.at as u64, part.left());
            self.ring.read(number as u64, handle, offset, buffer, len, Place::Here);
        }
    }

    fn fail(&mut self, number: usize, error: BeneathError) {
        let Some(part) = self.parts.get(number) else { return };
        let reason = self.job.unopened(error, part.file);
        self.end(number, Some(reason));
    }

    /// Puts a file among those that have ended: it was read, or there is a reason.
    fn end(&mut self, number: usize, refused: Option<Reason>) {
        let Some(going) = self.going.get_mut(number) else { return };
        let ended = match (refused, std::mem::replace(going, Going::Ended)) {
            (Some(reason), Going::Named(..) | Going::Opened(..)) => Err(reason),
            (None, Going::Opened(file, _)) => Ok(file),
            // Nothing is in flight that could end these.
            (None, Going::Named(..)) | (_, Going::Ended) => return,
        };
        if let Some(end) = self.ended.get_mut(number) {
            *end = Some(ended);
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Nothing came for longer than the carrier may be silent.
    fn stalled(&self) -> Reason {
        let mut going = self.parts.iter().zip(&self.going).enumerate();
        let silent = going.find_map(|(number, (part, going))| {
            let asked = !matches!(going, Going::Ended) && !self.hungry.contains(&number);
            asked.then_some((part.file, part.at as u64))
        });
        let (file, at) = silent.unwrap_or_default();
        self.job.stalled(Asked::Carrier, file, at)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;

    use oms_sys::ring;
    use oms_sys::sha256::Lanes;
    use oms_verify::hash::HashAlgorithm;
    use oms_verify::statement::Method;

    use super::super::tests::{EDGES, Model, means};
    use super::super::{Gathered, Means, assemble, small};
    use super::*;
    use crate::intake::engine::job::Harvest;

    const READERS: [ring::Reader; 2] = [ring::Reader::Auto, ring::Reader::Threads];

    const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

    fn job(model: &Model, method: Method, memory: u64, reader: ring::Reader) -> Job {
        let lanes = Lanes::of_this_machine().unwrap();
        Job::new(model.order(SHA256, method, None), lanes, means(1, memory, 4096, reader))
    }

    /// Reads the small files of `job`, all of them through the ring or none.
    fn gather(job: &Job, cold: bool) -> Gathered {
        let mut harvest = Harvest::default();
        small::work_where(|_, _, _| cold, job, &Pulse::default(), &mut harvest).unwrap();
        let mut gathered = Gathered { problems: harvest.problems, ..Gathered::default() };
        assemble(job, harvest.pieces, &mut gathered).unwrap();
        gathered
    }

    #[test]
    fn both_ways_give_every_digest_with_both_readers() {
        let edges = EDGES.into_iter().filter(|size| *size <= SMALL);
        let sizes: Vec<_> = edges.cycle().take(150).collect();
        let model = Model::of(&sizes);
        for method in [Method::Files, Method::Shards { size: 4096 }] {
            for reader in READERS {
                // From one buffer to one for every read.
                for (cold, memory) in [(false, 1), (true, 1), (true, 300_000), (true, 64 << 20)] {
                    let gathered = gather(&job(&model, method, memory, reader), cold);
                    assert!(gathered.problems.is_empty());
                    assert_eq!(gathered.files, model.expected(SHA256, method), "{cold} {memory}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_of_it_alone_and_the_same_both_ways() {
        let model = Model::of(&[3000; 9]);
        let resize = |number: usize, size: u64| {
            File::options().write(true).open(model.at(number)).unwrap().set_len(size).unwrap();
        };
        let jobs = || READERS.map(|reader| job(&model, Method::Files, 64 << 20, reader));
        resize(1, 3001);
        resize(2, 2999);
        for gone in 3..6 {
            fs::remove_file(model.at(gone)).unwrap();
        }
        std::os::unix::fs::symlink("/dev/null", model.at(4)).unwrap();
        fs::create_dir(model.at(5)).unwrap();
        let expected = [
            (1, Code::MediaChanged),
            (2, Code::MediaChanged),
            (3, Code::ManifestMissingFile),
            (4, Code::MediaSymlink),
            (5, Code::MediaNotRegular),
        ];
        for cold in [false, true] {
            for job in jobs() {
                let gathered = gather(&job, cold);
                let read: Vec<_> = gathered.files.iter().map(|file| file.0).collect();
                assert_eq!(read, [0, 6, 7, 8]);
                let mut told: Vec<_> = gathered.problems.iter().collect();
                told.sort_by_key(|reason| {
                    expected
                        .iter()
                        .position(|(number, _)| reason.file.as_deref() == Some(job.path(*number)))
                });
                let told: Vec<_> = told.iter().map(|reason| reason.code).collect();
                assert_eq!(told, expected.map(|(_, code)| code), "{cold}");
            }
        }
    }

    /// All that is in flight, when it has ended.
    fn collect(round: &mut Round<'_>) -> Vec<Done> {
        let count = round.ring.in_flight();
        let one = |round: &mut Round<'_>| round.ring.wait(None).unwrap().unwrap();
        (0..count).map(|_| one(round)).collect()
    }

    #[test]
    fn every_look_every_open_and_a_read_for_every_buffer_are_in_flight_at_once() {
        let model = Model::of(&[100; 64]);
        for reader in READERS {
            let job = job(&model, Method::Files, 64 << 20, reader);
            let (mut cold, mut folders) = (Cold::new(&job).unwrap(), job.folders());
            let (mut parts, mut memory) = small::tests::parts(&job);
            let mut round = Round::begin(&mut cold, &job, &mut folders, &mut parts, &mut memory);
            let mut seen = Vec::new();
            while round.left > 0 {
                seen.push(round.ring.in_flight());
                collect(&mut round).into_iter().for_each(|done| round.take(done));
            }
            assert_eq!(seen, [64, 64, READS, READS]);
            assert_eq!((round.ring.in_flight(), round.free.len()), (0, READS));
            let whole = |end: &Option<Result<RegularFile, Reason>>| matches!(end, Some(Ok(_)));
            assert!(round.ended.iter().all(whole));
        }
    }

    /// Meddles with file 1 of three when all were looked at (0), opened (1) or read (2), and tells
    /// what is said of it.
    fn meddled_after(step: usize, reader: ring::Reader, meddle: impl Fn(&Path)) -> Code {
        let model = Model::of(&[100; 3]);
        let job = job(&model, Method::Files, 64 << 20, reader);
        let (mut cold, mut folders) = (Cold::new(&job).unwrap(), job.folders());
        let (mut parts, mut memory) = small::tests::parts(&job);
        let mut round = Round::begin(&mut cold, &job, &mut folders, &mut parts, &mut memory);
        for now in 0.. {
            let done = collect(&mut round);
            if now == step {
                meddle(&model.at(1));
            }
            done.into_iter().for_each(|done| round.take(done));
            if round.left == 0 {
                break;
            }
        }
        let ended = round.ended;
        let harvest = small::tests::settled(&job, parts, memory, ended);
        assert_eq!(harvest.pieces.len(), 2, "the others are read all the same");
        harvest.problems.iter().map(|reason| reason.code).next().unwrap()
    }

    #[test]
    fn a_file_that_is_replaced_or_written_to_between_two_steps_is_refused() {
        let replaced = |path: &Path| {
            fs::write(path.with_extension("new"), [0; 100]).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        };
        let linked = |path: &Path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/dev/null", path).unwrap();
        };
        let grown = |path: &Path| {
            File::options().write(true).open(path).unwrap().set_len(101).unwrap();
        };
        for reader in READERS {
            assert_eq!(meddled_after(0, reader, replaced), Code::MediaChanged);
            assert_eq!(meddled_after(0, reader, linked), Code::MediaSymlink);
            for step in 0..3 {
                assert_eq!(meddled_after(step, reader, grown), Code::MediaChanged, "{step}");
            }
        }
    }

    /// The small files of a model of three, asked for side by side; `then` sees every answer before
    /// the round does, and may keep it.
    fn answered<T>(
        means: Means,
        mut then: impl FnMut(Done) -> Option<Done>,
        tell: impl FnOnce(&Job, Round<'_>) -> T,
    ) -> T {
        let model = Model::of(&[100; 3]);
        let lanes = Lanes::of_this_machine().unwrap();
        let job = Job::new(model.order(SHA256, Method::Files, None), lanes, means);
        let (mut cold, mut folders) = (Cold::new(&job).unwrap(), job.folders());
        let (mut parts, mut memory) = small::tests::parts(&job);
        let mut round = Round::begin(&mut cold, &job, &mut folders, &mut parts, &mut memory);
        while round.ring.in_flight() > 0 {
            let done = collect(&mut round).into_iter().filter_map(&mut then);
            done.collect::<Vec<_>>().into_iter().for_each(|done| round.take(done));
        }
        tell(&job, round)
    }

    #[test]
    fn a_read_that_fails_is_repeated_where_it_was_and_as_often_as_is_allowed() {
        for (retries, reader) in (0..4).flat_map(|n| READERS.map(|reader| (n, reader))) {
            let mut reads = 0;
            // Of file 1 ten bytes come, then two errors, then the rest.
            let meddle = |mut done: Done| {
                if let (Outcome::Moved { buffer, bytes }, 1) = (&mut done.outcome, done.token) {
                    reads += 1;
                    match reads {
                        1 => buffer.set_filled(0..10),
                        2 | 3 => *bytes = Err(io::Error::from_raw_os_error(5)),
                        _ => {}
                    }
                }
                Some(done)
            };
            let means = Means { retries, ..means(1, 64 << 20, 4096, reader) };
            answered(means, meddle, |job, round| {
                assert_eq!((round.left, round.free.len()), (0, READS), "every buffer came back");
                assert_eq!(job.retried(), retries.min(2));
                let others = [&round.ended[0], &round.ended[2]];
                assert!(others.iter().all(|end| matches!(end, Some(Ok(_)))));
                match &round.ended[1] {
                    Some(Ok(_)) => {
                        assert!(retries >= 2);
                        let file = job.open(&mut job.folders(), 1).unwrap();
                        let mut bytes = [0; 100];
                        file.as_file().read_exact_at(&mut bytes, 0).unwrap();
                        // The second place, after the first file and its byte too many.
                        assert_eq!(round.memory[101..201], bytes);
                    }
                    Some(Err(reason)) => {
                        assert!(retries < 2);
                        assert_eq!(reason.code, Code::MediaUnreadable);
                        assert!(reason.detail.starts_with("reading at byte 10: "), "{reason:?}");
                    }
                    None => panic!("it did not end"),
                }
            });
        }
    }

    #[test]
    fn what_never_answers_ends_the_work_and_is_named() {
        for reader in READERS {
            // Nothing is heard any more of file 1: of the look, of the opening, of the read.
            for silent in 0..3 {
                let mut heard = 0;
                let meddle = |done: Done| {
                    heard += usize::from(done.token == 1);
                    (done.token != 1 || heard <= silent).then_some(done)
                };
                let means = Means { stall: Duration::ZERO, ..means(1, 64 << 20, 4096, reader) };
                let reason = answered(means, meddle, |_, mut round| {
                    assert_eq!(round.left, 1);
                    // Nobody waits for it who does not want to know.
                    assert!(round.finish(&Pulse::stopped()).is_ok());
                    round.finish(&Pulse::default()).unwrap_err()
                });
                assert_eq!(reason.code, Code::MediaStalled);
                assert_eq!(reason.file.as_deref(), Some("a/001"));
                assert!(reason.detail.starts_with("reading at byte 0: "), "{reason:?}");
            }
        }
    }

    #[test]
    fn who_is_stopped_waits_for_nothing() {
        let model = Model::of(&[100; 3]);
        for reader in READERS {
            let job = job(&model, Method::Files, 64 << 20, reader);
            let (mut parts, mut memory) = small::tests::parts(&job);
            let (cold, mut folders) = (Cold::new(&job).unwrap(), job.folders());
            let terms = (&job, &Pulse::stopped());
            let (_, ended) = cold.read(terms, &mut folders, &mut parts, &mut memory).unwrap();
            assert!(ended.len() == 3 && ended.iter().all(Option::is_none));
            let mut harvest = Harvest::default();
            small::work_where(|_, _, _| true, &job, &Pulse::stopped(), &mut harvest).unwrap();
            assert!(harvest.pieces.is_empty() && harvest.problems.is_empty());
        }
    }

    #[test]
    fn copies_are_made_of_what_is_read_side_by_side_and_of_nothing_else() {
        let model = Model::of(&[0, 1, 4096, 70, SMALL]);
        let lanes = Lanes::of_this_machine().unwrap();
        for reader in READERS {
            let spool = tempfile::tempdir().unwrap();
            let (quarantine, copies) = model.quarantine(spool.path());
            let order = || model.order(SHA256, Method::Files, Some(copies.clone()));
            let means = means(1, 64 << 20, 4096, reader);
            let job = Job::new(order(), lanes, means);
            assert_eq!(gather(&job, true).files, model.expected(SHA256, Method::Files));
            assert!(model.is_copied_to(&quarantine));
            // A copy that is there already is not written over, and ends the work.
            let again = Job::new(order(), lanes, means);
            let mut harvest = Harvest::default();
            let failed = small::work_where(|_, _, _| true, &again, &Pulse::default(), &mut harvest);
            assert_eq!(failed.unwrap_err().code, Code::OutboundWrite);
        }
        // What changed on the way is not copied.
        let spool = tempfile::tempdir().unwrap();
        let (quarantine, copies) = model.quarantine(spool.path());
        let order = model.order(SHA256, Method::Files, Some(copies));
        let means = means(1, 64 << 20, 4096, ring::Reader::Auto);
        let job = Job::new(order, lanes, means);
        File::options().write(true).open(model.at(2)).unwrap().set_len(5000).unwrap();
        assert_eq!(gather(&job, true).problems.iter().count(), 1);
        let copies = fs::read_dir(quarantine.model().join("a/b")).unwrap();
        assert_eq!(copies.count(), 0);
        assert!(quarantine.model().join("a/001").exists());
    }

    #[test]
    fn nothing_is_cold_where_it_is_read_in_order_or_there_are_no_bytes() {
        let model = Model::of(&[0, 100]);
        let order = || model.order(SHA256, Method::Files, None);
        let lanes = Lanes::of_this_machine().unwrap();
        let plain = means(1, 1 << 20, 4096, ring::Reader::Auto);
        let in_order = Job::new(order(), lanes, Means { in_order: true, ..plain });
        assert!(!in_order.is_cold(&mut in_order.folders(), &[1]));
        let job = Job::new(order(), lanes, plain);
        assert!(!job.is_cold(&mut job.folders(), &[0]));
        fs::remove_file(model.at(1)).unwrap();
        assert!(!job.is_cold(&mut job.folders(), &[1]));
    }
}
