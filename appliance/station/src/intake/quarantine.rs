//! The quarantine: a folder of the spool for the copies of one model.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oms_sys::beneath::{RegularFile, Root};
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Code, Reason};
use rustix::fs::{FallocateFlags, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::storage::failed;

/// A folder in the spool that holds the copies of one model, until they are published or it is
/// dropped, which removes it.
#[derive(Debug)]
pub struct Quarantine {
    folder: PathBuf,
    room: Option<u64>,
    keep: bool,
}

/// The folder of the model's files, in quarantine and in an entry of outbound.
pub(crate) const MODEL: &str = "model";

/// The folder of the accepted attestations, in quarantine and in an entry of outbound.
pub(crate) const ATTESTATIONS: &str = "attestations";

/// The source's bundle, in quarantine and in an entry of outbound.
pub(crate) const SOURCE: &str = "source.sig";

/// How often a folder is tried to be removed that others still put something into.
const REMOVALS: u32 = 20;
/// How long between two tries.
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// Modes of what is published: for the station and the sender's group.
const FILE: u32 = 0o640;
const FOLDER: u32 = 0o750;

/// Bytes that each file takes besides its own: the rest of its last block, its inode, and its lines
/// in the re-signed bundle, the verdict and the report.
const FILE_BYTES: u64 = 8 << 10;

impl Quarantine {
    /// Makes a new folder `name` in the spool.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(spool: &Path, name: &str) -> Result<Self, Reason> {
        let folder = spool.join(name);
        let made = make_folder(&folder).and_then(|()| make_folder(&folder.join(MODEL)));
        made.map_err(|error| failed("making a folder in the spool", &error, &folder))?;
        Ok(Quarantine { folder, room: None, keep: false })
    }

    /// The same for a model of `room` bytes at most, where there is a limit.
    #[must_use]
    pub fn with_room(mut self, room: Option<u64>) -> Self {
        self.room = room;
        self
    }

    /// Bytes that a model may take, where there is a limit.
    pub fn room(&self) -> Option<u64> {
        self.room
    }

    /// The folder that somebody else made, and removes.
    pub fn at(folder: &Path) -> Self {
        Quarantine { folder: folder.to_owned(), room: None, keep: true }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the model's files.
    pub fn model(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// Makes sure that the limit and the spool have room for `files` copies of `bytes` together, and for what each
    /// takes beside them. Others may write there too: a copy can still fail.
    ///
    /// # Errors
    /// When it has not, or cannot tell.
    pub fn reserve(&self, bytes: u64, files: usize) -> Result<(), Reason> {
        let spool = self.folder.parent().unwrap_or(&self.folder);
        let told = rustix::fs::statvfs(spool)
            .map_err(|error| failed("asking for free space", &error.into(), spool))?;
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        let needed = bytes.saturating_add(FILE_BYTES.saturating_mul(files as u64));
        if let Some(room) = self.room.filter(|room| needed > *room) {
            let detail = format!("the model needs {needed} bytes, the quota leaves {room}");
            return Err(Reason::new(Code::OutboundQuota, detail));
        }
        if needed <= free {
            return Ok(());
        }
        let detail = format!("the spool needs {needed} bytes for the model and has {free} free");
        Err(Reason::new(Code::OutboundWrite, detail).about(spool.display().to_string()))
    }

    /// Makes the folders that the copies of `paths` go to, and gives the way to put them there.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) fn prepare<'a>(
        &self,
        paths: impl Iterator<Item = &'a ResourcePath>,
    ) -> Result<Copies, Reason> {
        let model = self.model();
        let mut made = BTreeSet::new();
        for path in paths {
            // The innermost is there already with all that are around it, for most files.
            let missing: Vec<_> = path.parents().take_while(|p| !made.contains(*p)).collect();
            for folder in missing.into_iter().rev() {
                let full = model.join(folder);
                make_folder(&full)
                    .map_err(|error| failed("making a folder in the spool", &error, &full))?;
                made.insert(folder);
            }
        }
        let opened = Root::open(&model)
            .map_err(|error| failed("opening a folder of the spool", &error, &model))?;
        Ok(Copies { folder: Arc::new(opened), model: model.into() })
    }

    /// Keeps what goes into the entry beside the model: `source.sig`, or else an attestation.
    ///
    /// # Errors
    /// When it is there already or cannot be written.
    pub fn keep_beside(&self, name: &str, bytes: &[u8]) -> Result<(), Reason> {
        if name == SOURCE { self.keep_source(bytes) } else { self.keep_attestation(name, bytes) }
    }

    /// Keeps the bytes of an accepted attestation under a name that is the station's to give.
    ///
    /// # Errors
    /// When it is there already or cannot be written.
    fn keep_attestation(&self, name: &str, bytes: &[u8]) -> Result<(), Reason> {
        let folder = self.folder.join(ATTESTATIONS);
        match make_folder(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making a folder in the spool", &error, &folder));
            }
            _ => {}
        }
        let full = folder.join(name);
        make_file(&full)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| failed("writing to the spool", &error, &full))
    }

    /// Keeps the bytes of the source's bundle as they were found.
    ///
    /// # Errors
    /// When they cannot be written.
    fn keep_source(&self, bytes: &[u8]) -> Result<(), Reason> {
        let full = self.folder.join(SOURCE);
        make_file(&full)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| failed("writing to the spool", &error, &full))
    }

    /// Removes the source's bundle: it is not admitted, and nothing of it is published.
    ///
    /// # Errors
    /// When that fails.
    pub fn drop_source(&self) -> Result<(), Reason> {
        let full = self.folder.join(SOURCE);
        match std::fs::remove_file(&full) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("clearing the quarantine", &error, &full))
            }
            _ => Ok(()),
        }
    }

    /// Opens the copy of `path` for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_file(&self, path: &ResourcePath) -> Result<File, Reason> {
        let full = self.model().join(path.as_str());
        File::open(&full).map_err(|error| failed("opening a copy in the spool", &error, &full))
    }

    /// That nothing lies beside the model's folder: the copier could make it, and the whole folder is
    /// published.
    ///
    /// # Errors
    /// When something does, or it cannot be listed.
    pub fn check_alone(&self) -> Result<(), Reason> {
        for entry in self.entries()? {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if entry.file_name() != MODEL || !is_folder {
                let reason = Reason::new(Code::ProcessCopies, "it lies beside the copies");
                return Err(reason.about(entry.file_name().to_string_lossy()));
            }
        }
        Ok(())
    }

    /// Removes all that is in it, and leaves an empty folder for the verdict.
    ///
    /// # Errors
    /// When that fails: then nothing may be published from here.
    pub fn clear(&self) -> Result<(), Reason> {
        for entry in self.entries()? {
            let path = entry.path();
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(&path),
                _ => std::fs::remove_file(&path),
            };
            removed.map_err(|error| failed("clearing the quarantine", &error, &path))?;
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<DirEntry>, Reason> {
        let entries = std::fs::read_dir(&self.folder).and_then(Iterator::collect);
        entries.map_err(|error| failed("listing the quarantine", &error, &self.folder))
    }

    /// Hands the folder to whoever publishes it: dropping this no longer removes it.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

/// The way to put copies into a quarantine: what makes them may outlive the quarantine, and then
/// fails.
///
/// It holds the folder itself. A thread that was left behind at a silent carrier may wake up when
/// the next model has a quarantine of the same name, and must not reach that one.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    folder: Arc<Root>,
    /// Where it was, for people.
    model: Arc<Path>,
}

