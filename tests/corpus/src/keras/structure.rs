//! HDF5 files whose structures lie: two readers would find two files.

use super::file::{
    File, Message, NOWHERE, compact_links, contiguous, file, fill, float, hard, numbers, object,
    old_object, sealed, space, text_attribute,
};
use crate::Case;

/// A case of one file that must be malformed.
fn one(name: &'static str, says: &'static str, hostile: Vec<u8>, twin: Vec<u8>) -> Case {
    Case::one(name, ("malformed", says), "model.weights.h5", hostile, twin)
}

pub(super) fn cases() -> Vec<Case> {
    let user_block = |front: usize| [vec![0; front], file(&[])].concat();
    let flipped = |at_end: usize, by: u8| {
        let mut bytes = file(&[]);
        let at = bytes.len() - at_end;
        bytes[at] ^= by;
        bytes
    };
    let open = |flags: u8| {
        let bytes = file(&[]);
        let mut superblock = bytes[..44].to_vec();
        superblock[11] = flags;
        [&sealed(superblock), &bytes[48..]].concat()
    };
    let message = |kind: u8| file(&[(kind, vec![0; 8])]);
    vec![
        one(
            "hdf5-superblock-behind-a-user-block",
            "the superblock does not stand at the start",
            user_block(512),
            user_block(0),
        ),
        one(
            "hdf5-bytes-behind-the-end",
            "the superblock ends the file at",
            [file(&[]), b"#!/bin/sh\n".to_vec()].concat(),
            file(&[]),
        ),
        one(
            "hdf5-checksum-of-the-root-is-wrong",
            "the checksum of a structure is wrong",
            flipped(1, 1),
            flipped(1, 0),
        ),
        one("hdf5-file-is-still-open", "was not closed", open(1), open(0)),
        one(
            "hdf5-message-that-nobody-knows",
            "a message of type 200 does not belong here",
            message(200),
            message(0),
        ),
        one(
            "hdf5-header-continues-in-itself",
            "structures overlap",
            continued(true),
            continued(false),
        ),
        one(
            "hdf5-two-attributes-of-one-name",
            "two attributes are called \"a\"",
            file(&[text_attribute("a", "1"), text_attribute("a", "2")]),
            file(&[text_attribute("a", "1"), text_attribute("b", "2")]),
        ),
        one("hdf5-object-of-two-kinds", "does not belong here", two_kinds(true), two_kinds(false)),
        one(
            "hdf5-symbols-out-of-order",
            "\"b\" is not at its place in the group",
            first(&Old { names: ["b", "a"], ..Old::default() }),
            first(&Old::default()),
        ),
        one(
            "hdf5-symbol-outside-of-the-keys",
            "\"b\" is not at its place in the group",
            first(&Old { last_key: 1, ..Old::default() }),
            first(&Old::default()),
        ),
        one(
            "hdf5-root-with-another-copy-of-its-tables",
            "name different tables",
            first(&Old { cached: 8, ..Old::default() }),
            first(&Old::default()),
        ),
        one(
            "hdf5-tree-is-its-own-child",
            "a tree's node has the wrong level",
            first(&Old { looped: true, ..Old::default() }),
            first(&Old::default()),
        ),
        Case::one(
            "hdf5-soft-link-in-a-symbol-table",
            ("link", "\"/a\": /etc is a soft link"),
            "model.weights.h5",
            first(&Old { soft: true, ..Old::default() }),
            first(&Old::default()),
        ),
    ]
}

/// A root group whose header continues, in itself or in a part of its own. The sums of version 2 would
/// show the loop, so it is version 1.
fn continued(in_itself: bool) -> Vec<u8> {
    let mut file = File::new();
    let weights = file.weights();
    let root = file.next();
    let header =
        |at: u64| old_object(&[(16, numbers(&[at, 24])), compact_links(), weights.clone()]);
    let behind = root + header(0).len() as u64;
    let mut header = header(if in_itself { root + 16 } else { behind });
    // The other part is one message that says nothing, which counts as well.
    header[2] += 1;
    header.extend([0, 0, 16, 0]);
    header.extend([0; 20]);
    file.put(&header);
    file.finish(root)
}

/// A tensor that also says where links are.
fn two_kinds(both: bool) -> Vec<u8> {
    let mut file = File::new();
    let data = file.put(&[0; 4]);
    let mut messages = vec![space(&[1]), float(), fill(), contiguous(data, 4)];
    if both {
        messages.push(compact_links());
    }
    let tensor = file.put(&object(&messages));
    file.group(&[hard("w", tensor)])
}

/// What to change in a file of the first version, whose root group has two links.
struct Old {
    names: [&'static str; 2],
    /// The name, by its number, that the last key of the tree names.
    last_key: usize,
    /// Added to the address of the tree in the superblock.
    cached: u64,
    /// Whether the first link is a soft one.
    soft: bool,
    /// Whether the tree names itself.
    looped: bool,
}

impl Default for Old {
    fn default() -> Old {
        Old { names: ["a", "b"], last_key: 2, cached: 0, soft: false, looped: false }
    }
}

/// A file with superblock 0, a symbol table and a local heap.
fn first(old: &Old) -> Vec<u8> {
    const SUPERBLOCK: u64 = 96;
    let mut file = File { bytes: vec![0; SUPERBLOCK as usize] };
    let data = file.put(&[0; 8]);
    let tensors: Vec<u64> = (0..2)
        .map(|index| {
            let messages: Vec<Message> =
                vec![space(&[1]), float(), fill(), contiguous(data + 4 * index, 4)];
            file.put(&old_object(&messages))
        })
        .collect();
    // Names start at 8 and 16; the value of the soft link at 24.
    let mut names = vec![0; 32];
    names[8] = old.names[0].as_bytes()[0];
    names[16] = old.names[1].as_bytes()[0];
    names[24..28].copy_from_slice(b"/etc");
    let segment = file.put(&names);
    let heap = file.put(&[&b"HEAP\0\0\0\0"[..], &numbers(&[32, 1, segment])].concat());
    let mut node = b"SNOD\x01\0\x02\0".to_vec();
    for (index, tensor) in tensors.iter().enumerate() {
        let name = 8 * (index as u64 + 1);
        if old.soft && index == 0 {
            node.extend(numbers(&[name, NOWHERE, 2, 24, 0]));
        } else {
            node.extend(numbers(&[name, *tensor, 0, 0, 0]));
        }
    }
    let node = file.put_padded(&node, 328);
    let at = file.next();
    let child = if old.looped { at } else { node };
    let mut tree = b"TREE\0\0\x01\0".to_vec();
    if old.looped {
        tree[5] = 1;
    }
    tree.extend(numbers(&[NOWHERE, NOWHERE, 0, child, 8 * old.last_key as u64]));
    let tree = file.put_padded(&tree, 544);
    let root = file.put(&old_object(&[(17, numbers(&[tree, heap]))]));

    let end = file.bytes.len() as u64;
    let mut superblock = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0".to_vec();
    superblock.extend(numbers(&[0, NOWHERE, end, NOWHERE, 0, root, 1, tree + old.cached, heap]));
    file.bytes[..SUPERBLOCK as usize].copy_from_slice(&superblock);
    file.bytes
}
