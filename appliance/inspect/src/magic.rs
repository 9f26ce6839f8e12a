//! Formats that a magic number tells. Models need only few of them; all others are named so that a
//! refusal can say what it refused.
//!
//! ```text
//!   offset 0        magic numbers           magic.rs, program.rs
//!   offset 0..512   a block's checksum      archive.rs   tar, ARJ, LHA
//!   first 1024      %PDF-                   magic.rs
//!   0, 512, 1024... HDF5's superblock       magic.rs
//!   32769           CD001, NSR0             archive.rs   ISO 9660, UDF
//!   the end         koly                    archive.rs   DMG (a zip's end: `zip`)
//! ```
//!
//! A format that is told by another place than the start is looked for in every file, since it can
//! share the file with one that is told by the start.

mod archive;
pub(crate) mod markup;
mod program;

use std::io::{self, Read, Seek};

use memchr::memmem;

use crate::claim::Claim;
use crate::format::Format;
use crate::source::Source;
use crate::text;

/// Bytes at the start that no text has.
const SURE: &[(&[u8], Format)] = &[
    (b"\x93NUMPY", Format::Numpy),
    (b"\x7fELF", Format::Elf),
    (b"\xfe\xed\xfa\xce", Format::MachO),
    (b"\xfe\xed\xfa\xcf", Format::MachO),
    (b"\xce\xfa\xed\xfe", Format::MachO),
    (b"\xcf\xfa\xed\xfe", Format::MachO),
    (b"\0asm", Format::Wasm),
    (b"dex\n03", Format::Java),
    (b"\xde\xc0\x17\x0b", Format::Bitcode), // LLVM, in its wrapper
    (b"BC\xc0\xde", Format::Bitcode),       // LLVM
    (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", Format::Shortcut), // [MS-SHLLINK] 2.1
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::Document), // [MS-CFB] 2.2
    (b"ITSF\x03\0\0\0", Format::Document),  // compiled HTML help
    (b"\x1f\x8b", Format::Archive),         // gzip
    (b"\x1f\x9d", Format::Archive),         // compress
    (b"\xfd7zXZ\0", Format::Archive),       // xz
    (b"\x28\xb5\x2f\xfd", Format::Archive), // zstd
    (b"\x04\x22\x4d\x18", Format::Archive), // lz4
    (b"\x02\x21\x4c\x18", Format::Archive), // lz4, before its frames
    (b"7z\xbc\xaf\x27\x1c", Format::Archive), // 7z
    (b"Rar!\x1a\x07", Format::Archive),     // rar 1.5 to 5
    (b"MSCF\0\0\0\0", Format::Archive),     // cabinet
    (b"\xed\xab\xee\xdb", Format::Archive), // rpm
    (b"xar!\0\x1c", Format::Archive),       // xar
    (b"LZIP\x01", Format::Archive),         // lzip
    (b"\x89LZO\0\r\n\x1a\n", Format::Archive), // lzop
    (b"\xff\x06\0\0sNaPpY", Format::Archive), // snappy
    (b"MSWIM\0\0\0", Format::Archive),      // Windows image
    (b"QFI\xfb", Format::Archive),          // disk of QEMU
    (b"\x89PNG\r\n\x1a\n", Format::Image),
    (b"\xff\xd8\xff", Format::Image), // JPEG
    (b"fLaC\0\0\0\x22", Format::Audio),
    (b"OggS\0", Format::Audio),
];

/// Bytes at the start that a text may also have, and that are so rare in one that they count.
const SURE_THOUGH_TEXT: &[(&[u8], Format)] = &[
    (b"#!", Format::Script),
    (b"\xef\xbb\xbf#!", Format::Script),
    (b"<?php", Format::Script),
    (b"!<arch>\n", Format::Archive), // ar, deb
    (b"!<thin>\n", Format::Archive),
    (b"%PDF-", Format::Pdf),
    (b"{\\rtf", Format::Document),
];

/// Bytes at the start that count unless the whole file is text.
const WEAK: &[(&[u8], Format)] = &[
    (b"GIF87a", Format::Image),
    (b"GIF89a", Format::Image),
    (b"ID3", Format::Audio),
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
    claims.extend(riff(head).map(Claim::weak));
    if pdf(head, source.tail()) {
        claims.push(Claim::sure(Format::Pdf));
    }
    if !text::starts_as_text(head) {
        claims.extend(markup::of(head).map(Claim::weak));
    }
    claims.extend(archive::claims(source)?);
    claims.extend(program::claims(source)?);
    if hdf5(source)? {
        claims.push(Claim::sure(Format::Hdf5));
    }
    Ok(claims)
}

/// RIFF, its size, and what it holds.
fn riff(head: &[u8]) -> Option<Format> {
    match (head.get(..4)?, head.get(8..12)?) {
        (b"RIFF", b"WEBP") => Some(Format::Image),
        (b"RIFF" | b"RF64", b"WAVE") => Some(Format::Audio),
        _ => None,
    }
}

