//! Images of file systems with one small file in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_sys::superblock::FileSystem;
use oms_testkit::run;
use oms_tests::image::{Image, Kind};
use tempfile::TempDir;

/// The file, and what is in it.
pub(crate) const FILE: &str = "weights.bin";
pub(crate) const CONTENT: &str = "weights";

/// An image of this kind in `dir`.
pub(crate) fn image(kind: FileSystem, dir: &TempDir) -> PathBuf {
    let files = dir.path().join("files");
    fs::create_dir_all(&files).unwrap();
    fs::write(files.join(FILE), CONTENT).unwrap();
    let path = dir.path().join(format!("{kind}.img"));
    match kind {
        FileSystem::Ext4 => drop(Image::of(Kind::Ext4, &files, &path)),
        FileSystem::Squashfs => drop(Image::of(Kind::Squashfs, &files, &path)),
        FileSystem::Vfat => {
            empty(&path, 8);
            ran(Command::new("mkfs.vfat").arg(&path));
            let target = format!("::{FILE}");
            ran(Command::new("mcopy").arg("-i").arg(&path).arg(files.join(FILE)).arg(target));
        }
        FileSystem::Exfat => {
            empty(&path, 8);
            ran(Command::new("mkfs.exfat").arg(&path));
        }
        FileSystem::Ntfs => {
            empty(&path, 8);
            ran(Command::new("mkntfs").args(["-F", "-q", "-Q"]).arg(&path));
            ran(Command::new("ntfscp").arg("-f").arg(&path).arg(files.join(FILE)).arg(FILE));
        }
        FileSystem::Iso9660 => {
            let mut make = Command::new("genisoimage");
            ran(make.args(["-quiet", "-R", "-o"]).arg(&path).arg(&files));
        }
        FileSystem::Udf => panic!("no program of the tests makes it"),
    }
    path
}

/// A file of so many MiB of zeros.
pub(crate) fn empty(path: &Path, mebibytes: u64) {
    File::create(path).unwrap().set_len(mebibytes << 20).unwrap();
}

fn ran(command: &mut Command) {
    let _ = run::outcome(command).expect_status(0);
}
