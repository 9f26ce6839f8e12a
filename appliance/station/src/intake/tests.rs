//! Tests of reading a model, and what the tests of the station's other ways in share.

use super::*;
use oms_sys::beneath::Root;
use oms_verify::hash::{Digest, HashAlgorithm};
use oms_verify::name::ResourcePath;
use oms_verify::statement::{ManifestFile, Pieces, Shard};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// Runs `check` in a thread that may do no more than any user may.
pub(crate) fn as_nobody<T: Send + 'static>(check: impl FnOnce() -> T + Send + 'static) -> T {
    let unprivileged = move || {
        if rustix::process::geteuid().is_root() {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
        }
        check()
    };
    std::thread::spawn(unprivileged).join().unwrap()
}

fn listed(files: &[(&str, Pieces)], method: Method, ignore: &[&str]) -> Arc<Manifest> {
    let budget = Budget::default();
    let file = |(path, pieces): &(&str, Pieces)| ManifestFile {
        path: ResourcePath::parse(path, &budget).unwrap(),
        pieces: pieces.clone(),
    };
    let ignore = ignore.iter().map(|path| (*path).to_owned()).collect();
    let files = files.iter().map(file).collect();
    Arc::new(Manifest::new(HashAlgorithm::Sha256, method, ignore, files, &budget).unwrap())
}

fn zeros() -> Digest {
    Digest::new(HashAlgorithm::Sha256, &[0; 32]).unwrap()
}

/// A manifest of these files, with digests that no file has.
pub(crate) fn manifest(paths: &[&str]) -> Arc<Manifest> {
    let files: Vec<_> = paths.iter().map(|path| (*path, Pieces::Whole(zeros()))).collect();
    listed(&files, Method::Files, &["left-out"])
}

/// A folder with these files.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    dir
}

fn observe(dir: &Path, manifest: &Arc<Manifest>, budget: &Budget) -> Result<Observed, Reason> {
    read(
        &Source::at(dir).unwrap(),
        manifest,
        &[],
        budget,
        None,
        &Reading::plain(&Progress::hidden()),
    )
}

fn problems(observed: &Observed) -> Vec<(Code, &str)> {
    observed.problems.iter().map(|r| (r.code, r.file.as_deref().unwrap())).collect()
}

#[test]
fn an_ignored_folder_that_holds_a_listed_file_is_looked_into() {
    let files = [".git/config", ".git/hooks/x", ".git/listed", "left-out/a", "left-out/deep/b"];
    let dir = folder(&files);
    fs::write(dir.path().join(".gitattributes"), "").unwrap();
    let manifest = manifest(&[".git/listed", "left-out/deep/b"]);
    let observed = observe(dir.path(), &manifest, &Budget::default()).unwrap();
    assert_eq!(observed.files.len(), 2);
    let unlisted: Vec<_> =
        observed.unlisted.iter().map(|one| (one.path.as_str(), one.ignored)).collect();
    let expected = [".git/config", ".git/hooks", ".gitattributes", "left-out/a"];
    assert_eq!(unlisted, expected.map(|path| (path, true)));
    assert_eq!(problems(&observed), []);
}

#[test]
fn a_file_in_the_place_of_an_ignored_folder_is_ignored() {
    let dir = folder(&[".git", "a"]);
    let observed =
        observe(dir.path(), &manifest(&[".git/listed", "a"]), &Budget::default()).unwrap();
    let git = Unlisted { path: ".git".to_owned(), ignored: true };
    assert_eq!(observed.unlisted, [git]);
    assert_eq!(problems(&observed), [(Code::ManifestMissingFile, ".git/listed")]);
}

#[test]
fn a_file_of_another_size_than_its_shards_cover_is_not_read() {
    let dir = folder(&["small"]);
    let bomb = File::create(dir.path().join("bomb")).unwrap();
    bomb.set_len(1 << 40).unwrap();
    let shards = |end| Pieces::Shards(vec![Shard { start: 0, end, digest: zeros() }]);
    let files = [("bomb", shards(1000)), ("small", shards(5))];
    let manifest = listed(&files, Method::Shards { size: 1000 }, &[]);
    let progress = Progress::hidden();
    let source = Source::at(dir.path()).unwrap();
    let observed =
        read(&source, &manifest, &[], &Budget::default(), None, &Reading::plain(&progress))
            .unwrap();
    assert_eq!(problems(&observed), [(Code::ManifestSizeMismatch, "bomb")]);
    assert!(observed.files.len() == 1 && progress.bytes() == 5);
}

#[test]
fn the_budget_is_taken_in_the_order_of_the_manifest_before_anything_is_read() {
    let dir = folder(&["a", "bb", "c", "dddd"]);
    let budget = Budget { file_bytes: 3, total_bytes: 2, ..Budget::default() };
    let observed = observe(dir.path(), &manifest(&["a", "bb", "c", "dddd"]), &budget).unwrap();
    let expected = [(Code::ManifestFileTooLarge, "dddd"), (Code::ManifestTotalTooLarge, "bb")];
    assert_eq!(problems(&observed), expected);
    assert_eq!(observed.files.len(), 2);
}

