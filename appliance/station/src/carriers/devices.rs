//! Which block devices are carriers, by what `/sys/class/block` says.
//!
//! A disk whose partitions are known is not a carrier itself: they are. What the disk says of itself
//! is shown and decides nothing.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use oms_sys::uevent::is_name;
use oms_verify::reason::Printable;

use super::settings::BlockDevices;

/// The most block devices that are looked at.
const MOST_DEVICES: usize = 4_096;

/// The most bytes of what sysfs says about anything.
const MOST_BYTES: u64 = 256;

/// A sector of the kernel, in bytes.
const SECTOR: u64 = 512;

/// Disks that are none to plug in: memory, and what is made of other devices.
const NEVER: &[&str] = &["ram", "zram", "dm-", "md", "drbd", "nbd", "zd"];

/// A block device with a medium in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// Its name in `/dev`, such as `sdb1`.
    pub name: String,
    /// The disk that it is a partition of.
    pub disk: Option<String>,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Its bytes, as it says.
    pub bytes: u64,
    /// The number of the plugging in: no two are alike as long as the machine runs.
    pub sequence: u64,
    /// What the disk calls itself.
    pub model: Option<String>,
    /// Its serial number, as it says.
    pub serial: Option<String>,
}

impl Device {
    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// The file of the disk that it is a partition of.
    #[must_use]
    pub fn disk_path(&self) -> Option<PathBuf> {
        self.disk.as_ref().map(|disk| Path::new("/dev").join(disk))
    }

    /// What tells this medium, in this drive, plugged in this time, from every other. `boot` is
    /// the identity of the running kernel.
    #[must_use]
    pub fn identity(&self, boot: &str) -> String {
        let (major, minor) = self.number;
        format!("device:{boot}:{}:{major}:{minor}", self.sequence)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.name))?;
        let said = [("", &self.model), ("serial ", &self.serial)];
        for (what, text) in said.iter().filter_map(|(what, text)| Some((what, text.as_ref()?))) {
            write!(f, ", {what}{}", Printable(text))?;
        }
        write!(f, ", {} bytes", self.bytes)
    }
}

/// What tells this run of the kernel from others.
///
/// # Errors
/// When the kernel does not say.
pub fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The devices that are carriers, according to the sysfs at `sysfs`, which is `/sys`, in the order
/// of their names. A device that goes away meanwhile is left out.
///
/// # Errors
/// When the folder of block devices cannot be read, or there are more than `MOST_DEVICES`.
pub fn scan(sysfs: &Path, which: BlockDevices) -> io::Result<Vec<Device>> {
    let mut devices = Vec::new();
    for (at, entry) in fs::read_dir(sysfs.join("class/block"))?.enumerate() {
        if at >= MOST_DEVICES {
            return Err(io::Error::other("there are too many block devices"));
        }
        let Ok(folder) = entry?.path().canonicalize() else { continue };
        // Partitions are found at their disk.
        if !folder.join("partition").exists() && is_wanted(&folder, which) {
            devices.extend(of_disk(&folder));
        }
    }
    devices.sort();
    Ok(devices)
}

