//! Models that stay with the station for a while after their entries went out.
//!
//! ```text
//!  spool/ingest-N/model/…  ──hard links──▶ spool/kept/<entry>.new/ ──rename──▶ spool/kept/<entry>/
//!         │                                    journal: kept until …                   synced
//!         └─ rename ──▶ outbound/<entry>/      the same files, until the sender deletes them there
//! ```
//!
//! A hard link is no second copy: a model takes its room once, whether it lies in outbound, here, or
//! in both. A sender can delete the entry, which leaves the files here; to write to them it would
//! have to be the station's own user or root, since they are readable only for its group. What is
//! read here again is hashed again all the same.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use oms_sys::durable;
use oms_verify::reason::Reason;
use oms_verify::time::{Span, UnixTime};

use super::Outbound;
use crate::archive::stem;
use crate::clock::system_time;
use crate::intake::{ATTESTATIONS, MODEL, SOURCE};
use crate::journal::{Journal, Kept};
use crate::storage::failed;

/// The folder of kept models in the spool.
const FOLDER: &str = "kept";
/// What is kept of an entry. Verdicts and re-signed bundles are in the archive.
const PARTS: [&str; 3] = [MODEL, SOURCE, ATTESTATIONS];
/// As the folders of an entry.
const MODE: u32 = 0o750;

impl Outbound {
    /// Looks at what may have changed while nothing was done: that the clock was not set back, which
    /// models are kept too long, and that the keys can sign.
    ///
    /// # Errors
    /// When something is wrong: nothing new is to be begun then.
    pub fn look(&mut self) -> Result<(), Reason> {
        self.clock.look()?;
        expire(&self.spool, &mut self.journal, system_time())?;
        self.signer.probe()
    }
}

/// The folder with the files of a kept model.
pub(super) fn folder(spool: &Path, kept: &Kept) -> PathBuf {
    spool.join(FOLDER).join(&kept.folder)
}

/// Keeps the model of the staged entry in `staged` until a time. Done again after a crash, it gives
/// the same. The names are synced with the file system, which the caller does before the entry goes
/// out; the record is [`record`]'s.
pub(super) fn link(spool: &Path, staged: &Path, name: &str) -> Result<(), Reason> {
    let all = spool.join(FOLDER);
    let place = all.join(stem(name));
    let new = place.with_extension("new");
    let told = |error: io::Error| failed("keeping a model", &error, &place);
    make(&all).map_err(told)?;
    remove(&new)?;
    remove(&place)?;
    copy(staged, &new).map_err(told)?;
    durable::rename_new(&new, &place).map_err(told)
}

/// Records that the model of a decision is kept from now on for so long.
pub(super) fn record(
    journal: &mut Journal,
    (sequence, name): (u64, &str),
    now: UnixTime,
    span: Span,
) -> Result<(), Reason> {
    let until = UnixTime(now.0.saturating_add(span.seconds));
    journal.keep(&Kept { sequence, folder: stem(name).to_owned(), until })
}

/// Gives the files of a kept or a staged model a second name in the new folder `to`.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    make(to)?;
    for part in PARTS {
        let (source, copy) = (from.join(part), to.join(part));
        match std::fs::symlink_metadata(&source) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(found) if found.is_dir() => tree(source, copy)?,
            Ok(_) => std::fs::hard_link(source, copy)?,
        }
    }
    Ok(())
}

fn tree(from: PathBuf, to: PathBuf) -> io::Result<()> {
    let mut folders = vec![(from, to)];
    while let Some((from, to)) = folders.pop() {
        make(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let copy = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), copy));
            } else {
                std::fs::hard_link(entry.path(), copy)?;
            }
        }
    }
    Ok(())
}

/// Removes what is kept no longer: models whose time is over, and what the record does not know.
pub(super) fn expire(spool: &Path, journal: &mut Journal, now: UnixTime) -> Result<(), Reason> {
    let all = spool.join(FOLDER);
    let told = |error: io::Error| failed("clearing the kept models", &error, &all);
    let entries = match std::fs::read_dir(&all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries.map_err(told)?),
    };
    let mut known = Vec::new();
    for kept in journal.kept()? {
        if kept.until <= now {
            journal.removed(kept.sequence, now)?;
        } else {
            known.push(kept.folder);
        }
    }
    known.sort();
    for entry in entries.into_iter().flatten() {
        let entry = entry.map_err(told)?;
        let is_known = entry
            .file_name()
            .to_str()
            .is_some_and(|name| known.binary_search_by(|known| known.as_str().cmp(name)).is_ok());
        if !is_known {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(MODE).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        // Whatever the umask: the sender reads what is published from here.
        Ok(()) => std::fs::set_permissions(folder, Permissions::from_mode(MODE)),
    }
}

fn remove(folder: &Path) -> Result<(), Reason> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("clearing the kept models", &error, folder))
        }
        _ => Ok(()),
    }
}
