//! Formats that are told by a magic number alone. Models do not need them; they are named so that a
//! refusal can say what it refused.

use std::io::{self, Read, Seek};

use memchr::memmem;

use crate::claim::Claim;
use crate::format::Format;
use crate::source::Source;

/// Bytes at the start that no text has.
const SURE: &[(&[u8], Format)] = &[
    (b"\x93NUMPY", Format::Numpy),
    (b"\x7fELF", Format::Elf),
    (b"\xfe\xed\xfa\xce", Format::MachO),
    (b"\xfe\xed\xfa\xcf", Format::MachO),
    (b"\xce\xfa\xed\xfe", Format::MachO),
    (b"\xcf\xfa\xed\xfe", Format::MachO),
    (b"\x1f\x8b", Format::Archive),           // gzip
    (b"\xfd7zXZ\0", Format::Archive),         // xz
    (b"\x28\xb5\x2f\xfd", Format::Archive),   // zstd
    (b"\x04\x22\x4d\x18", Format::Archive),   // lz4
    (b"7z\xbc\xaf\x27\x1c", Format::Archive), // 7z
    (b"Rar!\x1a\x07", Format::Archive),       // rar
    (b"\x89PNG\r\n\x1a\n", Format::Image),
    (b"\xff\xd8\xff", Format::Image), // JPEG
];

/// Bytes at the start that a text may also have, and that are so rare in one that they count.
const SURE_THOUGH_TEXT: &[(&[u8], Format)] = &[(b"#!", Format::Script), (b"%PDF-", Format::Pdf)];

/// Bytes at the start that count unless the whole file is text.
const WEAK: &[(&[u8], Format)] = &[
    (b"GIF87a", Format::Image),
    (b"GIF89a", Format::Image),
    (b"MZ", Format::Pe),
    (b"PK\x07\x08", Format::Zip),
];

/// All magic numbers that match.
pub(crate) fn claims<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let head = source.head();
    let matching = |table: &'static [(&[u8], Format)]| {
        table.iter().filter(|(magic, _)| head.starts_with(magic)).map(|&(_, format)| format)
    };
    claims.extend(matching(SURE).chain(matching(SURE_THOUGH_TEXT)).map(Claim::sure));
    claims.extend(matching(WEAK).map(Claim::weak));
    if bzip2(head) || zstd_skippable(head) || tar(head) {
        claims.push(Claim::sure(Format::Archive));
    }
    if fat_macho(head) {
        claims.push(Claim::sure(Format::MachO));
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        claims.push(Claim::weak(Format::Image));
    }
    if late_pdf(head, source.tail()) {
        claims.push(Claim::sure(Format::Pdf));
    }
    if pe(source)? {
        claims.push(Claim::sure(Format::Pe));
    }
    if hdf5(source)? {
        claims.push(Claim::sure(Format::Hdf5));
    }
    Ok(claims)
}

/// `BZh`, a level, and the magic of the first block or of the end.
fn bzip2(head: &[u8]) -> bool {
    head.starts_with(b"BZh")
        && matches!(head.get(3), Some(b'1'..=b'9'))
        && matches!(head.get(4..10), Some(b"1AY&SY" | b"\x17\x72\x45\x38\x50\x90"))
}

fn zstd_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// A first block whose checksum is right: that of old tars, which have no magic, too.
fn tar(head: &[u8]) -> bool {
    let (Some(block), Some(field)) = (head.get(..512), head.get(148..156)) else {
        return false;
    };
    let digits = field.trim_ascii_start().split(|byte| matches!(byte, 0 | b' ')).next();
    let claimed = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u64::from_str_radix(digits, 8).ok());
    if claimed.is_none() {
        return false;
    }
    // The checksum is taken with its own field as spaces.
    let bytes = block.iter().enumerate();
    let sum = bytes
        .map(|(at, &byte)| if (148..156).contains(&at) { 0x20 } else { u64::from(byte) })
        .sum::<u64>();
    claimed == Some(sum)
}

