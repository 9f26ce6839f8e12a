//! The cases.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use oms_station::cancel::Cancel;
use oms_station::carriers::{
    Arrival, BlockDevices, Device, Means, News, Settings, Source, Watch, devices,
};
use oms_sys::block::BlockDevice;
use oms_sys::superblock::FileSystem;
use oms_testkit::run;
use oms_tests::disk::Plugged;
use oms_tests::mounts::{Need, privately};
use oms_verify::reason::Code;
use tempfile::TempDir;

use crate::images::{CONTENT, FILE, empty, image};
use crate::killed;

/// Each with its name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("each_file_system_is_read_by_whoever_can", each_file_system_is_read_by_whoever_can),
    ("what_is_not_listed_is_not_mounted", what_is_not_listed_is_not_mounted),
    ("what_cannot_be_is_told", what_cannot_be_is_told),
    ("a_device_in_use_is_left_alone", a_device_in_use_is_left_alone),
    ("partitions_come_one_by_one", partitions_come_one_by_one),
    ("a_disk_is_told_of_and_taken_once", a_disk_is_told_of_and_taken_once),
    ("an_archive_is_unpacked_and_cleared_away", an_archive_is_unpacked_and_cleared_away),
    ("a_program_that_is_fed_rubbish_fails", a_program_that_is_fed_rubbish_fails),
    (
        "a_process_that_is_killed_while_it_opens_a_device_leaves_it_free",
        killed::a_process_that_is_killed_while_it_opens_a_device_leaves_it_free,
    ),
    (
        "a_program_that_is_killed_while_it_is_read_lets_go",
        killed::a_program_that_is_killed_while_it_is_read_lets_go,
    ),
];

pub(crate) fn means(file_systems: &[FileSystem]) -> Means {
    let (most_files, most_bytes) = (1_000, 1 << 20);
    let spool = std::env::temp_dir();
    Means {
        file_systems: file_systems.to_vec(),
        spool,
        most_files,
        most_bytes,
        insecure_no_sandbox: false,
    }
}

/// The device of a disk, as a scan finds it.
fn found(name: &str) -> Device {
    let all = devices::scan(Path::new("/sys"), BlockDevices::All).unwrap();
    all.into_iter().find(|device| device.name == name).unwrap_or_else(|| panic!("no {name}"))
}

pub(crate) fn arrival(plugged: &Plugged) -> Arrival {
    Arrival { source: Source::Device(found(&plugged.name())), identity: String::new() }
}

/// What is in the file of the carrier.
pub(crate) fn content(arrival: &Arrival, kind: FileSystem) -> String {
    let carrier = arrival
        .open(&means(&[kind]), &Cancel::default())
        .unwrap_or_else(|reason| panic!("{kind}: {reason}"));
    assert_eq!(carrier.file_system(), Some(kind));
    let file = carrier.root().file(FILE).map(|file| {
        let mut bytes = [0; 64];
        let length = file.as_file().read_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(bytes.get(..length).unwrap()).into_owned()
    });
    let entries: Vec<_> =
        carrier.root().entries(100).unwrap().into_iter().map(|e| e.name).collect();
    carrier.release().unwrap();
    file.unwrap_or_else(|error| format!("{error}: {entries:?}"))
}

fn each_file_system_is_read_by_whoever_can() {
    privately(&[Need::Ext4, Need::Squashfs, Need::Fuse, Need::FusePrograms], || {
        for kind in [FileSystem::Ext4, FileSystem::Squashfs, FileSystem::Vfat, FileSystem::Ntfs] {
            println!("    {kind}");
            let dir = tempfile::tempdir().unwrap();
            let path = image(kind, &dir);
            let before = fs::read(&path).unwrap();
            let plugged = Plugged::image(&path);
            assert_eq!(content(&arrival(&plugged), kind), CONTENT, "{kind}");
            let device = BlockDevice::open(&plugged.device).unwrap();
            assert!(device.is_read_only().unwrap(), "{kind}");
            drop((device, plugged));
            assert!(fs::read(&path).unwrap() == before, "{kind}: the image is as it was");
        }
        // Nothing here writes into an exFAT, so that an empty one has to do.
        println!("    exfat");
        let dir = tempfile::tempdir().unwrap();
        let plugged = Plugged::image(&image(FileSystem::Exfat, &dir));
        assert_eq!(content(&arrival(&plugged), FileSystem::Exfat), "there is no such file: []");
    });
}

