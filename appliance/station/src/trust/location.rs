//! Where trust may be read from: not inside a model, not on a carrier, and not where others than
//! the officers can write.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use oms_verify::reason::{Code, Reason};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// Folders and mounts that trust must not come from.
#[derive(Debug, Default, Clone)]
pub struct Guard {
    folders: Vec<PathBuf>,
    mounts: Vec<u64>,
}

impl Guard {
    /// Forbids `path`, a model or a carrier, and all that is in it. Where `path` is the root of a
    /// mount or lies on a removable device, the whole mount is forbidden.
    #[must_use]
    pub fn against(mut self, path: &Path) -> Self {
        let Ok(canonical) = path.canonicalize() else { return self };
        if let Some(mount) = carrier_mount(&canonical) {
            self.mounts.push(mount);
        }
        self.folders.push(canonical);
        self
    }

    /// Checks where the file or folder at `path` lies, and who may change it.
    ///
    /// # Errors
    /// [`Code::TrustLocation`].
    pub fn check(&self, path: &Path) -> Result<(), Reason> {
        let refuse = |detail: String| {
            Err(Reason::new(Code::TrustLocation, detail).about(path.display().to_string()))
        };
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) => return refuse(error.to_string()),
        };
        if let Some(folder) = self.folders.iter().find(|folder| canonical.starts_with(folder)) {
            return refuse(format!("it lies inside {}", folder.display()));
        }
        if mount_of(&canonical).is_some_and(|mount| self.mounts.contains(&mount.id)) {
            return refuse("it lies on the carrier".to_owned());
        }
        for place in canonical.ancestors() {
            if let Some(fault) = writable_by_others(place) {
                return refuse(format!("{} {fault}", place.display()));
            }
        }
        Ok(())
    }
}

/// Reads a file of at most `limit` bytes from a place that `guard` allows. `code` names what the
/// file is when it cannot be read.
///
/// # Errors
/// [`Code::TrustLocation`], or `code`.
pub fn guarded_read(path: &Path, limit: u64, guard: &Guard, code: Code) -> Result<Vec<u8>, Reason> {
    let failed = |detail: String| Reason::new(code, detail).about(path.display().to_string());
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is not a regular file".to_owned()));
    }
    guard.check(path)?;
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(failed(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Why somebody else could change what is at `place`. In a folder with the sticky bit, such as
/// `/tmp`, others cannot replace what is not theirs.
fn writable_by_others(place: &Path) -> Option<&'static str> {
    const WRITE_BY_GROUP_OR_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let Ok(metadata) = place.symlink_metadata() else { return Some("cannot be looked at") };
    let us = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != us {
        return Some("belongs to another user");
    }
    let sticky = metadata.is_dir() && metadata.mode() & STICKY != 0;
    if metadata.mode() & WRITE_BY_GROUP_OR_OTHERS != 0 && !sticky {
        return Some("may be written by its group or by others");
    }
    None
}

struct Mount {
    id: u64,
    is_root: bool,
    device: (u32, u32),
}

fn mount_of(path: &Path) -> Option<Mount> {
    let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = statx(CWD, path, AtFlags::empty(), flags).ok()?;
    Some(Mount {
        id: stat.stx_mnt_id,
        is_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        device: (stat.stx_dev_major, stat.stx_dev_minor),
    })
}

/// The mount that `path` lies on, if it is a carrier's.
fn carrier_mount(path: &Path) -> Option<u64> {
    let mount = mount_of(path)?;
    (mount.is_root && path != Path::new("/") || is_removable(mount.device)).then_some(mount.id)
}

/// Whether the kernel says that a block device, or the disk that it is a partition of, can be
/// taken out.
fn is_removable((major, minor): (u32, u32)) -> bool {
    let device = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    [device.join("removable"), device.join("../removable")]
        .iter()
        .any(|flag| std::fs::read_to_string(flag).is_ok_and(|text| text.trim() == "1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn trust_is_not_read_from_inside_a_model_nor_through_a_link_into_it() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("policy.toml"), "").unwrap();
        std::fs::write(dir.path().join("policy.toml"), "").unwrap();
        symlink(model.join("policy.toml"), dir.path().join("link.toml")).unwrap();
        let guard = Guard::default().against(&model);
        assert!(guard.check(&dir.path().join("policy.toml")).is_ok());
        for inside in ["model/policy.toml", "link.toml", "model/../model/policy.toml"] {
            let reason = guard.check(&dir.path().join(inside)).unwrap_err();
            assert_eq!(reason.code, Code::TrustLocation, "{inside}");
        }
    }

    #[test]
    fn trust_is_not_read_from_what_others_may_write() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        std::fs::write(&file, "").unwrap();
        let guard = Guard::default();
        for (mode, allowed) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            chmod(&file, mode);
            assert_eq!(guard.check(&file).is_ok(), allowed, "{mode:o}");
        }
        chmod(&file, 0o644);
        chmod(dir.path(), 0o777);
        assert!(guard.check(&file).is_err(), "others could replace the file");
        chmod(dir.path(), 0o1777);
        assert!(guard.check(&file).is_ok(), "the sticky bit keeps others from replacing it");
    }

    #[test]
    fn a_read_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        let read = |limit| guarded_read(&file, limit, &Guard::default(), Code::TrustCrl);
        assert_eq!(read(5).unwrap(), b"12345");
        assert_eq!(read(4).unwrap_err().code, Code::TrustCrl);
    }
}
