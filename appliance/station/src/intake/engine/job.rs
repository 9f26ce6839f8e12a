//! What all workers share: what is to be read, what is left of it, and the means.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use oms_sys::beneath::{BeneathError, Folders, Name, RegularFile, Root, Stamp};
use oms_sys::direct;
use oms_sys::ring::{self, Buffer, NoUring, Ring, RingError, Settings};
use oms_sys::sha256::{Lanes, Status};
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::{Class, Code, Reason, Reasons};
use oms_verify::statement::{ManifestFile, Method};
use rustix::io::{ReadWriteFlags, preadv2};

use super::clone::Sharing;
use super::copy::{Copy, Output};
use super::means::Means;
use super::work::{Item, Queue};
use super::{Names, Order, Piece};
use crate::inspection::Inspected;
use crate::intake::attend::{Asked, Pulse, stalled};
use crate::intake::quarantine::Copies;
use crate::intake::refusal_or_failure;
use crate::progress::Engine;

/// Bytes that make a worker more worth its while.
const WORTH_A_WORKER: u64 = 1 << 20;

/// Small files that make a worker more worth its while.
const FILES_WORTH_A_WORKER: usize = 64;

/// What the readers of one file share that has several.
#[derive(Debug)]
struct Parts {
    left: AtomicUsize,
    stamp: OnceLock<Stamp>,
    /// There from the first of them to the last.
    copy: Mutex<Option<Result<Copy, Reason>>>,
    refused: AtomicBool,
}

/// What all workers share.
#[derive(Debug)]
pub(super) struct Job {
    order: Order,
    queue: Queue,
    parts: Vec<Parts>,
    /// Which of `parts` a file has, sorted by the file's number.
    parts_of: Vec<(usize, usize)>,
    lanes: &'static Lanes,
    means: Means,
    retried: AtomicU32,
    /// Bytes of copies that may still go through the page cache.
    cached: AtomicU64,
    sharing: Sharing,
}

/// An item that can be read.
#[derive(Debug)]
pub(super) struct Opened {
    /// What is read: the source, or a copy that shares its blocks.
    pub(super) file: RegularFile,
    /// The same, past the page cache.
    pub(super) direct: Option<RegularFile>,
    /// Where what was read is written.
    pub(super) output: Option<Output>,
}

/// What a worker has read.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    /// Digests, in no order.
    pub(super) pieces: Vec<Piece>,
    /// What was wrong with files.
    pub(super) problems: Reasons,
    /// What was found in files.
    pub(super) inspected: Inspected,
}

impl Job {
    pub(super) fn new(order: Order, lanes: &'static Lanes, means: Means) -> Self {
        let sizes = order.sizes.iter().enumerate();
        let files = sizes.filter_map(|(file, size)| size.map(|size| (file, size)));
        let queue = Queue::new(files, order.method, means.in_order);
        let parts = queue.runs().iter().map(|runs| Parts {
            left: AtomicUsize::new(*runs),
            stamp: OnceLock::new(),
            copy: Mutex::new(None),
            refused: AtomicBool::new(false),
        });
        let parts = parts.collect();
        let shared = queue.large().iter().filter(|item| item.start == 0);
        let mut parts_of: Vec<_> =
            shared.filter_map(|item| item.shared.map(|parts| (item.file, parts))).collect();
        parts_of.sort_unstable();
        let retried = AtomicU32::new(0);
        let sharing = Sharing::untried(means.share);
        let cached = AtomicU64::new(means.cached);
        Job { order, queue, parts, parts_of, lanes, means, retried, cached, sharing }
    }

    /// How many workers the work is worth.
    pub(super) fn workers(&self) -> usize {
        if self.means.in_order {
            return 1;
        }
        let bytes =
            self.queue.large().iter().fold(0u64, |sum, item| sum.saturating_add(item.len()));
        let by_bytes = usize::try_from(bytes.div_ceil(WORTH_A_WORKER)).unwrap_or(usize::MAX);
        let large = self.queue.large().len().min(by_bytes);
        let small = self.queue.small_files().div_ceil(FILES_WORTH_A_WORKER);
        large.saturating_add(small).clamp(1, self.means.workers.max(1))
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(super) fn lanes(&self) -> &'static Lanes {
        self.lanes
    }

