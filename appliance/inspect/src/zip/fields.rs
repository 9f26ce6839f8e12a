//! Little-endian fields, one after the other.

use crate::malformed::Malformed;

/// What is left of a header or of an extra field.
#[derive(Clone, Copy)]
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    /// Where the next field stands in the file.
    at: u64,
}

impl<'b> Fields<'b> {
    pub(super) fn new(bytes: &'b [u8], at: u64) -> Self {
        Fields { bytes, at }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let truncated = Malformed::Truncated { at: self.at, needed: N as u64 };
        let (field, rest) = self.bytes.split_first_chunk().ok_or(truncated)?;
        self.bytes = rest;
        self.at = self.at.saturating_add(N as u64);
        Ok(*field)
    }

    /// The next `count` bytes as fields of their own.
    pub(super) fn part(&mut self, count: u16) -> Result<Fields<'b>, Malformed> {
        let truncated = Malformed::Truncated { at: self.at, needed: u64::from(count) };
        let (part, rest) = self.bytes.split_at_checked(usize::from(count)).ok_or(truncated)?;
        let part = Fields { bytes: part, at: self.at };
        self.bytes = rest;
        self.at = self.at.saturating_add(u64::from(count));
        Ok(part)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }
}
