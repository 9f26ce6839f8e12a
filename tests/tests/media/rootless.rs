//! What needs no mount: files that another process changes and replaces without pause, and files
//! that are mostly holes. These run everywhere.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};

use crate::stand::{Expect, LARGE, Method, NESTED, Stand, Told, ways};

/// Runs each way several times while another thread does `disturb` to a file again and again.
/// Whatever the outcome is, the usual must hold; gives all outcomes.
fn disturbed(stand: &Stand, disturb: impl Fn(&Path, u32) + Sync) -> Vec<Told> {
    let mut outcomes = Vec::new();
    for file in [LARGE, "config.json"] {
        let path = stand.scene.model.join(file);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut turn = 0;
                while !done.load(Ordering::Relaxed) {
                    disturb(&path, turn);
                    turn += 1;
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            // The thread ends even when a check fails.
            struct Stop<'a>(&'a AtomicBool);
            impl Drop for Stop<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let _stop = Stop(&done);
            for way in ways().iter().take(4).cycle().take(12) {
                let carrier = &stand.scene.carrier;
                outcomes.push(stand.run_and(way, carrier, |_| false, String::new).told);
            }
        });
        restore(stand, file);
    }
    outcomes
}

/// Puts the signed bytes back.
fn restore(stand: &Stand, file: &str) {
    let path = stand.scene.model.join(file);
    let _ = fs::remove_file(&path);
    oms_testkit::files::public(path, stand.truth(file));
}

fn decided_otherwise(outcomes: &[Told]) {
    let failed = outcomes.iter().filter(|told| **told != Told::Passed).count();
    assert!(failed > 0, "nothing ever went wrong: {outcomes:?}");
}

#[test]
fn a_file_that_turns_into_something_else_and_back() {
    let stand = Stand::on_disk(Method::Files);
    let outcomes = disturbed(&stand, |path, turn| {
        let beside = path.with_file_name("../beside");
        let _ = fs::remove_file(&beside);
        match turn % 4 {
            0 => rustix::fs::mknodat(CWD, &beside, FileType::Fifo, Mode::RWXU, 0).unwrap(),
            1 => symlink("README.md", &beside).unwrap(),
            2 => fs::write(&beside, "something else").unwrap(),
            _ => {
                let file = path.file_name().unwrap().to_str().unwrap();
                fs::write(&beside, stand.truth(file)).unwrap();
            }
        }
        fs::rename(&beside, path).unwrap();
    });
    decided_otherwise(&outcomes);
}

#[test]
fn bytes_that_are_written_and_written_back() {
    let stand = Stand::on_disk(Method::Shards);
    let outcomes = disturbed(&stand, |path, turn| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let truth = stand.truth(name)[7];
        let byte = if turn % 2 == 0 { truth ^ 1 } else { truth };
        file.write_all_at(&[byte], 7).unwrap();
    });
    decided_otherwise(&outcomes);
}

#[test]
fn a_file_that_is_cut_and_made_whole() {
    let stand = Stand::on_disk(Method::Files);
    let outcomes = disturbed(&stand, |path, turn| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let truth = stand.truth(name);
        let file = OpenOptions::new().write(true).open(path).unwrap();
        if turn % 2 == 0 {
            file.set_len(truth.len() as u64 / 2).unwrap();
        } else {
            file.write_all_at(truth, 0).unwrap();
        }
    });
    decided_otherwise(&outcomes);
}

#[test]
fn a_file_that_is_a_hole() {
    for method in [Method::Files, Method::Shards] {
        let stand = Stand::on_disk(method);
        let path = stand.scene.model.join(NESTED);
        // No byte of it is on the disk.
        fs::remove_file(&path).unwrap();
        File::create(&path).unwrap().set_len(stand.truth(NESTED).len() as u64).unwrap();
        for way in ways().iter().take(4) {
            let run = stand.run_and(way, &stand.scene.carrier, |_| false, String::new);
            run.expect(&[Expect::Refused("manifest.digest-mismatch")]);
        }
    }
}