    pub(super) fn means(&self) -> &Means {
        &self.means
    }

    pub(super) fn hash(&self) -> HashAlgorithm {
        self.order.hash
    }

    pub(super) fn method(&self) -> Method {
        self.order.method
    }

    /// The path of a file, for people.
    pub(super) fn path(&self, file: usize) -> &str {
        self.order.names.path(file)
    }

    /// What is signed of a file that is to be looked into.
    pub(super) fn to_inspect(&self, file: usize) -> Option<&ManifestFile> {
        match &self.order.names {
            Names::Listed(manifest) if self.order.inspect => manifest.files().get(file),
            _ => None,
        }
    }

    /// The size that a file had when it was measured.
    pub(super) fn size(&self, file: usize) -> u64 {
        self.order.sizes.get(file).copied().flatten().unwrap_or(0)
    }

    /// The folders of the source, as one worker goes through them.
    pub(super) fn folders(&self) -> Folders {
        self.order.source.folders()
    }

    /// Opens a file, which must still have the size that was measured.
    pub(super) fn open(&self, folders: &mut Folders, file: usize) -> Result<RegularFile, Reason> {
        let path = self.order.source.place(self.path(file));
        let opened = folders.look(path).and_then(|look| folders.open_seen(path, &look));
        self.as_measured(opened.map_err(|error| self.unopened(error, file))?, file)
    }

    /// The folder of a file, and its name there.
    pub(super) fn locate(
        &self,
        folders: &mut Folders,
        file: usize,
    ) -> Result<(Arc<Root>, Name), Reason> {
        let located = folders.locate(self.order.source.place(self.path(file)));
        located.map_err(|error| self.unopened(error, file))
    }

    /// A file that could not be opened.
    pub(super) fn unopened(&self, error: BeneathError, file: usize) -> Reason {
        refusal_or_failure(error, self.path(file))
    }

    /// What was opened, if it has the size that was measured.
    pub(super) fn as_measured(
        &self,
        opened: RegularFile,
        file: usize,
    ) -> Result<RegularFile, Reason> {
        let size = self.size(file);
        if opened.size() == size {
            return Ok(opened);
        }
        let detail = format!("had {size} bytes a moment ago, has {}", opened.size());
        Err(Reason::new(Code::MediaChanged, detail))
    }

    /// Whether the bytes of small files have to be waited for, and can be waited for side by side;
    /// the first that has any stands for all.
    pub(super) fn is_cold(&self, folders: &mut Folders, files: &[usize]) -> bool {
        let first = files.iter().find(|file| self.size(**file) > 0);
        let opened = first.filter(|_| !self.means.in_order).map(|file| self.open(folders, *file));
        // What cannot be opened is told when it is read.
        matches!(opened, Some(Ok(opened)) if !is_here(opened.as_file(), 0))
    }

    /// Opens what is read of an item, and what is written.
    pub(super) fn begin(
        &self,
        pulse: &Pulse,
        folders: &mut Folders,
        item: &Item,
    ) -> Result<Opened, Reason> {
        let source = self.open_part(folders, item)?;
        let Some(copies) = &self.order.copies else {
            return Ok(Opened { file: source, direct: None, output: None });
        };
        match pulse.in_spool(|| self.copy(copies, item, &source))? {
            Copy::Shared => {
                let path = self.path(item.file);
                let open = || self.as_measured(copies.open_to_read(path)?, item.file);
                Ok(Opened { file: open()?, direct: self.past_the_cache(open, item)?, output: None })
            }
            Copy::Written(output) => {
                let direct = self.past_the_cache(|| self.open_part(folders, item), item)?;
                Ok(Opened { file: source, direct, output: Some(output) })
            }
        }
    }

