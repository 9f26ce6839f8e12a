//! The files of a decision: those that were read and have the signed digests.

use oms_verify::budget::Budget;
use oms_verify::statement::ManifestFile;
use oms_verify::verdict::{Decision, FileEntry, FilesOf};

use super::HandoverError;

/// Writes them as JSON.
///
/// # Errors
/// Those of `writer`.
pub fn files_to_json(
    files: &[(ManifestFile, u64)],
    writer: impl std::io::Write,
) -> Result<(), HandoverError> {
    Ok(serde_json::to_writer(writer, &FilesOf(files))?)
}

/// Reads the files of `decision`.
///
/// # Errors
/// When they are not files that are hashed as the decision says, or not as many.
pub fn files_from_json(
    bytes: &[u8],
    decision: &Decision,
    budget: &Budget,
) -> Result<Vec<(ManifestFile, u64)>, HandoverError> {
    let Some(serialization) = &decision.serialization else { return Ok(Vec::new()) };
    let (method, hash) = serialization.read()?;
    let entries: Vec<FileEntry<'_>> = serde_json::from_slice(bytes)?;
    let files = entries.iter().map(|entry| entry.read(method, hash, budget));
    Ok(files.collect::<Result<_, _>>()?)
}
