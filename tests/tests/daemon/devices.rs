//! Disks that are plugged in while the daemon waits: mounted by it, read, and let go. As root, on
//! loop devices.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use oms_sys::block::BlockDevice;
use oms_testkit::{files, model, run};
use oms_tests::disk::Plugged;
use oms_tests::image::{Image, Kind};
use oms_tests::mounts::{Need, privately, tmpfs};
use oms_tests::scene::Scene;
use oms_tests::{entry, journal, json};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::station::{Daemon, with_hot_folder};

/// Has the station take every device, where none other than `plugged` is in `/dev`: whatever else
/// this machine has is not the test's.
pub(crate) fn take_devices(scene: &Scene, plugged: &[&Plugged]) {
    scene.configure(
        "[carriers]\n",
        "[carriers]\nblock-devices = \"all\"\nfile-systems = [\"vfat\", \"ext4\"]\n",
    );
    let found = plugged.iter().map(|one| (one.device.clone(), fs::metadata(&one.device).unwrap()));
    let found: Vec<_> = found.collect();
    tmpfs(Path::new("/dev"), 1 << 20);
    let node = |path: &Path, kind, number| {
        mknodat(CWD, path, kind, Mode::RUSR, number).unwrap();
        // Whatever the umask is.
        fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
    };
    for (name, minor) in [("null", 3), ("zero", 5), ("urandom", 9)] {
        node(&Path::new("/dev").join(name), FileType::CharacterDevice, makedev(1, minor));
    }
    node(Path::new("/dev/fuse"), FileType::CharacterDevice, makedev(10, 229));
    for (path, found) in found {
        node(&path, FileType::BlockDevice, std::os::unix::fs::MetadataExt::rdev(&found));
    }
}

/// A daemon that takes the devices `plugged`. As a user who is nobody, with the two capabilities
/// that mounting takes.
pub(crate) fn with_devices(scene: &Scene, plugged: &[&Plugged]) -> Daemon {
    let _ = with_hot_folder(scene);
    take_devices(scene, plugged);
    let mut own = Command::new("chown");
    let _ = run::outcome(own.args(["-R", "65534:65534"]).arg(scene.path(""))).expect_status(0);
    start(scene)
}

/// The same, once all is set up for it.
fn start(scene: &Scene) -> Daemon {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    for set in ["--bounding-set", "--inh-caps", "--ambient-caps"] {
        command.arg(format!("{set}=-all,+sys_admin,+setpcap"));
    }
    command.arg(run::command().get_program());
    Daemon::start_with(scene, command)
}

/// What is said about a device when it is done, whether it may be pulled or not.
pub(crate) fn served(daemon: &Daemon, plugged: &Plugged) -> Value {
    let name = format!("{},", plugged.name());
    let find = |status: &Value| {
        let carriers = status["carriers"].as_array().unwrap();
        let mut found =
            carriers.iter().filter(|one| one["source"].as_str().unwrap().starts_with(&name));
        found.find(|one| one["mayBePulled"] == true).cloned()
    };
    find(&daemon.until("served", |status| find(status).is_some())).unwrap()
}

/// An image of a FAT with everything in `folder`.
fn fat(folder: &Path, path: &Path) {
    File::create(path).unwrap().set_len(16 << 20).unwrap();
    let _ = run::outcome(Command::new("mkfs.vfat").arg(path)).expect_status(0);
    for entry in fs::read_dir(folder).unwrap() {
        let mut copy = Command::new("mcopy");
        copy.args(["-s", "-i"]).arg(path).arg(entry.unwrap().path()).arg("::");
        let _ = run::outcome(&mut copy).expect_status(0);
    }
}

