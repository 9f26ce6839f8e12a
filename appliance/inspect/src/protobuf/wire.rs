//! The wire format, as far as to walk over fields.

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
        // Readers drop what the tenth byte holds beyond 64 bits, or refuse it.
        if shift == 63 && byte > 1 {
            break;
        }
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

/// Counts the numbers that fill the next `length` bytes.
pub(super) fn varints<R: Read + Seek>(scan: &mut Scan<'_, R>, length: u64) -> Result<u64, Fault> {
    let start = scan.at();
    scan.need(length)?;
    let mut chunk = [0; 4096];
    let (mut left, mut count, mut run) = (length, 0_u64, 0_u32);
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(chunk.len()).min(chunk.len());
        let part = chunk.get_mut(..room).unwrap_or_default();
        scan.read_exact(part)?;
        for &byte in part.iter() {
            run += 1;
            if run == 10 && byte > 1 {
                return Err(Malformed::Truncated { at: start, needed: 11 }.into());
            }
            if byte & 0x80 == 0 {
                count = count.saturating_add(1);
                run = 0;
            }
        }
        left = left.saturating_sub(room as u64);
    }
    if run > 0 {
        return Err(Malformed::Truncated { at: scan.at(), needed: 1 }.into());
    }
    Ok(count)
}

/// Writes a number.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
