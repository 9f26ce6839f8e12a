//! The processes that a device needs are killed: the mounter, and the program that reads it. Whatever
//! the moment, nothing of the device stays in use, and it can be opened again.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oms_station::cancel::Cancel;
use oms_sys::block::BlockDevice;
use oms_sys::superblock::FileSystem;
use oms_tests::dice::Dice;
use oms_tests::disk::Plugged;
use oms_tests::mounts::{Need, privately};
use oms_verify::reason::Code;
use rustix::process::{Pid, Signal, kill_process};

use crate::cases::{arrival, content, means};
use crate::images::{CONTENT, FILE, image};

/// How often something is killed while a device is opened.
const TIMES: u64 = 12;
/// How long the kernel may take to let go of what a killed process held.
const MOMENT: Duration = Duration::from_secs(10);

pub(crate) fn a_process_that_is_killed_while_it_opens_a_device_leaves_it_free() {
    privately(&[Need::Ext4, Need::Fuse, Need::FusePrograms], || {
        for (kind, role) in [
            (FileSystem::Ext4, "mounter"),
            (FileSystem::Vfat, "mounter"),
            (FileSystem::Vfat, "program"),
            (FileSystem::Ntfs, "program"),
        ] {
            println!("    {kind}: {role}");
            let dir = tempfile::tempdir().unwrap();
            let plugged = Plugged::image(&image(kind, &dir));
            let mut struck = 0;
            for time in 0..TIMES {
                // Half of the times at once, before it has said anything.
                let age = Dice::new(time).moment(Duration::from_millis(2 * (time % 2) * time));
                struck += u64::from(opened_while(role, age, &plugged, kind));
                is_free(&plugged);
            }
            assert!(struck > 0, "{kind}: {role} was never killed");
            assert_eq!(content(&arrival(&plugged), kind), CONTENT, "{kind}: and now in peace");
        }
    });
}

pub(crate) fn a_program_that_is_killed_while_it_is_read_lets_go() {
    privately(&[Need::Fuse, Need::FusePrograms], || {
        for kind in [FileSystem::Vfat, FileSystem::Ntfs] {
            println!("    {kind}");
            let dir = tempfile::tempdir().unwrap();
            let plugged = Plugged::image(&image(kind, &dir));
            let carrier = arrival(&plugged).open(&means(&[kind]), &Cancel::default()).unwrap();
            assert!(carrier.root().file(FILE).is_ok());
            let program = *children("/proc/self/fd/").first().unwrap();
            kill_process(program, Signal::KILL).unwrap();
            let start = Instant::now();
            while carrier.root().file(FILE).is_ok() {
                assert!(start.elapsed() < MOMENT, "{kind} is read though nobody serves it");
            }
            carrier.release().unwrap();
            is_free(&plugged);
            assert_eq!(content(&arrival(&plugged), kind), CONTENT, "{kind}: another program");
        }
    });
}

/// Opens a device and lets it go, while a process of this role is killed at this age. Says whether
/// one was.
fn opened_while(role: &str, age: Duration, plugged: &Plugged, kind: FileSystem) -> bool {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if let Some(found) = children(&format!("role\0{role}")).first() {
                    std::thread::sleep(age);
                    return kill_process(*found, Signal::KILL).is_ok();
                }
            }
            false
        });
        match arrival(plugged).open(&means(&[kind]), &Cancel::default()) {
            Ok(carrier) => carrier.release().unwrap(),
            Err(reason) => {
                let codes = [Code::StationProcess, Code::CarrierMount, Code::MediaUnreadable];
                assert!(codes.contains(&reason.code), "{reason}");
                // Its end is seen, instead of being waited for as if it hung.
                assert!(!reason.detail.contains("in time"), "{reason}");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        killer.join().unwrap()
    })
}

/// The processes that this one started and whose command line has this in it.
fn children(with: &str) -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let told = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let told: Vec<String> = told.collect();
    let pids = told.iter().flat_map(|told| told.split_whitespace());
    let is_it = |pid: &&str| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(with)
    };
    pids.filter(is_it).filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Nobody uses the device, nothing of it is mounted, and no process is left.
fn is_free(plugged: &Plugged) {
    let start = Instant::now();
    while let Err(error) = BlockDevice::open_unused(&plugged.device) {
        assert!(start.elapsed() < MOMENT, "{}: {error}", plugged.device.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let device = plugged.device.display().to_string();
    assert!(!mounts.contains(&format!("{device} ")), "{mounts}");
    for left in ["role\0", "/proc/self/fd/"] {
        assert!(children(left).is_empty(), "{left} is left behind");
    }
}
