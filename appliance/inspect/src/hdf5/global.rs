//! Global heaps (HDF5 File Format 3.0, III.E): the strings of variable length.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::File;
use super::fields::Fields;
use crate::malformed::Fault;

/// The collections that were read, by address. Each is read once, however often it is named.
#[derive(Default)]
pub(super) struct Collections {
    known: HashMap<u64, Vec<Object>>,
    objects: usize,
}

/// One object of a collection.
#[derive(Clone, Copy)]
struct Object {
    index: u16,
    at: u64,
    size: u64,
}

/// Where the object `index` of the collection at `address` is, and its size.
pub(super) fn object<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    address: u64,
    index: u32,
) -> Result<(u64, u64), Fault> {
    if !file.collections.known.contains_key(&address) {
        let objects = read(file, address)?;
        let total = file.collections.objects.saturating_add(objects.len()).saturating_add(1);
        if total > file.budget.hdf5_objects {
            let detail = "the global heaps have more objects than allowed";
            return Err(Fields::new(&[], address).wrong(detail));
        }
        file.collections.objects = total;
        file.collections.known.insert(address, objects);
    }
    let objects = file.collections.known.get(&address).map(Vec::as_slice).unwrap_or_default();
    let found = objects.binary_search_by_key(&index, |object| u32::from(object.index)).ok();
    match found.and_then(|found| objects.get(found)) {
        Some(object) => Ok((object.at, object.size)),
        None => Err(Fields::new(&[], address).wrong("a string is not in its global heap")),
    }
}

fn read<R: Read + Seek>(file: &mut File<'_, '_, R>, address: u64) -> Result<Vec<Object>, Fault> {
    let prefix = file.peek(address, 16)?;
    let mut fields = Fields::new(&prefix, address);
    fields.signature(*b"GCOL", 1)?;
    fields.take(3)?;
    let size = fields.u64()?;
    file.claim(address, size)?;
    let end = address.saturating_add(size);
    let mut at = fields.at();
    let mut objects: Vec<Object> = Vec::new();
    while end.saturating_sub(at) >= 16 {
        let entry = file.peek(at, 16)?;
        let mut fields = Fields::new(&entry, at);
        let index = fields.u16()?;
        fields.take(2 + 4)?;
        let size = fields.u64()?;
        if index == 0 {
            // Free space, which is the rest.
            let rest = end.saturating_sub(at);
            fields.same(size, rest, "the free space of a global heap")?;
            break;
        }
        let data = fields.at();
        let room = end.saturating_sub(data);
        if size > room || objects.len() >= file.budget.hdf5_objects {
            return Err(fields.wrong("an object of a global heap does not fit"));
        }
        objects.push(Object { index, at: data, size });
        at = data.saturating_add(size.checked_next_multiple_of(8).unwrap_or(room));
    }
    objects.sort_unstable_by_key(|object| object.index);
    let twice = objects.windows(2).any(|pair| matches!(pair, [a, b] if a.index == b.index));
    if twice {
        return Err(Fields::new(&[], address).wrong("a global heap has an object twice"));
    }
    Ok(objects)
}
