//! Text that is passed over.

use std::io::{Read, Seek};

use crate::finding::Place;
use crate::malformed::{Fault, broken};
use crate::source::Scan;

/// How many bytes of a text are kept.
const KEPT: usize = 1024;
/// How many bytes are looked at in one go.
const CHUNK: usize = 4096;

/// Passes over `length` bytes that must be UTF-8. Gives their start, with an ellipsis where more
/// follows.
pub(super) fn pass<R: Read + Seek>(scan: &mut Scan<'_, R>, length: u64) -> Result<String, Fault> {
    let start = scan.at();
    scan.need(length)?;
    let mut kept = String::new();
    let mut more = false;
    let mut left = length;
    // What a chunk ended with in the midst of a character.
    let mut rest: Vec<u8> = Vec::new();
    while left > 0 {
        let count = left.min(CHUNK as u64);
        let mut bytes = std::mem::take(&mut rest);
        bytes.extend(scan.vec(count)?);
        left = left.saturating_sub(count);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && left > 0 => error.valid_up_to(),
            Err(_) => return Err(broken(Place::Offset(start), "a text is not UTF-8")),
        };
        rest = bytes.split_off(whole);
        let text = String::from_utf8(bytes).unwrap_or_default();
        for character in text.chars() {
            if kept.len() >= KEPT {
                more = true;
                break;
            }
            kept.push(character);
        }
    }
    if more {
        kept.push('\u{2026}');
    }
    Ok(kept)
}
