//! Files that two readers take for two different things.

use super::picture::{chunk, png_with};
use super::{padded, safetensors, tar, with, zip};
use crate::Case;

/// Where the first descriptor of a disc stands.
const DISC: usize = 32_769;

pub(super) fn cases() -> Vec<Case> {
    let hidden = |at: usize, bytes: &[u8]| with(vec![0; 40_000], at, bytes);
    // The chunk's data start at 41.
    let picture = |data: Vec<u8>| png_with(&[chunk(b"teSt", &data)]);
    let both =
        |name, says, file, hostile, twin| Case::one(name, ("ambiguous", says), file, hostile, twin);
    let zeros = || safetensors(&[0; 40_000]);
    let start = zeros().len() - 40_000;
    let superblock = b"\x89HDF\r\n\x1a\n";
    vec![
        both(
            "safetensors-that-is-a-disc",
            "safetensors and as archive",
            "model.safetensors",
            safetensors(&hidden(DISC - start, b"CD001")),
            safetensors(&hidden(DISC + 1 - start, b"CD001")),
        ),
        both(
            "safetensors-that-ends-as-a-disk-image",
            "safetensors and as archive",
            "model.safetensors",
            safetensors(&hidden(40_000 - 512, b"koly\0\0\0\x04\0\0\x02\0")),
            safetensors(&hidden(40_000 - 500, b"koly\0\0\0\x04\0\0\x02\0")),
        ),
        both(
            "safetensors-with-a-zip-in-its-last-tensor",
            "safetensors and as zip",
            "model.safetensors",
            safetensors(&zip()),
            safetensors(zip().get(..40).unwrap_or_default()),
        ),
        both(
            "safetensors-that-is-hdf5-behind-a-user-block",
            "safetensors and as hdf5",
            "model.safetensors",
            safetensors(&hidden(2048 - start, superblock)),
            safetensors(&hidden(2056 - start, superblock)),
        ),
        both(
            "safetensors-whose-length-is-a-pickle",
            "safetensors and as pickle",
            "model.safetensors",
            b"\x80\x02X\x05\0\0\0\0{\"aa.".to_vec(),
            safetensors(&[0]),
        ),
        both(
            "image-that-is-a-document-of-pdf",
            "pdf and as image",
            "figure.png",
            picture(b"%PDF-1.4\n1 0 obj<</OpenAction 2 0 R>>endobj".to_vec()),
            picture(b"%pdf-1.4\n1 0 obj<</OpenAction 2 0 R>>endobj".to_vec()),
        ),
        both(
            "image-that-is-a-disc",
            "archive and as image",
            "figure.png",
            picture(hidden(DISC - 41, b"CD001")),
            picture(hidden(DISC - 40, b"CD001")),
        ),
        both(
            "image-that-is-hdf5-behind-a-user-block",
            "hdf5 and as image",
            "figure.png",
            picture(hidden(512 - 41, superblock)),
            picture(hidden(513 - 41, superblock)),
        ),
        both(
            "image-with-a-zip-behind-its-end",
            "zip and as image",
            "figure.png",
            [png_with(&[]), zip()].concat(),
            png_with(&[chunk(b"teSt", zip().get(..40).unwrap_or_default())]),
        ),
        both(
            "text-with-a-zip-behind-it",
            "text and as zip",
            "README.md",
            [&b"# A small model\n"[..], &zip()].concat(),
            b"# A small model\nPK\n".to_vec(),
        ),
        Case::one(
            "pdf-behind-a-heading-of-text",
            ("format", "the format is pdf"),
            "README.md",
            b"# A small model\n%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj\n".to_vec(),
            b"# A small model\n%PDF-1.4\n1 0 is no object\n".to_vec(),
        ),
        both(
            "archive-tar-whose-first-name-is-a-pickle",
            "pickle and as archive",
            "weights",
            tar(b"cos\nsystem\n(S'id'\ntR.", |sum| format!("{sum:06o}\0 ")),
            b"A tar of a pickle.\n".to_vec(),
        ),
        both(
            "archive-tar-whose-first-name-is-an-array",
            "numpy and as archive",
            "weights",
            tar(b"\x93NUMPY\x01\0", |sum| format!("{sum:06o}\0 ")),
            b"A tar of an array.\n".to_vec(),
        ),
        both(
            "pe-program-that-is-a-disc",
            "pe and as archive",
            "weights",
            with(
                with(with(padded(b"MZ", 40_000), 0x3c, &64_u32.to_le_bytes()), 64, b"PE\0\0"),
                DISC,
                b"CD001",
            ),
            b"A program and a disc.\n".to_vec(),
        ),
    ]
}
