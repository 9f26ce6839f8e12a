//! How a staged entry becomes visible in outbound: by renames alone, in the place of nothing.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use oms_sys::durable::{self, FileSystem};
use oms_verify::reason::{Code, Reason};

use super::{BESIDE, MODE, VERDICT, name_of, tar};
use crate::storage::failed;

/// Puts out the verdict and then, if its model passed, the entry as tar. Each file is moved, so
/// that after a crash what is not in the folder of the outgoing files any more has gone out,
/// whether a sender has taken it meanwhile or not.
pub(super) fn release_files(
    folder: &Path,
    entry: &Path,
    file_system: &FileSystem,
) -> Result<(), Reason> {
    let out = out_folder(folder);
    let new = out.with_extension("new");
    let written = |error: io::Error| failed("writing to the spool", &error, &new);
    let verdict = entry.with_file_name(beside(name_of(entry)));
    let mut files = vec![verdict];
    if files.iter().all(|verdict| verdict != entry) {
        files.push(entry.to_owned());
    }
    if !out.is_dir() {
        match std::fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(written(error));
            }
            _ => {}
        }
        std::fs::create_dir(&new).map_err(written)?;
    }
    for (at, file) in files.iter().enumerate() {
        // After a crash what lay in the spool is made once more from what was looked at.
        let staged = out.join(name_of(file));
        let path = if staged.is_file() { staged } else { new.join(name_of(file)) };
        if path.parent() == Some(&*out) || new.is_dir() {
            durable::replace_with(&path, MODE, |to| match at {
                0 => io::copy(&mut File::open(folder.join(VERDICT))?, to).map(|_| ()),
                _ => tar::write(folder, to),
            })
            .map_err(written)?;
        }
    }
    if new.is_dir() {
        file_system.sync().map_err(written)?;
        durable::rename_new(&new, &out)
            .and_then(|()| durable::sync_folder_of(&out))
            .map_err(written)?;
    }
    for file in &files {
        let staged = out.join(name_of(file));
        if staged.is_file() {
            move_out(&staged, file)?;
        }
    }
    Ok(())
}

/// The folder of files that go out one by one.
pub(super) fn out_folder(folder: &Path) -> PathBuf {
    folder.with_extension("out")
}

/// The name of the verdict that goes out before an entry as tar.
fn beside(name: &OsStr) -> String {
    let name = name.to_str().unwrap_or_default();
    if name.ends_with(BESIDE) {
        return name.to_owned();
    }
    let id = name.rsplit_once('-').map_or(name, |(id, _)| id);
    format!("{id}{BESIDE}")
}

/// Makes something visible in outbound by one rename, in the place of nothing.
pub(super) fn move_out(staged: &Path, entry: &Path) -> Result<(), Reason> {
    durable::rename_new(staged, entry).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::AlreadyExists => Code::OutboundConflict,
            _ => Code::OutboundWrite,
        };
        Reason { code, ..failed("publishing", &error, entry) }
    })?;
    durable::sync_folder_of(entry)
        .and_then(|()| durable::sync_folder_of(staged))
        .map_err(|error| failed("syncing outbound", &error, entry))
}

/// Bytes of all files below a folder. A sender may take them away meanwhile.
pub(super) fn held(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0u64;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}
