//! The engine against plain hashing, over sizes at every edge.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use oms_sys::ring;
use oms_verify::budget::Budget;
use oms_verify::hash::Digest;
use oms_verify::name::ResourcePath;
use proptest::prelude::*;

use super::work::SMALL;
use super::*;
use crate::cancel::Cancel;
use crate::intake::attend::Asked;
use crate::intake::{PieceHasher, Quarantine};
use crate::progress::{Display, Progress};

/// Means that are small enough for every edge to be met.
pub(super) fn means(workers: usize, memory: u64, buffer: usize, reader: ring::Reader) -> Means {
    let progress = Progress::hidden();
    Means { workers, memory, buffer, reader, ..Means::of(&Reading::plain(&progress), false) }
}

/// Bytes that differ from file to file and from place to place.
fn content(seed: u64, len: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(len as usize);
    bytes
}

/// A folder of files of these sizes; some lie in folders of their own.
pub(super) struct Model {
    pub(super) folder: tempfile::TempDir,
    pub(super) paths: Vec<String>,
    pub(super) contents: Vec<Vec<u8>>,
}

impl Model {
    pub(super) fn of(sizes: &[u64]) -> Model {
        let folder = tempfile::tempdir().unwrap();
        let path = |at: usize| match at % 3 {
            0 => format!("{at:03}"),
            1 => format!("a/{at:03}"),
            _ => format!("a/b/{at:03}"),
        };
        let paths: Vec<_> = (0..sizes.len()).map(path).collect();
        let contents: Vec<_> = (0..).zip(sizes).map(|(seed, len)| content(seed, *len)).collect();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for (path, bytes) in paths.iter().zip(&contents) {
            fs::write(folder.path().join(path), bytes).unwrap();
        }
        Model { folder, paths, contents }
    }

    pub(super) fn order(
        &self,
        hash: HashAlgorithm,
        method: Method,
        copies: Option<Copies>,
    ) -> Order {
        Order {
            source: Source::at(self.folder.path()).unwrap(),
            names: Names::Found(Arc::new(self.paths.clone())),
            sizes: self.contents.iter().map(|bytes| Some(bytes.len() as u64)).collect(),
            hash,
            method,
            copies,
            is_of_copies: false,
            inspect: false,
        }
    }

    pub(super) fn expected(
        &self,
        hash: HashAlgorithm,
        method: Method,
    ) -> Vec<(usize, u64, Pieces)> {
        let hashed = self.contents.iter().map(|bytes| {
            let mut hasher = PieceHasher::new(hash, method);
            hasher.update(bytes);
            hasher.finish().unwrap()
        });
        (0..).zip(hashed).map(|(at, (size, pieces))| (at, size, pieces)).collect()
    }

    pub(super) fn at(&self, number: usize) -> std::path::PathBuf {
        self.folder.path().join(&self.paths[number])
    }

    /// Whether the copies of all files are there.
    pub(super) fn is_copied_to(&self, quarantine: &Quarantine) -> bool {
        let copy = |path| fs::read(quarantine.model().join(path)).unwrap();
        self.paths.iter().map(copy).eq(self.contents.iter().cloned())
    }

    /// Makes the quarantine for its copies.
    pub(super) fn quarantine(&self, spool: &Path) -> (Quarantine, Copies) {
        let quarantine = Quarantine::create(spool, "ingest-1").unwrap();
        let budget = Budget::default();
        let paths: Vec<_> =
            self.paths.iter().map(|path| ResourcePath::parse(path, &budget).unwrap()).collect();
        let copies = quarantine.prepare(paths.iter()).unwrap();
        (quarantine, copies)
    }
}

/// What is not in the page cache is read past it.
fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

pub(super) fn go(order: Order, means: Means) -> Result<Gathered, Reason> {
    let progress = Progress::hidden();
    run_with(order, &Reading::plain(&progress), means)
}

pub(super) const EDGES: [u64; 16] = [
    0,
    1,
    63,
    64,
    4095,
    4096,
    4097,
    SMALL - 1,
    SMALL,
    SMALL + 1,
    SMALL + 4096,
    2 * SMALL,
    2 * SMALL + 1,
    3 * SMALL - 1,
    (1 << 20) - 1,
    (1 << 20) + 4097,
];

fn sizes() -> impl Strategy<Value = Vec<u64>> {
    let size = prop_oneof![
        3 => prop::sample::select(EDGES.to_vec()),
        2 => 0..SMALL,
        2 => SMALL..6 * SMALL,
    ];
    prop::collection::vec(size, 1..24)
}