#[test]
fn disks_are_served_and_may_be_pulled() {
    privately(&[Need::Ext4, Need::Fuse, Need::FusePrograms], || {
        let scene = Scene::signed();
        let bad = files::folder(scene.path("bad"));
        // Long names: those of eight letters and three lose their case where fusefat reads them.
        let folder = model::write(bad.join("other-model"), 30_000);
        scene.sign(&folder, &folder.join("other-model.sig"), &[]);
        model::flip_weight_bit(&folder);
        let (good, stick) = (scene.path("good.img"), scene.path("stick.img"));
        let _ = Image::of(Kind::Ext4, &scene.carrier, &good);
        fat(&bad, &stick);
        let (good, stick) = (Plugged::image(&good), Plugged::image(&stick));
        let daemon = with_devices(&scene, &[&good, &stick]);

        let told = served(&daemon, &good);
        assert_eq!((&told["passed"], &told["models"]), (&1.into(), &1.into()), "{told:#}");
        let told = served(&daemon, &stick);
        assert_eq!((&told["refused"], &told["models"]), (&1.into(), &1.into()), "{told:#}");
        for plugged in [&good, &stick] {
            assert!(BlockDevice::open_unused(&plugged.device).is_ok(), "nobody holds it");
            assert!(BlockDevice::open(&plugged.device).unwrap().is_read_only().unwrap());
        }
        let passed = scene.station.entries().into_iter().find(|name| name.ends_with("-passed"));
        assert!(entry::files(&scene.station.outbound.join(passed.unwrap())).len() > 4);
        let columns = "SELECT kind || ' ' || state FROM carrier";
        assert!(
            journal::column(&scene.station.state, columns)
                .iter()
                .filter(|told| *told == "device released")
                .count()
                >= 2
        );
        daemon.stop();
    });
}

#[test]
fn a_disk_that_cannot_be_used_is_told_and_the_next_is_served() {
    privately(&[Need::Squashfs, Need::Ext4], || {
        let scene = Scene::signed();
        let (other, good) = (scene.path("other.img"), scene.path("good.img"));
        let _ = Image::of(Kind::Squashfs, &scene.carrier, &other);
        let _ = Image::of(Kind::Ext4, &scene.carrier, &good);
        let (other, good) = (Plugged::image(&other), Plugged::image(&good));
        let daemon = with_devices(&scene, &[&other, &good]);
        let told = served(&daemon, &other);
        assert_eq!(json::codes(&told["reasons"]), ["carrier.file-system"], "{told:#}");
        assert_eq!(served(&daemon, &good)["passed"], 1);
        assert_eq!(scene.station.entries().len(), 1);
        daemon.stop();
    });
}

#[test]
fn whoever_is_killed_while_a_disk_is_read_the_disk_is_free_afterwards() {
    privately(&[Need::Ext4], || {
        let scene = Scene::signed();
        let path = scene.path("long.img");
        // Zeros that take no room, and longer to read than a test needs.
        let image = Image::of(Kind::Ext4, &scene.carrier, &path);
        image.set_size("demo/model.safetensors", 8 << 30);
        let disk = Plugged::image(&path);
        let is_reading = |status: &Value| {
            let mut carriers = status["carriers"].as_array().unwrap().iter();
            carriers.any(|one| one["reading"]["progress"]["bytes"].as_u64() > Some(0))
        };
        let daemon = with_devices(&scene, &[&disk]);
        daemon.until("reading", is_reading);
        assert!(BlockDevice::open_unused(&disk.device).is_err(), "it is mounted");
        daemon.signal(Signal::KILL);
        assert_eq!(daemon.ended(), None);
        is_free(&disk);

        let daemon = start(&scene);
        daemon.until("reading", is_reading);
        let processes = daemon.processes();
        let copier = processes.iter().find(|(_, line)| line.contains("role copier")).unwrap();
        kill_process(Pid::from_raw(copier.0).unwrap(), Signal::KILL).unwrap();
        let told = served(&daemon, &disk);
        assert_eq!((&told["undecided"], &told["models"]), (&1.into(), &1.into()), "{told:#}");
        // Besides what nobody may read on an ext4: its lost+found.
        let codes = json::codes(&told["reasons"]);
        assert!(codes.iter().any(|code| code == "process.failed"), "{told:#}");
        assert!(BlockDevice::open_unused(&disk.device).is_ok(), "nobody holds it");
        daemon.stop();
        assert_eq!((scene.station.entries().len(), spooled(&scene)), (0, 0));
    });
}

/// Nobody uses the device any more, as soon as the kernel has ended who did.
fn is_free(plugged: &Plugged) {
    let start = Instant::now();
    while let Err(error) = BlockDevice::open_unused(&plugged.device) {
        assert!(start.elapsed() < Duration::from_secs(10), "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn spooled(scene: &Scene) -> usize {
    fs::read_dir(&scene.station.spool).unwrap().count()
}
