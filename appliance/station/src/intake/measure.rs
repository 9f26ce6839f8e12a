//! Measuring a model before its first byte is read.

use std::ops::Range;

use oms_sys::beneath::Folders;
use oms_verify::budget::Budget;
use oms_verify::reason::{Class, Code, Reason, Reasons};
use oms_verify::statement::{Manifest, ManifestFile};

use super::attend::Pulse;
use super::{Source, about, refusal_or_failure};

/// What some of a model's files measure.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Their sizes in bytes, in the order of the manifest; none for those that must not be read.
    pub(super) sizes: Vec<Option<u64>>,
    /// Why not: a file cannot be opened, its size is not the signed one, or it is past the budget.
    pub(super) problems: Reasons,
}

/// Measures the files of `range` of the manifest, without opening one.
///
/// # Errors
/// When the carrier cannot be read.
pub(super) fn measure(
    source: &Source,
    manifest: &Manifest,
    range: Range<usize>,
    budget: &Budget,
    pulse: &Pulse,
) -> Result<Measured, Reason> {
    let mut measured = Measured::default();
    let mut folders = source.folders();
    for file in manifest.files().get(range).unwrap_or_default() {
        pulse.go_on()?;
        let size = size(source, manifest, &mut folders, file, budget);
        measured.sizes.push(match size.map_err(|reason| about(reason, &file.path)) {
            Ok(size) => Some(size),
            Err(failure) if failure.code.class() != Class::Refusal => return Err(failure),
            Err(refusal) => {
                measured.problems.push(refusal);
                None
            }
        });
    }
    Ok(measured)
}

/// Takes the files out of `measured` that are past the budget of all files together.
pub(super) fn within_budget(measured: &mut Measured, manifest: &Manifest, budget: &Budget) {
    let mut room = budget.total_bytes;
    for (size, file) in measured.sizes.iter_mut().zip(manifest.files()) {
        let Some(bytes) = *size else { continue };
        match room.checked_sub(bytes) {
            Some(rest) => room = rest,
            None => {
                *size = None;
                let detail = format!("the model has more than {} bytes", budget.total_bytes);
                let reason = Reason::new(Code::ManifestTotalTooLarge, detail);
                let reason = reason.by_rule("manifest.max-total-bytes");
                measured.problems.push(about(reason, &file.path));
            }
        }
    }
}

fn size(
    source: &Source,
    manifest: &Manifest,
    folders: &mut Folders,
    file: &ManifestFile,
    budget: &Budget,
) -> Result<u64, Reason> {
    if !source.may_hold(manifest, &file.path) {
        return Err(Reason::new(Code::ManifestMissingFile, "the listed file is absent"));
    }
    let path = file.path.as_str();
    let look = folders.look(source.place(path)).map_err(|error| refusal_or_failure(error, path))?;
    let size = look.size();
    if let Some(signed) = file.pieces.size()
        && signed != size
    {
        let detail = format!("has {size} bytes, {signed} are signed");
        return Err(Reason::new(Code::ManifestSizeMismatch, detail));
    }
    if size > budget.file_bytes {
        let detail = format!("has {size} bytes, the limit is {}", budget.file_bytes);
        let reason = Reason::new(Code::ManifestFileTooLarge, detail);
        return Err(reason.by_rule("manifest.max-file-bytes"));
    }
    Ok(size)
}