impl Copies {
    /// Makes the file for the copy of `path`, whose folder is there.
    ///
    /// # Errors
    /// When it is there already or cannot be made.
    pub(super) fn create(&self, path: &str) -> Result<File, Reason> {
        let made = self.open(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL);
        made.and_then(with_mode)
            .map_err(|error| failed("making a file in the spool", &error, &self.model.join(path)))
    }

    /// Opens a copy that was made, once more and for writing.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn open_again(&self, path: &str) -> Result<File, Reason> {
        let opened = self.open(path, OFlags::WRONLY);
        opened
            .map_err(|error| failed("opening a copy in the spool", &error, &self.model.join(path)))
    }

    /// Opens a copy that has all its bytes, for reading.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn open_to_read(&self, path: &str) -> Result<RegularFile, Reason> {
        self.folder.file(path).map_err(|error| {
            let error = io::Error::other(error);
            failed("opening a copy in the spool", &error, &self.model.join(path))
        })
    }

    fn open(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.folder, path, flags, Mode::from_raw_mode(FILE))?.into())
    }

    /// Takes the room for a copy of `size` bytes before it is written, where the file system can.
    ///
    /// # Errors
    /// When there is not enough.
    pub(super) fn allocate(&self, file: &File, path: &str, size: u64) -> Result<(), Reason> {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => {
                let what = format!("taking {size} bytes of the spool");
                Err(failed(&what, &error.into(), &self.model.join(path)))
            }
        }
    }

    /// Makes and writes the copy of `path`.
    ///
    /// # Errors
    /// When it is there already or cannot be written.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Reason> {
        let mut file = self.create(path)?;
        file.write_all(bytes)
            .map_err(|error| failed("writing to the spool", &error, &self.model.join(path)))
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if !self.keep {
            // A process that was killed while the disk gave no answer may end its last call now. What
            // cannot be removed is removed when the station starts again.
            for _ in 0..REMOVALS {
                match std::fs::remove_dir_all(&self.folder) {
                    Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                        std::thread::sleep(REMOVAL_PAUSE);
                    }
                    _ => break,
                }
            }
        }
    }
}

