//! B-trees of version 2 (HDF5 File Format 3.0, III.A.2): indexes of links and attributes.

use std::io::{Read, Seek};

use super::File;
use super::fields::Fields;
use crate::malformed::Fault;

/// The records of one kind of index over a fractal heap.
pub(super) struct Index {
    kind: u8,
    /// Bytes of a heap ID.
    id: usize,
    /// Whether the heap ID stands before the rest.
    id_first: bool,
    /// The rest: what the records are in order of.
    key: Key,
}

enum Key {
    /// The hash of the name.
    Hash,
    /// The order of creation, in this many bytes.
    Order(usize),
}

pub(super) const LINKS_BY_NAME: Index = Index { kind: 5, id: 7, id_first: false, key: Key::Hash };
pub(super) const LINKS_BY_ORDER: Index =
    Index { kind: 6, id: 7, id_first: false, key: Key::Order(8) };
pub(super) const ATTRIBUTES_BY_NAME: Index =
    Index { kind: 8, id: 8, id_first: true, key: Key::Hash };
pub(super) const ATTRIBUTES_BY_ORDER: Index =
    Index { kind: 9, id: 8, id_first: true, key: Key::Order(4) };

/// One record: where in the heap the link or attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// The heap ID, with zeros behind it.
    pub(super) heap: [u8; 8],
    /// The hash of the name; zero in an index by order.
    pub(super) hash: u32,
}

/// The records of an index, each at its place.
pub(super) fn indexed<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    address: u64,
    index: &Index,
) -> Result<Vec<Record>, Fault> {
    let key = match index.key {
        Key::Hash if index.id_first => 1 + 4 + 4,
        Key::Hash => 4,
        Key::Order(width) if index.id_first => 1 + width,
        Key::Order(width) => width,
    };
    let size = index.id.saturating_add(key);
    let bytes = records(file, address, index.kind, size)?;
    let mut found = Vec::new();
    let mut last = None;
    for bytes in bytes.chunks(size) {
        let mut fields = Fields::new(bytes, address);
        let mut heap = [0; 8];
        let mut id = |fields: &mut Fields<'_>| -> Result<(), Fault> {
            let taken = fields.take(index.id)?;
            heap.iter_mut().zip(taken).for_each(|(place, byte)| *place = *byte);
            Ok(())
        };
        if index.id_first {
            id(&mut fields)?;
            if fields.u8()? & 2 != 0 {
                return Err(fields.wrong("an attribute stands elsewhere"));
            }
        }
        let (hash, order) = match index.key {
            Key::Hash => {
                if index.id_first {
                    fields.take(4)?;
                }
                let hash = fields.u32()?;
                (hash, u64::from(hash))
            }
            Key::Order(width) => (0, fields.uint(width)?),
        };
        if !index.id_first {
            id(&mut fields)?;
        }
        let ascends = match index.key {
            Key::Hash => last <= Some(order),
            Key::Order(_) => last < Some(order),
        };
        if !ascends {
            return Err(fields.wrong("the records of an index are not in order"));
        }
        last = Some(order);
        found.push(Record { heap, hash });
    }
    Ok(found)
}

/// Two indexes list the same heap IDs.
pub(super) fn agree(one: &[Record], other: &[Record], fields: &Fields<'_>) -> Result<(), Fault> {
    let sorted = |records: &[Record]| {
        let mut ids: Vec<[u8; 8]> = records.iter().map(|record| record.heap).collect();
        ids.sort_unstable();
        ids
    };
    fields.same(sorted(one), sorted(other), "the index by order")
}

