//! What files lie on: whether it has a head that must travel, and who answers for it.

use std::io;
use std::path::Path;

use rustix::fs::{fstat, fstatfs, major, minor};

use crate::beneath::Root;

/// What `statfs(2)` says of a file system that a program serves (`FUSE_SUPER_MAGIC`).
const FUSE: u64 = 0x6573_5546;

/// Disks that a disk is made of are looked into so deep (encryption on volumes on arrays).
const DEPTH: usize = 8;

/// What a device is like to read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A disk that turns: one reader at a time, in order.
    Rotational,
    /// A CD, DVD or Blu-ray: the same, and slow to start.
    Optical,
    /// Flash memory: as many readers as the device profits from.
    Solid,
    /// What nobody can say of, which is read like [`Medium::Solid`]: virtual disks, network, memory.
    Unknown,
}

impl Medium {
    /// Whether only one stream should be read at a time.
    pub fn wants_one_stream(self) -> bool {
        matches!(self, Medium::Rotational | Medium::Optical)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Medium::Rotational => "rotating",
            Medium::Optical => "optical",
            Medium::Solid => "solid",
            Medium::Unknown => "unknown",
        }
    }
}

/// What a folder lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The device.
    pub medium: Medium,
    /// Whether a program answers for the file system (FUSE), or the kernel cannot say who does.
    pub is_served: bool,
}

/// What `folder` lies on. A disk whose file system does not name it (btrfs, overlayfs, FUSE,
/// network) is [`Medium::Unknown`].
///
/// The carrier is asked, which may take as long as it likes.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn under(folder: &Root) -> io::Result<Ground> {
    let device = fstat(folder)?.st_dev;
    let medium = numbered(Path::new("/sys"), major(device), minor(device));
    Ok(Ground { medium, is_served: fstatfs(folder).map_or(true, |told| is_fuse(told.f_type)) })
}

/// The type of a file system is a word of the machine, and signed or not as the machine likes.
fn is_fuse(kind: impl TryInto<u64>) -> bool {
    kind.try_into().is_ok_and(|kind| kind == FUSE)
}

/// What the block device of these numbers is, according to the sysfs at `sysfs`.
fn numbered(sysfs: &Path, major: u32, minor: u32) -> Medium {
    let link = sysfs.join(format!("dev/block/{major}:{minor}"));
    link.canonicalize().map_or(Medium::Unknown, |device| medium(&device, DEPTH))
}

fn medium(device: &Path, depth: usize) -> Medium {
    let disk = match device.parent() {
        Some(disk) if device.join("partition").exists() => disk,
        _ => device,
    };
    let name = disk.file_name().and_then(|name| name.to_str()).unwrap_or("");
    if name.starts_with("sr") {
        return Medium::Optical;
    }
    // Only SCSI, which ATA and USB disks are too, asks the disk. Other drivers leave the kernel's
    // default, which is to call every disk rotational: virtual ones among them.
    if name.starts_with("sd") {
        let told = std::fs::read_to_string(disk.join("queue/rotational"));
        return match told.as_deref().map(str::trim) {
            Ok("1") => Medium::Rotational,
            Ok("0") => Medium::Solid,
            _ => Medium::Unknown,
        };
    }
    if ["nvme", "mmcblk"].iter().any(|driver| name.starts_with(driver)) {
        return Medium::Solid;
    }
    let Some(depth) = depth.checked_sub(1) else { return Medium::Unknown };
    let parts = std::fs::read_dir(disk.join("slaves")).into_iter().flatten().flatten();
    let parts = parts.filter_map(|part| part.path().canonicalize().ok());
    let parts: Vec<_> = parts.map(|part| medium(&part, depth)).collect();
    // The slowest part counts, and one that nobody knows is not known to be fast.
    let one_stream = parts.iter().find(|medium| medium.wants_one_stream());
    match one_stream {
        Some(medium) => *medium,
        None if !parts.is_empty() && !parts.contains(&Medium::Unknown) => Medium::Solid,
        None => Medium::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysfs with these disks: number, path of the device, whether it calls itself rotational.
    fn sysfs(disks: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("dev/block")).unwrap();
        for (number, device, rotational) in disks {
            let device = dir.path().join(device);
            std::fs::create_dir_all(device.join("queue")).unwrap();
            std::fs::write(device.join("queue/rotational"), rotational).unwrap();
            symlink(&device, dir.path().join("dev/block").join(number)).unwrap();
        }
        dir
    }

    #[test]
    fn only_a_disk_that_was_asked_counts_as_rotational() {
        let dir = sysfs(&[
            ("8:0", "devices/sda", "1\n"),
            ("8:16", "devices/sdb", "0\n"),
            ("8:32", "devices/sdc", "what"),
            ("11:0", "devices/sr0", "1\n"),
            ("254:0", "devices/vda", "1\n"),
            ("259:0", "devices/nvme0n1", "0\n"),
        ]);
        let cases = [
            (8, 0, Medium::Rotational),
            (8, 16, Medium::Solid),
            (8, 32, Medium::Unknown),
            (11, 0, Medium::Optical),
            (254, 0, Medium::Unknown),
            (259, 0, Medium::Solid),
            (0, 25, Medium::Unknown),
        ];
        for (major, minor, expected) in cases {
            assert_eq!(numbered(dir.path(), major, minor), expected, "{major}:{minor}");
        }
    }

    #[test]
    fn a_partition_is_its_disk_and_a_mapped_device_is_what_it_is_made_of() {
        let dir = sysfs(&[("8:0", "devices/sda", "1"), ("253:0", "devices/dm-0", "0")]);
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir(at("devices/sda/sda1")).unwrap();
        std::fs::write(at("devices/sda/sda1/partition"), "1").unwrap();
        symlink(at("devices/sda/sda1"), at("dev/block/8:1")).unwrap();
        std::fs::create_dir(at("devices/dm-0/slaves")).unwrap();
        assert_eq!(numbered(dir.path(), 8, 1), Medium::Rotational);
        assert_eq!(numbered(dir.path(), 253, 0), Medium::Unknown);
        symlink(at("devices/sda/sda1"), at("devices/dm-0/slaves/sda1")).unwrap();
        assert_eq!(numbered(dir.path(), 253, 0), Medium::Rotational);
        // A device that is made of itself does not go on for ever.
        std::fs::remove_file(at("devices/dm-0/slaves/sda1")).unwrap();
        symlink(at("devices/dm-0"), at("devices/dm-0/slaves/dm-0")).unwrap();
        assert_eq!(numbered(dir.path(), 253, 0), Medium::Unknown);
    }

    #[test]
    fn every_folder_lies_on_something() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!under(&Root::open(dir.path()).unwrap()).unwrap().is_served);
        let proc = under(&Root::open(Path::new("/proc/self")).unwrap()).unwrap();
        assert_eq!(proc, Ground { medium: Medium::Unknown, is_served: false });
    }

    #[test]
    fn fuse_is_known_by_its_number() {
        assert!(is_fuse(0x6573_5546_i64));
        assert!(!is_fuse(0x9fa0_i64));
        assert!(!is_fuse(-1_i64));
    }
}
