//! Where the tensors lie: one behind the other, each padded with zeros to the alignment.
//!
//! ```text
//!   header | padding | tensor 0 | padding | tensor 1 | padding (may be missing) |
//!                    ^ offset 0           ^ offset 1
//! ```

use std::io::{Read, Seek};

use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::source::Source;

/// The data, as far as the tensors are placed.
pub(super) struct Layout {
    alignment: u64,
    /// Where the next tensor has to start.
    next: u64,
    /// Where the last tensor ends.
    end: u64,
    /// The last tensor.
    last: Option<(String, u64)>,
    /// Where padding is: ends of tensors that are not aligned.
    gaps: Vec<u64>,
}

impl Layout {
    pub(super) fn new(alignment: u64) -> Self {
        Layout { alignment, next: 0, end: 0, last: None, gaps: Vec::new() }
    }

    /// Places the next tensor.
    pub(super) fn place(&mut self, name: &str, offset: u64, bytes: u64) -> Result<(), Fault> {
        let range = || Malformed::GgufRange { tensor: shown(name), offset };
        if !offset.is_multiple_of(self.alignment) {
            return Err(range().into());
        }
        if offset != self.next {
            let expected = self.next;
            let way = if offset < expected { "overlaps the one before" } else { "leaves a hole" };
            let detail = format!("starts at data offset {offset} instead of {expected}, and {way}");
            return Err(broken(Place::Tensor(shown(name)), detail));
        }
        self.end = offset.checked_add(bytes).ok_or_else(range)?;
        self.next = self.end.checked_next_multiple_of(self.alignment).ok_or_else(range)?;
        if self.end != self.next {
            self.gaps.push(self.end);
        }
        self.last = Some((shown(name), offset));
        Ok(())
    }

    /// Holds the tensors against the file, whose header ends at `header`.
    pub(super) fn check<R: Read + Seek>(
        self,
        source: &mut Source<'_, R>,
        header: u64,
    ) -> Result<(), Fault> {
        let length = source.length();
        let Some((tensor, offset)) = self.last else {
            // Without tensors there is no data, and the padding before it may be missing.
            let start = header.checked_next_multiple_of(self.alignment).unwrap_or(length);
            return tail(source, header, start);
        };
        let range = || Malformed::GgufRange { tensor: tensor.clone(), offset };
        let start = header.checked_next_multiple_of(self.alignment).ok_or_else(range)?;
        let end = start.checked_add(self.end).filter(|&end| end <= length).ok_or_else(range)?;
        // No sum below is larger than this one.
        let next = start.checked_add(self.next).ok_or_else(range)?;
        tail(source, end, next)?;
        zeros(source, header, start)?;
        for gap in self.gaps {
            let from = start.saturating_add(gap);
            let to = from.checked_next_multiple_of(self.alignment).unwrap_or(length);
            zeros(source, from, to.min(length))?;
        }
        Ok(())
    }
}

/// The file ends at `end`, or behind padding that goes on to `padded` at most.
fn tail<R: Read + Seek>(source: &mut Source<'_, R>, end: u64, padded: u64) -> Result<(), Fault> {
    let length = source.length();
    if length > padded {
        let bytes = length.saturating_sub(padded);
        let detail = format!("{bytes} bytes follow the last tensor and its padding");
        return Err(broken(Place::Offset(padded), detail));
    }
    zeros(source, end, length)
}

/// Bytes of padding that are looked at together.
const CHUNK: u64 = 4096;

fn zeros<R: Read + Seek>(source: &mut Source<'_, R>, from: u64, to: u64) -> Result<(), Fault> {
    let mut at = from;
    while at < to {
        let count = to.saturating_sub(at).min(CHUNK);
        let bytes = source.read_at(at, count)?;
        if let Some(first) = bytes.iter().position(|&byte| byte != 0) {
            let place = Place::Offset(at.saturating_add(first as u64));
            return Err(broken(place, "the padding is not zero"));
        }
        at = at.saturating_add(count);
    }
    Ok(())
}