/// All records of the tree at `address`, in order, one behind the other.
pub(super) fn records<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    address: u64,
    kind: u8,
    size: usize,
) -> Result<Vec<u8>, Fault> {
    let bytes = file.block(address, 38)?;
    let mut fields = Fields::sealed(&bytes, address)?;
    fields.signature(*b"BTHD", 0)?;
    fields.same(fields.clone().u8()?, kind, "the type of a tree")?;
    fields.take(1)?;
    let node_size = u64::from(fields.u32()?);
    fields.same(usize::from(fields.clone().u16()?), size, "the size of a tree's records")?;
    fields.take(2)?;
    let depth = fields.u16()?;
    fields.take(2)?;
    let root = fields.address()?;
    let count = u64::from(fields.u16()?);
    let total = fields.u64()?;
    if total > file.budget.hdf5_objects as u64 {
        return Err(fields.wrong("a tree has more records than allowed"));
    }
    let Some(root) = root else {
        fields.same((count, total), (0, 0), "the number of a tree's records")?;
        return Ok(Vec::new());
    };
    let widths = widths(node_size, size as u64, depth)
        .ok_or_else(|| fields.wrong("a tree is deeper or its nodes are smaller than allowed"))?;
    let mut tree = Tree { kind, size, node_size, widths, found: Vec::new() };
    tree.node(file, root, count, usize::from(depth))?;
    fields.same(
        tree.found.len() as u64,
        total.saturating_mul(size as u64),
        "the number of records",
    )?;
    Ok(tree.found)
}

/// A deeper tree would need more records than any file has.
const DEEPEST: u16 = 16;

/// How many bytes the numbers in the pointers to a child take, by the depth of the child: those of
/// its own records, and of all records below it.
fn widths(node_size: u64, size: u64, depth: u16) -> Option<Vec<[usize; 2]>> {
    let width = |most: u64| usize::try_from(most.checked_ilog2().unwrap_or(0) / 8 + 1).ok();
    if depth > DEEPEST {
        return None;
    }
    let most = node_size.checked_sub(10)? / size;
    let own = width(most)?;
    let mut all = most;
    let mut widths = vec![[own, 0]];
    for _ in 1..depth.max(1) {
        let [_, below] = *widths.last()?;
        let pointer = 8_u64.checked_add((own + below) as u64)?;
        let most = node_size.checked_sub(10)?.checked_sub(pointer)? / size.checked_add(pointer)?;
        all = most.checked_add(1)?.checked_mul(all)?.checked_add(most)?;
        widths.push([own, width(all)?]);
    }
    Some(widths)
}

struct Tree {
    kind: u8,
    size: usize,
    node_size: u64,
    widths: Vec<[usize; 2]>,
    found: Vec<u8>,
}

impl Tree {
    /// Reads the node of `count` records at `address`, `depth` above the leaves.
    fn node<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        address: u64,
        count: u64,
        depth: usize,
    ) -> Result<(), Fault> {
        let widths = depth.checked_sub(1).and_then(|below| self.widths.get(below)).copied();
        let pointer = widths.map_or(0, |[own, all]| 8 + own as u64 + all as u64);
        let records = count.saturating_mul(self.size as u64);
        let pointers = count.saturating_add(1).saturating_mul(pointer);
        let size = records.saturating_add(pointers).saturating_add(10);
        let start = Fields::new(&[], address);
        if size > self.node_size {
            return Err(start.wrong("a tree's node has more records than fit"));
        }
        let bytes = file.block(address, size)?;
        let mut fields = Fields::sealed(&bytes, address)?;
        fields.signature(if depth == 0 { *b"BTLF" } else { *b"BTIN" }, 0)?;
        fields.same(fields.clone().u8()?, self.kind, "the type of a tree's node")?;
        fields.take(1)?;
        let limit = (file.budget.hdf5_objects).saturating_mul(self.size);
        if self.found.len() > limit {
            return Err(start.wrong("a tree has more records than allowed"));
        }
        let mut records = fields.part(usize::try_from(records).unwrap_or(usize::MAX))?;
        let Some([own, all]) = widths else {
            self.found.extend_from_slice(records.rest());
            return fields.end("a tree's node");
        };
        for index in 0..=count {
            let child = fields.defined()?;
            let children = fields.uint(own)?;
            let below = fields.uint(all)?;
            let before = self.found.len();
            self.node(file, child, children, depth.saturating_sub(1))?;
            let added = self.found.len().saturating_sub(before) / self.size;
            if all > 0 {
                fields.same(added as u64, below, "the number of records below a node")?;
            }
            if index < count {
                self.found.extend_from_slice(records.take(self.size)?);
            }
        }
        fields.end("a tree's node")
    }
}
