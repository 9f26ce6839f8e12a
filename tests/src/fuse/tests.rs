//! Tests of the lying file system itself: through the kernel, with ordinary reads.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::mounts::{Need, privately};

/// Mounts a folder with one file of 100,000 bytes, `sub/file`.
fn with(cache: Cache, faults: &[Fault], check: impl FnOnce(&Lying, &Path) + Send) {
    privately(&[Need::Fuse], || {
        let dir = tempfile::tempdir().unwrap();
        let (source, at) = (dir.path().join("source"), dir.path().join("at"));
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::create_dir(&at).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        fs::write(source.join("sub/file"), bytes).unwrap();
        let lying = Lying::mount(&Arc::new(Tree::of(&source)), &at, cache, faults);
        check(&lying, &at.join("sub/file"));
    });
}

#[test]
fn without_a_fault_it_tells_the_truth() {
    for cache in [Cache::Off, Cache::On] {
        with(cache, &[], |lying, path| {
            let bytes = fs::read(path).unwrap();
            assert_eq!(bytes.len(), 100_000);
            assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == at as u8));
            assert_eq!(path.metadata().unwrap().len(), 100_000);
            let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
            assert_eq!(names.len(), 1);
            assert_eq!(lying.lies(), 0);
            assert!(lying.requests() > 3, "{}", lying.log());
        });
    }
}

#[test]
fn a_fault_is_for_the_read_with_its_byte_and_for_as_often_as_it_says() {
    let faults = [
        Fault::read("sub/file", 500, Lie::Error(Errno::EIO)).times(2..=3),
        Fault::read("sub/file", 700, Lie::Flip),
        Fault::read("sub/file", 900, Lie::Short(3)),
    ];
    with(Cache::Off, &faults, |lying, path| {
        let file = File::open(path).unwrap();
        let mut buffer = [0; 100];
        let mut read = |at| file.read_at(&mut buffer, at).map(|read| (read, buffer[0]));
        let outcomes = [0; 4].map(|_| read(450).is_ok());
        assert_eq!(outcomes, [true, false, false, true]);
        assert_eq!(read(700).unwrap(), (100, 700u32 as u8 ^ 1));
        assert_eq!(read(900).unwrap().0, 3);
        assert_eq!(read(800).unwrap().0, 100);
        assert_eq!(lying.lies(), 4);
    });
}

#[test]
fn attributes_lie_and_files_change_their_size() {
    let faults = [
        Fault::on(Op::Attributes, "sub/file", Lie::Size(5)).times(1..=1),
        Fault::read("sub/file", 99_999, Lie::Resize(100_010)),
    ];
    with(Cache::Off, &faults, |_, path| {
        let mut file = File::open(path).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 100_005);
        assert_eq!(file.metadata().unwrap().len(), 100_000);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 100_010);
        assert_eq!(bytes[100_000..], [0; 10]);
        assert_eq!(file.metadata().unwrap().len(), 100_010);
    });
}

#[test]
fn an_answer_that_never_comes_ends_with_the_connection() {
    with(Cache::Off, &[Fault::read("sub/file", 0, Lie::Silence)], |lying, path| {
        let file = File::open(path).unwrap();
        let (told, tell) = mpsc::channel();
        std::thread::spawn(move || told.send(file.read_at(&mut [0; 10], 0)));
        assert!(tell.recv_timeout(Duration::from_millis(200)).is_err(), "no answer");
        lying.vanish();
        assert!(tell.recv_timeout(Duration::from_secs(10)).unwrap().is_err());
        assert!(File::open(path).is_err());
    });
}

#[test]
fn a_folder_lists_what_the_script_says() {
    for (names, count) in [(Names::Ghost, 2), (Names::Twice, 2), (Names::Million, 1_000_000)] {
        with(Cache::Off, &[Fault::on(Op::List, "sub", Lie::Names(names))], |_, path| {
            let listed = fs::read_dir(path.parent().unwrap()).unwrap();
            assert_eq!(listed.map(Result::unwrap).count(), count);
        });
    }
    with(Cache::Off, &[Fault::on(Op::List, "sub", Lie::Names(Names::Slash))], |_, path| {
        let listed = fs::read_dir(path.parent().unwrap()).unwrap();
        assert!(listed.into_iter().any(|entry| entry.is_err()), "the kernel refuses it");
    });
}
