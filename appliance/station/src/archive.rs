//! The archive: what went out, kept by the station whatever a sender deletes.
//!
//! ```text
//!  state/archive/<sequence>-<id>-passed/   verdict.sigstore.json model.sig source.sig attestations/
//! ```

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oms_sys::durable;
use oms_verify::reason::Reason;

use crate::storage::failed;

const FOLDER: &str = "archive";
/// Files are the station's and its group's, as in outbound.
const MODE: u32 = 0o640;

/// The archive of a station.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Opens the archive in the folder `state`, and makes it when there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state: &Path) -> Result<Self, Reason> {
        let folder = state.join(FOLDER);
        make(&folder)?;
        Ok(Archive { folder })
    }

    /// The folder of an entry: of its name, without what tells that it is a file.
    pub fn folder(&self, entry: &OsStr) -> PathBuf {
        match entry.to_str() {
            Some(name) => self.folder.join(stem(name)),
            None => self.folder.join(entry),
        }
    }

    /// Keeps what `content` gives as the file `file` of an entry.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn keep(&self, entry: &OsStr, file: &Path, mut content: impl Read) -> Result<(), Reason> {
        let folder = self.folder(entry);
        let path = folder.join(file);
        let inner = path.parent().filter(|inner| *inner != folder);
        make(&folder)?;
        if let Some(inner) = inner {
            make(inner)?;
        }
        durable::replace_with(&path, MODE, |copy| io::copy(&mut content, copy).map(|_| ()))
            .and_then(|()| inner.map_or(Ok(()), durable::sync_folder_of))
            .and_then(|()| durable::sync_folder_of(&folder))
            .map_err(|error| failed("writing to the archive", &error, &path))
    }

    /// The entry with the highest number, if there is any.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn newest(&self) -> Result<Option<(u64, String)>, Reason> {
        let unreadable = |error: io::Error| failed("reading the archive", &error, &self.folder);
        let mut newest = None;
        for entry in std::fs::read_dir(&self.folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let number = name.split('-').next().and_then(|number| number.parse::<u64>().ok());
            newest = newest.max(number.map(|number| (number, name.to_owned())));
        }
        Ok(newest)
    }
}

/// The name of an entry, whether it went out as a folder or as a file.
pub fn stem(entry: &str) -> &str {
    entry.split('.').next().unwrap_or(entry)
}

fn make(folder: &Path) -> Result<(), Reason> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed("making a folder in the archive", &error, folder))
        }
        _ => Ok(()),
    }
}
