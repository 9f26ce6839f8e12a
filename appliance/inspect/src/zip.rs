//! zip: found by its end, as readers find it, wherever the file starts otherwise.
//!
//! ```text
//!   [prefix] local headers and data | central directory | [zip64 end, locator] | end | comment
//!            ^ central directory's offsets count from here
//! ```
//!
//! Only the frame is looked at; what the entries hold is not.

use std::io::{self, Read, Seek};

use memchr::memmem;

use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::Malformed;
use crate::source::Source;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_SIZE: u64 = 20;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_SIZE: u64 = 56;

/// Looks for a zip at the start and at the end of the file.
pub(crate) fn claim<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Option<Claim>> {
    let starts = source.head().starts_with(LOCAL);
    let Some(end) = last_end(source)? else {
        let malformed = Some(Malformed::ZipEnd);
        return Ok(starts.then(|| Claim { malformed, ..Claim::sure(Format::Zip) }));
    };
    let malformed = if end.prefix > 0 {
        Some(Malformed::ZipPrefix { bytes: end.prefix })
    } else if end.trailing > 0 {
        Some(Malformed::ZipTrailing { bytes: end.trailing })
    } else {
        None
    };
    Ok(Some(Claim { malformed, ..Claim::sure(Format::Zip) }))
}

/// How many bytes stand before the only thing that `claims` hold, if that is a zip.
pub(crate) fn prefix(claims: &[Claim]) -> Option<u64> {
    match claims {
        [Claim { malformed: Some(Malformed::ZipPrefix { bytes }), .. }] => Some(*bytes),
        _ => None,
    }
}

/// An end of central directory whose directory lies in the file.
struct End {
    /// Bytes before the zip, or in it and before what its directory lists.
    prefix: u64,
    /// Bytes after the comment.
    trailing: u64,
}

/// The last end in the file that agrees with it.
fn last_end<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Option<End>> {
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
    if prefix == 0 && !empty && !source.head().starts_with(LOCAL) {
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
    let Some(locator) = at.checked_sub(LOCATOR_SIZE) else {
        return Ok(None);
    };
    if source.peek(locator)? != Some(LOCATOR) {
        return Ok(None);
    }
    let claimed = source.peek(locator.saturating_add(8))?.map(u64::from_le_bytes);
    for place in [claimed, locator.checked_sub(END64_SIZE)].into_iter().flatten() {
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

#[cfg(test)]
mod tests {
    use crate::sample::{look, zip, zip64};
    use crate::{Format, Identified, Malformed};

    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Zip), "{bytes:02x?}");
        found.malformed
    }

    #[test]
    fn zips_with_and_without_entries_pass() {
        assert_eq!(wrong(&zip(0)), None);
        assert_eq!(wrong(&zip64(0)), None);
        assert_eq!(wrong(&[&b"PK\x05\x06"[..], &[0; 18]].concat()), None);
        let mut commented = zip(0);
        let length = commented.len();
        commented[length - 2] = 3;
        commented.extend(b"abc");
        assert_eq!(wrong(&commented), None);
    }

    #[test]
    fn a_zip_without_its_end_is_malformed() {
        let bytes = zip(0);
        assert_eq!(wrong(&bytes[..bytes.len() - 1]), Some(Malformed::ZipEnd));
        let mut lying = zip(0);
        let length = lying.len();
        lying[length - 10] ^= 1; // the size of the directory
        lying[length - 6] ^= 1; // its offset
        assert_eq!(wrong(&lying), Some(Malformed::ZipEnd));
    }

    #[test]
    fn bytes_around_a_zip_are_found() {
        let prefixed = |zip: Vec<u8>| [vec![0, 1, 2], zip].concat();
        for bytes in [prefixed(zip(0)), prefixed(zip(3)), prefixed(zip64(0))] {
            assert_eq!(wrong(&bytes), Some(Malformed::ZipPrefix { bytes: 3 }));
        }
        let first = zip(0).len() as u64;
        let two = [zip(0), zip(0)].concat();
        assert_eq!(wrong(&two), Some(Malformed::ZipPrefix { bytes: first }));
        let trailing = [zip(0), vec![0]].concat();
        assert_eq!(wrong(&trailing), Some(Malformed::ZipTrailing { bytes: 1 }));
    }

    #[test]
    fn the_bare_magic_of_an_end_is_no_zip() {
        for fields in [[7; 18], *b"\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            let bytes = [&[0, 1][..], b"PK\x05\x06", &fields].concat();
            assert_eq!(look(&bytes).format, Identified::Unknown);
        }
    }

    #[test]
    fn false_ends_do_not_hide_a_true_one() {
        let mut bytes = [vec![0, 1, 2], zip(0)].concat();
        let length = bytes.len();
        bytes.resize(length + 60_000, 7);
        for at in (length..bytes.len() - 4).step_by(22) {
            bytes[at..at + 4].copy_from_slice(b"PK\x05\x06");
        }
        assert_eq!(wrong(&bytes), Some(Malformed::ZipPrefix { bytes: 3 }));
    }
}