/// Whether the disk of this folder is one to take.
fn is_wanted(folder: &Path, which: BlockDevices) -> bool {
    let name = name_of(folder);
    let is_hidden = said(folder, "hidden").is_some_and(|text| text == "1");
    if is_hidden || NEVER.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    match which {
        BlockDevices::None => false,
        BlockDevices::All => true,
        BlockDevices::Pluggable => {
            let on_usb = |part: &str| part.strip_prefix("usb").is_some_and(is_number);
            let on_cards = |part: &str| part.strip_prefix("mmc").is_some_and(is_number);
            let parts = || folder.components().filter_map(|part| part.as_os_str().to_str());
            // A chip that is soldered on hangs at a card's controller, too, and says so.
            let is_soldered = said(folder, "device/type").is_some_and(|kind| kind == "MMC");
            said(folder, "removable").is_some_and(|text| text == "1")
                || name.strip_prefix("sr").is_some_and(is_number)
                || parts().any(on_usb)
                || (parts().any(on_cards) && !is_soldered)
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The partitions of a disk, or the disk itself when there are none.
fn of_disk(disk: &Path) -> Vec<Device> {
    // What arrays and volumes are made of is theirs.
    let is_part_of_another = |folder: &Path| {
        fs::read_dir(folder.join("holders")).is_ok_and(|mut holders| holders.next().is_some())
    };
    let inside = fs::read_dir(disk).into_iter().flatten().flatten().map(|entry| entry.path());
    let partitions: Vec<PathBuf> =
        inside.filter(|path| path.join("partition").exists()).take(MOST_DEVICES).collect();
    let parts = if partitions.is_empty() { vec![disk.to_owned()] } else { partitions };
    let parts = parts.iter().filter(|folder| !is_part_of_another(folder));
    parts.filter_map(|folder| device(disk, folder)).collect()
}

/// The disk or one of its partitions; none without a medium.
fn device(disk: &Path, folder: &Path) -> Option<Device> {
    let name = Some(name_of(folder)).filter(|name| is_name(name))?;
    let number = said(folder, "dev")?;
    let (major, minor) = number.split_once(':')?;
    let sectors: u64 = said(folder, "size")?.parse().ok().filter(|sectors| *sectors > 0)?;
    Some(Device {
        // The kernel writes `!` in sysfs for a `/` of a name in `/dev`.
        name: name.replace('!', "/"),
        disk: (disk != folder).then(|| name_of(disk).replace('!', "/")),
        number: (major.parse().ok()?, minor.parse().ok()?),
        bytes: sectors.checked_mul(SECTOR)?,
        // Before Linux 5.15 there is none: then a medium counts as the same until it is removed.
        sequence: said(disk, "diskseq").and_then(|text| text.parse().ok()).unwrap_or(0),
        model: said(disk, "device/model").or_else(|| said(disk, "device/name")),
        serial: said(disk, "device/serial").or_else(|| usb_serial(disk)),
    })
}

/// The serial number of the USB device that a disk belongs to.
fn usb_serial(disk: &Path) -> Option<String> {
    let device = disk.ancestors().find(|folder| folder.join("idVendor").exists())?;
    said(device, "serial")
}

fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// One attribute, without the white space around it; none when it is absent or empty.
fn said(folder: &Path, attribute: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(folder.join(attribute)).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs of disks and partitions, each the path of its folder below `devices`.
    fn sysfs(devices: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("class/block")).unwrap();
        for (path, attributes) in devices {
            let folder = dir.path().join("devices").join(path);
            for (name, value) in *attributes {
                let file = folder.join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{value}\n")).unwrap();
            }
            symlink(&folder, dir.path().join("class/block").join(folder.file_name().unwrap()))
                .unwrap();
        }
        dir
    }

    fn names(dir: &tempfile::TempDir, which: BlockDevices) -> Vec<String> {
        scan(dir.path(), which).unwrap().into_iter().map(|device| device.name).collect()
    }

    const DISK: &[(&str, &str)] = &[("dev", "8:0"), ("size", "2048"), ("removable", "0")];
    const PART: &[(&str, &str)] = &[("dev", "8:1"), ("size", "1024"), ("partition", "1")];

    #[test]
    fn only_what_can_be_plugged_in_is_a_carrier_by_itself() {
        let dir = sysfs(&[
            ("pci0/ata1/host0/block/sda", DISK),
            ("pci0/usb1/1-1/host6/block/sdb", DISK),
            ("pci0/ata2/host1/block/sr0", DISK),
            ("pci0/ata2/host1/block/sdc", &[("dev", "8:32"), ("size", "8"), ("removable", "1")]),
            ("soc/mmc_host/mmc0/mmc0:1/block/mmcblk0", DISK),
            ("soc/mmc_host/mmc1/mmc1:1/block/mmcblk1", &[DISK[0], DISK[1], ("device/type", "MMC")]),
            ("virtual/block/loop0", DISK),
            ("virtual/block/ram0", DISK),
            ("virtual/block/dm-0", DISK),
        ]);
        assert_eq!(names(&dir, BlockDevices::Pluggable), ["mmcblk0", "sdb", "sdc", "sr0"]);
        let all = ["loop0", "mmcblk0", "mmcblk1", "sda", "sdb", "sdc", "sr0"];
        assert_eq!(names(&dir, BlockDevices::All), all);
        assert!(names(&dir, BlockDevices::None).is_empty());
    }

    #[test]
    fn partitions_stand_for_their_disk_and_what_is_part_of_an_array_is_not_taken() {
        let dir = sysfs(&[
            (
                "pci0/usb1/block/sda",
                &[DISK[0], DISK[1], ("diskseq", "7"), ("device/model", "Stick\u{1b}[2J")],
            ),
            ("pci0/usb1/block/sda/sda1", PART),
            (
                "pci0/usb1/block/sda/sda2",
                &[("dev", "8:2"), ("size", "8"), ("partition", "2"), ("holders/dm-0", "")],
            ),
            ("pci0/usb1/block/sdb", &[("dev", "8:16"), ("size", "0")]),
        ]);
        let found = scan(dir.path(), BlockDevices::Pluggable).unwrap();
        let [device] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((device.name.as_str(), device.disk.as_deref()), ("sda1", Some("sda")));
        assert_eq!((device.number, device.bytes, device.sequence), ((8, 1), 1024 * 512, 7));
        assert_eq!(device.identity("b"), "device:b:7:8:1");
        assert_eq!(device.to_string(), "sda1, Stick\\u{1b}[2J, 524288 bytes");
    }

    #[test]
    fn what_sysfs_does_not_say_properly_is_no_device() {
        for attributes in [
            &[("dev", "8"), ("size", "8")],
            &[("dev", "8:x"), ("size", "8")],
            &[("dev", "8:0"), ("size", "-1")],
            &[("dev", "8:0"), ("size", "36028797018963968")],
        ] {
            let dir = sysfs(&[("pci0/usb1/block/sda", attributes)]);
            assert!(names(&dir, BlockDevices::Pluggable).is_empty(), "{attributes:?}");
        }
    }

    #[test]
    fn the_real_one_can_be_read() {
        assert!(scan(Path::new("/sys"), BlockDevices::All).is_ok());
        assert!(!boot().unwrap().is_empty());
    }
}