fn make_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)?;
    with_mode(file)
}

/// Whatever the umask: the diode's sender reads what is published.
fn with_mode(file: File) -> io::Result<File> {
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// The mode is set by a descriptor: the sandbox lets nobody change that of a file by its path, since
/// no rule of Landlock says which.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).create(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty())?)
        .set_permissions(Permissions::from_mode(FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_carrier_stays_in_a_cleared_quarantine() {
        let spool = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::create(spool.path(), "ingest-1").unwrap();
        quarantine.keep_source(b"first").unwrap();
        quarantine.drop_source().unwrap();
        quarantine.drop_source().unwrap();
        quarantine.keep_source(b"second").unwrap();
        assert_eq!(std::fs::read(quarantine.folder().join(SOURCE)).unwrap(), b"second");
        assert_eq!(quarantine.keep_source(b"third").unwrap_err().code, Code::OutboundWrite);
        quarantine.keep_attestation("1", b"bytes").unwrap();
        quarantine.clear().unwrap();
        assert_eq!(std::fs::read_dir(quarantine.folder()).unwrap().count(), 0);
    }

    #[test]
    fn who_was_left_behind_does_not_reach_the_next_quarantine_of_the_same_name() {
        let spool = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::create(spool.path(), "ingest-1").unwrap();
        let copies = quarantine.prepare(std::iter::empty()).unwrap();
        copies.write("before", b"bytes").unwrap();
        assert_eq!(std::fs::read(quarantine.model().join("before")).unwrap(), b"bytes");
        drop(quarantine);
        let next = Quarantine::create(spool.path(), "ingest-1").unwrap();
        next.prepare(std::iter::empty()).unwrap().write("own", b"").unwrap();
        for failed in [
            copies.write("late", b"bytes").unwrap_err(),
            copies.open_again("own").unwrap_err(),
            copies.open_to_read("own").unwrap_err(),
        ] {
            assert_eq!(failed.code, Code::OutboundWrite);
        }
        assert_eq!(std::fs::read_dir(next.model()).unwrap().count(), 1);
    }

    #[test]
    fn a_spool_without_room_is_named_with_what_is_needed_and_what_is_free() {
        let spool = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::create(spool.path(), "ingest-1").unwrap();
        quarantine.reserve(1, 1).unwrap();
        let reason = quarantine.reserve(u64::MAX, 1).unwrap_err();
        assert_eq!(reason.code, Code::OutboundWrite);
        assert_eq!(reason.file.as_deref(), spool.path().to_str());
        assert!(reason.detail.contains(&u64::MAX.to_string()), "{}", reason.detail);
        assert!(quarantine.reserve(1, usize::MAX).is_err(), "each file takes room");
        let limited = quarantine.with_room(Some(FILE_BYTES + 9));
        limited.reserve(9, 1).unwrap();
        assert_eq!(limited.reserve(10, 1).unwrap_err().code, Code::OutboundQuota);
    }
}