fn refused(path: &Path, file_systems: &[FileSystem]) -> oms_verify::reason::Reason {
    let plugged = Plugged::image(path);
    arrival(&plugged).open(&means(file_systems), &Cancel::default()).unwrap_err()
}

fn what_is_not_listed_is_not_mounted() {
    privately(&[Need::Ext4], || {
        let dir = tempfile::tempdir().unwrap();
        let ext4 = image(FileSystem::Ext4, &dir);
        let reason = refused(&ext4, &[FileSystem::Vfat, FileSystem::Squashfs]);
        assert_eq!(reason.code, Code::CarrierFileSystem, "{reason}");
        assert!(reason.detail.contains("ext4"), "{reason}");
        let nothing = dir.path().join("nothing");
        empty(&nothing, 1);
        let reason = refused(&nothing, &FileSystem::ALL);
        assert_eq!(reason.code, Code::CarrierFileSystem, "{reason}");
        OpenOptions::new().write(true).open(&ext4).unwrap().write_all_at(b"hsqs", 0).unwrap();
        let reason = refused(&ext4, &FileSystem::ALL);
        assert_eq!(reason.code, Code::CarrierFileSystem, "{reason}");
        assert!(reason.detail.contains("ext4 and squashfs at once"), "{reason}");
        // One that neither the kernel nor a program reads here.
        let udf = dir.path().join("udf");
        empty(&udf, 1);
        OpenOptions::new().write(true).open(&udf).unwrap().write_all_at(b"NSR03", 0x8801).unwrap();
        let reason = refused(&udf, &FileSystem::ALL);
        assert_eq!(reason.code, Code::CarrierMount, "{reason}");
    });
}

fn what_cannot_be_is_told() {
    privately(&[Need::Ext4], || {
        let memory = oms_tests::mounts::Memory::new();
        let path = memory.path().join("claims");
        fs::File::create(&path).unwrap().set_len(1 << 60).unwrap();
        let plugged = Plugged::image(&path);
        let reason =
            arrival(&plugged).open(&means(&FileSystem::ALL), &Cancel::default()).unwrap_err();
        assert_eq!(reason.code, Code::CarrierDevice, "{reason}");
        assert!(reason.detail.contains("1152921504606846976"), "{reason}");
        drop(plugged);
        let dir = tempfile::tempdir().unwrap();
        let gone = arrival(&Plugged::image(&image(FileSystem::Ext4, &dir)));
        let reason = gone.open(&means(&FileSystem::ALL), &Cancel::default()).unwrap_err();
        assert!(
            matches!(
                reason.code,
                Code::CarrierDevice | Code::MediaUnreadable | Code::CarrierFileSystem
            ),
            "{reason}"
        );
    });
}

fn a_device_in_use_is_left_alone() {
    privately(&[Need::Ext4], || {
        let dir = tempfile::tempdir().unwrap();
        let plugged = Plugged::image(&image(FileSystem::Ext4, &dir));
        let at = dir.path().join("at");
        fs::create_dir(&at).unwrap();
        let _ = run::outcome(Command::new("mount").arg(&plugged.device).arg(&at)).expect_status(0);
        let reason =
            arrival(&plugged).open(&means(&FileSystem::ALL), &Cancel::default()).unwrap_err();
        assert_eq!(reason.code, Code::CarrierDevice, "{reason}");
        fs::write(at.join("still"), "writable").unwrap();
        oms_tests::mounts::detach(&at);
    });
}

/// A disk with two partitions, an ext4 and a squashfs.
fn partitioned(dir: &TempDir) -> std::path::PathBuf {
    let disk = dir.path().join("disk.img");
    empty(&disk, 64);
    let file = OpenOptions::new().write(true).open(&disk).unwrap();
    for (kind, offset) in [(FileSystem::Ext4, 1 << 20), (FileSystem::Squashfs, 32 << 20)] {
        file.write_all_at(&fs::read(image(kind, dir)).unwrap(), offset).unwrap();
    }
    disk
}

/// Has the kernel know the partitions; this one may not read any table.
fn with_partitions(plugged: &Plugged) {
    for (number, start, sectors) in [("1", "2048", "32768"), ("2", "65536", "32768")] {
        let mut add = Command::new("addpart");
        let add = add.arg(&plugged.device).args([number, start, sectors]);
        let _ = run::outcome(add).expect_status(0);
    }
}

