//! A model on the disk of the station itself: where the file system can do that, the copies that
//! go out share their blocks with it, and all else is as ever.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, run};
use oms_tests::fuse::Cache;
use oms_tests::image::{Disk, FileSystem};
use oms_tests::mounts::{Memory, Need, privately};
use oms_tests::scene::{Scene, any_content};

use crate::stand::{Does, Expect, LARGE, Method, NESTED, Run, Stand, Way, ways};

const SHARING: [FileSystem; 2] = [FileSystem::Btrfs, FileSystem::Xfs];
const NEEDS: [Need; 3] = [Need::Btrfs, Need::Xfs, Need::Ext4];

/// The ways to ingest: with either reader and with little and much memory.
fn ingests() -> Vec<Way> {
    let is_meant = |way: &Way| way.does == Does::Ingest && way.cache == Cache::On;
    ways().into_iter().filter(is_meant).collect()
}

/// Tests on a disk with this file system, which is in memory.
fn on_a_disk(file_system: FileSystem, test: impl FnOnce(&Disk)) {
    let memory = Memory::new();
    test(&Disk::empty(file_system, memory.path()));
}

/// Ingests from the folder that is the carrier, on the station's own disk.
fn ingest(stand: &Stand, way: &Way) -> Run {
    stand.run_and(way, &stand.scene.carrier, |_| false, String::new)
}

/// Whether each extent of a file, of which there are some, is shared with another file.
fn is_shared(file: &Path) -> bool {
    let mut filefrag = Command::new("filefrag");
    let told = run::outcome(filefrag.args(["-s", "-v"]).arg(file)).expect_status(0).stdout;
    let is_extent =
        |line: &&str| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
    let extents: Vec<_> = told.lines().filter(is_extent).collect();
    assert!(!extents.is_empty(), "{told}");
    extents.iter().all(|extent| extent.contains("shared"))
}

/// The newest entry that passed.
fn newest(stand: &Stand) -> PathBuf {
    let last = stand.scene.station.entries().into_iter().max().unwrap();
    stand.scene.station.outbound.join(last)
}

#[test]
fn large_copies_share_their_blocks_where_they_can() {
    privately(&NEEDS, || {
        for (file_system, shares) in
            [(FileSystem::Btrfs, true), (FileSystem::Xfs, true), (FileSystem::Ext4, false)]
        {
            for method in [Method::Files, Method::Shards] {
                on_a_disk(file_system, |disk| {
                    let stand = Stand::within(&disk.at, method, &any_content());
                    for way in ingests() {
                        let run = ingest(&stand, &way);
                        run.expect(&[Expect::Passes]);
                        let model = newest(&stand).join("model");
                        for (file, is_large) in
                            [(LARGE, true), (NESTED, true), ("config.json", false)]
                        {
                            let shared = shares && is_large;
                            if file_system == FileSystem::Btrfs && !is_large {
                                // Its bytes are in the inode, and the copy's in its own.
                                continue;
                            }
                            let copy = model.join(file);
                            assert_eq!(
                                is_shared(&copy),
                                shared,
                                "{file} {file_system:?} {}",
                                run.story
                            );
                        }
                    }
                });
            }
        }
    });
}

#[test]
fn many_files_with_every_hash() {
    privately(&NEEDS, || {
        for file_system in SHARING {
            on_a_disk(file_system, |disk| {
                let scene = Scene::within(&disk.at, &any_content());
                let content = |number: u32| -> Vec<u8> {
                    let length = if number.is_multiple_of(4) { 300 } else { 66_000 + number * 17 };
                    (0..length).map(|at| (at * (number + 3) / 5) as u8).collect()
                };
                files::folder(&scene.model);
                for number in 0..200 {
                    files::public(scene.model.join(format!("{number:03}.bin")), content(number));
                }
                for hash in ["sha256", "blake2b", "blake3"] {
                    for shards in [&[][..], &["--shard-size", "10000"]] {
                        let more = [&["--hash", hash], shards].concat();
                        scene.sign(&scene.model, &scene.bundle(), &more);
                        let [entry] = scene.ingested().try_into().unwrap();
                        for number in 0..200 {
                            let copy = entry.join(format!("model/{number:03}.bin"));
                            assert!(fs::read(&copy).unwrap() == content(number), "{copy:?}");
                        }
                        assert!(is_shared(&entry.join("model/001.bin")));
                        assert!(is_shared(&entry.join("model/199.bin")));
                        fs::remove_file(scene.bundle()).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn a_byte_that_is_not_the_signed_one() {
    privately(&NEEDS, || {
        for file_system in SHARING {
            for method in [Method::Files, Method::Shards] {
                on_a_disk(file_system, |disk| {
                    let stand = Stand::within(&disk.at, method, &any_content());
                    let last = stand.truth(NESTED).len() as u64 - 1;
                    let file = stand.scene.model.join(NESTED);
                    let writer = OpenOptions::new().write(true).open(file).unwrap();
                    writer.write_all_at(&[!stand.truth(NESTED)[last as usize]], last).unwrap();
                    for way in ingests() {
                        let run = ingest(&stand, &way);
                        run.expect(&[Expect::Refused("manifest.digest-mismatch")]);
                        run.names("manifest.digest-mismatch", NESTED);
                    }
                });
            }
        }
    });
}

/// Btrfs knows what it wrote, and reads nothing else: the block is the model's and the copy's.
#[test]
fn a_shared_block_that_went_bad_is_an_error_that_names_the_place() {
    privately(&NEEDS, || {
        for method in [Method::Files, Method::Shards] {
            on_a_disk(FileSystem::Btrfs, |disk| {
                let stand = Stand::within(&disk.at, method, &any_content());
                let mut sync = Command::new("sync");
                let _ = run::outcome(sync.arg("-f").arg(&disk.at)).expect_status(0);
                spoil(&disk.image, &stand.truth(LARGE)[400_000..400_064]);
                for way in ingests() {
                    let run = ingest(&stand, &way);
                    run.expect(&[Expect::Undecided("media.unreadable")]);
                    let reason = run.names("media.unreadable", LARGE);
                    assert!(reason["detail"].as_str().unwrap().contains("at byte"), "{reason}");
                }
            });
        }
    });
}

/// Changes the bytes on the disk where it has these.
fn spoil(image: &Path, bytes: &[u8]) {
    let disk = fs::read(image).unwrap();
    let at = disk.windows(bytes.len()).position(|window| window == bytes).unwrap();
    OpenOptions::new().write(true).open(image).unwrap().write_all_at(b"spoilt", at as u64).unwrap();
}
