//! Reading GGUF's numbers, counts, names and strings, in the file's byte order.

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::names::NameSet;
use crate::source::Scan;

/// A walk through the header.
pub(super) struct Walk<'s, R> {
    scan: Scan<'s, R>,
    big_endian: bool,
    name_bytes: usize,
    names_left: u64,
    names: NameSet,
    /// What is being looked at of a string; kept for the next one.
    window: Vec<u8>,
}

/// A string of the file.
pub(super) struct Text {
    /// Its start, as much as was asked for.
    pub(super) start: String,
    /// Its length in bytes.
    pub(super) length: u64,
}

impl<'s, R: Read + Seek> Walk<'s, R> {
    pub(super) fn new(scan: Scan<'s, R>, big_endian: bool, budget: &Budget) -> Self {
        Walk {
            scan,
            big_endian,
            name_bytes: budget.name_bytes,
            names_left: budget.gguf_names,
            names: NameSet::default(),
            window: Vec::new(),
        }
    }

    /// Offset of the next byte in the file.
    pub(super) fn at(&self) -> u64 {
        self.scan.at()
    }

    /// The bytes of the next number, the lowest first.
    pub(super) fn number<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = self.scan.array()?;
        if self.big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.number().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.number().map(u64::from_le_bytes)
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
    pub(super) fn new_name(&mut self) -> Result<String, Fault> {
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
        if name.contains(char::is_control) {
            return Err(broken(Place::Offset(at), "a name has control characters"));
        }
        if !self.names.insert(&name) {
            return Err(Malformed::GgufDuplicate { name: shown(&name) }.into());
        }
        Ok(name)
    }

    /// Starts a new set of names.
    pub(super) fn forget_names(&mut self) {
        self.names = NameSet::default();
    }

    /// Passes over `count` bytes; false if one of them is above 1.
    pub(super) fn truths(&mut self, count: u64) -> Result<bool, Fault> {
        self.scan.need(count)?;
        let mut left = count;
        while left > 0 {
            let chunk = left.min(WINDOW as u64);
            self.window.clear();
            self.scan.by_ref().take(chunk).read_to_end(&mut self.window)?;
            if self.window.iter().any(|&byte| byte > 1) {
                return Ok(false);
            }
            left = left.saturating_sub(chunk);
        }
        Ok(true)
    }

    /// Passes over a string, which has to be UTF-8, and gives about `keep` bytes of its start.
    pub(super) fn string(&mut self, key: &str, keep: usize) -> Result<Text, Fault> {
        let length = self.u64()?;
        self.scan.need(length)?;
        let mut text = Text { start: String::new(), length };
        let mut left = length;
        self.window.clear();
        while left > 0 {
            let room = WINDOW.saturating_sub(self.window.len()) as u64;
            let count = left.min(room);
            self.scan.by_ref().take(count).read_to_end(&mut self.window)?;
            left = left.saturating_sub(count);
            let whole = match std::str::from_utf8(&self.window) {
                Ok(_) => self.window.len(),
                // A character that goes on in the next window.
                Err(cut) if cut.error_len().is_none() && left > 0 => cut.valid_up_to(),
                Err(_) => {
                    let place = Place::Key(shown(key));
                    return Err(broken(place, "the string is not UTF-8"));
                }
            };
            if text.start.len() < keep {
                let start = self.window.get(..whole).unwrap_or_default();
                text.start.push_str(&String::from_utf8_lossy(start));
            }
            self.window.drain(..whole);
        }
        Ok(text)
    }
}

/// Bytes of a string that are looked at together.
const WINDOW: usize = 4096;
