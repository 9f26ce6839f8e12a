//! Chunks (HDF5 File Format 3.0, VII): each of them is in the file, and no other is.

use std::io::{Read, Seek};

use super::File;
use super::btree1::{self, Shape};
use super::dataspace::Dataspace;
use super::fields::Fields;
use super::layout::Index;
use crate::malformed::Fault;

/// The chunks that a dataset must have.
pub(super) struct Chunks {
    /// Bytes of each before the filters.
    size: u64,
    /// How many there are.
    count: u64,
    /// The shape of each.
    chunk: Vec<u64>,
    /// The shape of the dataset.
    shape: Vec<u64>,
    filtered: bool,
}

impl Chunks {
    /// `chunk` is the shape of a chunk with the size of an element behind it.
    pub(super) fn new(
        space: &Dataspace,
        element: u64,
        chunk: &[u64],
        filtered: bool,
    ) -> Option<Chunks> {
        let (&last, chunk) = chunk.split_last()?;
        let shape = space.shape.clone();
        if last != element || chunk.len() != shape.len() || chunk.is_empty() || chunk.contains(&0) {
            return None;
        }
        let size = chunk.iter().try_fold(element, |size, &side| size.checked_mul(side))?;
        let sides = shape.iter().zip(chunk);
        let count = sides
            .map(|(&side, &step)| side.div_ceil(step))
            .try_fold(1_u64, |count, side| count.checked_mul(side))?;
        Some(Chunks { size, count, chunk: chunk.to_vec(), shape, filtered })
    }

    /// Gives one chunk its place in the file. Without filters its size is that of all chunks.
    fn claim<R: Read + Seek>(
        &self,
        file: &mut File<'_, '_, R>,
        at: u64,
        size: u64,
    ) -> Result<u64, Fault> {
        if !self.filtered && size != self.size {
            return Err(Fields::new(&[], at).wrong("a chunk has another size than its shape"));
        }
        // fletcher32 adds four bytes, deflate some for what does not shrink.
        if size > self.size.saturating_add(self.size / 256).saturating_add(1024) {
            return Err(Fields::new(&[], at).wrong("a filtered chunk is larger than its content"));
        }
        file.claim(at, size)?;
        Ok(size)
    }
}

/// Finds all chunks and gives how many bytes they take.
pub(super) fn read<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    chunks: &Chunks,
    index: Index,
    address: Option<u64>,
) -> Result<u64, Fault> {
    let missing = Fields::new(&[], 0);
    let Some(address) = address else {
        missing.same(chunks.count, 0, "the number of chunks")?;
        return Ok(0);
    };
    match index {
        Index::Tree => tree(file, chunks, address),
        Index::Single { filtered } => {
            missing.same(chunks.count, 1, "the number of chunks")?;
            missing.same(filtered.is_some(), chunks.filtered, "a filtered chunk")?;
            chunks.claim(file, address, filtered.unwrap_or(chunks.size))
        }
        Index::Implicit => {
            missing.same(chunks.filtered, false, "an implicit index of filtered chunks")?;
            let size = chunks.size.saturating_mul(chunks.count);
            file.claim(address, size)?;
            Ok(size)
        }
        Index::FixedArray => array(file, chunks, address),
    }
}

/// A tree whose keys are the size of a chunk, the filters it passed over and where it starts.
fn tree<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    chunks: &Chunks,
    address: u64,
) -> Result<u64, Fault> {
    let rank = chunks.chunk.len();
    let shape = Shape { kind: 1, key: 8 + 8 * (rank + 1) };
    let (mut stored, mut count) = (0_u64, 0_u64);
    let mut last: Option<Vec<u64>> = None;
    btree1::walk(file, address, shape, &mut |file, [mut key, _], child| {
        let size = u64::from(key.u32()?);
        if key.u32()? != 0 {
            return Err(key.wrong("a chunk passes over a filter"));
        }
        let mut start = Vec::new();
        for (&step, &side) in chunks.chunk.iter().zip(&chunks.shape) {
            let at = key.u64()?;
            if at % step != 0 || at >= side {
                return Err(key.wrong("a chunk lies outside of its dataset"));
            }
            start.push(at);
        }
        if last.as_ref().is_some_and(|last| *last >= start) {
            return Err(key.wrong("the chunks of a dataset are not in order"));
        }
        last = Some(start);
        count = count.saturating_add(1);
        stored = stored.saturating_add(chunks.claim(file, child, size)?);
        Ok(())
    })?;
    // Each starts at another place of the grid: as many as there must be are all.
    Fields::new(&[], address).same(count, chunks.count, "the number of chunks")?;
    Ok(stored)
}

/// A fixed array (VII.C): addresses in order, in pages where there are many.
fn array<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    chunks: &Chunks,
    address: u64,
) -> Result<u64, Fault> {
    let bytes = file.block(address, 28)?;
    let mut fields = Fields::sealed(&bytes, address)?;
    fields.signature(*b"FAHD", 0)?;
    let client = fields.u8()?;
    fields.same(client, u8::from(chunks.filtered), "the kind of a fixed array")?;
    let entry = u64::from(fields.u8()?);
    let bits = u32::from(fields.u8()?);
    let count = fields.u64()?;
    fields.same(count, chunks.count, "the number of chunks")?;
    let block = fields.defined()?;
    fields.end("a fixed array")?;
    // An address and, behind a filter, a size and the mask of filters that were passed over.
    let width = entry.checked_sub(if chunks.filtered { 12 } else { 8 });
    let width = width.and_then(|width| usize::try_from(width).ok());
    let Some(width) = width.filter(|&width| width <= 8 && (width > 0) == chunks.filtered) else {
        return Err(fields.wrong("the entries of a fixed array have the wrong size"));
    };
    let page = 1_u64.checked_shl(bits).unwrap_or(u64::MAX);
    let paged = count > page;
    let front = 14_u64;
    let bitmap = if paged { count.div_ceil(page).div_ceil(8) } else { 0 };
    let inside = if paged { 0 } else { count.saturating_mul(entry) };
    let size = front.saturating_add(bitmap).saturating_add(inside).saturating_add(4);
    let bytes = file.block(block, size)?;
    let mut fields = Fields::sealed(&bytes, block)?;
    fields.signature(*b"FADB", 0)?;
    fields.same(fields.clone().u8()?, client, "the kind of a fixed array's block")?;
    fields.take(1)?;
    fields.same(fields.clone().u64()?, address, "the header of a fixed array's block")?;
    fields.take(8)?;
    if !paged {
        return entries(file, chunks, fields, width);
    }
    let mut at = block.saturating_add(size);
    let (mut left, mut stored) = (count, 0_u64);
    while left > 0 {
        let here = left.min(page);
        let size = here.saturating_mul(entry).saturating_add(4);
        let bytes = file.block(at, size)?;
        let page = Fields::sealed(&bytes, at)?;
        stored = stored.saturating_add(entries(file, chunks, page, width)?);
        at = at.saturating_add(size);
        left = left.saturating_sub(here);
    }
    Ok(stored)
}

/// The entries of a fixed array that `fields` holds.
fn entries<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    chunks: &Chunks,
    mut fields: Fields<'_>,
    width: usize,
) -> Result<u64, Fault> {
    let mut stored = 0_u64;
    while fields.left() > 0 {
        let address = fields.defined()?;
        let size = if chunks.filtered {
            let size = fields.uint(width)?;
            if fields.u32()? != 0 {
                return Err(fields.wrong("a chunk passes over a filter"));
            }
            size
        } else {
            chunks.size
        };
        stored = stored.saturating_add(chunks.claim(file, address, size)?);
    }
    Ok(stored)
}
