//! Reading GGUF's numbers, counts and names, in the file's byte order.

use std::collections::HashSet;
use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::malformed::{Fault, Malformed, shown};
use crate::source::Scan;

/// A walk through the header.
pub(super) struct Walk<'s, R> {
    scan: Scan<'s, R>,
    big_endian: bool,
    name_bytes: usize,
    names_left: u64,
    names: HashSet<Box<str>>,
}

impl<'s, R: Read + Seek> Walk<'s, R> {
    pub(super) fn new(scan: Scan<'s, R>, big_endian: bool, budget: &Budget) -> Self {
        let (name_bytes, names_left) = (budget.name_bytes, budget.gguf_names);
        Walk { scan, big_endian, name_bytes, names_left, names: HashSet::new() }
    }

    /// Offset of the next byte in the file.
    pub(super) fn at(&self) -> u64 {
        self.scan.at()
    }

    /// Length of the file.
    pub(super) fn end(&self) -> u64 {
        self.scan.at().saturating_add(self.scan.remaining())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.scan.byte()
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.scan.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        let bytes = self.scan.array()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        self.scan.skip(bytes)
    }

    /// Refuses `claimed` things of at least `least` bytes each where the budget or the rest of the
    /// file has no room for them.
    pub(super) fn count(
        &self,
        what: &'static str,
        claimed: u64,
        least: u64,
        budget: u64,
    ) -> Result<(), Malformed> {
        let room = self.scan.remaining().checked_div(least).unwrap_or(0);
        let most = room.min(budget);
        if claimed > most {
            return Err(Malformed::GgufCount { what, claimed, most });
        }
        Ok(())
    }

    /// A key or tensor name that did not occur before.
    pub(super) fn new_name(&mut self) -> Result<Box<str>, Fault> {
        let length = self.u64()?;
        let at = self.at();
        self.scan.need(length)?;
        if length > self.name_bytes as u64 {
            return Err(Malformed::NameTooLong { limit: self.name_bytes }.into());
        }
        let left = self.names_left.checked_sub(length).filter(|_| length > 0);
        self.names_left = left.ok_or(Malformed::GgufName { at })?;
        let bytes = self.scan.vec(length)?;
        let name = String::from_utf8(bytes).map_err(|_| Malformed::GgufName { at })?;
        let name = name.into_boxed_str();
        if !self.names.insert(name.clone()) {
            return Err(Malformed::GgufDuplicate { name: shown(&name) }.into());
        }
        Ok(name)
    }

    /// Starts a new set of names.
    pub(super) fn forget_names(&mut self) {
        self.names = HashSet::new();
    }
}
