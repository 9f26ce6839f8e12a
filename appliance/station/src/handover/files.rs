//! The files of a decision: those that were read and have the signed digests.

use oms_verify::statement::ManifestFile;
use oms_verify::verdict::FilesOf;

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
