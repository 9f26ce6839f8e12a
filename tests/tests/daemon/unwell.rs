//! A station whose own parts are not well: nobody is served, `status` says why, and carriers wait
//! until it has been put right.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, model, run};
use oms_tests::image::{Disk, FileSystem};
use oms_tests::journal;
use oms_tests::mounts::{Need, privately, tmpfs};
use oms_tests::scene::Scene;
use serde_json::Value;

use crate::station::{Daemon, bring, with_hot_folder};
use crate::stopped::spooled;

/// A carrier beside the scene's own, which passes.
fn second(scene: &Scene) -> PathBuf {
    let carrier = files::folder(scene.path("second"));
    let folder = model::write(carrier.join("demo"), 30_000);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    carrier
}

/// Waits until the daemon serves nobody and says that it is for this.
fn unfit(daemon: &Daemon, because: &str) -> Value {
    daemon.until(because, |status| {
        status["state"] == "unfit" && status["why"].to_string().contains(because)
    })
}

#[test]
fn a_journal_that_is_damaged() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let second = second(&scene);
    let daemon = Daemon::start(&scene);
    let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
    daemon.stop();
    let file = journal::file(&scene.station.state);
    let whole = fs::read(&file).unwrap();
    let carrier = bring(&second, &hot, "second");
    let damage: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(4096 + 100),
        |bytes| bytes[..16].fill(0xa5),
        // The root of the first table.
        |bytes| bytes[4096..8192].fill(0xa5),
    ];
    for (number, damage) in damage.into_iter().enumerate() {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let daemon = Daemon::start(&scene);
        let status = unfit(&daemon, "state.damaged");
        assert!(status["carriers"].as_array().unwrap().is_empty(), "{number}: {status:#}");
        assert_eq!(scene.station.entries().len(), 1);
        daemon.stop();
    }
    fs::write(&file, whole).unwrap();
    let daemon = Daemon::start(&scene);
    assert_eq!(daemon.served(&carrier)["passed"], 1);
    daemon.stop();
}

#[test]
fn a_disk_of_the_state_that_is_full() {
    privately(&[], || {
        let scene = Scene::signed();
        let hot = with_hot_folder(&scene);
        let second = second(&scene);
        // The record alone has no room: spool and outbound are on another disk.
        tmpfs(&scene.station.state, 4 << 20);
        fs::set_permissions(&scene.station.state, Permissions::from_mode(0o755)).unwrap();
        let daemon = Daemon::start(&scene);
        let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
        let filler = scene.station.state.join("filler");
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let carrier = bring(&second, &hot, "second");
        let status = unfit(&daemon, "outbound.write");
        assert_ne!(status["carriers"][0]["mayBePulled"], true, "{status:#}");
        assert_eq!(scene.station.entries().len(), 1);
        fs::remove_file(filler).unwrap();
        let _ = daemon.served(&carrier);
        let passed =
            scene.station.entries().iter().filter(|name| name.ends_with("-passed")).count();
        assert_eq!((passed, spooled(&scene)), (2, 0));
        daemon.stop();
        let numbers = journal::column(&scene.station.state, "SELECT sequence || '' FROM decision");
        assert_eq!(numbers, ["1", "2"]);
    });
}

#[test]
fn a_state_in_which_no_file_can_be_made() {
    privately(&[Need::Ext4], || {
        let scene = Scene::signed();
        let hot = with_hot_folder(&scene);
        let second = second(&scene);
        // The journal's files are there already, and can be written to: only new ones cannot be made.
        let disk = Disk::empty(FileSystem::Ext4, &files::folder(scene.path("own")));
        let state = files::folder(disk.at.join("state"));
        scene.configure(scene.station.state.to_str().unwrap(), state.to_str().unwrap());
        let change = |flag: &str| {
            let _ = run::outcome(Command::new("chattr").arg(flag).arg(&state)).expect_status(0);
        };
        let clock = files::public(scene.path("clock"), "0");
        let daemon = with_clock(&scene, &clock);
        let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
        change("+i");
        // Later, so that there is a time to be remembered.
        set(&clock, "60");
        let carrier = bring(&second, &hot, "second");
        let status = unfit(&daemon, "outbound.write");
        change("-i");
        assert_ne!(status["carriers"][0]["mayBePulled"], true, "{status:#}");
        assert_eq!(scene.station.entries().len(), 1);
        assert_eq!(daemon.served(&carrier)["passed"], 1, "it has waited");
        daemon.stop();
    });
}

/// Has the C library show another time, by as many seconds as stand in the file `OMS_CLOCK`.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    char text[32] = {0};
    const char *path = getenv("OMS_CLOCK");
    long done = syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && clock == CLOCK_REALTIME && path) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
            close(file);
        }
    }
    return (int) done;
}
"#;

/// A daemon whose clock is off by as many seconds as `clock` says.
fn with_clock(scene: &Scene, clock: &Path) -> Daemon {
    let (source, library) = (scene.path("clock.c"), scene.path("clock.so"));
    fs::write(&source, CLOCK).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let _ = run::outcome(&mut compile).expect_status(0);
    let mut command = run::command();
    command.env("LD_PRELOAD", library).env("OMS_CLOCK", clock);
    Daemon::start_with(scene, command)
}

/// Sets such a clock; in place, since the program reads it at any time.
fn set(clock: &Path, seconds: &str) {
    let file = File::options().write(true).open(clock).unwrap();
    file.write_all_at(format!("{seconds:<12}").as_bytes(), 0).unwrap();
}

#[test]
fn a_clock_that_is_set_back_while_it_runs() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let second = second(&scene);
    let clock = files::public(scene.path("clock"), "0");
    let daemon = with_clock(&scene, &clock);
    let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
    set(&clock, "-3600");
    let carrier = bring(&second, &hot, "second");
    let status = unfit(&daemon, "clock");
    assert_ne!(status["carriers"][0]["mayBePulled"], true, "{status:#}");
    assert_eq!(scene.station.entries().len(), 1);
    set(&clock, "0");
    assert_eq!(daemon.served(&carrier)["passed"], 1, "it has waited");
    daemon.stop();
}

#[test]
fn a_clock_that_was_set_back_before_the_start() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let second = second(&scene);
    let clock = files::public(scene.path("clock"), "0");
    let daemon = with_clock(&scene, &clock);
    let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
    daemon.stop();
    let carrier = bring(&second, &hot, "second");
    fs::write(&clock, "-3600").unwrap();
    let daemon = with_clock(&scene, &clock);
    let _ = unfit(&daemon, "clock");
    assert_eq!(scene.station.entries().len(), 1);
    daemon.stop();
    fs::write(&clock, "0").unwrap();
    let daemon = with_clock(&scene, &clock);
    assert_eq!(daemon.served(&carrier)["passed"], 1);
    daemon.stop();
}
