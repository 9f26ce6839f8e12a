//! Disks that are plugged in: images on loop devices, which the kernel announces like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::run;

/// A disk, until it is dropped.
#[derive(Debug)]
pub struct Plugged {
    /// Its device, such as `/dev/loop3`.
    pub device: PathBuf,
}

impl Plugged {
    /// Plugs in a disk with the bytes of `image`.
    ///
    /// # Panics
    /// When there is no loop device for it.
    pub fn image(image: &Path) -> Plugged {
        let mut attach = Command::new("losetup");
        attach.args(["--find", "--show"]).arg(image);
        let device = run::outcome(&mut attach).expect_status(0).stdout;
        Plugged { device: PathBuf::from(device.trim()) }
    }

    /// Its name, as in `/sys/class/block`.
    pub fn name(&self) -> String {
        self.device.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Has the kernel know the partitions of its table, also where the kernel cannot read it.
    /// Gives their devices.
    ///
    /// # Panics
    /// When there are none.
    pub fn partitions(&self) -> Vec<PathBuf> {
        let _ = run::outcome(Command::new("partx").arg("--add").arg(&self.device));
        let listed = fs::read_dir(Path::new("/sys/class/block").join(self.name())).unwrap();
        let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with(&self.name())).collect();
        names.sort();
        assert!(!names.is_empty(), "{} has no partitions", self.name());
        names.into_iter().map(|name| Path::new("/dev").join(name)).collect()
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = Command::new("partx").arg("--delete").arg(&self.device).output();
        // A real disk forgets this when it is pulled. A loop device keeps it for the next image.
        let _ = Command::new("blockdev").arg("--setrw").arg(&self.device).output();
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).output();
    }
}