fn partitions_come_one_by_one() {
    privately(&[Need::Ext4, Need::Squashfs], || {
        let dir = tempfile::tempdir().unwrap();
        let plugged = Plugged::image(&partitioned(&dir));
        with_partitions(&plugged);
        let name = plugged.name();
        let all = devices::scan(Path::new("/sys"), BlockDevices::All).unwrap();
        let parts: Vec<_> = all.into_iter().filter(|d| d.name.starts_with(&name)).collect();
        let names: Vec<_> = parts.iter().map(|part| part.name.clone()).collect();
        assert_eq!(names, [format!("{name}p1"), format!("{name}p2")], "and not the disk itself");
        let arrivals: Vec<_> = parts
            .into_iter()
            .map(|device| Arrival { source: Source::Device(device), identity: String::new() })
            .collect();
        // Side by side.
        let [one, two] = arrivals.as_slice() else { panic!("{arrivals:?}") };
        let first = one.open(&means(&[FileSystem::Ext4]), &Cancel::default()).unwrap();
        assert_eq!(content(two, FileSystem::Squashfs), CONTENT);
        assert!(first.root().file(FILE).is_ok());
        first.release().unwrap();
        assert!(
            BlockDevice::open(&plugged.device).unwrap().is_read_only().unwrap(),
            "the disk, too"
        );
    });
}

fn a_disk_is_told_of_and_taken_once() {
    privately(&[Need::Ext4, Need::Squashfs], || {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            block_devices: BlockDevices::All,
            settle: Duration::from_secs(1),
            ..Settings::default()
        };
        let mut watch = Watch::open(&settings).unwrap();
        let mut about = |name: &str, seconds| {
            let until = Instant::now() + Duration::from_secs(seconds);
            let mut told = Vec::new();
            while let Some(news) = watch.next(until).unwrap() {
                match news {
                    News::Arrived(Arrival { source: Source::Device(device), identity })
                        if device.name.starts_with(name) =>
                    {
                        told.push((device.name, identity))
                    }
                    _ => {}
                }
            }
            told
        };
        let plugged = Plugged::image(&image(FileSystem::Ext4, &dir));
        let name = plugged.name();
        let first = about(&name, 4);
        assert!(matches!(first.as_slice(), [(told, _)] if *told == name), "{first:?}");
        assert!(about(&name, 3).is_empty(), "once");
        drop(plugged);
        let plugged = Plugged::image(&partitioned(&dir));
        with_partitions(&plugged);
        let second = about(&plugged.name(), 4);
        assert_eq!(second.len(), 2, "the partitions and not the disk: {second:?}");
        assert!(second.iter().all(|(_, identity)| *identity != first.first().unwrap().1));
    });
}

fn a_program_that_is_fed_rubbish_fails() {
    privately(&[Need::Ext4, Need::Fuse, Need::FusePrograms], || {
        for kind in [FileSystem::Exfat, FileSystem::Ntfs] {
            let dir = tempfile::tempdir().unwrap();
            let path = image(kind, &dir);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[0xa5; 400], 64).unwrap();
            let reason = refused(&path, &FileSystem::ALL);
            assert_eq!(reason.code, Code::CarrierMount, "{kind}: {reason}");
        }
    });
}

fn an_archive_is_unpacked_and_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let (hot, spool) = (dir.path().join("hot"), dir.path().join("spool"));
    fs::create_dir_all(dir.path().join("model")).unwrap();
    fs::create_dir(&hot).unwrap();
    fs::create_dir(&spool).unwrap();
    fs::write(dir.path().join("model").join(FILE), CONTENT).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar.arg("-cf").arg(hot.join("a.tar")).arg("-C").arg(dir.path()).arg("model");
    let _ = run::outcome(tar).expect_status(0);
    let settle = Duration::from_millis(100);
    let settings = Settings { hot_folders: vec![hot.clone()], settle, ..Settings::default() };
    let mut watch = Watch::open(&settings).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let Some(News::Arrived(arrival)) = watch.next(until).unwrap() else { panic!() };
    let means = Means { spool: spool.clone(), ..means(&[]) };
    let carrier = arrival.open(&means, &Cancel::default()).unwrap();
    assert!(carrier.root().file(&format!("model/{FILE}")).is_ok());
    carrier.release().unwrap();
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0);
    let reason =
        arrival.open(&Means { most_files: 1, ..means.clone() }, &Cancel::default()).unwrap_err();
    assert_eq!(reason.code, Code::CarrierArchive, "{reason}");
    let reason = arrival.open(&Means { most_bytes: 10, ..means }, &Cancel::default()).unwrap_err();
    assert_eq!(reason.code, Code::OutboundWrite, "{reason}");
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "after a failure, too");
    assert!(hot.join("a.tar").exists());
}
