//! A station whose own disk is full, at many points of a run: nothing is decided, nothing is left,
//! and when there is room again the model passes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use oms_testkit::run;
use oms_tests::fuse::{Cache, Fault, Lie, Lying, Op};
use oms_tests::image::{Frozen, Image, Kind};
use oms_tests::mounts::{Need, privately, tmpfs};
use oms_tests::scene::any_content;
use oms_tests::watch::Running;

use crate::stand::{Does, Expect, LARGE, Method, NESTED, Stand, Told, Way, ways};

/// Room for the station and a model.
const BYTES: u64 = 8 << 20;

fn ingests() -> Vec<Way> {
    ways().into_iter().filter(|way| way.does == Does::Ingest).collect()
}

/// Puts the station on a disk of its own, in memory.
fn on_a_small_disk(stand: &Stand) -> &Path {
    let station = stand.scene.station.config.parent().unwrap();
    let copy = stand.scene.path("station.copy");
    let copied = |from: &Path, to: &Path| {
        let mut command = Command::new("cp");
        let _ = run::outcome(command.arg("-a").arg(from).arg(to)).expect_status(0);
    };
    copied(station, &copy);
    tmpfs(station, BYTES);
    copied(&copy.join("."), station);
    station
}

/// Takes all room of a disk but so many bytes.
fn fill(station: &Path, but: u64) {
    let mut filler = File::create(station.join("filler")).unwrap();
    let block = [0; 4096];
    while filler.write_all(&block).is_ok() {}
    let length = filler.metadata().unwrap().len();
    filler.set_len(length.saturating_sub(but)).unwrap();
}

#[test]
fn a_disk_with_less_room_than_a_model_takes() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Files);
        let station = on_a_small_disk(&stand);
        let model: u64 = stand.tree.files().map(|(_, bytes)| bytes.len() as u64).sum();
        let room = [0, 4 << 10, 64 << 10, model / 2, model, model + (32 << 10), model + (48 << 10)];
        let more = (13..24).map(|step| model + step * 4096);
        for (number, room) in room.into_iter().chain(more).enumerate() {
            let ways = ingests();
            let way = ways[number % ways.len()];
            fill(station, room);
            let run = stand.run(&way, &[]);
            fs::remove_file(station.join("filler")).unwrap();
            run.expect(&[Expect::Undecided("outbound.write"), Expect::Passes]);
            if room <= model {
                assert_ne!(run.told, Told::Passed, "{}", run.story);
            }
            // What was begun is finished now, and the model passes.
            stand.run(&way, &[]).expect(&[Expect::Passes]);
            empty(&stand);
        }
    });
}

/// Takes everything out of outbound, as the diode does.
fn empty(stand: &Stand) {
    for name in stand.scene.station.entries() {
        fs::remove_dir_all(stand.scene.station.outbound.join(name)).unwrap();
    }
}

#[test]
fn a_disk_that_somebody_else_fills_while_a_model_is_copied() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Shards);
        let station = on_a_small_disk(&stand);
        let last = |file: &str| stand.truth(file).len() as u64 - 1;
        let places = [(LARGE, 0), (LARGE, last(LARGE)), (NESTED, 150_000), ("config.json", 0)];
        for (number, (file, offset)) in places.into_iter().enumerate() {
            for way in &ingests()[..2] {
                let slow = Lie::Slow(Duration::from_millis(200));
                let path = format!("demo/{file}");
                let faults = [Fault::read(&path, offset, slow)];
                let lying = Lying::mount(&stand.tree, &stand.at, Cache::Off, &faults);
                let look = |_: &Running| {
                    let now = lying.lies() > 0;
                    if now {
                        fill(station, number as u64 % 2 * 8192);
                    }
                    now
                };
                let run = stand.run_and(way, &stand.at, look, || lying.log());
                drop(lying);
                // Where room was taken before, the copy is whole all the same; the verdict is not.
                run.expect(&[Expect::Undecided("outbound.write")]);
                fs::remove_file(station.join("filler")).unwrap();
                stand.run(way, &[]).expect(&[Expect::Passes]);
                empty(&stand);
            }
        }
    });
}

#[test]
fn files_that_may_not_be_as_large_as_the_models() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Files);
        for way in &ingests()[..2] {
            // In blocks of 512 bytes: less than the large file has, and less than any copy.
            for blocks in [1000, 300, 64] {
                let lying = Lying::mount(&stand.tree, &stand.at, way.cache, &[]);
                let inner = stand.command(way, &stand.at);
                let mut limited = Command::new("sh");
                limited.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "sh"]);
                limited.arg(inner.get_program()).args(inner.get_args());
                let run = stand.run_command(way, &mut limited, |_| false, || lying.log());
                run.expect(&[Expect::Undecided("outbound.write")]);
            }
            stand.run(way, &[]).expect(&[Expect::Passes]);
        }
    });
}

#[test]
fn a_disk_that_does_not_answer_any_more_is_not_taken_for_the_carrier() {
    privately(&[Need::Fuse, Need::Ext4], || {
        let policy = format!("{}\n[media]\nstall = \"1s\"\n", any_content());
        let stand = Stand::with_policy(Method::Files, &policy);
        let station = stand.scene.station.config.parent().unwrap();
        let disk = Image::of(Kind::Ext4, station, &stand.scene.path("disk"));
        let _mounted = disk.mount_writable(station);
        for way in &ingests()[..2] {
            for file in [LARGE, "config.json"] {
                let slow = Lie::Slow(Duration::from_millis(400));
                let faults = [Fault::on(Op::Read, &format!("demo/{file}"), slow)];
                let lying = Lying::mount(&stand.tree, &stand.at, Cache::Off, &faults);
                let mut frozen: Option<(Instant, Frozen)> = None;
                let look = |_: &Running| {
                    if lying.lies() == 0 {
                        return false;
                    }
                    let freeze = || (Instant::now(), Frozen::at(station));
                    let (since, _) = frozen.get_or_insert_with(freeze);
                    // What was copied can only be removed when the disk answers again.
                    let over = since.elapsed() > Duration::from_secs(5);
                    if over {
                        frozen = None;
                    }
                    over
                };
                let run = stand.run_and(way, &stand.at, look, || lying.log());
                run.expect(&[Expect::Undecided("outbound.stalled")]);
            }
            stand.run(way, &[]).expect(&[Expect::Passes]);
            empty(&stand);
        }
    });
}