    /// Opens the file of an item: all of its readers must see the same one.
    pub(super) fn open_part(
        &self,
        folders: &mut Folders,
        item: &Item,
    ) -> Result<RegularFile, Reason> {
        let opened = self.open(folders, item.file)?;
        match self.parts(item) {
            Some(parts) if *parts.stamp.get_or_init(|| opened.stamp()) != opened.stamp() => {
                Err(changed(opened.size()))
            }
            _ => Ok(opened),
        }
    }

    /// Opens the file of an item once more, to be read past the page cache: where copies are made,
    /// so that nothing that others need is driven out of it.
    fn past_the_cache(
        &self,
        open: impl FnOnce() -> Result<RegularFile, Reason>,
        item: &Item,
    ) -> Result<Option<RegularFile>, Reason> {
        if !self.means.direct {
            return Ok(None);
        }
        let opened = open()?;
        if is_resident(opened.as_file(), item) {
            return Ok(None);
        }
        let takes = direct::enable(opened.as_file()).is_ok_and(|alignment| alignment.is_some());
        Ok(takes.then_some(opened))
    }

    /// The copy of the file of `item`, which the first of its readers makes.
    fn copy(&self, copies: &Copies, item: &Item, source: &RegularFile) -> Result<Copy, Reason> {
        let create = || {
            let (path, size) = (self.path(item.file), self.size(item.file));
            let stays = || self.stays_in_memory(size);
            let copy = Copy::create(copies, path, size, source.as_file(), &self.sharing, stays)?;
            if matches!(copy, Copy::Shared) {
                self.check(source)?;
            }
            Ok(copy)
        };
        match self.parts(item) {
            None => create(),
            Some(parts) => lock(&parts.copy).get_or_insert_with(create).clone(),
        }
    }

    /// Whether a copy of `size` bytes goes through the page cache, so that who reads it next need not
    /// wait for the disk; it has its place there then.
    fn stays_in_memory(&self, size: u64) -> bool {
        let take = |left: u64| left.checked_sub(size);
        self.cached.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Whether what is read are copies that another process made.
    pub(super) fn is_of_copies(&self) -> bool {
        self.order.is_of_copies
    }

    /// The copy of a small file.
    pub(super) fn copy_small(&self, file: usize, bytes: &[u8]) -> Result<(), Reason> {
        match &self.order.copies {
            Some(copies) => copies.write(self.path(file), bytes),
            None => Ok(()),
        }
    }

    /// The reader of `item` has ended. Whether it was the last of its file's readers: then nothing
    /// of the file stays open.
    pub(super) fn ends_last(&self, item: &Item) -> bool {
        let Some(parts) = self.parts(item) else { return true };
        let is_last = parts.left.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            lock(&parts.copy).take();
        }
        is_last
    }

    /// Takes note of what is wrong with a file, if it says something about the model.
    ///
    /// # Errors
    /// When it does not: the failure ends all work.
    pub(super) fn refuse(
        &self,
        file: usize,
        reason: Reason,
        harvest: &mut Harvest,
    ) -> Result<(), Reason> {
        let reason = match reason.file {
            Some(_) => reason,
            None => reason.about(self.path(file)),
        };
        if reason.code.class() != Class::Refusal {
            return Err(reason);
        }
        let known = self.parts_of(file).is_some_and(|p| p.refused.swap(true, Ordering::AcqRel));
        if !known {
            harvest.problems.push(reason);
        }
        Ok(())
    }

    /// Whether something was wrong with a file that has several readers.
    pub(super) fn is_refused(&self, file: usize) -> bool {
        self.parts_of(file).is_some_and(|parts| parts.refused.load(Ordering::Acquire))
    }

