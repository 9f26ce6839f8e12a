//! Copies that share blocks, or seem to: a plain copy stands for what only some file systems can do.

use std::fs;
use std::os::unix::fs::FileExt as _;

use oms_sys::ring;
use oms_sys::sha256::Lanes;
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::Code;
use oms_verify::statement::Method;

use super::super::Gathered;
use super::super::job::Job;
use super::super::means::Means;
use super::super::tests::{Model, go, means};
use super::super::work::SMALL;
use super::*;
use crate::intake::attend::Pulse;

/// A copy of all bytes, as if they were shared.
pub(in super::super) fn copied(source: &File, copy: &File) -> io::Result<()> {
    let mut bytes = vec![0; source.metadata()?.len() as usize];
    source.read_exact_at(&mut bytes, 0)?;
    copy.write_all_at(&bytes, 0)
}

fn with(share: How) -> Means {
    Means { share, ..means(2, 1 << 20, 64 << 10, ring::Reader::Auto) }
}

const METHODS: [Method; 2] = [Method::Files, Method::Shards { size: SMALL }];

/// What is read of a model of a large file and two others, and what their copies are.
fn read(share: How, method: Method) -> (Model, Gathered, Vec<Vec<u8>>) {
    let model = Model::of(&[5 << 20, 2 * SMALL + 1, 5]);
    let spool = tempfile::tempdir().unwrap();
    let (quarantine, copies) = model.quarantine(spool.path());
    let order = model.order(HashAlgorithm::Blake3, method, Some(copies));
    let gathered = go(order, with(share)).unwrap();
    let copy = |path: &String| fs::read(quarantine.model().join(path)).unwrap();
    let copies = model.paths.iter().map(copy).collect();
    (model, gathered, copies)
}

#[test]
fn what_is_hashed_is_the_copy() {
    for method in METHODS {
        let other = |source: &File, copy: &File| {
            copied(source, copy)?;
            copy.write_all_at(&[0; 9], 70_000)
        };
        let (model, gathered, copies) = read(other, method);
        let mut expected = model.expected(HashAlgorithm::Blake3, method);
        assert!(gathered.problems.is_empty());
        assert_eq!(gathered.files[2], expected[2], "a small file has no shared blocks");
        for number in 0..2 {
            assert_eq!(copies[number].len(), model.contents[number].len());
            assert_ne!(gathered.files[number], expected[number]);
        }
        let changed = Model { contents: copies, ..model };
        expected = changed.expected(HashAlgorithm::Blake3, method);
        assert_eq!(gathered.files, expected);
    }
}

#[test]
fn who_is_refused_goes_the_ordinary_way_and_leaves_nothing_of_the_attempt() {
    for method in METHODS {
        let refused = |_: &File, copy: &File| {
            copy.write_all_at(&[7; 10 << 20], 0)?;
            Err(io::ErrorKind::Unsupported.into())
        };
        let (model, gathered, copies) = read(refused, method);
        assert!(gathered.problems.is_empty());
        assert_eq!(gathered.files, model.expected(HashAlgorithm::Blake3, method));
        assert!(copies == model.contents);
    }
}

#[test]
fn a_copy_of_another_size_is_refused() {
    for method in METHODS {
        let shrunk: How = |_, copy| copy.set_len(SMALL);
        let grown: How = |source, copy| copy.set_len(source.metadata()?.len() + 1);
        for share in [shrunk, grown] {
            let (_, gathered, _) = read(share, method);
            let problems: Vec<_> =
                gathered.problems.iter().map(|r| (r.code, r.file.as_deref().unwrap())).collect();
            assert_eq!(problems.len(), 2, "{problems:?}");
            assert!(problems.iter().all(|(code, _)| *code == Code::MediaChanged));
            assert_eq!(gathered.files.iter().map(|file| file.0).collect::<Vec<_>>(), [2]);
        }
    }
}

#[test]
fn a_source_that_is_written_to_while_it_is_copied_is_refused() {
    for method in METHODS {
        let meddled: How = |source, copy| {
            copied(source, copy)?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(source));
            File::options().write(true).open(path)?.write_all_at(b"x", 0)
        };
        let (_, gathered, _) = read(meddled, method);
        assert_eq!(gathered.problems.iter().count(), 2);
        assert!(gathered.problems.iter().all(|r| r.code == Code::MediaChanged));
    }
}

#[test]
fn who_was_refused_once_is_not_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let source = File::open("/proc/self/stat").unwrap();
    let copy = File::create(dir.path().join("copy")).unwrap();
    let sharing = Sharing::untried(ficlone);
    assert!(!sharing.share(&source, &copy).unwrap(), "it is on another file system");
    let asked: How = |_, _| panic!("asked again");
    assert!(!Sharing { how: asked, ..sharing }.share(&source, &copy).unwrap());
}

#[test]
fn nothing_of_a_file_stays_open_when_its_last_reader_has_ended() {
    let model = Model::of(&[8 << 20]);
    let spool = tempfile::tempdir().unwrap();
    let (_quarantine, copies) = model.quarantine(spool.path());
    let method = Method::Shards { size: 4 << 20 };
    let order = model.order(HashAlgorithm::Sha256, method, Some(copies));
    let refused: How = |_, _| Err(io::ErrorKind::Unsupported.into());
    let job = Job::new(order, Lanes::of_this_machine().unwrap(), with(refused));
    let mut folders = job.folders();
    let is_copy = |at: &fs::DirEntry| {
        let target = fs::read_link(at.path()).unwrap_or_default();
        target.starts_with(spool.path()) && target.is_file()
    };
    let open = || fs::read_dir("/proc/self/fd").unwrap().flatten().filter(is_copy).count();
    for (number, item) in job.queue().large().iter().enumerate() {
        drop(job.begin(&Pulse::default(), &mut folders, item).unwrap());
        assert!(open() > 0, "another reader needs it");
        assert_eq!(job.ends_last(item), number == 1);
    }
    assert_eq!(open(), 0);
}