#[test]
fn a_model_that_the_spool_has_no_room_for_is_not_begun() {
    let (dir, spool) = (folder(&["a"]), tempfile::tempdir().unwrap());
    let told = rustix::fs::statvfs(spool.path()).unwrap();
    let free = told.f_bavail * told.f_frsize;
    File::create(dir.path().join("huge")).unwrap().set_len(free.saturating_mul(2)).unwrap();
    let quarantine = Quarantine::create(spool.path(), "ingest-1").unwrap();
    let manifest = manifest(&["a", "huge"]);
    let budget = Budget { file_bytes: u64::MAX, total_bytes: u64::MAX, ..Budget::default() };
    let progress = Progress::hidden();
    let source = Source::at(dir.path()).unwrap();
    let reason =
        read(&source, &manifest, &[], &budget, Some(&quarantine), &Reading::plain(&progress))
            .unwrap_err();
    assert_eq!(reason.code, Code::OutboundWrite);
    assert_eq!(reason.file.as_deref(), spool.path().to_str());
    assert_eq!(progress.bytes(), 0);
    assert_eq!(fs::read_dir(quarantine.model()).unwrap().count(), 0);
}

#[test]
fn a_listed_name_that_the_file_system_cannot_hold_is_refused() {
    let dir = folder(&["a"]);
    // 300 bytes in a component, under a policy that would allow it.
    let budget = Budget { component_bytes: 1000, ..Budget::default() };
    let long = "l".repeat(300);
    let path = ResourcePath::parse(&long, &budget).unwrap();
    let file = ManifestFile { path, pieces: Pieces::Whole(zeros()) };
    let manifest =
        Manifest::new(HashAlgorithm::Sha256, Method::Files, vec![], vec![file], &budget).unwrap();
    let observed = observe(dir.path(), &Arc::new(manifest), &budget).unwrap();
    let codes: Vec<_> = observed.problems.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::MediaName]);
    for error in [Errno::INVAL, Errno::ILSEQ] {
        let error = BeneathError::Io(error.into());
        assert_eq!(refusal_or_failure(error, "a").code, Code::MediaName);
    }
    let error = BeneathError::Io(Errno::IO.into());
    assert_eq!(refusal_or_failure(error, "a").code, Code::MediaUnreadable);
    for used_up in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
        let error = BeneathError::Io(used_up.into());
        assert_eq!(refusal_or_failure(error, "a").code, Code::IntakeResources);
    }
}

/// Hashes a file of three chunks while `meddle` does something to it after the first.
fn hash_while(meddle: impl Fn(&Path)) -> Result<u64, Code> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights");
    fs::write(&path, vec![7; 3 * CHUNK]).unwrap();
    let file = Root::open(dir.path()).unwrap().file("weights").unwrap();
    let mut first = true;
    let progress = Progress::hidden();
    hash_file(&file, HashAlgorithm::Sha256, Method::Files, &progress, |_| {
        if std::mem::take(&mut first) {
            meddle(&path);
        }
        Ok(())
    })
    .map(|(size, _)| size)
    .map_err(|reason| reason.code)
}

#[test]
fn a_folder_covers_what_is_in_it_and_not_what_begins_like_it() {
    let covered = |path| is_at_or_below(path, &["a", "b/c"]);
    assert!(["a", "a/x", "a/x/y", "b/c", "b/c/x"].into_iter().all(covered));
    assert!(!["ab", "b", "b/cd", "x/a", "", "A"].into_iter().any(covered));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    assert_eq!(hash_while(|_| ()), Ok(3 * CHUNK as u64));
    let open = |path: &Path| OpenOptions::new().write(true).open(path).unwrap();
    let grows = hash_while(|path| open(path).set_len(4 * CHUNK as u64).unwrap());
    assert_eq!(grows, Err(Code::MediaChanged));
    let shrinks = hash_while(|path| open(path).set_len(2 * CHUNK as u64).unwrap());
    assert_eq!(shrinks, Err(Code::MediaChanged));
    // Bytes that were read already: only the time stamps tell.
    let rewritten = hash_while(|path| open(path).write_all(&[8]).unwrap());
    assert_eq!(rewritten, Err(Code::MediaChanged));
}

#[test]
fn a_sink_that_fails_ends_the_pass() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("weights"), "bytes").unwrap();
    let file = Root::open(dir.path()).unwrap().file("weights").unwrap();
    let full = || Reason::new(Code::OutboundWrite, "no space");
    let outcome = hash_file(
        &file,
        HashAlgorithm::Sha256,
        Method::Files,
        &Progress::hidden(),
        |_| Err(full()),
    );
    assert_eq!(outcome.unwrap_err(), full());
}

#[test]
fn a_file_that_was_lost_on_the_way_is_a_failure_and_one_that_was_refused_is_not() {
    let none = Reasons::default();
    assert_eq!(all_or_why(2, 2, &none), Ok(()));
    assert_eq!(all_or_why(1, 2, &none).unwrap_err().code, Code::MediaUnreadable);
    let refused = Reasons::from(vec![Reason::new(Code::MediaChanged, "")]);
    assert_eq!(all_or_why(1, 2, &refused), Ok(()));
}
