//! Putting things into sealed memory.

use std::io::{BufWriter, Write};

use oms_sys::sealed::{Sealed, SealedWriter};
use oms_verify::reason::{Code, Reason};
use serde::Serialize;

use super::HandoverError;

/// Bytes that one process hands to another at most. A manifest of some millions of files fits.
pub const MOST_SEALED: usize = 2 << 30;

/// The memory that `write` fills.
///
/// # Errors
/// When it cannot be had, or would be larger than [`MOST_SEALED`].
pub fn sealed_with(
    write: impl FnOnce(&mut dyn Write) -> Result<(), HandoverError>,
) -> Result<Sealed, Reason> {
    let lacking = |detail: String| {
        Reason::new(Code::ProcessFailed, format!("memory for another process: {detail}"))
    };
    let writer = SealedWriter::new(MOST_SEALED).map_err(|error| lacking(error.to_string()))?;
    let mut buffered = BufWriter::with_capacity(1 << 16, writer);
    write(&mut buffered).map_err(|error| lacking(error.to_string()))?;
    let writer = buffered.into_inner().map_err(|error| lacking(error.to_string()))?;
    writer.seal().map_err(|error| lacking(error.to_string()))
}

/// A copy of `bytes`.
///
/// # Errors
/// As [`sealed_with`].
pub fn sealed_copy(bytes: &[u8]) -> Result<Sealed, Reason> {
    sealed_with(|writer| Ok(writer.write_all(bytes).map_err(serde_json::Error::io)?))
}

/// A value as JSON.
///
/// # Errors
/// As [`sealed_with`].
pub fn sealed_json(value: &impl Serialize) -> Result<Sealed, Reason> {
    sealed_with(|writer| Ok(serde_json::to_writer(writer, value)?))
}
