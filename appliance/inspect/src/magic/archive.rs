//! Archives and disks that are told by more than a magic number.

use std::io::{self, Read, Seek};

use crate::claim::Claim;
use crate::format::Format;
use crate::source::Source;

pub(super) fn claims<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Vec<Claim>> {
    let head = source.head();
    let sure = bzip2(head)
        || skippable_frame(head)
        || tar(head)
        || cpio(head)
        || squashfs(head)
        || arj(head)
        || lha(head);
    let weak = lzma(head) || zlib(head) || old_cpio(head);
    let mut claims = Vec::new();
    if sure || dmg(source)? || disc(source)? {
        claims.push(Claim::sure(Format::Archive));
    } else if weak {
        claims.push(Claim::weak(Format::Archive));
    }
    Ok(claims)
}

/// `BZh`, a level, and the magic of the first block or of the end.
fn bzip2(head: &[u8]) -> bool {
    head.starts_with(b"BZh")
        && matches!(head.get(3), Some(b'1'..=b'9'))
        && matches!(head.get(4..10), Some(b"1AY&SY" | b"\x17\x72\x45\x38\x50\x90"))
}

/// Of zstd (RFC 8878, section 3.1.2) and of lz4.
fn skippable_frame(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// A first block whose checksum is right: that of old tars, which have no magic, too.
fn tar(head: &[u8]) -> bool {
    let (Some(block), Some(field)) = (head.get(..512), head.get(148..156)) else {
        return false;
    };
    let Some(claimed) = number(field) else { return false };
    // The checksum is taken with its own field as spaces. Some took bytes as signed.
    let mut sums = (0_i64, 0_i64);
    for (at, &byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        sums.0 = sums.0.saturating_add(i64::from(byte));
        sums.1 = sums.1.saturating_add(i64::from(byte.cast_signed()));
    }
    claimed == sums.0 || claimed == sums.1
}

/// A number of a tar in all the ways that some reader takes: octal digits, also as Python's `int`
/// reads them ("0o17", "1_7", "+17"), or two's complement behind the byte 0x80 or 0xff.
fn number(field: &[u8]) -> Option<i64> {
    if let [first @ (0x80 | 0xff), rest @ ..] = field {
        let start = if *first == 0xff { -1_i64 } else { 0 };
        return Some(rest.iter().fold(start, |sum, &byte| sum.wrapping_shl(8) | i64::from(byte)));
    }
    let text = field.split(|byte| *byte == 0).next()?.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let text = text.strip_prefix(b"0o").or(text.strip_prefix(b"0O")).unwrap_or(text);
    let digits = text.iter().take_while(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    let digits: Vec<u8> = digits.copied().filter(|byte| *byte != b'_').collect();
    i64::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()
}

/// The portable formats, whose header is all digits.
fn cpio(head: &[u8]) -> bool {
    let digits = |from: usize, to: usize, radix: u32| {
        let field = head.get(from..to);
        field.is_some_and(|field| field.iter().all(|&byte| char::from(byte).is_digit(radix)))
    };
    match head.get(..6) {
        Some(b"070701" | b"070702") => digits(6, 110, 16),
        Some(b"070707") => digits(6, 76, 8),
        _ => false,
    }
}

/// The oldest format: two bytes of magic, and a name that is not empty and ends in NUL.
fn old_cpio(head: &[u8]) -> bool {
    let length = match head {
        [0xc7, 0x71, ..] => head
            .get(20..22)
            .and_then(|field| field.first_chunk())
            .map(|field| u16::from_le_bytes(*field)),
        [0x71, 0xc7, ..] => head
            .get(20..22)
            .and_then(|field| field.first_chunk())
            .map(|field| u16::from_be_bytes(*field)),
        _ => None,
    };
    let end =
        length.filter(|&length| length > 1).map(|length| usize::from(length).saturating_add(25));
    end.is_some_and(|end| head.get(end) == Some(&0))
}

/// A superblock of version 4 or before, in either byte order.
fn squashfs(head: &[u8]) -> bool {
    matches!(head.get(28..30), Some([1..=4, 0]) if head.starts_with(b"hsqs"))
        || matches!(head.get(28..30), Some([0, 1..=4]) if head.starts_with(b"sqsh"))
}

/// The magic, a header of possible size, and its checksum.
fn arj(head: &[u8]) -> bool {
    let [0x60, 0xea, low, high, rest @ ..] = head else { return false };
    let size = usize::from(u16::from_le_bytes([*low, *high]));
    let Some((header, checksum)) = rest.split_at_checked(size) else { return false };
    matches!(size, 30..=2600)
        && checksum.first_chunk().is_some_and(|field| u32::from_le_bytes(*field) == crc32(header))
}

/// The CRC-32 of zip, for a header of a few hundred bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// A method as `-lh5-`, and a header of level 0 or 1 with its sum, or one of level 2 or 3.
fn lha(head: &[u8]) -> bool {
    let method = matches!(
        head.get(2..7),
        Some(
            [b'-', b'l', b'h', b'0'..=b'9' | b'd', b'-']
                | [b'-', b'l', b'z', b'4' | b'5' | b's', b'-']
        )
    );
    let Some((&[size, sum], rest)) = head.split_first_chunk::<2>() else { return false };
    match head.get(20) {
        Some(0 | 1) if method => {
            let header = rest.get(..usize::from(size)).unwrap_or_default();
            !header.is_empty()
                && header.iter().fold(0_u8, |all, &byte| all.wrapping_add(byte)) == sum
        }
        Some(2 | 3) => method,
        _ => false,
    }
}

/// A header of LZMA that has no magic: the properties, a dictionary of a round size, the size of what
/// is packed (unknown, or below 256 GiB), and the zero with which the coder starts.
fn lzma(head: &[u8]) -> bool {
    let Some((&[properties, d0, d1, d2, d3, size @ ..], rest)) = head.split_first_chunk::<13>()
    else {
        return false;
    };
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let round = dictionary == u32::MAX
        || matches!(dictionary >> dictionary.trailing_zeros().min(31), 1 | 3);
    let size = u64::from_le_bytes(size);
    properties < 225 && round && (size == u64::MAX || size < 1 << 38) && rest.first() == Some(&0)
}

/// A zlib stream (RFC 1950, section 2.2), whose first deflate block can be one.
fn zlib(head: &[u8]) -> bool {
    let [method, flags, block, rest @ ..] = head else { return false };
    let header = matches!(method, 0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78)
        && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        && flags & 0x20 == 0;
    let possible = match (block >> 1) & 3 {
        // A stored block has its length twice, the second time inverted.
        0 => matches!(rest, [a, b, c, d, ..] if a ^ c == 0xff && b ^ d == 0xff),
        1 | 2 => true,
        _ => false,
    };
    header && possible
}

/// The trailer of an Apple disk image: `koly`, version 4, 512 bytes.
fn dmg<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<bool> {
    let Some(at) = source.length().checked_sub(512) else { return Ok(false) };
    Ok(source.peek(at)? == Some(*b"koly\0\0\0\x04\0\0\x02\0"))
}

/// A volume of ISO 9660 or UDF: what stands in the 32 KiB in front does not matter to them.
fn disc<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<bool> {
    const SECTOR: u64 = 2048;
    const IDENTIFIERS: [[u8; 5]; 5] = [*b"CD001", *b"CDROM", *b"BEA01", *b"NSR02", *b"NSR03"];
    for sector in [16, 17] {
        // Behind the byte that tells the kind of descriptor.
        let found = source.peek(sector * SECTOR + 1)?;
        if found.is_some_and(|found| IDENTIFIERS.contains(&found)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, tar};
    use crate::{Format, Identified};

    fn archive(bytes: &[u8]) {
        assert_eq!(look(bytes).format, Identified::One(Format::Archive), "{bytes:02x?}");
    }

    fn none(bytes: &[u8]) {
        assert_ne!(look(bytes).format, Identified::One(Format::Archive), "{bytes:02x?}");
    }

    #[test]
    fn each_kind_is_named() {
        archive(b"BZh91AY&SY\0");
        archive(b"\x53\x2a\x4d\x18\0");
        archive(&tar());
        archive(&[&b"070701"[..], &[b'0'; 104], b"\0"].concat());
        archive(&[&b"070707"[..], &[b'0'; 70]].concat());
        archive(&[&b"\xc7\x71"[..], &[1; 18], &[2, 0, 0, 0, 0, 0], b"a\0"].concat());
        archive(&[&b"hsqs"[..], &[0; 24], &[4, 0, 0, 0]].concat());
        archive(b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x01");
        archive(b"\x78\x9c\x4b\x4c\x04\0");
        archive(b"\x78\x01\x01\x01\0\xfe\xffa");
        let mut arj = [&b"\x60\xea\x1e\0"[..], &[7; 30]].concat();
        arj.extend(super::crc32(&[7; 30]).to_le_bytes());
        archive(&arj);
        let mut lha = [&[23, 0][..], b"-lh5-", &[0; 13], &[0, 1, b'a', 0, 0]].concat();
        lha[1] = lha[2..25].iter().fold(0, |all, byte| all.wrapping_add(*byte));
        archive(&lha);
        lha[1] ^= 1;
        none(&lha);
        let mut disc = vec![0; 40_000];
        disc[32_769..32_774].copy_from_slice(b"CD001");
        archive(&disc);
        let mut dmg = vec![0; 1024];
        dmg[512..524].copy_from_slice(b"koly\0\0\0\x04\0\0\x02\0");
        archive(&dmg);
    }

    #[test]
    fn crc32_is_that_of_zip() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_tar_needs_its_checksum_however_it_is_written() {
        let mut bytes = tar();
        bytes[0] ^= 1;
        assert_eq!(look(&bytes).format, Identified::Unknown);
        let mut bytes = tar();
        bytes[0] = 0xe4;
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|&byte| u32::from(byte)).sum();
        for field in [
            format!("{sum:06o}\0 "),
            format!("{:06o}\0 ", sum - 256),
            format!("0o{sum:o}\0\0"),
            format!("  {sum:o}\0\0"),
            format!("{}_{:03o}\0\0", sum / 512, sum % 512),
        ] {
            bytes[148..156]
                .copy_from_slice(format!("{field}\0").as_bytes().first_chunk::<8>().unwrap());
            archive(&bytes);
        }
        let mut field = [0x80, 0, 0, 0, 0, 0, 0, 0];
        field[4..].copy_from_slice(&sum.to_be_bytes());
        bytes[148..156].copy_from_slice(&field);
        archive(&bytes);
    }

    #[test]
    fn what_only_looks_alike_is_none() {
        none(b"070701 is a number");
        none(b"hsqs is no text");
        none(b"\x78\x9c\xff\xff");
        none(b"x^2 + y^2 = z^2");
        none(b"\x5d\0\0\x81\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x01");
        none(b"  -lh5- is a method");
    }
}
