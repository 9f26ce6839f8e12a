//! Disks with an ext4 that no driver would have written: folders with ten million entries, and
//! folders that lie in each other. The whole way: mounted, read and let go by the daemon.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::run;
use oms_tests::disk::Plugged;
use oms_tests::journal;
use oms_tests::json;
use oms_tests::mounts::{Need, privately};
use oms_tests::scene::Scene;
use serde_json::Value;

use crate::devices::{served, with_devices};
use crate::station::Daemon;

/// Bytes of a block.
const BLOCK: usize = 4096;
/// Bytes of an entry of a folder with a name of eight bytes.
const ENTRY: usize = 16;
/// The inode that all entries name; the kernel lists them without a look at it.
const INODE: u32 = 12;
/// KiB of memory that a process of the station may take, whatever is on a carrier.
const MOST_MEMORY: u64 = 192 << 10;

/// What makes a folder `crowd` of the file `list`, which holds its blocks.
const CROWD: &str = "set_inode_field /list mode 040755\nln /list /crowd\nunlink /list\n";

/// An ext4 with everything in `folder`, in which these requests of debugfs were done.
fn crafted(folder: &Path, path: &Path, requests: &str) {
    File::create(path).unwrap().set_len(320 << 20).unwrap();
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-b", "4096", "-O", "^has_journal,^metadata_csum,^dir_index", "-d"]);
    let _ = run::outcome(make.arg(folder).arg(path)).expect_status(0);
    let file = path.with_extension("debugfs");
    fs::write(&file, requests).unwrap();
    let mut change = Command::new("debugfs");
    let _ = run::outcome(change.args(["-w", "-f"]).arg(&file).arg(path)).expect_status(0);
}

/// Writes the blocks of a folder with so many entries, each with another name.
fn entries(path: &Path, count: u32) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let last = count.next_multiple_of((BLOCK / ENTRY) as u32);
    for number in 0..last {
        // What is past the count belongs to nobody.
        let inode = if number < count { INODE } else { 0 };
        file.write_all(&inode.to_le_bytes()).unwrap();
        file.write_all(&(ENTRY as u16).to_le_bytes()).unwrap();
        file.write_all(&[8, 1]).unwrap();
        file.write_all(format!("{number:08}").as_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// What is said about the disk when it is done; what each of the daemon's processes takes until
/// then is within bounds.
fn served_within_bounds(daemon: &Daemon, plugged: &Plugged) -> Value {
    std::thread::scope(|scope| {
        let told = scope.spawn(|| served(daemon, plugged));
        while !told.is_finished() {
            for (pid, line) in daemon.processes() {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let peak = peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok());
                assert!(peak.unwrap_or(0) < MOST_MEMORY, "{line}: {peak:?} KiB");
            }
        }
        told.join().unwrap()
    })
}

/// A scene whose carrier has the usual model and `add`, an image of it, and one of the model alone.
fn scene_with(add: impl FnOnce(&Path), requests: &str) -> (Scene, PathBuf, PathBuf) {
    let scene = Scene::signed();
    let (bad, next) = (scene.path("bad.img"), scene.path("next.img"));
    crafted(&scene.carrier, &next, "");
    add(&scene.carrier);
    crafted(&scene.carrier, &bad, requests);
    (scene, bad, next)
}

/// The disk has its end in the record with one of these codes, as many of its models pass, and so
/// does that of the next disk.
fn is_told_and_the_next_is_served(
    (scene, bad, next): (Scene, PathBuf, PathBuf),
    codes: &[&str],
    passed: u64,
) {
    let (bad, next) = (Plugged::image(&bad), Plugged::image(&next));
    let daemon = with_devices(&scene, &[&bad, &next]);
    let told = served_within_bounds(&daemon, &bad);
    assert_eq!(json::codes(&told["reasons"]), codes, "{told:#}");
    assert_eq!((&told["passed"], &told["models"]), (&passed.into(), &passed.into()), "{told:#}");
    assert_eq!(served(&daemon, &next)["passed"], 1);
    let query = format!("SELECT reason FROM carrier WHERE source LIKE '{},%'", bad.name());
    let [recorded] = journal::column(&scene.station.state, &query).try_into().unwrap();
    assert!(codes.contains(&recorded.as_str()), "{recorded}");
    daemon.stop();
}

#[test]
fn ten_million_entries_in_one_folder() {
    privately(&[Need::Ext4], || {
        let add = |carrier: &Path| entries(&carrier.join("list"), 10_000_000);
        let disks = scene_with(add, CROWD);
        is_told_and_the_next_is_served(disks, &["media.too-many-entries"], 1);
    });
}

#[test]
fn ten_million_entries_by_hard_links_of_a_folder() {
    privately(&[Need::Ext4], || {
        let add = |carrier: &Path| {
            entries(&carrier.join("list"), 90_000);
            fs::create_dir(carrier.join("many")).unwrap();
        };
        // Each link is the same folder once more.
        let link = |number: u32| format!("ln /crowd /many/{number:03}\n");
        let requests = CROWD.to_owned() + &(0..112).map(link).collect::<String>();
        // The search ends at its limit, before it has come to the model.
        let disks = scene_with(add, &requests);
        is_told_and_the_next_is_served(disks, &["media.too-many-entries"], 0);
    });
}

#[test]
fn folders_that_lie_in_each_other() {
    privately(&[Need::Ext4], || {
        let add = |carrier: &Path| fs::create_dir_all(carrier.join("one/two/three")).unwrap();
        let requests = "ln /one /one/two/three/one\nln <2> /one/top\nln /one/two /one/two/itself\n";
        let disks = scene_with(add, requests);
        // The kernel refuses a way into a folder that it is in already, as one of too many links.
        let codes = ["media.symlink", "media.unreadable"];
        is_told_and_the_next_is_served(disks, &codes, 1);
    });
}
