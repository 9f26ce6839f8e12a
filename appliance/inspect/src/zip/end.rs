//! The end of a zip: where readers look first, wherever the file starts otherwise.
//!
//! ```text
//!   [prefix] local headers and data | central directory | [zip64 end, locator] | end | comment
//!            ^ central directory's offsets count from here
//! ```
//!
//! [`last`] finds what any reader could take for an end. [`read`] asks that it is the only one, at the
//! end of the file, and that all that it says is so.

use std::io::{self, Read, Seek};

use memchr::memmem;

use super::fields::Fields;
use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken};
use crate::source::Source;

pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_SIZE: usize = 20;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_SIZE: usize = 56;

/// Where the central directory lies, and how many entries it has.
pub(super) struct Frame {
    pub(super) entries: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Reads the end that is the last of the file (APPNOTE, section 4.3.16).
pub(super) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> Result<Frame, Fault> {
    let Some(at) = source.length().checked_sub(END_SIZE as u64) else {
        return Err(Malformed::ZipEnd.into());
    };
    let wrong = |detail: &str| broken(Place::Offset(at), detail);
    let record: Option<[u8; END_SIZE]> = source.peek(at)?;
    let record = record.filter(|record| record.starts_with(END)).ok_or_else(|| {
        wrong("the end of the directory is not at the end of the file: it has a comment, or is no end")
    })?;
    let mut fields = Fields::new(&record, at);
    fields.u32()?;
    let (disk, of, here, all) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
    let (size, start, comment) = (fields.u32()?, fields.u32()?, fields.u16()?);
    if (disk, of) != (0, 0) || here != all {
        return Err(wrong("the archive is said to lie on several disks"));
    }
    if comment > 0 {
        return Err(wrong("the comment is longer than the file"));
    }
    let mut frame = Frame { entries: all.into(), start: start.into(), end: at };
    let mut length = u64::from(size);
    if let Some((end, large)) = end64_read(source, at)? {
        let agree = |short: u64, most: u64, value: u64| short == value || short == most;
        let [entries, size, start] = large;
        if !(agree(frame.entries, u16::MAX.into(), entries)
            && agree(length, u32::MAX.into(), size)
            && agree(frame.start, u32::MAX.into(), start))
        {
            return Err(wrong("the zip64 end and the end do not agree"));
        }
        frame = Frame { entries, start, end };
        length = size;
    } else if all == u16::MAX || size == u32::MAX || start == u32::MAX {
        return Err(wrong("the end asks for a zip64 end, and there is none"));
    }
    if frame.start.checked_add(length) != Some(frame.end) {
        return Err(wrong("the directory does not lie where the end says"));
    }
    if frame.entries > budget.zip_entries {
        return Err(wrong(&format!("there are more than {} members", budget.zip_entries)));
    }
    if length > budget.zip_directory {
        return Err(wrong(&format!("the directory has more than {} bytes", budget.zip_directory)));
    }
    Ok(frame)
}

/// The zip64 end and its locator, one right before the other and before the end at `at` (sections
/// 4.3.14 and 4.3.15): where they start; entries, size and offset of the directory.
fn end64_read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    at: u64,
) -> Result<Option<(u64, [u64; 3])>, Fault> {
    let Some(locator_at) = at.checked_sub(LOCATOR_SIZE as u64) else {
        return Ok(None);
    };
    let locator: Option<[u8; LOCATOR_SIZE]> = source.peek(locator_at)?;
    let Some(locator) = locator.filter(|locator| locator.starts_with(&LOCATOR)) else {
        return Ok(None);
    };
    let wrong = |detail: &str| broken(Place::Offset(locator_at), detail);
    let mut fields = Fields::new(&locator, locator_at);
    fields.u32()?;
    let (disk, claimed, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
    if disk != 0 || disks > 1 {
        return Err(wrong("the archive is said to lie on several disks"));
    }
    let end_at = locator_at.checked_sub(END64_SIZE as u64).filter(|&end| end == claimed);
    let Some(end_at) = end_at else {
        return Err(wrong("the zip64 end does not stand right before its locator"));
    };
    let record: Option<[u8; END64_SIZE]> = source.peek(end_at)?;
    let Some(record) = record.filter(|record| record.starts_with(&END64)) else {
        return Err(wrong("the zip64 end does not stand right before its locator"));
    };
    let mut fields = Fields::new(&record, end_at);
    fields.u32()?;
    let (rest, _versions) = (fields.u64()?, fields.u32()?);
    let (disk, of, here, all) = (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
    if rest != (END64_SIZE - 12) as u64 {
        return Err(wrong("the zip64 end has another size than its fields"));
    }
    if (disk, of) != (0, 0) || here != all {
        return Err(wrong("the archive is said to lie on several disks"));
    }
    Ok(Some((end_at, [all, fields.u64()?, fields.u64()?])))
}

/// An end of central directory whose directory lies in the file.
pub(super) struct End {
    /// Bytes before the zip, or in it and before what its directory lists.
    pub(super) prefix: u64,
    /// Bytes after the comment.
    pub(super) trailing: u64,
}

/// The last end in the file that agrees with it.
pub(super) fn last<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Option<End>> {
    let tail = source.tail();
    // Forwards, since that is many times as fast: each file of every format is gone through.
    let found: Vec<(usize, [u8; END_SIZE])> = memmem::find_iter(tail, END)
        .filter_map(|index| {
            let (record, _) = tail.get(index..)?.split_first_chunk()?;
            Some((index, *record))
        })
        .collect();
    for (index, record) in found.into_iter().rev() {
        let at = source.tail_start().saturating_add(index as u64);
        if let Some(end) = agreeing(source, at, &record)? {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Checks the end `record` that stands at `at` against the file.
fn agreeing<R: Read + Seek>(
    source: &mut Source<'_, R>,
    at: u64,
    record: &[u8; END_SIZE],
) -> io::Result<Option<End>> {
    let [.., e0, e1, s0, s1, s2, s3, o0, o1, o2, o3, c0, c1] = *record;
    let mut entries = u64::from(u16::from_le_bytes([e0, e1]));
    let mut size = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
    let mut offset = u64::from(u32::from_le_bytes([o0, o1, o2, o3]));
    let comment = u64::from(u16::from_le_bytes([c0, c1]));
    let mut directory_end = at;

    if let Some((at64, record)) = end64(source, at)? {
        [entries, size, offset] = record;
        directory_end = at64;
    }
    let Some(start) = directory_end.checked_sub(size) else {
        return Ok(None);
    };
    // Readers go by the distance from the end, by the offset from the start, or by either.
    let directory_at_start = source.peek(start)? == Some(CENTRAL);
    let directory_at_offset = source.peek(offset)? == Some(CENTRAL);
    // An end without entries points to nothing, so all of it must be as it is written.
    let empty = entries == 0 && size == 0 && record.get(4..8) == Some(&[0; 4]) && offset <= at;
    if !(empty || directory_at_start || directory_at_offset) {
        return Ok(None);
    }
    let after = at.saturating_add(END_SIZE as u64);
    let left = source.length().saturating_sub(after);
    let mut prefix = start.abs_diff(offset);
    if prefix == 0 && !empty && !source.head().starts_with(&LOCAL) {
        // The offsets count from the start of the file, and yet something else stands there.
        prefix = first_local(source, start)?.unwrap_or(start);
    }
    Ok(Some(End { prefix, trailing: left.saturating_sub(comment) }))
}

/// Where the first entry of the directory at `start` says that it lies.
fn first_local<R: Read + Seek>(source: &mut Source<'_, R>, start: u64) -> io::Result<Option<u64>> {
    let field: Option<[u8; 4]> = source.peek(start.saturating_add(42))?;
    Ok(field.map(|bytes| u64::from(u32::from_le_bytes(bytes))).filter(|&at| at > 0 && at < start))
}

/// The zip64 end before the end at `at`: where it stands; its entries, size and offset.
fn end64<R: Read + Seek>(
    source: &mut Source<'_, R>,
    at: u64,
) -> io::Result<Option<(u64, [u64; 3])>> {
    let Some(locator) = at.checked_sub(LOCATOR_SIZE as u64) else {
        return Ok(None);
    };
    if source.peek(locator)? != Some(LOCATOR) {
        return Ok(None);
    }
    let claimed = source.peek(locator.saturating_add(8))?.map(u64::from_le_bytes);
    for place in [claimed, locator.checked_sub(END64_SIZE as u64)].into_iter().flatten() {
        if place < locator && source.peek(place)? == Some(END64) {
            let mut fields = [0; 3];
            for (field, value) in fields.iter_mut().enumerate() {
                let field_at = place.saturating_add(32 + 8 * field as u64);
                let Some(bytes) = source.peek(field_at)? else { return Ok(None) };
                *value = u64::from_le_bytes(bytes);
            }
            return Ok(Some((place, fields)));
        }
    }
    Ok(None)
}
