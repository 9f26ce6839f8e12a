//! FlatBuffers: tables, strings and vectors, each held against the file before it is followed.
//!
//! ```text
//!   root --> table: offset back to its vtable | fields       vtable: sizes | where each field is
//!                                                |
//!                  string, vector, table  <------+ offset forward
//! ```
//!
//! Offsets lead forward only, so nothing can lead back to itself; that many lead to one table is
//! bounded by the number of tables. Of vectors only the counts are read here.

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken};
use crate::source::Source;

/// Bytes that one read asks for.
const PAGE: u64 = 4096;
/// Pages that are kept.
const PAGES: usize = 64;

/// A file, read where its offsets lead.
pub(crate) struct Flat<'f, 'r, R> {
    source: &'f mut Source<'r, R>,
    budget: &'f Budget,
    /// Pages that were read, each in the place of its number modulo their count.
    pages: Vec<(u64, Vec<u8>)>,
    /// Tables so far.
    tables: u64,
    /// Bytes so far.
    read: u64,
}

/// A table that lies in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    /// Where it starts.
    pub(crate) at: u64,
    vtable: u64,
    fields: u64,
    size: u64,
}

/// A vector that lies in the file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Vector {
    /// Where its first element starts.
    pub(crate) at: u64,
    /// How many elements it has.
    pub(crate) count: u64,
}

impl Vector {
    /// Where each element starts, if each has `size` bytes.
    pub(crate) fn each(self, size: u64) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |index| self.at.saturating_add(index.saturating_mul(size)))
    }
}

