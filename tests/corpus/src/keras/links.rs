//! What leads out of an HDF5 file, or to another object of it in a way that no walk follows.

use super::file::{
    File, Message, attribute, contiguous, file, fill, float, hard, link, space, tensor, valued,
};
use crate::Case;

/// A case by one more message in the root group.
fn one(
    name: &'static str,
    expected: (&'static str, &'static str),
    hostile: Message,
    twin: Message,
) -> Case {
    Case::one(name, expected, "model.weights.h5", file(&[hostile]), file(&[twin]))
}

/// A link to the tensor, which stands behind the superblock and its data.
fn again(name: &str) -> Message {
    let mut probe = File::new();
    let (_, weights) = probe.weights();
    let address = weights.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    hard(name, address)
}

pub(super) fn cases() -> Vec<Case> {
    let external = |target: &str| valued(64, "l", &[b"\0", target.as_bytes(), b"\0/w\0"].concat());
    vec![
        one("hdf5-soft-link", ("link", "is a soft link"), valued(1, "l", b"/w"), again("l")),
        one(
            "hdf5-external-link",
            ("link", "/etc/shadow is a link into another file"),
            external("/etc/shadow"),
            again("l"),
        ),
        one(
            "hdf5-link-that-a-program-defines",
            ("malformed", "a link of type 70 is defined by a program"),
            valued(70, "l", b"anything"),
            again("l"),
        ),
        one(
            "hdf5-name-of-a-link-is-a-path",
            ("malformed", "cannot be the name of a link"),
            again("../w"),
            again("..w"),
        ),
        one(
            "hdf5-link-past-the-end",
            ("malformed", "run past the file's end"),
            link(0, "l", &u64::to_le_bytes(1 << 40)),
            again("l"),
        ),
        one(
            "hdf5-two-links-of-one-name",
            ("malformed", "two links are called \"w\""),
            again("w"),
            again("v"),
        ),
        one(
            "hdf5-attribute-refers-to-an-object",
            ("link", "refers to objects"),
            attribute("a", &(3, b"\x17\0\0\0\x08\0\0\0".to_vec()), &[48, 0, 0, 0, 0, 0, 0, 0]),
            attribute(
                "a",
                &(3, b"\x10\0\0\0\x08\0\0\0\0\0\x40\0".to_vec()),
                &[48, 0, 0, 0, 0, 0, 0, 0],
            ),
        ),
        Case::one(
            "hdf5-data-in-another-file",
            ("link", "/dev/shm/weights keeps its data in another file"),
            "model.weights.h5",
            tensor(|file| external_storage(file, "/dev/shm/weights")),
            tensor(|file| {
                let data = file.put(&[0; 4]);
                vec![space(&[1]), float(), fill(), contiguous(data, 4)]
            }),
        ),
        Case::one(
            "hdf5-virtual-dataset",
            ("link", "/tmp/other.h5 is made of other datasets"),
            "model.weights.h5",
            tensor(|file| virtual_dataset(file, "/tmp/other.h5")),
            tensor(|file| {
                let data = file.put(b"/tmp/other.h5\0\0\0");
                vec![space(&[4]), float(), fill(), contiguous(data, 16)]
            }),
        ),
    ]
}

/// A tensor whose four bytes lie in the file `name`.
fn external_storage(file: &mut File, name: &str) -> Vec<Message> {
    let mut names = name.as_bytes().to_vec();
    names.resize((name.len() + 1).next_multiple_of(8), 0);
    let segment = file.put(&names);
    let heap =
        [&b"HEAP\0\0\0\0"[..], &super::file::numbers(&[names.len() as u64, 1, segment])].concat();
    let heap = file.put(&heap);
    let front = [1, 0, 0, 0, 1, 0, 1, 0];
    let slots = [&front[..], &super::file::numbers(&[heap, 0, 0, 4])].concat();
    let nowhere = contiguous(super::file::NOWHERE, 4);
    vec![space(&[1]), float(), fill(), (7, slots), nowhere]
}

/// A tensor made of the tensor `w` of the file `name`.
fn virtual_dataset(file: &mut File, name: &str) -> Vec<Message> {
    let mut list = vec![0];
    list.extend(1_u64.to_le_bytes());
    list.extend(name.as_bytes());
    list.extend(b"\0w\0");
    let heap = file.global_heap(&list);
    let layout = [&[4, 3][..], &heap.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    vec![space(&[1]), float(), fill(), (8, layout)]
}
