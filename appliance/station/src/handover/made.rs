//! A decision as it is written down before it is signed: with its files, and what the station says
//! about how it was made.

use oms_sys::sealed::Sealed;
use oms_verify::reason::Reason;
use oms_verify::statement::ManifestFile;
use oms_verify::time::UnixTime;
use oms_verify::verdict::{Decision, FileEntry};
use serde::Deserialize;

use super::files::files_of;
use super::{HandoverError, sealed_with};

/// A decision with all that a verdict is made from.
#[derive(Debug)]
pub struct Made {
    /// The decision.
    pub decision: Decision,
    /// The files that were read and have the signed digests.
    pub files: Vec<(ManifestFile, u64)>,
    /// What held the processes that made it.
    pub sandbox: String,
    /// The highest time that the station has seen.
    pub highest: UnixTime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read<'a> {
    sandbox: String,
    highest: UnixTime,
    decision: Decision,
    #[serde(borrow)]
    files: Vec<FileEntry<'a>>,
}

/// Writes down a decision and its files, which are the JSON that the decider handed over: each one
/// value by itself, as [`Decision::read`] and [`files_from_json`](super::files_from_json) make sure.
///
/// # Errors
/// When there is no memory for it.
pub fn made(
    decision: &[u8],
    files: &[u8],
    sandbox: &str,
    highest: UnixTime,
) -> Result<Sealed, Reason> {
    sealed_with(|writer| {
        let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(serde_json::Error::io);
        write(b"{\"sandbox\":")?;
        write(serde_json::to_string(sandbox)?.as_bytes())?;
        write(format!(",\"highest\":{},\"decision\":", highest.0).as_bytes())?;
        write(decision)?;
        write(b",\"files\":")?;
        write(files)?;
        Ok(write(b"}")?)
    })
}

impl Made {
    /// Reads what was written down.
    ///
    /// # Errors
    /// When it is not of the structure.
    pub fn from_json(bytes: &[u8]) -> Result<Self, HandoverError> {
        let Read { sandbox, highest, decision, files } = serde_json::from_slice(bytes)?;
        // Once more by the rules of a decision, and not only of its structure.
        let decision = Decision::read(&decision.to_vec())?;
        let files = files_of(&decision, &files)?;
        Ok(Made { decision, files, sandbox, highest })
    }
}
