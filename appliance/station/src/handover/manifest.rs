//! A signed manifest, for those that read the files that it lists.

use std::io::Write;

use oms_verify::budget::Budget;
use oms_verify::statement::{Manifest, ManifestFile};
use oms_verify::verdict::{FileEntry, Serialization, VerdictError};
use serde::{Deserialize, Serialize, Serializer};

use super::HandoverError;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    serialization: Serialization,
    is_dot: bool,
    ignore_paths: &'a [String],
    files: Listed<'a>,
}

struct Listed<'a>(&'a [ManifestFile]);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A manifest tells the size of what is in shards, which is what their number is checked by.
        let size = |file: &ManifestFile| file.pieces.size().unwrap_or_default();
        serializer.collect_seq(self.0.iter().map(|file| FileEntry::new(file, size(file))))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read<'a> {
    serialization: Serialization,
    is_dot: bool,
    ignore_paths: Vec<String>,
    #[serde(borrow)]
    files: Vec<FileEntry<'a>>,
}

/// Writes a manifest as JSON.
///
/// # Errors
/// Those of `writer`.
pub fn manifest_to_json(manifest: &Manifest, writer: impl Write) -> Result<(), HandoverError> {
    let written = Written {
        serialization: Serialization::from(manifest),
        is_dot: manifest.is_dot(),
        ignore_paths: manifest.ignore_paths(),
        files: Listed(manifest.files()),
    };
    Ok(serde_json::to_writer(writer, &written)?)
}

/// Reads a manifest.
///
/// # Errors
/// When it is none, or past the budget.
pub fn manifest_from_json(bytes: &[u8], budget: &Budget) -> Result<Manifest, HandoverError> {
    let Read { serialization, is_dot, ignore_paths, files } = serde_json::from_slice(bytes)?;
    let (method, hash) = serialization.read()?;
    let files = files.iter().map(|file| Ok(file.read(method, hash, budget)?.0));
    let files = files.collect::<Result<_, VerdictError>>()?;
    let manifest = Manifest::new(hash, method, ignore_paths, files, budget);
    let manifest = manifest.map_err(VerdictError::from)?;
    if !is_dot {
        return Ok(manifest);
    }
    Ok(manifest.named_dot().map_err(VerdictError::from)?)
}
