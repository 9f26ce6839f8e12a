//! Data layouts (HDF5 File Format 3.0, IV.A.2.i): where the elements of a dataset are.

use super::fields::Fields;
use crate::malformed::Fault;

/// Where the elements are.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// In the header itself: at this offset, so many bytes.
    Compact { at: u64, size: u64 },
    /// In one piece. Without an address nothing was written.
    Contiguous { address: Option<u64>, size: Option<u64> },
    /// In chunks of one shape, whose last dimension is the size of an element.
    Chunked { chunk: Vec<u64>, index: Index, address: Option<u64> },
    /// In other datasets: the global heap and the object in it that list them.
    Virtual { heap: u64, object: u32 },
}

impl Layout {
    /// Whether filters can apply.
    pub(super) fn is_chunked(&self) -> bool {
        matches!(self, Layout::Chunked { .. })
    }
}

/// How chunks are found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Index {
    /// A B-tree of version 1.
    Tree,
    /// One chunk; its size where a filter changed that.
    Single { filtered: Option<u64> },
    /// All chunks in one piece, in order.
    Implicit,
    /// A fixed array.
    FixedArray,
}

impl Layout {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Layout, Fault> {
        let version = fields.u8()?;
        match version {
            1 | 2 => first(fields),
            3..=5 => later(fields, version),
            _ => Err(fields.wrong(format!("version {version} of a layout is unknown"))),
        }
    }
}

/// Versions 1 and 2.
fn first(fields: &mut Fields<'_>) -> Result<Layout, Fault> {
    let rank = fields.u8()?;
    let class = fields.u8()?;
    fields.take(5)?;
    let address = if class == 0 { None } else { fields.address()? };
    let mut chunk = Vec::new();
    for _ in 0..rank {
        chunk.push(u64::from(fields.u32()?));
    }
    match class {
        0 => {
            let size = u64::from(fields.u32()?);
            compact(fields, size)
        }
        1 => Ok(Layout::Contiguous { address, size: None }),
        2 => {
            chunk.push(u64::from(fields.u32()?));
            Ok(Layout::Chunked { chunk, index: Index::Tree, address })
        }
        _ => Err(fields.wrong("a layout of an unknown class")),
    }
}

/// Versions 3 to 5.
fn later(fields: &mut Fields<'_>, version: u8) -> Result<Layout, Fault> {
    match fields.u8()? {
        0 => {
            let size = u64::from(fields.u16()?);
            compact(fields, size)
        }
        1 => {
            let address = fields.address()?;
            Ok(Layout::Contiguous { address, size: Some(fields.u64()?) })
        }
        2 if version == 3 => {
            let rank = fields.u8()?;
            let address = fields.address()?;
            let chunk = dimensions(fields, rank, 4)?;
            Ok(Layout::Chunked { chunk, index: Index::Tree, address })
        }
        2 => chunked(fields),
        3 if version > 3 => Ok(Layout::Virtual { heap: fields.u64()?, object: fields.u32()? }),
        _ => Err(fields.wrong("a layout of an unknown class")),
    }
}

fn compact(fields: &mut Fields<'_>, size: u64) -> Result<Layout, Fault> {
    let at = fields.at();
    fields.take(usize::try_from(size).unwrap_or(usize::MAX))?;
    Ok(Layout::Compact { at, size })
}

fn dimensions(fields: &mut Fields<'_>, rank: u8, width: usize) -> Result<Vec<u64>, Fault> {
    (0..rank).map(|_| fields.uint(width)).collect()
}

/// Chunks since version 4, with a choice of indexes.
fn chunked(fields: &mut Fields<'_>) -> Result<Layout, Fault> {
    let flags = fields.u8()?;
    let rank = fields.u8()?;
    let width = usize::from(fields.u8()?);
    let chunk = dimensions(fields, rank, width)?;
    let index = match fields.u8()? {
        1 if flags & 2 != 0 => {
            let size = fields.u64()?;
            // The mask of filters that were passed over.
            if fields.u32()? != 0 {
                return Err(fields.wrong("a chunk passes over a filter"));
            }
            Index::Single { filtered: Some(size) }
        }
        1 => Index::Single { filtered: None },
        2 => Index::Implicit,
        3 => {
            fields.take(1)?;
            Index::FixedArray
        }
        4 | 5 => return Err(fields.wrong("the chunks of a growing dataset are not supported")),
        _ => return Err(fields.wrong("an index of chunks of an unknown type")),
    };
    Ok(Layout::Chunked { chunk, index, address: fields.address()? })
}
