//! What the kernel does with a device: read-only, bounds, mounts without a path, what it tells.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use oms_sys::block::{BlockDevice, BlockError};
use oms_sys::mount::{MountError, detached};
use oms_sys::superblock::{self, FileSystem, HEAD_BYTES, UnknownFileSystem, identify};
use oms_sys::uevent::{Action, Event, Heard, Listener};
use oms_testkit::run;
use oms_tests::disk::Plugged;
use oms_tests::image::{Image, Kind};
use oms_tests::mounts::{Memory, Need, privately};
use rustix::fs::{AtFlags, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat, statat};
use rustix::io::Errno;
use tempfile::TempDir;

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("files")).unwrap();
    fs::write(dir.path().join("files/weights.bin"), "weights").unwrap();
    std::os::unix::fs::symlink("weights.bin", dir.path().join("files/link")).unwrap();
    dir
}

fn image(kind: Kind, dir: &TempDir) -> PathBuf {
    let path = dir.path().join(format!("{kind:?}.img"));
    Image::of(kind, &dir.path().join("files"), &path).path
}

/// An ext4 with a journal that holds a change which is not in its place yet.
fn with_dirty_journal(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("dirty.img");
    File::create(&path).unwrap().set_len(16 << 20).unwrap();
    let _ = run::outcome(
        Command::new("mkfs.ext4").args(["-q", "-d"]).arg(dir.path().join("files")).arg(&path),
    )
    .expect_status(0);
    let requests = dir.path().join("requests");
    fs::write(&requests, "jo\njw -b 1000 /dev/zero\njc\n").unwrap();
    let _ = run::outcome(Command::new("debugfs").args(["-w", "-f"]).arg(&requests).arg(&path))
        .expect_status(0);
    let head = fs::read(&path).unwrap();
    assert_eq!(head[1024 + 0x60] & 4, 4, "the journal is to be replayed");
    path
}

fn read(mount: &OwnedFd, name: &str) -> Result<Vec<u8>, Errno> {
    let fd = openat(mount, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = vec![0; 100];
    let length = rustix::io::read(&fd, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn mounted(device: &Path, kind: FileSystem) -> Result<OwnedFd, MountError> {
    let device = BlockDevice::open(device).unwrap();
    device.set_read_only().unwrap();
    detached(&device, kind)
}

#[test]
fn a_device_is_read_only_before_anything_else_and_stays_so() {
    privately(&[Need::Ext4], || {
        let dir = folder();
        let plugged = Plugged::image(&image(Kind::Ext4, &dir));
        let device = BlockDevice::open(&plugged.device).unwrap();
        assert!(!device.is_read_only().unwrap());
        device.set_read_only().unwrap();
        assert!(device.is_read_only().unwrap());
        assert_eq!(device.bytes().unwrap(), 16 << 20);
        // Also for whoever opens it for writing.
        let opened = OpenOptions::new().write(true).open(&plugged.device);
        let written =
            opened.and_then(|mut file| file.write_all(b"x").and_then(|()| file.sync_all()));
        assert!(written.is_err());
    });
}

#[test]
fn what_is_mounted_cannot_be_written_executed_or_followed_and_has_no_path() {
    privately(&[Need::Ext4, Need::Squashfs], || {
        let dir = folder();
        for (kind, expected) in
            [(Kind::Ext4, FileSystem::Ext4), (Kind::Squashfs, FileSystem::Squashfs)]
        {
            let plugged = Plugged::image(&image(kind, &dir));
            let head = BlockDevice::open(&plugged.device).unwrap().head(HEAD_BYTES).unwrap();
            assert_eq!(identify(&head), Ok(expected));
            let mount = mounted(&plugged.device, expected).unwrap();
            assert_eq!(read(&mount, "weights.bin").unwrap(), b"weights");
            assert_eq!(read(&mount, "link").unwrap_err(), Errno::LOOP);
            let made = openat(&mount, "new", OFlags::WRONLY | OFlags::CREATE, Mode::RWXU);
            assert_eq!(made.unwrap_err(), Errno::ROFS);
            let flags = fstatvfs(&mount).unwrap().f_flag;
            let wanted = StatVfsMountFlags::RDONLY
                | StatVfsMountFlags::NOSUID
                | StatVfsMountFlags::NODEV
                | StatVfsMountFlags::NOEXEC;
            assert!(flags.contains(wanted), "{flags:?}");
            let name = plugged.device.to_str().unwrap();
            assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(name));
            // In use as long as it is open, and not a moment longer.
            assert!(matches!(BlockDevice::open_unused(&plugged.device), Err(BlockError::InUse)));
            drop(mount);
            // The kernel lets go of it when it gets to it.
            let is_free = |_: &u32| {
                let opened = BlockDevice::open_unused(&plugged.device);
                if opened.is_err() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                opened.is_ok()
            };
            assert!((0..250).find(is_free).is_some());
        }
    });
}

#[test]
fn a_journal_is_not_replayed() {
    privately(&[Need::Ext4], || {
        let dir = folder();
        let path = with_dirty_journal(&dir);
        let before = fs::read(&path).unwrap();
        let plugged = Plugged::image(&path);
        let mount = mounted(&plugged.device, FileSystem::Ext4).unwrap();
        assert_eq!(read(&mount, "weights.bin").unwrap(), b"weights");
        drop(mount);
        drop(plugged);
        assert!(fs::read(&path).unwrap() == before, "not one byte of the image has changed");
    });
}

#[test]
fn a_superblock_cannot_ask_for_the_machine_to_stop() {
    privately(&[Need::Ext4], || {
        let dir = folder();
        let path = image(Kind::Ext4, &dir);
        let _ =
            run::outcome(Command::new("tune2fs").args(["-e", "panic"]).arg(&path)).expect_status(0);
        let plugged = Plugged::image(&path);
        let mount = mounted(&plugged.device, FileSystem::Ext4).unwrap();
        // The kernel tells how a detached mount was made to who holds it.
        let told = statat(&mount, ".", AtFlags::empty()).unwrap();
        let sysfs = format!("/sys/fs/ext4/{}", plugged.name());
        assert!(told.st_ino == 2 && Path::new(&sysfs).exists());
        let options =
            fs::read_to_string(format!("/proc/fs/ext4/{}/options", plugged.name())).unwrap();
        assert!(options.lines().any(|line| line == "errors=remount-ro"), "{options}");
    });
}

#[test]
fn damaged_file_systems_are_refused_with_the_kernels_words() {
    privately(&[Need::Ext4, Need::Squashfs], || {
        let dir = folder();
        for (kind, expected, offset) in [
            (Kind::Ext4, FileSystem::Ext4, 1024 + 0x18),
            (Kind::Squashfs, FileSystem::Squashfs, 0x0c),
        ] {
            let path = image(kind, &dir);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[0xa5; 8], offset).unwrap();
            let plugged = Plugged::image(&path);
            let told = mounted(&plugged.device, expected).unwrap_err();
            assert!(matches!(told, MountError::Refused { .. }), "{told}");
            assert!(told.to_string().starts_with(&format!("the {expected} cannot be mounted: ")));
        }
        let plugged = Plugged::image(&image(Kind::Ext4, &dir));
        let told = mounted(&plugged.device, FileSystem::Squashfs).unwrap_err().to_string();
        assert!(
            told.contains("squashfs") && told.contains("Can't find"),
            "its driver's words: {told}"
        );
    });
}

#[test]
fn a_device_that_claims_an_exbibyte_is_told_and_not_read() {
    privately(&[Need::Ext4], || {
        let memory = Memory::new();
        let path = memory.path().join("claims");
        File::create(&path).unwrap().set_len(1 << 60).unwrap();
        let plugged = Plugged::image(&path);
        let device = BlockDevice::open(&plugged.device).unwrap();
        let told = device.bytes().unwrap_err();
        assert!(matches!(told, BlockError::TooLarge(bytes) if bytes == 1 << 60), "{told}");
        File::create(&path).unwrap().set_len(0).unwrap();
    });
}

#[test]
fn an_image_with_two_signatures_is_nobodys() {
    privately(&[Need::Ext4], || {
        let dir = folder();
        let path = image(Kind::Ext4, &dir);
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"hsqs", 0).unwrap();
        let plugged = Plugged::image(&path);
        let head = BlockDevice::open(&plugged.device).unwrap().head(HEAD_BYTES).unwrap();
        let told = identify(&head).unwrap_err();
        assert!(matches!(told, UnknownFileSystem::Several(_)), "{told}");
        assert_eq!(superblock::signatures(&head).len(), 2);
    });
}