/// A universal binary holds a few architectures; a Java class has the same magic and a version
/// of at least 45 in its place.
fn fat_macho(head: &[u8]) -> bool {
    matches!(head, [0xca, 0xfe, 0xba, 0xbe | 0xbf, 0, 0, 0, 1..=30, ..])
}

/// Readers accept a PDF that starts anywhere in the first 1024 bytes.
fn late_pdf(head: &[u8], tail: &[u8]) -> bool {
    let early = head.get(..head.len().min(1024)).unwrap_or_default();
    let late = tail.get(tail.len().saturating_sub(1024)..).unwrap_or_default();
    memmem::find(early, b"%PDF-").is_some() && memmem::find(late, b"%%EOF").is_some()
}

/// `MZ`, and the signature where the header points to.
fn pe<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<bool> {
    if !source.head().starts_with(b"MZ") {
        return Ok(false);
    }
    let Some(place) = source.peek(0x3c)? else {
        return Ok(false);
    };
    Ok(source.peek(u64::from(u32::from_le_bytes(place)))? == Some(*b"PE\0\0"))
}

/// The superblock may stand at 0, 512, 1024, 2048 and so on.
fn hdf5<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<bool> {
    const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
    let mut at = 0_u64;
    while let Some(bytes) = source.peek(at)? {
        if bytes == MAGIC {
            return Ok(true);
        }
        let Some(next) = at.max(256).checked_mul(2) else { break };
        at = next;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, tar};
    use crate::{Format, Identified};

    fn only(format: Format, bytes: &[u8]) {
        assert_eq!(look(bytes).format, Identified::One(format), "{bytes:02x?}");
    }

    #[test]
    fn each_magic_is_named() {
        only(Format::Archive, b"BZh91AY&SY\0");
        only(Format::Archive, b"\x1f\x8b\x08\0");
        only(Format::Archive, b"\xfd7zXZ\0\0");
        only(Format::Archive, b"\x28\xb5\x2f\xfd\0");
        only(Format::Archive, b"\x53\x2a\x4d\x18\0");
        only(Format::Archive, b"\x04\x22\x4d\x18\0");
        only(Format::Archive, b"7z\xbc\xaf\x27\x1c\0");
        only(Format::Archive, b"Rar!\x1a\x07\x01\0");
        only(Format::Archive, &tar());
        only(Format::MachO, b"\xcf\xfa\xed\xfe\x07");
        only(Format::MachO, b"\xca\xfe\xba\xbe\0\0\0\x02");
        only(Format::Image, b"\xff\xd8\xff\xe0");
        only(Format::Image, b"GIF89a\x01\0");
        only(Format::Image, b"RIFF\x10\0\0\0WEBPVP8 ");
        only(Format::Pe, b"MZ\x90\0\x03");
    }

    #[test]
    fn text_with_a_weak_magic_stays_text() {
        for text in ["GIF89a is a format", "MZ are initials", "RIFFaaaaWEBP", "see %PDF-1.7"] {
            only(Format::Text, text.as_bytes());
        }
    }

    #[test]
    fn a_tar_needs_its_checksum() {
        let mut bytes = tar();
        bytes[0] ^= 1;
        assert_eq!(look(&bytes).format, Identified::Unknown);
    }

    #[test]
    fn a_java_class_is_not_a_program_of_macos() {
        assert_eq!(look(b"\xca\xfe\xba\xbe\0\0\0\x34").format, Identified::Unknown);
    }

    #[test]
    fn hdf5_is_found_behind_a_user_block() {
        for start in [512, 1024, 8192] {
            let mut bytes = vec![0; start];
            bytes.extend(b"\x89HDF\r\n\x1a\n");
            only(Format::Hdf5, &bytes);
        }
    }

    #[test]
    fn a_pe_is_found_by_its_pointer() {
        let mut bytes = vec![b' '; 0x3c];
        bytes[..2].copy_from_slice(b"MZ");
        bytes.extend(64_u32.to_le_bytes());
        bytes.extend(b"PE\0\0");
        only(Format::Pe, &bytes);
    }
}
