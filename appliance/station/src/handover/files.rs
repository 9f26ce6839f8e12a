//! The files of a decision: those that were read and have the signed digests.

use oms_verify::budget::Budget;
use oms_verify::statement::ManifestFile;
use oms_verify::verdict::{Decision, FileEntry, FilesOf};

use super::HandoverError;

/// Writes them as JSON. The same files give the same bytes.
///
/// # Errors
/// Those of `writer`.
pub fn files_to_json(
    files: &[(ManifestFile, u64)],
    writer: impl std::io::Write,
) -> Result<(), HandoverError> {
    Ok(serde_json::to_writer(writer, &FilesOf(files))?)
}

/// Reads the files of `decision`, each with its size.
///
/// # Errors
/// When it is not a list of files that are hashed as the decision says.
pub fn files_from_json(
    bytes: &[u8],
    decision: &Decision,
) -> Result<Vec<(ManifestFile, u64)>, HandoverError> {
    files_of(decision, &serde_json::from_slice::<Vec<FileEntry<'_>>>(bytes)?)
}

/// The files that these entries of `decision` stand for.
pub(super) fn files_of(
    decision: &Decision,
    entries: &[FileEntry<'_>],
) -> Result<Vec<(ManifestFile, u64)>, HandoverError> {
    let Some(serialization) = &decision.serialization else { return Ok(Vec::new()) };
    let (method, hash) = serialization.read()?;
    let budget = written();
    let files = entries.iter().map(|entry| entry.read(method, hash, &budget));
    Ok(files.collect::<Result<_, _>>()?)
}

/// What a list of files may hold that was decided about: the policy's budget was kept to before.
pub(crate) fn written() -> Budget {
    Budget { resources: usize::MAX, ..Budget::default() }
}