impl<'f, 'r, R: Read + Seek> Flat<'f, 'r, R> {
    pub(crate) fn new(source: &'f mut Source<'r, R>, budget: &'f Budget) -> Self {
        Flat { source, budget, pages: vec![(u64::MAX, Vec::new()); PAGES], tables: 0, read: 0 }
    }

    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.source.length()
    }

    /// Refuses what runs past the file.
    pub(crate) fn need(&self, at: u64, needed: u64) -> Result<(), Fault> {
        if at.checked_add(needed).is_none_or(|end| end > self.length()) {
            return Err(Malformed::Truncated { at, needed }.into());
        }
        Ok(())
    }

    /// The `N` bytes at `at`.
    pub(crate) fn bytes<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Fault> {
        self.need(at, N as u64)?;
        let mut bytes = [0; N];
        for (place, at) in bytes.iter_mut().zip(at..) {
            *place = self.byte(at)?;
        }
        Ok(bytes)
    }

    fn byte(&mut self, at: u64) -> Result<u8, Fault> {
        self.read = self.read.saturating_add(1);
        if self.read > self.budget.flatbuffer_bytes {
            let limit = self.budget.flatbuffer_bytes;
            let detail = format!("its tables lead to more than {limit} bytes");
            return Err(broken(Place::Offset(at), detail));
        }
        let number = at / PAGE;
        let slot = usize::try_from(number % PAGES as u64).unwrap_or(0);
        let offset = usize::try_from(at % PAGE).unwrap_or(0);
        let known = self.pages.get(slot).is_some_and(|(kept, _)| *kept == number);
        if !known {
            let start = number.saturating_mul(PAGE);
            let page = self.source.read_at(start, self.length().saturating_sub(start).min(PAGE))?;
            if let Some(place) = self.pages.get_mut(slot) {
                *place = (number, page);
            }
        }
        let byte = self.pages.get(slot).and_then(|(_, page)| page.get(offset).copied());
        byte.ok_or_else(|| Malformed::Truncated { at, needed: 1 }.into())
    }

    pub(crate) fn u16(&mut self, at: u64) -> Result<u64, Fault> {
        self.bytes(at).map(|bytes| u64::from(u16::from_le_bytes(bytes)))
    }

    pub(crate) fn u32(&mut self, at: u64) -> Result<u64, Fault> {
        self.bytes(at).map(|bytes| u64::from(u32::from_le_bytes(bytes)))
    }

    pub(crate) fn i32(&mut self, at: u64) -> Result<i64, Fault> {
        self.bytes(at).map(|bytes| i64::from(i32::from_le_bytes(bytes)))
    }

    /// Where the offset at `at` leads to.
    fn follow(&mut self, at: u64) -> Result<u64, Fault> {
        let offset = self.u32(at)?;
        if offset == 0 {
            return Err(broken(Place::Offset(at), "an offset leads to itself"));
        }
        let target = at.saturating_add(offset);
        if !target.is_multiple_of(4) {
            return Err(broken(Place::Offset(at), "an offset leads to what is not aligned"));
        }
        Ok(target)
    }

    /// The table that the whole file is about.
    pub(crate) fn root(&mut self) -> Result<Table, Fault> {
        let at = self.follow(0)?;
        self.table(at)
    }

    fn table(&mut self, at: u64) -> Result<Table, Fault> {
        self.tables = self.tables.saturating_add(1);
        if self.tables > self.budget.flatbuffer_tables {
            let limit = self.budget.flatbuffer_tables;
            return Err(broken(Place::Offset(at), format!("there are more than {limit} tables")));
        }
        let wrong = |what: &str| broken(Place::Offset(at), format!("a table {what}"));
        let back = self.i32(at)?;
        let vtable = at.checked_add_signed(back.saturating_neg());
        let vtable = vtable.filter(|vtable| vtable.is_multiple_of(2));
        let vtable = vtable.ok_or_else(|| wrong("has its vtable outside of the file"))?;
        if self.need(vtable, 4).is_err() {
            return Err(wrong("has its vtable outside of the file"));
        }
        let (bytes, size) = (self.u16(vtable)?, self.u16(vtable.saturating_add(2))?);
        if bytes < 4 || bytes % 2 != 0 || self.need(vtable, bytes).is_err() {
            return Err(wrong("has a vtable of an impossible size"));
        }
        if size < 4 || self.need(at, size).is_err() {
            return Err(wrong("runs past the file"));
        }
        Ok(Table { at, vtable, fields: bytes.saturating_sub(4) / 2, size })
    }

    /// Refuses fields behind the first `known`: a reader that knows them would see something else.
    pub(crate) fn only(&mut self, table: Table, known: u64) -> Result<(), Fault> {
        for field in known..table.fields {
            if self.slot(table, field, 1)?.is_some() {
                let detail = format!("a table has the unknown field {field}");
                return Err(broken(Place::Offset(table.at), detail));
            }
        }
        Ok(())
    }

    /// Where the field is, if it is there; it has `size` bytes.
    fn slot(&mut self, table: Table, field: u64, size: u64) -> Result<Option<u64>, Fault> {
        if field >= table.fields {
            return Ok(None);
        }
        let entry = field.saturating_mul(2).saturating_add(4);
        let offset = self.u16(table.vtable.saturating_add(entry))?;
        if offset == 0 {
            return Ok(None);
        }
        let at = table.at.saturating_add(offset);
        if offset < 4 || offset.saturating_add(size) > table.size || !at.is_multiple_of(size) {
            let detail = format!("the field {field} of a table is not in it or not aligned");
            return Err(broken(Place::Offset(table.at), detail));
        }
        Ok(Some(at))
    }

    /// A number of one byte.
    pub(crate) fn int8(&mut self, table: Table, field: u64) -> Result<Option<u8>, Fault> {
        let Some(at) = self.slot(table, field, 1)? else { return Ok(None) };
        self.bytes(at).map(|[byte]| Some(byte))
    }

    /// A number of four bytes.
    pub(crate) fn int32(&mut self, table: Table, field: u64) -> Result<Option<i64>, Fault> {
        let Some(at) = self.slot(table, field, 4)? else { return Ok(None) };
        self.i32(at).map(Some)
    }

    /// A number of four bytes without a sign.
    pub(crate) fn uint32(&mut self, table: Table, field: u64) -> Result<u64, Fault> {
        let Some(at) = self.slot(table, field, 4)? else { return Ok(0) };
        self.u32(at)
    }

    /// A number of eight bytes without a sign.
    pub(crate) fn uint64(&mut self, table: Table, field: u64) -> Result<u64, Fault> {
        let Some(at) = self.slot(table, field, 8)? else { return Ok(0) };
        self.bytes(at).map(u64::from_le_bytes)
    }

    /// Holds the number of `size` bytes against its table.
    pub(crate) fn scalar(&mut self, table: Table, field: u64, size: u64) -> Result<(), Fault> {
        self.slot(table, field, size).map(drop)
    }

    /// A table in a field.
    pub(crate) fn child(&mut self, table: Table, field: u64) -> Result<Option<Table>, Fault> {
        let Some(at) = self.slot(table, field, 4)? else { return Ok(None) };
        let at = self.follow(at)?;
        self.table(at).map(Some)
    }

    /// A vector whose elements have `size` bytes; an absent one is empty.
    pub(crate) fn vector(&mut self, table: Table, field: u64, size: u64) -> Result<Vector, Fault> {
        let Some(at) = self.slot(table, field, 4)? else { return Ok(Vector::default()) };
        let at = self.follow(at)?;
        let count = self.u32(at)?;
        let start = at.saturating_add(4);
        self.need(start, count.saturating_mul(size))?;
        if count > 0 && !start.is_multiple_of(size) {
            return Err(broken(Place::Offset(start), "the elements of a vector are not aligned"));
        }
        Ok(Vector { at: start, count })
    }

    /// The table at `index` of a vector of tables.
    pub(crate) fn nth(&mut self, vector: Vector, index: u64) -> Result<Table, Fault> {
        let at = self.follow(vector.at.saturating_add(index.saturating_mul(4)))?;
        self.table(at)
    }

    /// A string: UTF-8, and a zero behind it, where C expects one.
    pub(crate) fn string(&mut self, table: Table, field: u64) -> Result<Option<String>, Fault> {
        if self.slot(table, field, 4)?.is_none() {
            return Ok(None);
        }
        let Vector { at, count } = self.vector(table, field, 1)?;
        let limit = self.budget.name_bytes;
        if count > limit as u64 {
            return Err(Malformed::NameTooLong { limit }.into());
        }
        let end = at.saturating_add(count);
        if self.need(end, 1).is_err() || self.byte(end)? != 0 {
            return Err(broken(Place::Offset(at), "a string does not end in a zero"));
        }
        let bytes = (at..end).map(|at| self.byte(at)).collect::<Result<Vec<u8>, Fault>>()?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| broken(Place::Offset(at), "a string is not UTF-8"))?;
        if text.contains('\0') {
            return Err(broken(Place::Offset(at), "a string ends before its end"));
        }
        Ok(Some(text))
    }
}
