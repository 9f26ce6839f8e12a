//! Fractal heaps (HDF5 File Format 3.0, III.G): the links of large groups, the attributes of objects
//! that have many.
//!
//! ```text
//!   header --> indirect block --> direct block   row 0: start size    heap offsets count on
//!                    |        \-> direct block   row 1: start size    through the blocks in
//!                    |        \-> direct block   row 2: twice that    order
//!                    \-> indirect block ...      ...
//!          --> tree of huge objects, each on its own in the file
//! ```

use std::io::{Read, Seek};

use super::fields::Fields;
use super::{File, btree2};
use crate::malformed::Fault;

/// One heap with all its blocks found.
pub(super) struct Heap {
    address: u64,
    id: usize,
    /// Bytes of an offset in the heap, and of a length.
    widths: [usize; 2],
    /// Bytes before the first object of a direct block.
    front: u64,
    blocks: Vec<Block>,
    /// Number, address and size of each huge object.
    huge: Vec<(u64, u64, u64)>,
    /// Objects that the header counts.
    count: u64,
    /// What was handed out: kind, offset or number, and end.
    taken: Vec<(u8, u64, u64)>,
}

/// One direct block.
struct Block {
    start: u64,
    size: u64,
    at: u64,
}

/// What the header says about the layout of the blocks.
struct Table {
    checksums: bool,
    width: u64,
    start: u64,
    largest: u64,
    offset: usize,
}

impl Table {
    /// Bytes of heap in a block of this row.
    fn block(&self, row: u32) -> Option<u64> {
        self.start.checked_mul(1_u64.checked_shl(row.saturating_sub(1))?)
    }

    /// How many rows hold direct blocks.
    fn direct(&self) -> u32 {
        self.largest.ilog2().saturating_sub(self.start.ilog2()).saturating_add(2)
    }
}

impl Heap {
    /// Reads the heap at `address` and finds its blocks.
    pub(super) fn read<R: Read + Seek>(
        file: &mut File<'_, '_, R>,
        address: u64,
    ) -> Result<Heap, Fault> {
        let bytes = file.block(address, 146)?;
        let mut fields = Fields::sealed(&bytes, address)?;
        fields.signature(*b"FRHP", 0)?;
        let id = usize::from(fields.u16()?);
        fields.same(fields.clone().u16()?, 0, "a filter of a heap")?;
        fields.take(2)?;
        let flags = fields.u8()?;
        let largest_object = u64::from(fields.u32()?);
        // The number of the next huge object.
        fields.take(8)?;
        let huge_tree = fields.address()?;
        // Free space, its manager, the heap's sizes and where it grows next.
        fields.take(8 + 8 + 8 + 8 + 8)?;
        let managed = fields.u64()?;
        fields.take(8)?;
        let huge = fields.u64()?;
        fields.take(8)?;
        let tiny = fields.u64()?;
        let width = u64::from(fields.u16()?);
        let start = fields.u64()?;
        let largest = fields.u64()?;
        let bits = fields.u16()?;
        fields.take(2)?;
        let root = fields.address()?;
        let rows = u32::from(fields.u16()?);
        fields.end("a heap's header")?;
        let possible = width.is_power_of_two()
            && start.is_power_of_two()
            && largest.is_power_of_two()
            && start <= largest
            && largest <= file.budget.hdf5_block
            && (8..=64).contains(&bits)
            && rows <= u32::from(bits)
            && largest_object > 0;
        if !possible {
            return Err(fields.wrong("the layout of a heap is not possible"));
        }
        let offset = usize::from(bits).div_ceil(8);
        let log2 = |number: u64| usize::try_from(number.ilog2()).unwrap_or(64);
        let length = log2(largest).div_ceil(8).min(log2(largest_object) / 8 + 1);
        let table = Table { checksums: flags & 2 != 0, width, start, largest, offset };
        let front = 13_u64.saturating_add(offset as u64).saturating_add(if table.checksums {
            4
        } else {
            0
        });
        let mut heap = Heap {
            address,
            id,
            widths: [offset, length],
            front,
            blocks: Vec::new(),
            huge: Vec::new(),
            count: managed.saturating_add(huge).saturating_add(tiny),
            taken: Vec::new(),
        };
        match root {
            None => {}
            Some(root) if rows == 0 => heap.direct(file, &table, root, 0, start)?,
            Some(root) => heap.indirect(file, &table, root, (0, rows))?,
        }
        if let Some(tree) = huge_tree {
            heap.huge(file, tree)?;
        }
        Ok(heap)
    }

