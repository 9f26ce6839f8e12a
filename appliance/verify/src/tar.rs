//! An entry as one file: POSIX tar (ustar, with a pax header where a name or a size needs one), the
//! same bytes for the same files.
//!
//! ```text
//!  [pax header, records]  header  content, filled up to 512 bytes   …   two empty blocks
//! ```
//!
//! There is one way to write a member, and only that one is read: what a reader makes of a header
//! is written anew, and must give the same bytes. So there are no links, devices or folders, no
//! owners or times, and nothing that two programs could understand differently.

use std::io::{self, Read};

/// Bytes of a block.
pub const BLOCK: usize = 512;
/// Bytes of the two empty blocks that end an archive.
pub const END: usize = 2 * BLOCK;

/// Bytes of a name in a header.
const NAME: usize = 100;
/// Where the size stands in a header: 11 octal digits and a NUL.
const SIZE: (usize, usize) = (124, 11);
/// Where a header says what its member is.
const KIND: usize = 156;
/// The first size that 11 octal digits do not hold.
const LARGE: u64 = 1 << 33;
/// Bytes of the records of a pax header: a path of 4096 bytes at most, a size, and their keys.
const RECORDS: u64 = 8 << 10;

/// A member, as its header announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name. It may say anything: compare it with the names that are expected.
    pub name: String,
    /// Bytes of its content, which follows, filled up by [`padding`].
    pub size: u64,
}

/// Why there is no next member.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// the archive cannot be read, or ends too early
    #[error(transparent)]
    Io(#[from] io::Error),
    /// a member that is no regular file
    #[error("a member is a link, a folder, a device or something else that is no file")]
    Kind,
    /// a header that no station writes
    #[error("a header is not as a station writes it")]
    Header,
    /// the end is not two empty blocks
    #[error("the archive does not end as a station ends it")]
    End,
}

/// All that comes before the content of a member.
pub fn header(name: &str, size: u64) -> Vec<u8> {
    let mut blocks = Vec::new();
    if name.len() > NAME || !name.is_ascii() || size >= LARGE {
        let records = [record("path", name), record("size", &size.to_string())].concat();
        blocks.extend(block("pax", records.len() as u64, b'x'));
        blocks.extend_from_slice(records.as_bytes());
        blocks.resize(blocks.len().saturating_add(padding(records.len() as u64)), 0);
    }
    blocks.extend(block(name, size, b'0'));
    blocks
}

/// Zeros after a content of `size` bytes.
pub fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    if over == 0 { 0 } else { BLOCK.saturating_sub(over) }
}

/// Reads up to the content of the next member; `None` at the end of the archive, whose last byte
/// was read then. At most 10 KiB are held.
///
/// # Errors
/// When the bytes are anything else than what [`header`] gives, or the end.
pub fn next(from: &mut impl Read) -> Result<Option<Member>, TarError> {
    let mut first = [0; BLOCK];
    from.read_exact(&mut first)?;
    if first == [0; BLOCK] {
        let mut last = [0; BLOCK];
        from.read_exact(&mut last)?;
        return if last == first { Ok(None) } else { Err(TarError::End) };
    }
    let mut found = first.to_vec();
    let member = match first.get(KIND) {
        Some(b'0') => plain(&first).ok_or(TarError::Header)?,
        Some(b'x') => {
            let length = size(&first).filter(|length| *length <= RECORDS);
            let length = length.ok_or(TarError::Header)?;
            let filled = length.saturating_add(padding(length) as u64);
            // Bounded by RECORDS.
            let mut rest = vec![0; usize::try_from(filled).unwrap_or_default()];
            from.read_exact(&mut rest)?;
            let records = rest.get(..usize::try_from(length).unwrap_or_default());
            let member = records.and_then(extended).ok_or(TarError::Header)?;
            from.read_exact(&mut first)?;
            found.extend(rest);
            found.extend(first);
            member
        }
        _ => return Err(TarError::Kind),
    };
    if header(&member.name, member.size) == found {
        Ok(Some(member))
    } else {
        Err(TarError::Header)
    }
}

/// What a header says by itself.
fn plain(block: &[u8]) -> Option<Member> {
    let name = block.get(..NAME)?.split(|byte| *byte == 0).next()?;
    Some(Member { name: String::from_utf8(name.to_vec()).ok()?, size: size(block)? })
}

