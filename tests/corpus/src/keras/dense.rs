//! Links in a fractal heap, which two trees index: by name and by order of creation.

use super::file::{File, NOWHERE, hard, lookup3, numbers, object, sealed};
use crate::Case;

/// What to change in a group of two links.
#[derive(Default)]
struct Dense {
    /// The tree by order lists the first link twice.
    other_order: bool,
    /// The tree by name lists only the first link.
    hidden: bool,
    /// Added to the hash of the first name.
    hash: u32,
    /// Added to the place of the second link in the heap.
    shift: u32,
}

/// A case of one file that must be malformed.
fn one(name: &'static str, says: &'static str, hostile: &Dense) -> Case {
    let twin = file(&Dense::default());
    Case::one(name, ("malformed", says), "model.weights.h5", file(hostile), twin)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        one(
            "hdf5-indexes-of-a-group-disagree",
            "the index by order disagrees",
            &Dense { other_order: true, ..Dense::default() },
        ),
        one(
            "hdf5-link-that-no-name-leads-to",
            "the number of objects in a heap disagrees",
            &Dense { hidden: true, ..Dense::default() },
        ),
        one(
            "hdf5-hash-of-another-name",
            "the hash of a link's name disagrees",
            &Dense { hash: 1, ..Dense::default() },
        ),
        one(
            "hdf5-link-outside-of-its-heap",
            "a heap ID leads to no object",
            &Dense { shift: 512, ..Dense::default() },
        ),
    ]
}

/// Bytes of the only direct block.
const BLOCK: usize = 512;

/// A file whose root group has two links in a heap.
fn file(dense: &Dense) -> Vec<u8> {
    let mut file = File::new();
    let (_, first) = file.weights();
    let address = first.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let links = [first, hard("v", address).1];

    // The header of the heap comes first, since blocks name it.
    let heap = file.next();
    file.put(&[0; 146]);
    let mut block = b"FHDB\0".to_vec();
    block.extend(heap.to_le_bytes());
    block.extend([0; 4]);
    let mut ids = Vec::new();
    for link in &links {
        let shift = if ids.is_empty() { 0 } else { dense.shift };
        let offset = (block.len() as u32 + shift).to_le_bytes();
        let mut id = vec![0];
        id.extend(offset);
        id.extend((link.len() as u16).to_le_bytes());
        ids.push(id);
        block.extend(link);
    }
    block.resize(BLOCK, 0);
    let block = file.put(&block);
    let header = [
        &b"FRHP\0\x07\0\0\0\0"[..],
        &512_u32.to_le_bytes(),
        &numbers(&[0, NOWHERE, 0, NOWHERE, 512, 512, 0, 2, 0, 0, 0, 0]),
        &4_u16.to_le_bytes(),
        &numbers(&[512, 512]),
        &[32, 0, 1, 0],
        &block.to_le_bytes(),
        &[0; 2],
    ];
    let header = sealed(header.concat());
    file.bytes[heap as usize..][..header.len()].copy_from_slice(&header);

    let mut by_name: Vec<(u32, Vec<u8>)> = ["w", "v"]
        .iter()
        .zip(&ids)
        .map(|(name, id)| (lookup3(name.as_bytes()), id.clone()))
        .collect();
    by_name[0].0 += dense.hash;
    by_name.sort();
    if dense.hidden {
        by_name.pop();
    }
    let by_name: Vec<Vec<u8>> =
        by_name.iter().map(|(hash, id)| [&hash.to_le_bytes()[..], id].concat()).collect();
    let by_order: Vec<Vec<u8>> = (0..by_name.len())
        .map(|order| {
            let id = &ids[if dense.other_order { 0 } else { order }];
            [&(order as u64).to_le_bytes()[..], id].concat()
        })
        .collect();
    let by_name = tree(&mut file, 5, &by_name);
    let tracked = !dense.hidden;
    let mut info = vec![0, if tracked { 3 } else { 0 }];
    if tracked {
        info.extend(2_u64.to_le_bytes());
    }
    info.extend(numbers(&[heap, by_name]));
    if tracked {
        let by_order = tree(&mut file, 6, &by_order);
        info.extend(by_order.to_le_bytes());
    }
    let root = file.put(&object(&[(2, info)]));
    file.finish(root)
}

/// A tree of one leaf.
fn tree(file: &mut File, kind: u8, records: &[Vec<u8>]) -> u64 {
    let leaf = sealed([&b"BTLF\0"[..], &[kind], &records.concat()].concat());
    let leaf = file.put_padded(&leaf, 512);
    let mut header = b"BTHD\0".to_vec();
    header.push(kind);
    header.extend(512_u32.to_le_bytes());
    header.extend((records[0].len() as u16).to_le_bytes());
    header.extend([0, 0, 100, 40]);
    header.extend(leaf.to_le_bytes());
    header.extend((records.len() as u16).to_le_bytes());
    header.extend((records.len() as u64).to_le_bytes());
    file.put(&sealed(header))
}
