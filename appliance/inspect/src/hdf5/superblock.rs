//! The superblock (HDF5 File Format 3.0, II.A): where the root group is.

use std::io::{Read, Seek};

use super::fields::Fields;
use super::header::{Header, Kind};
use super::{File, MAGIC, Target};
use crate::finding::Place;
use crate::malformed::{Fault, broken};

/// Reads the superblock and gives the root group.
pub(super) fn read<R: Read + Seek>(file: &mut File<'_, '_, R>) -> Result<Target, Fault> {
    let start = file.peek(0, 9)?;
    let (Some(magic), Some(&version)) = (start.get(..8), start.get(8)) else {
        return Err(broken(Place::Offset(0), "the superblock is cut off"));
    };
    if magic != MAGIC {
        return Err(broken(Place::Offset(0), "the superblock does not stand at the start"));
    }
    match version {
        0 => old(file, 96, 0),
        1 => old(file, 100, 4),
        2 | 3 => new(file),
        _ => Err(broken(Place::Offset(8), format!("superblock version {version} is unknown"))),
    }
}

/// Versions 0 and 1. Version 1 has one field more, of `extra` bytes.
fn old<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    size: u64,
    extra: usize,
) -> Result<Target, Fault> {
    let bytes = file.block(0, size)?;
    let mut fields = Fields::new(&bytes, 0);
    fields.take(9)?;
    let [free_space, root, _, messages] = fields.array()?;
    fields.same((free_space, root, messages), (0, 0, 0), "the version of a part")?;
    widths(&mut fields)?;
    // A reserved byte, and how many entries the nodes of groups have.
    fields.take(1 + 4)?;
    closed(fields.u32()?, &fields)?;
    fields.take(extra)?;
    let base = fields.u64()?;
    fields.same(fields.clone().address()?, None, "the free space")?;
    fields.take(8)?;
    let end = fields.u64()?;
    fields.same(fields.clone().address()?, None, "the driver's block")?;
    fields.take(8)?;
    extent(file, base, end)?;
    // The symbol table entry of the root group: it has no name.
    fields.take(8)?;
    let mut entry = fields.part(32)?;
    Target::from_entry(&mut entry)
}

/// Versions 2 and 3, with a checksum.
fn new<R: Read + Seek>(file: &mut File<'_, '_, R>) -> Result<Target, Fault> {
    let bytes = file.block(0, 48)?;
    let mut fields = Fields::sealed(&bytes, 0)?;
    fields.take(9)?;
    widths(&mut fields)?;
    closed(u32::from(fields.u8()?), &fields)?;
    let base = fields.u64()?;
    let extension = fields.address()?;
    let end = fields.u64()?;
    let root = fields.defined()?;
    extent(file, base, end)?;
    if let Some(address) = extension {
        // Shared messages, drivers and cache images, which may stand here, are refused.
        let header = Header::read(file, address)?;
        header.only(&[Kind::BTREE_K, Kind::FILE_SPACE_INFO])?;
    }
    Ok(Target { address: root, cached: None })
}

fn widths(fields: &mut Fields<'_>) -> Result<(), Fault> {
    let [offsets, lengths] = fields.array()?;
    if (offsets, lengths) != (8, 8) {
        return Err(fields.wrong("addresses and lengths of other than 8 bytes are not supported"));
    }
    Ok(())
}

/// The flags say that nobody had the file open to write.
fn closed(flags: u32, fields: &Fields<'_>) -> Result<(), Fault> {
    if flags != 0 {
        return Err(fields.wrong("the file was not closed by whoever wrote it"));
    }
    Ok(())
}

/// Addresses count from the start, and the file ends where the superblock says.
fn extent<R: Read + Seek>(file: &File<'_, '_, R>, base: u64, end: u64) -> Result<(), Fault> {
    if base != 0 {
        return Err(broken(Place::File, format!("addresses count from {base} instead of 0")));
    }
    let length = file.length();
    if end != length {
        let detail = format!("the superblock ends the file at {end}, and it has {length} bytes");
        return Err(broken(Place::File, detail));
    }
    Ok(())
}
