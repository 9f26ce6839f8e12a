//! B-trees of version 1 (HDF5 File Format 3.0, III.A.1): symbol tables of groups, chunks of datasets.

use std::io::{Read, Seek};

use super::File;
use super::fields::Fields;
use crate::malformed::Fault;

/// Which tree it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The node type.
    pub(super) kind: u8,
    /// Bytes of a key.
    pub(super) key: usize,
}

/// The deepest tree that is read: even with two children a node, more than any file has.
const DEEPEST: u8 = 32;

/// What is done with each child of the lowest nodes: the keys before and after it, and its address.
type Leaf<'l, 'f, 'r, R> =
    dyn FnMut(&mut File<'f, 'r, R>, [Fields<'_>; 2], u64) -> Result<(), Fault> + 'l;

/// Walks the tree at `address` in order.
pub(super) fn walk<'f, 'r, R: Read + Seek>(
    file: &mut File<'f, 'r, R>,
    address: u64,
    shape: Shape,
    leaf: &mut Leaf<'_, 'f, 'r, R>,
) -> Result<(), Fault> {
    let mut chains = Vec::new();
    node(file, address, shape, None, &mut chains, leaf)?;
    let end = Fields::new(&[], address);
    chains.iter().try_for_each(|chain| end.same(chain.right, None, "the last node's sibling"))
}

/// The last node that was read at one level, and which node it says comes next.
struct Chain {
    address: u64,
    right: Option<u64>,
}

fn node<'f, 'r, R: Read + Seek>(
    file: &mut File<'f, 'r, R>,
    address: u64,
    shape: Shape,
    expected: Option<u8>,
    chains: &mut Vec<Chain>,
    leaf: &mut Leaf<'_, 'f, 'r, R>,
) -> Result<(), Fault> {
    const PREFIX: u64 = 24;
    let prefix = file.block(address, PREFIX)?;
    let mut fields = Fields::new(&prefix, address);
    fields.same(fields.clone().array()?, *b"TREE", "the signature of a tree")?;
    fields.take(4)?;
    fields.same(fields.clone().u8()?, shape.kind, "the type of a tree's node")?;
    fields.take(1)?;
    let level = fields.u8()?;
    if level > DEEPEST || expected.is_some_and(|expected| expected != level) {
        return Err(fields.wrong("a tree's node has the wrong level"));
    }
    let count = usize::from(fields.u16()?);
    let (left, right) = (fields.address()?, fields.address()?);
    chain(chains, usize::from(level), address, [left, right], &fields)?;

    let at = address.saturating_add(PREFIX);
    let size = count.saturating_mul(shape.key.saturating_add(8)).saturating_add(shape.key);
    let entries = file.block(at, size as u64)?;
    let mut fields = Fields::new(&entries, at);
    let mut before = fields.part(shape.key)?;
    for _ in 0..count {
        let child = fields.defined()?;
        let after = fields.part(shape.key)?;
        match level.checked_sub(1) {
            None => leaf(file, [before, after.clone()], child)?,
            Some(below) => node(file, child, shape, Some(below), chains, leaf)?,
        }
        before = after;
    }
    Ok(())
}

/// The nodes of one level name each other in their order: readers go down the tree or along it.
fn chain(
    chains: &mut Vec<Chain>,
    level: usize,
    address: u64,
    [left, right]: [Option<u64>; 2],
    fields: &Fields<'_>,
) -> Result<(), Fault> {
    while chains.len() <= level {
        chains.push(Chain { address: super::UNDEFINED, right: None });
    }
    let Some(last) = chains.get_mut(level) else { return Ok(()) };
    let first = last.address == super::UNDEFINED;
    fields.same(left, (!first).then_some(last.address), "the left sibling of a tree's node")?;
    if !first {
        fields.same(last.right, Some(address), "the right sibling of a tree's node")?;
    }
    *last = Chain { address, right };
    Ok(())
}