#[test]
fn a_folder_that_is_its_own_parent_ends_nothing() {
    privately(&[Need::Ext4], || {
        let dir = folder();
        fs::create_dir(dir.path().join("files/inner")).unwrap();
        let path = image(Kind::Ext4, &dir);
        // A hard link of the root folder inside a folder of it.
        let _ = run::outcome(
            Command::new("debugfs").args(["-w", "-R", "ln <2> /inner/loop"]).arg(&path),
        )
        .expect_status(0);
        let plugged = Plugged::image(&path);
        let mount = mounted(&plugged.device, FileSystem::Ext4).unwrap();
        assert!(statat(&mount, "inner", AtFlags::empty()).is_ok());
        // The kernel refuses a second way to a folder that is open, or shows it once more.
        let _ = statat(&mount, "inner/loop/inner/loop", AtFlags::empty());
    });
}

#[test]
fn the_kernel_tells_of_devices_and_their_partitions() {
    privately(&[Need::Ext4], || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("two.img");
        File::create(&path).unwrap().set_len(32 << 20).unwrap();
        let listener = Listener::open().unwrap();
        let plugged = Plugged::image(&path);
        let name = plugged.name();
        let about = |wanted: &dyn Fn(&Event) -> bool| {
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                match listener.hear(Some(deadline)).unwrap() {
                    Heard::Event(event) if wanted(&event) => return event,
                    Heard::Nothing => panic!("nothing was told about {name}"),
                    _ => {}
                }
            }
        };
        let event = about(&|event| event.name == name && event.action == Action::Change);
        let device = BlockDevice::open(&plugged.device).unwrap();
        assert_eq!(event.number, device.number().unwrap());
        assert!(!event.is_partition);
        let mut add = Command::new("addpart");
        let _ = run::outcome(add.arg(&plugged.device).args(["1", "2048", "2048"])).expect_status(0);
        let part = format!("{name}p1");
        let event = about(&|event| event.name == part && event.action == Action::Add);
        assert!(event.is_partition);
        let mut remove = Command::new("delpart");
        let _ = run::outcome(remove.arg(&plugged.device).arg("1")).expect_status(0);
        let _ = about(&|event| event.name == part && event.action == Action::Remove);
        assert!(listener.as_fd().as_raw_fd() > 2);
    });
}
