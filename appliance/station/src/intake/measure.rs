//! Measuring a model before its first byte is read.

use oms_verify::budget::Budget;
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Manifest, ManifestFile};
use rayon::prelude::*;

use super::{Source, about, open};
use crate::progress::Progress;

/// The size of every listed file in bytes, in the order of the manifest, or why it must not be
/// read: it cannot be opened, its size is not the signed one, or it is past the budget.
///
/// # Errors
/// When the carrier cannot be read, or `progress` is cancelled.
pub(super) fn measure(
    source: &Source,
    manifest: &Manifest,
    budget: &Budget,
    progress: &Progress,
) -> Result<Vec<Result<u64, Reason>>, Reason> {
    let measured: Vec<_> = manifest
        .files()
        .par_iter()
        .map(|file| {
            progress.check()?;
            match size(source, manifest, file, budget).map_err(|r| about(r, &file.path)) {
                Err(failure) if failure.code.class() != Class::Refusal => Err(failure),
                size => Ok(size),
            }
        })
        .collect::<Result<_, _>>()?;
    let mut room = budget.total_bytes;
    let taken = measured.into_iter().map(|size| {
        let size = size?;
        room = room.checked_sub(size).ok_or_else(|| {
            let detail = format!("the model has more than {} bytes", budget.total_bytes);
            let reason = Reason::new(Code::ManifestTotalTooLarge, detail);
            reason.by_rule("manifest.max-total-bytes")
        })?;
        Ok(size)
    });
    Ok(taken.zip(manifest.files()).map(|(size, f)| size.map_err(|r| about(r, &f.path))).collect())
}

fn size(
    source: &Source,
    manifest: &Manifest,
    file: &ManifestFile,
    budget: &Budget,
) -> Result<u64, Reason> {
    let size = open(source, manifest, file)?.size();
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