/// Readers accept a PDF that starts anywhere in the first 1024 bytes, and some mend one that has no
/// end. In a text the marker alone says nothing: there, an object or the end must stand, too.
fn pdf(head: &[u8], tail: &[u8]) -> bool {
    let early = head.get(..head.len().min(1024)).unwrap_or_default();
    let Some(at) = memmem::find(early, b"%PDF-") else { return false };
    let version = head.get(at.saturating_add(5)..at.saturating_add(8));
    let versioned = matches!(version, Some([b'1' | b'2', b'.', b'0'..=b'9']));
    let has =
        |word: &[u8]| memmem::find(tail, word).is_some() || memmem::find(head, word).is_some();
    has(b"%%EOF") || versioned && (has(b" 0 obj") || !text::starts_as_text(head))
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
    use crate::sample::{look, samples, tar};
    use crate::{Format, Identified};

    fn only(format: Format, bytes: &[u8]) {
        assert_eq!(look(bytes).format, Identified::One(format), "{bytes:02x?}");
    }

    #[test]
    fn each_magic_is_named() {
        for table in [super::SURE, super::SURE_THOUGH_TEXT] {
            for (magic, format) in table {
                only(*format, &[magic, &b" \xff"[..]].concat());
            }
        }
        only(Format::Image, b"GIF89a\x01\0");
        only(Format::Image, b"RIFF\x10\0\0\0WEBPVP8 ");
        only(Format::Audio, b"RIFF\x10\0\0\0WAVEfmt ");
        only(Format::Pe, b"MZ\x90\0\x03");
    }

    #[test]
    fn text_with_a_weak_magic_stays_text() {
        for text in ["GIF89a is a format", "MZ are initials", "RIFFaaaaWEBP", "see %PDF-1.7"] {
            only(Format::Text, text.as_bytes());
        }
    }

    #[test]
    fn text_with_a_magic_that_counts_is_no_text() {
        only(Format::Script, b"\xef\xbb\xbf#!/bin/sh\n");
        only(Format::Archive, b"!<arch>\ndebian-binary");
        only(Format::Document, b"{\\rtf1\\ansi}");
    }

    #[test]
    fn a_pdf_that_starts_late_is_found_without_its_end() {
        let pdf = Identified::Ambiguous(vec![Format::Json, Format::Pdf]);
        let found = look(b"[\"%PDF-1.4\", \"1 0 obj\"]").format;
        assert!(found == pdf || found == Identified::One(Format::Pdf), "{found:?}");
        only(Format::Pdf, b"\x01\0%PDF-1.4\n\xff");
        only(Format::Json, b"[\"%PDF-1.4\"]");
    }

    #[test]
    fn hdf5_is_found_behind_a_user_block() {
        for start in [512, 1024, 8192] {
            let mut bytes = vec![0; start];
            bytes.extend(b"\x89HDF\r\n\x1a\n");
            only(Format::Hdf5, &bytes);
        }
    }

    /// Each format that the start tells, with each that another place tells.
    #[test]
    fn a_file_that_is_two_things_is_ambiguous() {
        let elsewhere = [Format::Archive, Format::Pdf, Format::Hdf5].map(|format| {
            let join = move |start: &[u8]| {
                let mut bytes = start.to_vec();
                bytes.resize(40_000, 0);
                match format {
                    Format::Archive => bytes[32_769..32_774].copy_from_slice(b"CD001"),
                    Format::Pdf => bytes[900..908].copy_from_slice(b"%PDF-1.7"),
                    _ => bytes[1024..1032].copy_from_slice(b"\x89HDF\r\n\x1a\n"),
                }
                bytes
            };
            (format, join)
        });
        for (magic, format) in super::SURE.iter().chain(super::SURE_THOUGH_TEXT) {
            for (other, join) in &elsewhere {
                let mut both = vec![*format, *other];
                both.sort_unstable();
                both.dedup();
                let expected = if both.len() == 1 {
                    Identified::One(both[0])
                } else {
                    Identified::Ambiguous(both)
                };
                assert_eq!(look(&join(magic)).format, expected, "{magic:02x?} {other:?}");
            }
        }
        // A tar whose first name is another's magic number.
        for (magic, format) in super::SURE.iter().filter(|(magic, _)| magic.len() < 100) {
            let mut bytes = tar();
            bytes[..magic.len()].copy_from_slice(magic);
            bytes[148..156].fill(b' ');
            let sum: u32 = bytes[..512].iter().map(|&byte| u32::from(byte)).sum();
            bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            let mut both = vec![*format, Format::Archive];
            both.sort_unstable();
            both.dedup();
            let expected = if both.len() == 1 {
                Identified::One(both[0])
            } else {
                Identified::Ambiguous(both)
            };
            assert_eq!(look(&bytes).format, expected, "{magic:02x?}");
        }
    }

    #[test]
    fn samples_are_of_one_format_also_behind_their_cuts() {
        for (format, bytes) in samples() {
            for end in 1..bytes.len() {
                let found = look(&bytes[..end]).format;
                assert!(
                    !matches!(found, Identified::Ambiguous(_)),
                    "{format:?} cut at {end}: {found:?}"
                );
            }
        }
    }
}