fn method() -> impl Strategy<Value = Method> {
    let shards = prop_oneof![1000u64..5000, Just(4096), SMALL..(1 << 19), Just(5 << 20)];
    prop_oneof![Just(Method::Files), shards.prop_map(|size| Method::Shards { size })]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_digest_and_every_copy_is_that_of_the_file(
        sizes in sizes(),
        method in method(),
        hash in prop::sample::select(HashAlgorithm::ALL.to_vec()),
        workers in 1usize..4,
        memory in prop_oneof![Just(8u64 << 10), 8u64 << 10..2 << 20],
        buffer in prop_oneof![Just(4096usize), Just(12 << 10), Just(SMALL as usize), Just(128 << 10)],
        reader in prop_oneof![Just(ring::Reader::Threads), Just(ring::Reader::Auto)],
        in_order in any::<bool>(),
        copied in any::<bool>(),
        direct in any::<bool>(),
        cached in prop_oneof![Just(0), 0..20 * SMALL, Just(u64::MAX)],
        shared in any::<bool>(),
    ) {
        let model = Model::of(&sizes);
        let spool = tempfile::tempdir().unwrap();
        let quarantine = copied.then(|| model.quarantine(spool.path()));
        let copies = quarantine.as_ref().map(|(_, copies)| copies.clone());
        if direct {
            (0..sizes.len()).for_each(|number| forget(&model.at(number)));
        }
        let share = if shared { clone::tests::copied } else { clone::ficlone };
        let plain = means(workers, memory, buffer, reader);
        let means = Means { in_order, direct, cached, share, ..plain };
        let gathered = go(model.order(hash, method, copies), means).unwrap();
        prop_assert!(gathered.problems.is_empty());
        prop_assert_eq!(gathered.files, model.expected(hash, method));
        if let Some((quarantine, _)) = quarantine {
            for (path, bytes) in model.paths.iter().zip(&model.contents) {
                prop_assert!(fs::read(quarantine.model().join(path)).unwrap() == *bytes, "{}", path);
            }
        }
    }
}

#[test]
fn copies_stay_in_memory_as_far_as_they_may_and_are_read_again_from_there() {
    let large = 12 << 20;
    let model = Model::of(&[large, large + 1, large, 100]);
    let spool = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    for reader in [ring::Reader::Threads, ring::Reader::Auto] {
        let (quarantine, copies) = model.quarantine(spool.path());
        let order = model.order(HashAlgorithm::Sha256, Method::Files, Some(copies));
        // Room for two, to the byte.
        let plain = means(2, 4 << 20, 256 << 10, reader);
        let means = Means { direct: true, cached: 2 * large + 1, ..plain };
        let gathered = go(order, means).unwrap();
        assert_eq!(gathered.files, model.expected(HashAlgorithm::Sha256, Method::Files));
        let copy = |path: &String| File::open(quarantine.model().join(path)).unwrap();
        let is_in_memory = |path: &String| job::is_here(&copy(path), large / 2);
        let stayed = model.paths[..3].iter().filter(|path| is_in_memory(path)).count();
        if oms_sys::direct::enable(&copy(&model.paths[0])).unwrap().is_none() {
            eprintln!("NOT TESTED: the build folder's file system has no direct I/O");
        } else {
            assert_eq!(stayed, 2, "the third went past it");
        }
        let again = Order {
            source: Source::at(&quarantine.model()).unwrap(),
            is_of_copies: true,
            ..model.order(HashAlgorithm::Sha256, Method::Files, None)
        };
        assert_eq!(go(again, plain).unwrap().files, gathered.files);
        assert!(model.is_copied_to(&quarantine));
    }
}

#[test]
fn one_large_file_in_many_shards_is_read_by_all_workers() {
    let model = Model::of(&[40 << 20]);
    let method = Method::Shards { size: 3_000_001 };
    for reader in [ring::Reader::Threads, ring::Reader::Auto] {
        let order = model.order(HashAlgorithm::Sha256, method, None);
        let means = means(3, 4 << 20, 128 << 10, reader);
        let gathered = go(order, means).unwrap();
        assert_eq!(gathered.files, model.expected(HashAlgorithm::Sha256, method));
    }
}

#[test]
fn a_file_without_a_size_is_not_read() {
    let model = Model::of(&[5, 2 * SMALL]);
    let mut order = model.order(HashAlgorithm::Sha256, Method::Files, None);
    order.sizes[1] = None;
    let gathered = go(order, means(2, 1 << 20, 4096, ring::Reader::Auto)).unwrap();
    assert_eq!(gathered.files.iter().map(|file| file.0).collect::<Vec<_>>(), [0]);
}

/// Changes file 1 of three after it was measured, and tells the codes of what is refused.
fn changed_before(size: u64, method: Method, meddle: impl Fn(&Path)) -> Vec<(Code, String)> {
    let model = Model::of(&[size, size, size]);
    let order = model.order(HashAlgorithm::Sha256, method, None);
    meddle(&model.at(1));
    let gathered = go(order, means(2, 1 << 20, 16 << 10, ring::Reader::Auto)).unwrap();
    let read: Vec<_> = gathered.files.iter().map(|file| file.0).collect();
    assert_eq!(read, [0, 2], "the others are read all the same");
    let told = gathered.problems.iter();
    told.map(|reason| (reason.code, reason.file.clone().unwrap())).collect()
}

