//! The wire format of protocol buffers, as far as to walk over fields.

use std::io::{Read, Seek};

use crate::malformed::{Fault, Malformed};
use crate::source::Scan;

/// How a field is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// A number of one to ten bytes.
    Varint,
    /// Eight bytes.
    Eight,
    /// A length and that many bytes.
    Bytes,
    /// Four bytes.
    Four,
}

/// The number and encoding of the next field; `None` when no field can start like this.
pub(crate) fn tag<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<Option<(u64, Wire)>, Fault> {
    let tag = varint(scan)?;
    let wire = match tag & 7 {
        0 => Wire::Varint,
        1 => Wire::Eight,
        2 => Wire::Bytes,
        5 => Wire::Four,
        _ => return Ok(None),
    };
    let field = tag >> 3;
    Ok((1..=0x1fff_ffff).contains(&field).then_some((field, wire)))
}

/// A number of at most ten bytes.
pub(crate) fn varint<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<u64, Fault> {
    let at = scan.at();
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = scan.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::Truncated { at, needed: 11 }.into())
}

/// Passes over the value of a field.
pub(crate) fn skip<R: Read + Seek>(scan: &mut Scan<'_, R>, wire: Wire) -> Result<(), Fault> {
    match wire {
        Wire::Varint => varint(scan).map(drop),
        Wire::Eight => scan.skip(8),
        Wire::Four => scan.skip(4),
        Wire::Bytes => {
            let length = varint(scan)?;
            scan.skip(length)
        }
    }
}
