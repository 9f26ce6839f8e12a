//! A walk through the fields of one structure that is in memory.

use super::{UNDEFINED, checksum};
use crate::finding::Place;
use crate::malformed::{Fault, broken};

/// The fields of one structure, in order. Numbers are little-endian, addresses and lengths have 8
/// bytes: the superblock is refused where it says otherwise.
#[derive(Clone)]
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    /// Offset in the file of the next byte.
    at: u64,
}

impl<'b> Fields<'b> {
    /// `bytes` stand at `at` in the file.
    pub(super) fn new(bytes: &'b [u8], at: u64) -> Self {
        Fields { bytes, at }
    }

    /// Offset in the file of the next field.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The fault of a rule that is broken at the next field.
    pub(super) fn wrong(&self, detail: impl Into<String>) -> Fault {
        broken(Place::Offset(self.at), detail)
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], Fault> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(self.wrong("a structure ends before its last field"));
        };
        self.bytes = rest;
        self.at = self.at.saturating_add(count as u64);
        Ok(taken)
    }

    /// The next `count` bytes as fields of their own.
    pub(super) fn part(&mut self, count: usize) -> Result<Fields<'b>, Fault> {
        let at = self.at;
        Ok(Fields { bytes: self.take(count)?, at })
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'b [u8] {
        let rest = std::mem::take(&mut self.bytes);
        self.at = self.at.saturating_add(rest.len() as u64);
        rest
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// A number of one byte.
    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// A number of two bytes.
    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// A number of four bytes.
    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of eight bytes: a length.
    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of `width` bytes, at most eight.
    pub(super) fn uint(&mut self, width: usize) -> Result<u64, Fault> {
        let taken = self.take(width)?;
        let mut bytes = [0; 8];
        let Some(place) = bytes.get_mut(..width) else {
            return Err(self.wrong("a number is wider than 64 bits"));
        };
        place.copy_from_slice(taken);
        Ok(u64::from_le_bytes(bytes))
    }

    /// An address that may be undefined.
    pub(super) fn address(&mut self) -> Result<Option<u64>, Fault> {
        Ok(Some(self.u64()?).filter(|&address| address != UNDEFINED))
    }

    /// An address that has to be there.
    pub(super) fn defined(&mut self) -> Result<u64, Fault> {
        let missing = self.wrong("an address is undefined where there must be one");
        self.address()?.ok_or(missing)
    }

    /// The signature and version that every later structure starts with.
    pub(super) fn signature(&mut self, signature: [u8; 4], version: u8) -> Result<(), Fault> {
        let at = self.clone();
        let name = String::from_utf8_lossy(&signature).into_owned();
        if self.array()? != signature {
            return Err(at.wrong(format!("the signature {name} is missing")));
        }
        if self.u8()? != version {
            return Err(at.wrong(format!("{name} has another version than {version}")));
        }
        Ok(())
    }

    /// `found` is `expected`, or the part called `what` lies.
    pub(super) fn same<T: PartialEq>(
        &self,
        found: T,
        expected: T,
        what: &str,
    ) -> Result<(), Fault> {
        if found != expected {
            return Err(self.wrong(format!("{what} disagrees with what it belongs to")));
        }
        Ok(())
    }

    /// Takes the checksum off the end of the structure and holds it against the rest.
    pub(super) fn sealed(bytes: &'b [u8], at: u64) -> Result<Self, Fault> {
        let whole = Fields::new(bytes, at);
        let Some((sealed, checksum)) = bytes.split_last_chunk() else {
            return Err(whole.wrong("a structure has no room for its checksum"));
        };
        if u32::from_le_bytes(*checksum) != checksum::lookup3(sealed) {
            return Err(whole.wrong("the checksum of a structure is wrong"));
        }
        Ok(Fields::new(sealed, at))
    }

    /// Refuses what is left, but for the zeros up to a multiple of eight that headers of version 1 have.
    pub(super) fn padding(&self, what: &str) -> Result<(), Fault> {
        if self.bytes.len() < 8 && self.bytes.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        self.end(what)
    }

    /// Refuses what is left.
    pub(super) fn end(&self, what: &str) -> Result<(), Fault> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(self.wrong(format!("{} bytes follow the last field of {what}", self.bytes.len())))
    }
}