#[test]
fn a_file_that_changed_or_went_after_it_was_measured_is_refused_once() {
    let open = |path: &Path| File::options().write(true).open(path).unwrap();
    for size in [1000, 5 * SMALL] {
        for method in [Method::Files, Method::Shards { size: 200 }] {
            let grown = |path: &Path| open(path).set_len(size + 1).unwrap();
            let shrunk = |path: &Path| open(path).set_len(size - 1).unwrap();
            let is = |code: Code| vec![(code, "a/001".to_owned())];
            assert_eq!(changed_before(size, method, grown), is(Code::MediaChanged));
            assert_eq!(changed_before(size, method, shrunk), is(Code::MediaChanged));
            let gone = |path: &Path| fs::remove_file(path).unwrap();
            assert_eq!(changed_before(size, method, gone), is(Code::ManifestMissingFile));
            let linked = |path: &Path| {
                fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink("/dev/null", path).unwrap();
            };
            assert_eq!(changed_before(size, method, linked), is(Code::MediaSymlink));
        }
    }
}

#[test]
fn a_file_that_is_written_to_between_two_looks_is_refused() {
    let model = Model::of(&[8 << 20]);
    let order = model.order(HashAlgorithm::Sha256, Method::Shards { size: 4 << 20 }, None);
    let lanes = Lanes::of_this_machine().unwrap();
    let job = Job::new(order, lanes, means(1, 1 << 20, 4096, ring::Reader::Auto));
    let mut folders = job.folders();
    let items = job.queue().large();
    let first = job.open_part(&mut folders, &items[0]).unwrap();
    job.check(&first).unwrap();
    let file = File::options().write(true).open(model.at(0)).unwrap();
    file.write_all_at(&[0; 1], 0).unwrap();
    assert_eq!(job.check(&first).unwrap_err().code, Code::MediaChanged);
    // The second reader sees another file than the first.
    let second = job.open_part(&mut folders, &items[1]);
    assert_eq!(second.unwrap_err().code, Code::MediaChanged);
}

#[test]
fn a_cancelled_intake_ends_without_a_decision() {
    let model = Model::of(&[64 << 20, 64 << 20]);
    let cancel = Cancel::default();
    cancel.ask();
    let progress = Progress::new("", Display::None, &cancel);
    let order = model.order(HashAlgorithm::Blake2b, Method::Files, None);
    let means = means(2, 1 << 20, 4096, ring::Reader::Auto);
    let failed = run_with(order, &Reading::plain(&progress), means).unwrap_err();
    assert_eq!(failed.code, Code::IntakeCancelled);
    assert!(progress.bytes() < 128 << 20);
}

#[test]
fn a_copy_that_is_there_already_ends_the_intake() {
    let model = Model::of(&[5, 3 * SMALL]);
    let spool = tempfile::tempdir().unwrap();
    for taken in 0..2 {
        let (quarantine, copies) = model.quarantine(spool.path());
        fs::write(quarantine.model().join(&model.paths[taken]), "").unwrap();
        let order = model.order(HashAlgorithm::Sha256, Method::Files, Some(copies));
        let failed = go(order, means(1, 1 << 20, 4096, ring::Reader::Auto)).unwrap_err();
        assert_eq!(failed.code, Code::OutboundWrite);
    }
}

#[test]
fn a_machine_that_hashes_wrongly_decides_nothing() {
    assert_eq!(broken(Unusable).code, Code::IntakeSha256);
}

#[test]
fn pieces_that_are_not_all_of_a_file_are_no_digest_of_it() {
    let model = Model::of(&[10, 10]);
    let order = model.order(HashAlgorithm::Sha256, Method::Shards { size: 5 }, None);
    let lanes = Lanes::of_this_machine().unwrap();
    let job = Job::new(order, lanes, means(1, 1 << 20, 4096, ring::Reader::Auto));
    let digest = Digest::new(HashAlgorithm::Sha256, &[0; 32]).unwrap();
    let piece = |start, end| {
        let shard = Shard { start, end, digest: digest.clone() };
        Piece { file: 1, shard }
    };
    let assembled = |pieces| assemble(&job, pieces, &mut Gathered::default());
    assert!(assembled(vec![piece(5, 10), piece(0, 5)]).is_ok());
    for pieces in [
        vec![piece(0, 5)],
        vec![piece(5, 10)],
        vec![piece(0, 5), piece(0, 5), piece(5, 10)],
        vec![piece(0, 4), piece(5, 10)],
    ] {
        assert_eq!(assembled(pieces).unwrap_err().code, Code::MediaUnreadable);
    }
}

#[test]
fn a_stall_names_file_offset_and_rule() {
    let model = Model::of(&[10]);
    let order = model.order(HashAlgorithm::Sha256, Method::Files, None);
    let lanes = Lanes::of_this_machine().unwrap();
    let job = Job::new(order, lanes, means(1, 1 << 20, 4096, ring::Reader::Auto));
    for (asked, code, detail) in [
        (Asked::Carrier, Code::MediaStalled, "reading at byte 4096: no answer for 120 s"),
        (
            Asked::Spool,
            Code::OutboundStalled,
            "writing to the spool at byte 4096: no answer for 120 s",
        ),
    ] {
        let reason = job.stalled(asked, 0, 4096);
        assert_eq!((reason.code, reason.file.as_deref()), (code, Some("000")));
        assert_eq!(reason.rule.as_deref(), Some("media.stall"));
        assert_eq!(reason.detail, detail);
    }
}