fn size(block: &[u8]) -> Option<u64> {
    let digits = block.get(SIZE.0..SIZE.0.checked_add(SIZE.1)?)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// What the records `path` and `size` say, in this order and without any other.
fn extended(records: &[u8]) -> Option<Member> {
    let (path, rest) = taken(records, "path")?;
    let (size, rest) = taken(rest, "size")?;
    if !rest.is_empty() {
        return None;
    }
    Some(Member { name: path.to_owned(), size: size.parse().ok()? })
}

/// The value of the first record, if it has this key, and what comes after it.
fn taken<'a>(records: &'a [u8], key: &str) -> Option<(&'a str, &'a [u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
    let record = records.get(space..length)?.strip_prefix(b" ")?;
    let value = record.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?.strip_suffix(b"\n")?;
    Some((std::str::from_utf8(value).ok()?, records.get(length..)?))
}

/// A record of a pax header: its own length in bytes, which counts its own digits, comes first.
fn record(key: &str, value: &str) -> String {
    let rest = key.len().saturating_add(value.len()).saturating_add(" =\n".len());
    let mut length = rest;
    while length != rest.saturating_add(length.to_string().len()) {
        length = rest.saturating_add(length.to_string().len());
    }
    format!("{length} {key}={value}\n")
}

/// A header's block. A name or a size that does not fit stands in the pax header before it.
fn block(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let fitting = name.as_bytes().get(..name.len().min(NAME)).unwrap_or_default();
    let size = if size < LARGE { size } else { 0 };
    let mut block = Vec::with_capacity(BLOCK);
    block.extend_from_slice(fitting);
    block.resize(NAME, 0);
    block.extend_from_slice(b"0000640\0"); // mode
    block.extend_from_slice(b"0000000\0"); // owner
    block.extend_from_slice(b"0000000\0"); // group
    block.extend_from_slice(format!("{size:011o}\0").as_bytes());
    block.extend_from_slice(b"00000000000\0"); // time
    let place = block.len();
    block.extend_from_slice(b"        "); // the sum is taken over spaces in its own place
    block.push(kind);
    block.resize(block.len().saturating_add(NAME), 0); // no link
    block.extend_from_slice(b"ustar\x0000");
    block.resize(BLOCK, 0);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    if let Some(field) = block.get_mut(place..place.saturating_add(sum.len())) {
        field.copy_from_slice(sum.as_bytes());
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Option<Member>, TarError> {
        next(&mut bytes)
    }

    #[test]
    fn what_is_written_is_read() {
        let long = format!("model/{}/{}", "a".repeat(120), "b".repeat(200));
        for name in ["x", "model/\u{fc}", &"y".repeat(NAME), &"z".repeat(NAME + 1), &long, ""] {
            for size in [0, 1, 511, LARGE - 1, LARGE, u64::MAX] {
                let blocks = header(name, size);
                assert_eq!(blocks.len() % BLOCK, 0);
                let member = Member { name: name.to_owned(), size };
                assert_eq!(read(&blocks).unwrap(), Some(member), "{name} {size}");
            }
        }
        assert_eq!(read(&[0; END]).unwrap(), None);
    }

    #[test]
    fn nothing_else_is_read() {
        let refused = |change: &dyn Fn(&mut Vec<u8>), blocks: &[u8]| {
            let mut blocks = blocks.to_vec();
            change(&mut blocks);
            read(&blocks).unwrap_err().to_string()
        };
        let (short, long) = (header("a", 3), header(&"a".repeat(200), 3));
        for kind in *b"123456789gKL\0" {
            let told = refused(&|blocks| blocks[KIND] = kind, &short);
            assert!(told.contains("no file"), "{told}");
        }
        // Any other byte: a mode, an owner, a time, a link's name, a sum, behind the name's end.
        for at in (0..BLOCK).filter(|at| *at != KIND) {
            let told = refused(&|blocks| blocks[at] ^= 1, &short);
            assert!(told.contains("as a station writes it"), "byte {at}: {told}");
        }
        for at in (0..long.len()).filter(|at| *at != KIND) {
            let mut blocks = long.clone();
            blocks[at] ^= 1;
            // What stands in the pax header alone may give another name, and nothing else.
            let name = (BLOCK..BLOCK + 220).contains(&at);
            match read(&blocks) {
                Ok(member) => assert!(name && member.unwrap().name != "a".repeat(200), "{at}"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        // A pax header without need, and one that is longer than any name.
        let records = [record("path", "a"), record("size", "3")].concat();
        let needless = [&block("pax", records.len() as u64, b'x')[..], records.as_bytes()].concat();
        let mut needless = needless;
        needless.resize(2 * BLOCK, 0);
        needless.extend(block("a", 3, b'0'));
        assert!(matches!(read(&needless), Err(TarError::Header)));
        let endless = block("pax", RECORDS + 1, b'x');
        assert!(matches!(read(&endless), Err(TarError::Header)));
        let mut end = [0; END];
        end[END - 1] = 1;
        assert!(matches!(read(&end), Err(TarError::End)));
    }

    #[test]
    fn an_archive_that_ends_too_early_is_told() {
        let long = header(&"a".repeat(200), 3);
        for bytes in [&long[..], &[0; END]] {
            for end in 0..bytes.len() {
                assert!(matches!(read(&bytes[..end]), Err(TarError::Io(_))), "{end}");
            }
        }
    }

    #[test]
    fn a_size_of_more_than_eleven_digits_stands_before_the_header() {
        assert_eq!(record("size", "8589934592"), "19 size=8589934592\n");
        // 99 bytes with two digits would be 100 with three: the length counts itself.
        for length in 80..120 {
            let record = record("path", &"x".repeat(length));
            let stated: usize = record.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(stated, record.len());
        }
        assert_eq!(&block("x", LARGE, b'0')[124..136], b"00000000000\0");
        assert_eq!(&block("x", LARGE - 1, b'0')[124..136], b"77777777777\0");
    }
}
