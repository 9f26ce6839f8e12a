//! Small files of the station's state: read with suspicion, written so that a crash leaves the old
//! one or the new one.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use oms_sys::durable;
use oms_verify::reason::{Code, Reason};
use serde::{Deserialize, Serialize};

use crate::storage::failed;

/// Bytes of a payload that is written down: it lists every file of a model.
pub(crate) const PAYLOAD_LIMIT: u64 = 1 << 30;

/// Reads a record that this station wrote, at most `limit` bytes; `None` when there is none. What
/// somebody else put there is not followed.
///
/// # Errors
/// When it cannot be read, is damaged, or others may have written it.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(
    path: &Path,
    limit: u64,
) -> Result<Option<T>, Reason> {
    let Some(bytes) = read_bytes(path, limit)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&error.to_string(), path))
}

/// Reads the bytes of a record, as [`read`] does.
///
/// # Errors
/// When it cannot be read, is larger than any that this station writes, or others may have written
/// it.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Reason> {
    let Some(size) = check_own(path)? else { return Ok(None) };
    if size > limit {
        let detail = format!("the record has {size} bytes, at most {limit} are right");
        return Err(damaged(&detail, path));
    }
    let bytes = crate::bounded::read(path, limit);
    bytes.map(Some).map_err(|error| failed("reading a record", &error, path))
}

/// The size of a record that only this station may have written; `None` when there is none.
///
/// # Errors
/// When it is anything else than a file, or others may write it.
pub(crate) fn check_own(path: &Path) -> Result<Option<u64>, Reason> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("reading a record", &error, path)),
    };
    let ours = metadata.uid() == rustix::process::geteuid().as_raw() || metadata.uid() == 0;
    if !metadata.is_file() || !ours || metadata.mode() & 0o022 != 0 {
        return Err(damaged("the record is not a file that only the station may write", path));
    }
    Ok(Some(metadata.len()))
}

/// Writes a record so that it survives a power cut.
///
/// # Errors
/// When it cannot be made durable.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Reason> {
    // As it is made: a payload is large, and its text with escapes is larger.
    durable::replace_with(path, 0o600, |file| Ok(serde_json::to_writer(file, value)?))
        .map_err(|error| failed("writing a record", &error, path))
}

/// Writes the bytes of a record, as [`write`] does.
///
/// # Errors
/// When they cannot be made durable.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Reason> {
    durable::replace(path, bytes, 0o600).map_err(|error| failed("writing a record", &error, path))
}

/// The reason for a record that cannot be right.
pub(crate) fn damaged(what: &str, path: &Path) -> Reason {
    Reason::new(Code::StateDamaged, what).about(path.display().to_string())
}
