//! Decisions about made-up machines: a folder of sysfs that the test writes.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

const ROOT: Place = Place { mount: 1, device: (8, 1), is_mount_root: true };
const EXT4: Mount = Mount { file_system: "ext4", source: "/dev/x" };

/// A folder of a mount.
fn inside(device: Device) -> Place {
    Place { mount: 7, device, is_mount_root: false }
}

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("dev/block")).unwrap();
        Machine(dir)
    }

    fn device(&self, (major, minor): Device, folder: &str) -> &Self {
        let folder = self.0.path().join("devices").join(folder);
        fs::create_dir_all(&folder).unwrap();
        symlink(folder, self.0.path().join(format!("dev/block/{major}:{minor}"))).unwrap();
        self
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        fs::write(self.0.path().join("devices").join(file), text).unwrap();
        self
    }

    fn slave(&self, folder: &str, of: &str) -> &Self {
        let slaves = self.0.path().join("devices").join(folder).join("slaves");
        fs::create_dir_all(&slaves).unwrap();
        let name = of.rsplit('/').next().unwrap();
        symlink(self.0.path().join("devices").join(of), slaves.join(name)).unwrap();
        self
    }

    fn decide(&self, place: Place, mount: &Mount) -> Option<Carrier> {
        decide(place, mount, None, &[ROOT], self.0.path())
    }
}

#[test]
fn a_folder_on_a_fixed_disk_is_on_no_carrier() {
    let machine = Machine::new();
    machine.device((8, 3), "pci0/ata1/block/sda/sda3").write("pci0/ata1/block/sda/removable", "0");
    assert_eq!(machine.decide(inside((8, 3)), &EXT4), None);
    assert_eq!(machine.decide(inside((0, 42)), &EXT4), None, "no block device");
}

#[test]
fn a_stick_says_that_its_medium_can_be_taken_out() {
    let machine = Machine::new();
    machine.device((8, 17), "pci0/x/block/sdb/sdb1").write("pci0/x/block/sdb/removable", "1\n");
    assert_eq!(machine.decide(inside((8, 17)), &EXT4), Some(Carrier::Device((8, 17))));
}

#[test]
fn a_disk_that_says_it_is_fixed_may_hang_on_a_bus() {
    for bus in ["usb2/2-1", "mmc_host/mmc0", "fw1/fw1.0", "ieee1394", "thunderbolt0"] {
        let machine = Machine::new();
        let disk = format!("pci0/{bus}/host3/block/sdb");
        machine.device((8, 17), &format!("{disk}/sdb1")).write(&format!("{disk}/removable"), "0");
        let carrier = Some(Carrier::Device((8, 17)));
        assert_eq!(machine.decide(inside((8, 17)), &EXT4), carrier, "{bus}");
    }
    // So says the port of a disk behind Thunderbolt.
    let machine = Machine::new();
    machine.device((259, 1), "pci0/0000:05/nvme1n1").write("pci0/0000:05/removable", "removable\n");
    assert_eq!(machine.decide(inside((259, 1)), &EXT4), Some(Carrier::Device((259, 1))));
}

#[test]
fn an_encrypted_disk_is_what_it_is_made_of() {
    let machine = Machine::new();
    machine
        .device((253, 1), "virtual/block/dm-1")
        .device((253, 2), "virtual/block/dm-2")
        .device((8, 17), "pci0/usb2/block/sdb/sdb1")
        .device((9, 1), "virtual/block/md0/md0p1")
        .slave("virtual/block/dm-1", "virtual/block/dm-2")
        .slave("virtual/block/dm-2", "pci0/usb2/block/sdb/sdb1")
        .slave("virtual/block/md0", "virtual/block/dm-1");
    for device in [(253, 2), (253, 1), (9, 1)] {
        let carrier = Some(Carrier::Device(device));
        assert_eq!(machine.decide(inside(device), &EXT4), carrier, "{device:?}");
    }
}

#[test]
fn a_ring_of_devices_ends() {
    let machine = Machine::new();
    machine
        .device((253, 1), "virtual/block/dm-1")
        .slave("virtual/block/dm-1", "virtual/block/dm-1");
    assert_eq!(machine.decide(inside((253, 1)), &EXT4), None);
}

#[test]
fn a_file_system_with_a_number_of_its_own_is_found_by_its_source() {
    let machine = Machine::new();
    machine.device((8, 17), "pci0/usb2/block/sdb/sdb1");
    let place = inside((0, 50));
    let decided = decide(place, &EXT4, Some((8, 17)), &[ROOT], machine.0.path());
    assert_eq!(decided, Some(Carrier::Device((0, 50))));
}

#[test]
fn carriers_have_file_systems_of_their_own() {
    let machine = Machine::new();
    for file_system in FILE_SYSTEMS {
        let mount = Mount { file_system, source: "/dev/x" };
        let carrier = Some(Carrier::Device((8, 3)));
        assert_eq!(machine.decide(inside((8, 3)), &mount), carrier, "{file_system}");
    }
}

#[test]
fn a_whole_mount_is_a_carrier() {
    let machine = Machine::new();
    let place = Place { is_mount_root: true, ..inside((8, 3)) };
    assert_eq!(machine.decide(place, &EXT4), Some(Carrier::Mount(7)));
}

#[test]
fn the_machines_own_disk_is_no_carrier_whatever_it_hangs_on() {
    let machine = Machine::new();
    machine.device((8, 1), "pci0/usb1/block/sda/sda1");
    assert_eq!(machine.decide(ROOT, &EXT4), None);
    // A folder of it that is mounted elsewhere is forbidden as that mount only.
    assert_eq!(machine.decide(inside((8, 1)), &EXT4), None);
    let bound = Place { is_mount_root: true, ..inside((8, 1)) };
    assert_eq!(machine.decide(bound, &EXT4), Some(Carrier::Mount(7)));
}

#[test]
fn a_mount_is_found_by_its_number() {
    let text = "27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
                28 27 8:17 / /media/a\\040b rw,nosuid shared:3 master:1 - vfat /dev/sdb1 rw\n";
    let found = Mount { file_system: "vfat", source: "/dev/sdb1" };
    assert_eq!(Mount::find(text, 28), Some(found));
    assert_eq!(Mount::find(text, 2), None);
}

#[test]
fn every_mount_of_a_carriers_device_is_on_the_carrier() {
    let elsewhere = Place { mount: 8, ..inside((8, 17)) };
    assert!(elsewhere.is_on(Carrier::Device((8, 17))));
    assert!(!elsewhere.is_on(Carrier::Mount(7)));
    assert!(inside((8, 17)).is_on(Carrier::Mount(7)));
}
