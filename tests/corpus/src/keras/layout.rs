//! Tensors whose data is not what their shape says.

use super::file::{File, Message, NOWHERE, chunk, contiguous, fill, filters, float, space, tensor};
use crate::Case;

/// A case by the messages of a tensor.
fn one(
    name: &'static str,
    says: &'static str,
    hostile: impl FnOnce(&mut File) -> Vec<Message>,
    twin: impl FnOnce(&mut File) -> Vec<Message>,
) -> Case {
    Case::one(name, ("malformed", says), "model.weights.h5", tensor(hostile), tensor(twin))
}

/// A tensor of this shape with so many bytes of data, and a size that it claims.
fn stored(shape: &[u64], bytes: usize, claimed: u64) -> impl FnOnce(&mut File) -> Vec<Message> {
    let space = space(shape);
    move |file| {
        let data = file.put(&vec![0; bytes]);
        vec![space, float(), fill(), contiguous(data, claimed)]
    }
}

/// A tensor in one chunk, which these filters made this.
fn packed(
    elements: u32,
    numbers: &'static [u16],
    data: &'static [u8],
) -> impl FnOnce(&mut File) -> Vec<Message> {
    move |file| {
        let size = data.len() as u64;
        let data = file.put(data);
        let chunk = chunk(data, elements, size);
        vec![space(&[u64::from(elements)]), float(), fill(), filters(numbers), chunk]
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        // CVE-2026-0897: a reader makes room for the shape.
        one(
            "hdf5-shape-without-data",
            "its data is not in the file",
            |_| vec![space(&[1 << 20, 1 << 20]), float(), fill(), contiguous(NOWHERE, 1 << 42)],
            |_| vec![space(&[1 << 20, 0]), float(), fill(), contiguous(NOWHERE, 0)],
        ),
        one(
            "hdf5-shape-overflows",
            "its size overflows",
            stored(&[1 << 32, 1 << 32], 4, 4),
            stored(&[1, 1], 4, 4),
        ),
        one(
            "hdf5-shape-larger-than-its-data",
            "its data has another size than its shape asks for",
            stored(&[3], 8, 8),
            stored(&[2], 8, 8),
        ),
        one(
            "hdf5-data-past-the-end",
            "4096 bytes run past the file's end",
            stored(&[1024], 64, 4096),
            stored(&[16], 64, 64),
        ),
        one(
            "hdf5-chunk-unpacks-to-a-gigabyte",
            "its data unpacks to more than a hundred times its size",
            packed(1 << 28, &[1], &[0; 4096]),
            packed(1 << 10, &[1], &[0; 4096]),
        ),
        one(
            "hdf5-filter-that-loads-a-library",
            "filter 32015 is not deflate",
            packed(4, &[32015], &[0; 16]),
            packed(4, &[1], &[0; 16]),
        ),
        one(
            "hdf5-filter-without-chunks",
            "it has filters and no chunks",
            |file| {
                let data = file.put(&[0; 4]);
                vec![space(&[1]), float(), fill(), filters(&[1]), contiguous(data, 4)]
            },
            stored(&[1], 4, 4),
        ),
        one(
            "hdf5-data-is-a-part-of-the-superblock",
            "two parts of the file overlap",
            |_| vec![space(&[1]), float(), fill(), contiguous(44, 4)],
            |file| {
                file.put(&[0; 4]);
                vec![space(&[1]), float(), fill(), contiguous(48, 4)]
            },
        ),
        one(
            "hdf5-elements-are-opaque",
            "opaque bytes can be anything",
            |file| {
                let data = file.put(b"\x80\x04cos\nsystem\n.\0\0");
                let opaque = (3, b"\x15\0\0\0\x10\0\0\0".to_vec());
                vec![space(&[1]), opaque, fill(), contiguous(data, 16)]
            },
            // What h5py makes of bfloat16.
            |file| {
                let data = file.put(b"\x80\x04cos\nsystem\n.\0\0");
                let opaque = (3, b"\x15\0\0\0\x02\0\0\0".to_vec());
                vec![space(&[8]), opaque, fill(), contiguous(data, 16)]
            },
        ),
    ]
}
