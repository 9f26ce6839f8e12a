//! Which mounts are a carrier's: what was given as a carrier, and what can be unplugged.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, major, minor, statx};

/// File systems that carriers have and that no station keeps its trust on.
const FILE_SYSTEMS: &[&str] =
    &["vfat", "msdos", "exfat", "iso9660", "udf", "ntfs", "ntfs3", "fuseblk"];

/// What the name of a folder of sysfs begins with when the devices in it hang on a bus that can be
/// unplugged while the machine runs. Disks there often say of themselves that they are fixed.
const BUSES: &[&str] = &["usb", "mmc", "ieee1394", "fw", "thunderbolt"];

/// What `removable` says in sysfs: 1 of a medium, the word of a device on a bus.
const REMOVABLE: &[&str] = &["1", "removable"];

/// The most devices that one is made of, before it is taken for a carrier's.
const MAX_DEVICES: usize = 64;

/// The folders of a machine whose mounts are never a carrier's: it would not run without them.
const OWN: &[&str] = &["/", "/etc"];

/// The number of a block device.
pub(super) type Device = (u32, u32);

/// Where something lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    mount: u64,
    device: Device,
    is_mount_root: bool,
}

/// What of a carrier is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A mount.
    Mount(u64),
    /// A device, wherever it is mounted.
    Device(Device),
}

impl Place {
    /// Where `path` lies.
    ///
    /// # Errors
    /// When it cannot be looked at, or the kernel does not tell its mount.
    pub(super) fn of(path: &Path) -> io::Result<Place> {
        let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let stat = statx(CWD, path, AtFlags::empty(), flags)?;
        if !StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Place {
            mount: stat.stx_mnt_id,
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            is_mount_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })
    }

    /// Whether it lies on `carrier`.
    pub(super) fn is_on(&self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Mount(mount) => self.mount == mount,
            Carrier::Device(device) => self.device == device,
        }
    }
}

/// The carrier that `path` lies on, if it lies on one.
pub(super) fn carrier_of(path: &Path) -> Option<Carrier> {
    let place = Place::of(path).ok()?;
    let own: Vec<Place> = OWN.iter().filter_map(|path| Place::of(Path::new(path)).ok()).collect();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = Mount::find(&mounts, place.mount).unwrap_or_default();
    decide(place, &mount, mount.block_device(), &own, Path::new("/sys"))
}

/// Whether what lies at `place` is on a carrier. `disk` is the mount's block device if it is not
/// the one of `place`, `own` the places that never are on a carrier.
fn decide(
    place: Place,
    mount: &Mount,
    disk: Option<Device>,
    own: &[Place],
    sysfs: &Path,
) -> Option<Carrier> {
    if own.iter().any(|own| own.mount == place.mount) {
        return None;
    }
    let can_be_taken_out = FILE_SYSTEMS.contains(&mount.file_system)
        || [Some(place.device), disk]
            .into_iter()
            .flatten()
            .any(|device| can_be_unplugged(sysfs, device));
    if can_be_taken_out && own.iter().all(|own| own.device != place.device) {
        return Some(Carrier::Device(place.device));
    }
    place.is_mount_root.then_some(Carrier::Mount(place.mount))
}

/// What the kernel says of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mount<'a> {
    file_system: &'a str,
    source: &'a str,
}

impl<'a> Mount<'a> {
    /// Finds the mount `id` in a text like /proc/self/mountinfo, see proc_pid_mountinfo(5).
    fn find(mounts: &'a str, id: u64) -> Option<Self> {
        mounts.lines().find_map(|line| {
            let (place, rest) = line.split_once(" - ")?;
            if place.split(' ').next()?.parse() != Ok(id) {
                return None;
            }
            let mut rest = rest.split(' ');
            Some(Mount { file_system: rest.next()?, source: rest.next()? })
        })
    }

    /// The block device: some file systems, such as btrfs, have a number of their own.
    fn block_device(&self) -> Option<Device> {
        let metadata = std::fs::metadata(self.source).ok()?;
        let number = metadata.rdev();
        metadata.file_type().is_block_device().then(|| (major(number), minor(number)))
    }
}

/// Whether a block device, the disk that it is a part of, or any device that it is made of (an
/// encrypted, logical or mirrored one) can be taken out of the machine.
fn can_be_unplugged(sysfs: &Path, (major, minor): Device) -> bool {
    let Ok(sysfs) = sysfs.canonicalize() else { return false };
    let mut pending = vec![sysfs.join(format!("dev/block/{major}:{minor}"))];
    let mut seen = BTreeSet::new();
    while let Some(device) = pending.pop() {
        let Ok(device) = device.canonicalize() else { continue };
        let Ok(inside) = device.strip_prefix(&sysfs) else { continue };
        if seen.contains(&device) {
            continue;
        }
        let above: Vec<PathBuf> = inside.ancestors().map(|folder| sysfs.join(folder)).collect();
        if seen.len() == MAX_DEVICES
            || hangs_on_a_bus(inside)
            || above.iter().any(|f| is_removable(f))
        {
            return true;
        }
        // A partition has its slaves at its disk.
        for slaves in above.iter().take(2).filter_map(|f| f.join("slaves").read_dir().ok()) {
            pending.extend(slaves.flatten().map(|slave| slave.path()));
        }
        seen.insert(device);
    }
    false
}

fn hangs_on_a_bus(device: &Path) -> bool {
    device
        .iter()
        .any(|name| BUSES.iter().any(|bus| name.as_encoded_bytes().starts_with(bus.as_bytes())))
}

fn is_removable(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("removable"))
        .is_ok_and(|text| REMOVABLE.contains(&text.trim()))
}

#[cfg(test)]
mod tests;