    /// Whether a read that failed may be repeated; it is counted then.
    pub(super) fn may_retry(&self) -> bool {
        let more = |n: u32| (n < self.means.retries).then_some(n.saturating_add(1));
        self.retried.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Reads that were repeated.
    pub(super) fn retried(&self) -> u32 {
        self.retried.load(Ordering::Relaxed)
    }

    /// The file is what it was when it was opened.
    ///
    /// # Errors
    /// When it is not, or nobody can say.
    pub(super) fn check(&self, file: &RegularFile) -> Result<(), Reason> {
        match file.is_unchanged() {
            Ok(true) => Ok(()),
            Ok(false) => Err(changed(file.size())),
            Err(error) => {
                let detail = format!("looking at it after reading: {error}");
                Err(Reason::new(Code::MediaUnreadable, detail))
            }
        }
    }

    /// A read that the carrier does not answer, or a write that the spool does not.
    pub(super) fn stalled(&self, asked: Asked, file: usize, offset: u64) -> Reason {
        let during = match asked {
            Asked::Carrier => format!("reading at byte {offset}: "),
            Asked::Spool => format!("writing to the spool at byte {offset}: "),
        };
        stalled(asked, self.means.stall, &during).about(self.path(file))
    }

    /// A copy that could not be written.
    pub(super) fn unwritten(&self, file: usize, offset: u64, error: &io::Error) -> Reason {
        let detail = format!("writing to the spool at byte {offset}: {error}");
        Reason::new(Code::OutboundWrite, detail).about(self.path(file))
    }

    /// How the files are going to be read.
    ///
    /// # Errors
    /// When they cannot be read in the way that was asked for.
    pub(super) fn describe(&self) -> Result<Engine, Reason> {
        // The rings of the workers will be like this one.
        let (ring, _) = self.ring(1, 1)?;
        let report = ring.report();
        let because = self.means.because.map(str::to_owned);
        let told = || report.reason.map_or_else(String::new, ToString::to_string);
        let (reader, because) = (report.reader, because.unwrap_or_else(told));
        let used = self.lanes.report().into_iter().filter(|k| k.status == Status::Used);
        Ok(Engine {
            reader: match reader {
                ring::Reader::Threads => "threads".into(),
                ring::Reader::IoUring | ring::Reader::Auto => "io-uring".into(),
            },
            because,
            kernels: used.map(|kernel| kernel.kernel.name().to_owned()).collect(),
            medium: self.means.medium.name().into(),
            direct: self.means.direct,
            workers: self.workers(),
        })
    }

    /// A ring with so many buffers of so many bytes.
    ///
    /// # Errors
    /// When there can be none of the kind that was asked for.
    pub(super) fn ring(
        &self,
        buffers: usize,
        buffer_bytes: usize,
    ) -> Result<(Ring, Vec<Buffer>), Reason> {
        let settings = Settings { reader: self.means.reader, buffers, buffer_bytes };
        Ring::new(&settings).map_err(|error| {
            // What this machine lacks for now is no fault of who asked for it.
            let code = match &error {
                RingError::Memory(_) | RingError::NoUring(NoUring::Failed(_)) => {
                    Code::IntakeResources
                }
                RingError::NoUring(_) => Code::ConfigUsage,
            };
            Reason::new(code, error.to_string())
        })
    }

    fn parts(&self, item: &Item) -> Option<&Parts> {
        item.shared.and_then(|parts| self.parts.get(parts))
    }

    fn parts_of(&self, file: usize) -> Option<&Parts> {
        let at = self.parts_of.binary_search_by_key(&file, |(file, _)| *file).ok()?;
        self.parts_of.get(at).and_then(|(_, parts)| self.parts.get(*parts))
    }
}

/// What readers share of the copy. One that panicked leaves nothing half done in it.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an item seems to be in the page cache already, from where it comes faster.
fn is_resident(file: &File, item: &Item) -> bool {
    let last = item.end.saturating_sub(1);
    [item.start, item.start.midpoint(last), last].into_iter().all(|offset| is_here(file, offset))
}

/// Whether the byte at `offset` can be read without waiting. Where the file system cannot tell, it
/// is taken for one that has to be waited for.
pub(super) fn is_here(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let mut room = [IoSliceMut::new(&mut byte)];
    preadv2(file, &mut room, offset, ReadWriteFlags::NOWAIT) == Ok(1)
}

/// A file that is not what it was.
pub(super) fn changed(size: u64) -> Reason {
    let detail =
        format!("it had {size} bytes, and grew, shrank or was written to while it was read");
    Reason::new(Code::MediaChanged, detail)
}
