//! Pictures that hold more than the picture.

use super::with;
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let wrong = |name, says, file, hostile: Vec<u8>, twin: Vec<u8>| {
        Case::one(name, ("malformed", says), file, hostile, twin)
    };
    let program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
    let behind = |picture: &[u8]| [picture, program].concat();
    let data = || chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 2, 0, 1]);
    vec![
        wrong(
            "image-png-with-a-program-behind-its-end",
            "16 bytes follow IEND",
            "figure.png",
            behind(&png_with(&[])),
            png_with(&[chunk(b"teSt", program)]),
        ),
        wrong(
            "image-png-with-a-chunk-that-must-be-understood",
            "must be understood",
            "figure.png",
            png_with(&[chunk(b"TEST", program)]),
            png_with(&[chunk(b"teSt", program)]),
        ),
        wrong(
            "image-png-whose-data-are-in-two-places",
            "not in one row",
            "figure.png",
            png_with(&[data(), chunk(b"tEXt", b"a\0b")]),
            png_with(&[chunk(b"tEXt", b"a\0b"), data()]),
        ),
        wrong(
            "image-png-whose-chunk-runs-past-the-end",
            "bytes are needed at offset 41",
            "figure.png",
            with(png_with(&[chunk(b"teSt", program)]), 33, &[0x7f, 0xff, 0xff, 0xff]),
            png_with(&[chunk(b"teSt", program)]),
        ),
        wrong(
            "image-jpeg-with-a-program-behind-its-end",
            "16 bytes follow EOI",
            "figure.jpg",
            behind(&jpeg(b"")),
            jpeg(program),
        ),
        wrong(
            "image-jpeg-whose-segment-is-shorter-than-its-length",
            "shorter than its length",
            "figure.jpg",
            with(jpeg(b"ab"), 13, &[0, 1]),
            jpeg(b"ab"),
        ),
        wrong(
            "image-gif-that-is-a-program-behind-its-trailer",
            "16 bytes follow the trailer",
            "figure.gif",
            behind(GIF),
            GIF.to_vec(),
        ),
        wrong(
            "image-webp-that-is-shorter-than-its-file",
            "16 bytes follow the RIFF chunk",
            "figure.webp",
            behind(WEBP),
            WEBP.to_vec(),
        ),
        wrong(
            "image-webp-whose-chunk-runs-past-its-end",
            "do not end where RIFF says",
            "figure.webp",
            with([WEBP, program].concat(), 16, &[20]),
            WEBP.to_vec(),
        ),
    ]
}

/// A picture of one point, with `more` chunks before its data.
pub(super) fn png_with(more: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"));
    bytes.extend(more.concat());
    bytes.extend(chunk(b"IDAT", b"\x78\x9c\x63\x60\0\0\0\x02\0\x01"));
    bytes.extend(chunk(b"IEND", b""));
    bytes
}

/// A chunk with its checksum.
pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let sum = !kind.iter().chain(data).fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &sum.to_be_bytes()].concat()
}

/// The parts of a picture, with a comment.
fn jpeg(comment: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x07JFIF\0\xff\xfe".to_vec();
    bytes.extend((comment.len() as u16 + 2).to_be_bytes());
    bytes.extend(comment);
    bytes.extend(b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0");
    bytes.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0ab\xff\xd9");
    bytes
}

const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const WEBP: &[u8] = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\0\0\0\x01\0";
