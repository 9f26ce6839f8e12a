//! Archives and compressed files, by what else than the usual magic number they start with.

use super::{padded, refused, tar, with};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        refused(
            "archive-tar-without-a-magic",
            "the format is archive",
            "weights",
            tar(b"data.pkl", |sum| format!("{sum:06o}\0 ")),
        ),
        refused(
            "archive-tar-with-its-checksum-as-python-reads-it",
            "the format is archive",
            "weights",
            tar(b"data.pkl", |sum| format!("0o{:o}_{:02o}", sum / 64, sum % 64)),
        ),
        refused(
            "archive-gzip-named-as-weights",
            "the format is archive",
            "pytorch_model.bin",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec(),
        ),
        refused(
            "archive-zstd-behind-a-skippable-frame",
            "the format is archive",
            "weights",
            b"\x5a\x2a\x4d\x18\x04\0\0\0free\x28\xb5\x2f\xfd\x24\0\x01\0\0".to_vec(),
        ),
        refused(
            "archive-lzma-without-a-magic",
            "the format is archive",
            "weights",
            [&b"\x5d\0\0\x80\0"[..], &[0xff; 8], &[0; 8]].concat(),
        ),
        refused(
            "archive-zlib-of-joblib",
            "the format is archive",
            "weights",
            b"\x78\x9c\x4b\x4c\x04\0\0\x62\0\x62".to_vec(),
        ),
        refused(
            "archive-7z",
            "the format is archive",
            "weights",
            padded(b"7z\xbc\xaf\x27\x1c\0\x04", 32),
        ),
        refused(
            "archive-rar",
            "the format is archive",
            "weights",
            b"Rar!\x1a\x07\x01\0\x33\x92\xb5\xe5\x0a\x01\x05\x06\0\x05\x01\x01\x80\x80\0".to_vec(),
        ),
        refused(
            "archive-cabinet-of-windows",
            "the format is archive",
            "weights",
            padded(b"MSCF\0\0\0\0\x2c", 44),
        ),
        Case::one(
            "archive-package-of-debian",
            ("format", "the format is archive"),
            "weights",
            b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n".to_vec(),
            b"!<arch> starts a package of Debian.\n".to_vec(),
        ),
        refused(
            "archive-package-of-rpm",
            "the format is archive",
            "weights",
            padded(b"\xed\xab\xee\xdb\x03", 96),
        ),
        Case::one(
            "archive-cpio-that-is-text",
            ("format", "the format is archive"),
            "weights",
            [&b"070701"[..], &[b'0'; 104], b"run"].concat(),
            [&b"070701"[..], &[b'z'; 104], b"run"].concat(),
        ),
        refused(
            "archive-file-system-of-squashfs",
            "the format is archive",
            "weights",
            with(padded(b"hsqs", 96), 28, b"\x04\0"),
        ),
    ]
}
