//! Where the data lie: a folder with room for them, which is empty before and after.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::run::target;
use tempfile::TempDir;

use super::size::Size;
use crate::failure::Failure;

/// Bytes of disk that stay free.
const RESERVE: u64 = 1 << 30;

/// A folder to put data into.
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The folder `dir`, or else `bench` in the target folder. That one is this command's own, and
    /// what a run left there that was killed is removed.
    pub(super) fn new(dir: Option<&Path>) -> Result<Folder, Failure> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => {
                let own = target().join("bench");
                if own.exists() {
                    fs::remove_dir_all(&own).map_err(|source| write_failure(&own, source))?;
                }
                own
            }
        };
        let dir = files::folder(dir);
        let dir = dir.canonicalize().map_err(|source| Failure::Read { path: dir, source })?;
        Ok(Folder { dir })
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// Refuses when the file system has no room for `bytes`.
    pub(super) fn check_room(&self, bytes: Option<u64>) -> Result<(), Failure> {
        let needed = bytes.unwrap_or(0).saturating_add(RESERVE);
        let there = rustix::fs::statvfs(&self.dir)
            .map_err(|errno| Failure::Read { path: self.dir.clone(), source: errno.into() })?;
        let free = there.f_bavail.saturating_mul(there.f_frsize);
        if free < needed {
            let mebibytes = |bytes: u64| Size(bytes.div_ceil(1 << 20) << 20).to_string();
            return Err(Failure::Bench {
                what: format!(
                    "{} has {} free, and {} are needed: free some, name another folder with \
                     --dir, or take less with --size and --files",
                    self.dir.display(),
                    mebibytes(free),
                    mebibytes(needed)
                ),
            });
        }
        Ok(())
    }

    /// A new folder in it, which goes with all that is in it when the value does.
    pub(super) fn make(&self, name: &str) -> Result<TempDir, Failure> {
        tempfile::Builder::new()
            .prefix(&format!("oms-bench-{name}-"))
            .tempdir_in(&self.dir)
            .map_err(|source| write_failure(&self.dir, source))
    }
}

fn write_failure(path: &Path, source: std::io::Error) -> Failure {
    Failure::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(dir.path())).unwrap();
        folder.check_room(None).unwrap();
        let failure = folder.check_room(Some(u64::MAX / 2)).unwrap_err().to_string();
        assert!(failure.contains("--dir") && failure.contains("--size"), "{failure}");
    }

    #[test]
    fn what_is_made_goes_with_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(dir.path())).unwrap();
        let made = folder.make("a").unwrap();
        fs::write(made.path().join("data"), "data").unwrap();
        drop(made);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
