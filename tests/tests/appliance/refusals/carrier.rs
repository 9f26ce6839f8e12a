//! What a carrier may hold that is no ordinary file, and carriers that change while they are read.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use oms_testkit::{files, model, run};
use oms_tests::json;
use oms_tests::root::{in_namespace, is_root};
use oms_tests::scene::{Scene, any_content};

/// Bytes that take much longer to read than a write to the file takes.
const LONG: u64 = 256 << 20;

/// Puts something else in the place of a listed file.
fn instead_of_config(put: impl FnOnce(&Path)) -> Scene {
    let scene = Scene::signed();
    let path = scene.model.join("config.json");
    fs::remove_file(&path).unwrap();
    put(&path);
    scene
}

#[test]
fn a_symlink_in_the_place_of_a_file() {
    let scene = instead_of_config(|path| symlink("README.md", path).unwrap());
    scene.refused(&["media.symlink"]);
}

#[test]
fn a_symlink_to_the_very_bytes_that_were_signed() {
    let scene = Scene::signed();
    let moved = scene.path("config.json");
    fs::rename(scene.model.join("config.json"), &moved).unwrap();
    symlink(&moved, scene.model.join("config.json")).unwrap();
    scene.refused(&["media.symlink"]);
}

#[test]
fn a_symlink_that_nobody_listed() {
    let scene = Scene::signed();
    symlink("/etc/passwd", scene.model.join("link")).unwrap();
    scene.refused(&["media.symlink"]);
}

#[test]
fn a_symlinked_parent_folder() {
    let scene = Scene::unsigned();
    let folder = files::folder(scene.model.join("sub"));
    files::public(folder.join("more.json"), "{}");
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let moved = scene.path("sub");
    fs::rename(&folder, &moved).unwrap();
    symlink(&moved, &folder).unwrap();
    scene.refused(&["media.symlink"]);
}

#[test]
fn a_symlink_in_the_place_of_the_bundle() {
    let scene = Scene::signed();
    let moved = scene.path("model.sig");
    fs::rename(scene.bundle(), &moved).unwrap();
    symlink(&moved, scene.bundle()).unwrap();
    // Nothing is decided from behind a link; the carrier says so.
    scene.undecided_at_ingest(1, "media.symlink");
    let mut verify = scene.verify();
    let refused = run::outcome(verify.arg("--bundle").arg(scene.bundle())).expect_status(1).json();
    assert_eq!(json::codes(&refused["reasons"]), ["media.symlink"]);
}

#[test]
fn a_fifo_listed_or_not() {
    let fifo = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    instead_of_config(fifo).refused(&["media.not-regular"]);
    let scene = Scene::signed();
    fifo(&scene.model.join("fifo"));
    scene.refused(&["media.not-regular"]);
}

#[test]
fn a_socket() {
    let mut listener = None;
    let scene = instead_of_config(|path| listener = Some(UnixListener::bind(path).unwrap()));
    scene.refused(&["media.not-regular"]);
}

#[test]
fn a_device() {
    if !is_root("making a device") {
        return;
    }
    // /dev/zero, from which reading would never end, and a disk that is not there.
    for numbers in [["c", "1", "5"], ["b", "259", "999"]] {
        let scene = instead_of_config(|path| {
            let made = Command::new("mknod").arg(path).args(numbers).status().unwrap();
            assert!(made.success(), "mknod {numbers:?}");
        });
        scene.refused(&["media.not-regular"]);
    }
}

#[test]
fn a_hard_link_is_an_ordinary_file() {
    let scene = Scene::signed();
    fs::hard_link(scene.model.join("config.json"), scene.path("another name")).unwrap();
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn a_name_on_the_carrier_that_is_not_utf_8() {
    let scene = Scene::signed();
    fs::write(scene.model.join(OsStr::from_bytes(b"bad\xff.json")), "{}").unwrap();
    scene.refused(&["media.name"]);
}

#[test]
fn a_mount_in_the_model() {
    if !is_root("mounting") {
        return;
    }
    let scene = Scene::unsigned();
    let folder = files::folder(scene.model.join("sub"));
    files::public(folder.join("more.json"), "{}");
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let script = r#"
        mount -t tmpfs tmpfs "$FOLDER"
        printf '{}' > "$FOLDER/more.json"
        "$APPLIANCE" ingest "$CARRIER" --config "$CONFIG" --json"#;
    let outcome = in_namespace(
        script,
        &[("FOLDER", &folder), ("CARRIER", &scene.carrier), ("CONFIG", &scene.station.config)],
    );
    let document = json::conforming(&json::INGEST, outcome.expect_status(1).json());
    assert_eq!(json::codes(&document["models"][0]["reasons"]), ["media.mount-crossing"]);
    assert_eq!(oms_tests::entry::files(&scene.station.outbound).len(), 2);
}

/// A model with one large file, and no rule about its content.
fn large() -> Scene {
    let scene = Scene::with_policy(&any_content());
    files::folder(&scene.model);
    File::create(scene.model.join("large.bin")).unwrap().set_len(LONG).unwrap();
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

/// Runs `check` while another thread changes the large file without pause.
fn while_it_changes(scene: &Scene, change: impl Fn(&mut File) + Sync, check: impl FnOnce()) {
    let path = scene.model.join("large.bin");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            while !done.load(Ordering::Relaxed) {
                change(&mut file);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        // Ends the thread even when the check panics.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&done);
        check();
    });
}

#[test]
fn a_file_that_grows_while_it_is_read() {
    let scene = large();
    let grow = |file: &mut File| file.write_all(b"x").unwrap();
    while_it_changes(&scene, grow, || {
        scene.refused(&["media.changed"]);
    });
}

#[test]
fn a_file_that_shrinks_while_it_is_read() {
    let scene = large();
    let shrink = |file: &mut File| {
        let length = file.metadata().unwrap().len();
        file.set_len(length - 1).unwrap();
    };
    while_it_changes(&scene, shrink, || {
        scene.refused(&["media.changed"]);
    });
}

#[test]
fn a_file_that_is_written_to_in_place_while_it_is_read() {
    let scene = large();
    let other = OpenOptions::new().write(true).open(scene.model.join("large.bin")).unwrap();
    // The bytes are the ones that were signed: only the time of the change tells.
    let write = |_: &mut File| {
        std::os::unix::fs::FileExt::write_all_at(&other, b"\0", LONG - 1).unwrap();
    };
    while_it_changes(&scene, write, || {
        scene.refused(&["media.changed"]);
    });
}

#[test]
fn a_carrier_that_is_not_there_or_is_no_folder() {
    let scene = Scene::signed();
    for carrier in [scene.path("absent"), scene.model.join(model::WEIGHTS)] {
        let mut ingest = oms_tests::scene::appliance();
        ingest.arg("ingest").arg(carrier).arg("--config").arg(&scene.station.config).arg("--json");
        scene.ends_undecided(&mut ingest, 2, "media.not-found");
    }
}