    /// Reads a direct block (III.G, "FHDB").
    fn direct<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        table: &Table,
        at: u64,
        start: u64,
        size: u64,
    ) -> Result<(), Fault> {
        let mut bytes = file.block(at, size)?;
        let mut fields = Fields::new(&bytes, at);
        self.front(&mut fields, *b"FHDB", table, start)?;
        if table.checksums {
            let claimed = fields.u32()?;
            let place = usize::try_from(self.front).unwrap_or(usize::MAX);
            let checksum = place.checked_sub(4).and_then(|from| bytes.get_mut(from..place));
            if let Some(checksum) = checksum {
                checksum.fill(0);
            }
            let found = super::checksum::lookup3(&bytes);
            Fields::new(&bytes, at).same(claimed, found, "the checksum of a heap's block")?;
        }
        self.blocks.push(Block { start, size, at });
        Ok(())
    }

    /// The fields that direct and indirect blocks start with.
    fn front(
        &self,
        fields: &mut Fields<'_>,
        signature: [u8; 4],
        table: &Table,
        start: u64,
    ) -> Result<(), Fault> {
        fields.signature(signature, 0)?;
        fields.same(fields.clone().u64()?, self.address, "the heap of a block")?;
        fields.take(8)?;
        let offset = fields.uint(table.offset)?;
        fields.same(offset, start, "the offset of a heap's block")
    }

    /// Reads an indirect block (III.G, "FHIB") of so many `rows` that starts at `start`. Those below it
    /// have fewer rows, so the recursion ends.
    fn indirect<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        table: &Table,
        at: u64,
        (start, rows): (u64, u32),
    ) -> Result<(), Fault> {
        let entries = u64::from(rows).saturating_mul(table.width);
        let front = 13_u64.saturating_add(table.offset as u64);
        let size = entries.saturating_mul(8).saturating_add(front).saturating_add(4);
        let bytes = file.block(at, size)?;
        let mut fields = Fields::sealed(&bytes, at)?;
        self.front(&mut fields, *b"FHIB", table, start)?;
        let mut offset = start;
        for row in 0..rows {
            let size = table.block(row).ok_or_else(|| fields.wrong("a heap is too large"))?;
            for _ in 0..table.width {
                match fields.address()? {
                    None => {}
                    Some(child) if row < table.direct() => {
                        self.direct(file, table, child, offset, size)?;
                    }
                    Some(child) => {
                        let first = table.start.saturating_mul(table.width).ilog2();
                        let rows = (size.ilog2().saturating_sub(first)).saturating_add(1);
                        self.indirect(file, table, child, (offset, rows))?;
                    }
                }
                offset =
                    offset.checked_add(size).ok_or_else(|| fields.wrong("a heap is too large"))?;
            }
        }
        fields.end("a heap's block")
    }

    /// Reads the tree of huge objects, each on its own in the file.
    fn huge<R: Read + Seek>(&mut self, file: &mut File<'_, '_, R>, tree: u64) -> Result<(), Fault> {
        const SIZE: usize = 24;
        let records = btree2::records(file, tree, 1, SIZE)?;
        for record in records.chunks(SIZE) {
            let mut fields = Fields::new(record, tree);
            let (at, size, number) = (fields.defined()?, fields.u64()?, fields.u64()?);
            file.claim(at, size)?;
            self.huge.push((number, at, size));
        }
        self.huge.sort_unstable();
        Ok(())
    }

    /// The bytes of the object with this heap ID, and where they are.
    pub(super) fn object<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        id: &[u8; 8],
    ) -> Result<(u64, Vec<u8>), Fault> {
        let mut fields = Fields::new(id.get(..self.id).unwrap_or(id), self.address);
        let wrong = fields.wrong("a heap ID leads to no object");
        let flags = fields.u8()?;
        let (at, size) = match flags {
            0 => {
                let [offset, length] = self.widths;
                let (offset, length) = (fields.uint(offset)?, fields.uint(length)?);
                let end = offset.saturating_add(length);
                self.taken.push((0, offset, end));
                let after = self.blocks.partition_point(|block| block.start <= offset);
                let block = after.checked_sub(1).and_then(|index| self.blocks.get(index));
                let Some(block) = block else { return Err(wrong) };
                let within = offset.saturating_sub(block.start);
                if within < self.front || end > block.start.saturating_add(block.size) {
                    return Err(wrong);
                }
                (block.at.saturating_add(within), length)
            }
            0x10 => {
                let number = fields.uint(fields.left())?;
                self.taken.push((1, number, number.saturating_add(1)));
                let found = self.huge.binary_search_by_key(&number, |&(number, _, _)| number);
                let Some(&(_, at, size)) = found.ok().and_then(|index| self.huge.get(index)) else {
                    return Err(wrong);
                };
                (at, size)
            }
            _ => return Err(wrong),
        };
        if size > file.budget.hdf5_block {
            return Err(fields.wrong("an object in a heap is larger than allowed"));
        }
        Ok((at, file.object(at, size)?))
    }

    /// Every object was handed out, and none twice.
    pub(super) fn whole(mut self, fields: &Fields<'_>) -> Result<(), Fault> {
        fields.same(self.taken.len() as u64, self.count, "the number of objects in a heap")?;
        self.taken.sort_unstable();
        for pair in self.taken.windows(2) {
            if let &[(kind, _, end), (other, start, _)] = pair
                && kind == other
                && start < end
            {
                return Err(fields.wrong("two objects of a heap overlap"));
            }
        }
        Ok(())
    }
}
