//! GGUF, versions 2 and 3, in either byte order.
//!
//! ```text
//!   "GGUF" | u32 version | u64 tensors | u64 pairs
//!   pairs:   key, u32 type, value
//!   tensors: name, u32 dimensions, u64 each, u32 element type, u64 offset
//!   padding to general.alignment, then the data
//! ```
//!
//! The header is walked once; of the data only the bounds are checked. Nothing is allocated by a
//! count of the file.

mod elements;
mod value;
mod walk;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::{Fault, Malformed, finding, shown};
use crate::source::Source;
use walk::Walk;

const MAGIC: &[u8] = b"GGUF";

/// Looks whether the file is GGUF, and if so checks it.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if !source.head().starts_with(MAGIC) {
        return Ok(None);
    }
    // A text that starts with these letters has letters where the version is.
    let sure = source.head().get(4..8).is_none_or(|version| version.contains(&0));
    let malformed = finding(check(source, budget))?;
    Ok(Some(Claim { format: Format::Gguf, sure, malformed }))
}

/// Offsets in the data are multiples of this where the file names no other number.
const ALIGNMENT: u64 = 32;
/// The least bytes of a pair: an empty key, a type, one byte.
const LEAST_PAIR: u64 = 8 + 4 + 1;
/// The least bytes of a tensor: an empty name, no dimensions, type and offset.
const LEAST_TENSOR: u64 = 8 + 4 + 4 + 8;

fn check<R: Read + Seek>(source: &mut Source<'_, R>, budget: &Budget) -> Result<(), Fault> {
    let mut scan = source.scan(MAGIC.len() as u64)?;
    let version = u32::from_le_bytes(scan.array()?);
    let big_endian = match (version, version.swap_bytes()) {
        (2 | 3, _) => false,
        (_, 2 | 3) => true,
        _ => return Err(Malformed::GgufVersion { version }.into()),
    };
    let mut walk = Walk::new(scan, big_endian, budget);
    let tensors = walk.u64()?;
    let pairs = walk.u64()?;
    walk.count("tensors", tensors, LEAST_TENSOR, budget.gguf_tensors)?;
    walk.count("pairs", pairs, LEAST_PAIR, budget.gguf_pairs)?;

    let alignment = value::pairs(&mut walk, pairs, budget)?.unwrap_or(ALIGNMENT);
    let described = describe(&mut walk, tensors, alignment)?;
    // Without tensors there is no data, and no padding before it.
    let Some(last) = described else { return Ok(()) };
    let start = walk.at().checked_next_multiple_of(alignment);
    let present = start.and_then(|start| walk.end().checked_sub(start));
    if present.is_none_or(|present| last.end > present) {
        return Err(Malformed::GgufRange { tensor: last.name, offset: last.offset }.into());
    }
    Ok(())
}

/// The tensor whose data ends last.
struct Last {
    name: String,
    offset: u64,
    end: u64,
}

fn describe<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    tensors: u64,
    alignment: u64,
) -> Result<Option<Last>, Fault> {
    let mut last: Option<Last> = None;
    walk.forget_names();
    for _ in 0..tensors {
        let name = walk.new_name()?;
        let tensor = || shown(&name);
        let dimensions = walk.u32()?;
        if dimensions > 4 {
            return Err(Malformed::GgufShape { tensor: tensor() }.into());
        }
        let mut row = 1_u64;
        let mut count = Some(1_u64);
        for dimension in 0..dimensions {
            let size = walk.u64()?;
            if dimension == 0 {
                row = size;
            }
            count = count.and_then(|count| count.checked_mul(size));
        }
        let kind = walk.u32()?;
        let offset = walk.u64()?;
        let Some((block, bytes)) = elements::block(kind) else {
            return Err(Malformed::GgufTensorType { tensor: tensor(), kind }.into());
        };
        let size = count.filter(|_| row.is_multiple_of(block));
        let Some(size) = size.and_then(|count| (count / block).checked_mul(bytes)) else {
            return Err(Malformed::GgufShape { tensor: tensor() }.into());
        };
        let end = offset.checked_add(size).filter(|_| offset.is_multiple_of(alignment));
        let Some(end) = end else {
            return Err(Malformed::GgufRange { tensor: tensor(), offset }.into());
        };
        if last.as_ref().is_none_or(|last| last.end < end) {
            last = Some(Last { name: tensor(), offset, end });
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use crate::sample::{Gguf, look, look_within};
    use crate::{Budget, Format, Identified, Malformed};

    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Gguf), "{bytes:02x?}");
        found.malformed
    }

    /// Key `k` of type `kind` with `value`.
    fn wrong_value(kind: u32, value: &[u8]) -> Option<Malformed> {
        wrong(&Gguf::new(3).pair("k", kind, value).bytes())
    }

    /// Tensor `t` at offset 0 with 64 bytes of data in the file.
    fn wrong_tensor(shape: &[u64], kind: u32, offset: u64) -> Option<Malformed> {
        wrong(&Gguf::new(3).tensor("t", shape, kind, offset).data(64).bytes())
    }

    fn key() -> String {
        "k".to_owned()
    }

    fn tensor() -> String {
        "t".to_owned()
    }

    #[test]
    fn well_formed_files_pass_in_both_versions_and_orders() {
        for gguf in [Gguf::new(2), Gguf::new(3), Gguf::big_endian()] {
            assert_eq!(wrong(&gguf.bytes()), None);
        }
        for gguf in [Gguf::new(2), Gguf::new(3), Gguf::big_endian()] {
            assert_eq!(wrong(&full(gguf)), None);
        }
    }

    /// A file with a value of each kind that is walked in its own way.
    fn full(gguf: Gguf) -> Vec<u8> {
        let alignment = gguf.u32(16);
        let text = gguf.string("llama");
        let array = [gguf.u32(8), gguf.u64(2), gguf.string("a"), gguf.string("")].concat();
        gguf.pair("general.alignment", 4, &alignment)
            .pair("general.architecture", 8, &text)
            .pair("tokens", 9, &array)
            .pair("flag", 7, &[1])
            .tensor("a", &[32, 2], 8, 0)
            .tensor("b", &[3], 0, 80)
            .data(92)
            .bytes()
    }

    #[test]
    fn every_cut_is_malformed() {
        let bytes = Gguf::new(3)
            .pair("k", 8, &Gguf::new(3).string("value"))
            .tensor("t", &[4], 0, 0)
            .data(16)
            .bytes();
        assert_eq!(wrong(&bytes), None);
        for length in 4..bytes.len() {
            let found = look(&bytes[..length]);
            assert!(found.malformed.is_some() || found.format != Identified::One(Format::Gguf));
        }
    }

    #[test]
    fn versions_are_two_and_three() {
        for version in [0, 1, 4] {
            let cause = Malformed::GgufVersion { version };
            assert_eq!(wrong(&Gguf::new(version).bytes()), Some(cause));
        }
        assert_eq!(look(b"GGUF is a format").format, Identified::One(Format::Text));
    }

    #[test]
    fn counts_are_bounded_by_the_file_and_the_budget() {
        let mut bytes = Gguf::new(3).pair("k", 0, &[1]).bytes();
        bytes[16] = 2; // pairs
        let cause = Malformed::GgufCount { what: "pairs", claimed: 2, most: 1 };
        assert_eq!(wrong(&bytes), Some(cause));
        bytes[8..16].fill(0xff); // tensors
        let cause = Malformed::GgufCount { what: "tensors", claimed: u64::MAX, most: 0 };
        assert_eq!(wrong(&bytes), Some(cause));

        let bytes = Gguf::new(3).pair("a", 0, &[1]).pair("b", 0, &[1]).bytes();
        let budget = Budget { gguf_pairs: 1, ..Budget::default() };
        let cause = Malformed::GgufCount { what: "pairs", claimed: 2, most: 1 };
        assert_eq!(look_within(&bytes, &budget).malformed, Some(cause));
        let bytes = Gguf::new(3).tensor("a", &[], 0, 0).tensor("b", &[], 0, 0).data(4).bytes();
        let budget = Budget { gguf_tensors: 1, ..Budget::default() };
        let cause = Malformed::GgufCount { what: "tensors", claimed: 2, most: 1 };
        assert_eq!(look_within(&bytes, &budget).malformed, Some(cause));
    }

    #[test]
    fn names_are_unique_and_bounded() {
        let twice = Gguf::new(3).pair("k", 0, &[1]).pair("k", 0, &[1]).bytes();
        assert_eq!(wrong(&twice), Some(Malformed::GgufDuplicate { name: key() }));
        let twice = Gguf::new(3).tensor("t", &[], 0, 0).tensor("t", &[], 0, 0).data(4).bytes();
        assert_eq!(wrong(&twice), Some(Malformed::GgufDuplicate { name: tensor() }));
        // A key and a tensor may share a name.
        let both = Gguf::new(3).pair("t", 0, &[1]).tensor("t", &[], 0, 0).data(4).bytes();
        assert_eq!(wrong(&both), None);

        let empty = Gguf::new(3).pair("", 0, &[1]).bytes();
        assert_eq!(wrong(&empty), Some(Malformed::GgufName { at: 32 }));
        let mut broken = Gguf::new(3).pair("k", 0, &[1]).bytes();
        broken[32] = 0xff;
        assert_eq!(wrong(&broken), Some(Malformed::GgufName { at: 32 }));

        let bytes = Gguf::new(3).pair("ab", 0, &[1]).pair("cd", 0, &[1]).bytes();
        let short = Budget { name_bytes: 1, ..Budget::default() };
        let cause = Malformed::NameTooLong { limit: 1 };
        assert_eq!(look_within(&bytes, &short).malformed, Some(cause));
        let few = Budget { gguf_names: 3, ..Budget::default() };
        assert!(matches!(look_within(&bytes, &few).malformed, Some(Malformed::GgufName { .. })));
    }

    #[test]
    fn values_are_typed_and_inside_the_file() {
        let unknown = |kind| Some(Malformed::GgufValueType { key: key(), kind });
        assert_eq!(wrong_value(13, &[0; 8]), unknown(13));
        assert_eq!(wrong_value(7, &[2]), Some(Malformed::GgufBool { key: key() }));
        let cut = |kind, value: &[u8]| {
            matches!(wrong_value(kind, value), Some(Malformed::Truncated { .. }))
        };
        assert!(cut(10, &[0; 7]));
        assert!(cut(8, &[0xff; 8]));
        let array = |kind: u32, count: u64| {
            [&kind.to_le_bytes()[..], &count.to_le_bytes(), &[0; 16]].concat()
        };
        assert_eq!(wrong_value(9, &array(9, 1)), Some(Malformed::GgufNestedArray { key: key() }));
        assert_eq!(wrong_value(9, &array(77, 1)), unknown(77));
        assert_eq!(wrong_value(9, &array(10, 2)), None);
        assert_eq!(wrong_value(9, &array(8, 2)), None);
        for (kind, least, claimed) in [(10, 8, 3), (8, 8, 3), (0, 1, u64::MAX), (12, 8, 1 << 61)] {
            let most = 16 / least;
            let cause = Malformed::GgufCount { what: "items", claimed, most };
            assert_eq!(wrong_value(9, &array(kind, claimed)), Some(cause));
        }
        let lying = [&array(7, 16)[..12], &[1; 15], &[3]].concat();
        assert_eq!(wrong_value(9, &lying), Some(Malformed::GgufBool { key: key() }));
    }

    #[test]
    fn strings_in_arrays_are_bounded() {
        let array = [&8_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[0; 16]].concat();
        let bytes = Gguf::new(3).pair("k", 9, &array).bytes();
        let budget = Budget { gguf_strings: 1, ..Budget::default() };
        let cause = Malformed::GgufCount { what: "items", claimed: 2, most: 1 };
        assert_eq!(look_within(&bytes, &budget).malformed, Some(cause));
    }

    #[test]
    fn the_alignment_is_a_power_of_two() {
        for (kind, value) in [(4, vec![0, 0, 0, 0]), (4, vec![24, 0, 0, 0]), (0, vec![32])] {
            let bytes = Gguf::new(3).pair("general.alignment", kind, &value).bytes();
            assert_eq!(wrong(&bytes), Some(Malformed::GgufAlignment));
        }
    }

    #[test]
    fn shapes_fit_their_type() {
        let shape = Some(Malformed::GgufShape { tensor: tensor() });
        assert_eq!(wrong_tensor(&[16], 0, 0), None);
        assert_eq!(wrong_tensor(&[1, 1, 1, 1, 1], 0, 0), shape);
        assert_eq!(wrong_tensor(&[1 << 32, 1 << 32], 0, 0), shape);
        assert_eq!(wrong_tensor(&[1 << 63], 28, 0), shape);
        assert_eq!(wrong_tensor(&[33], 8, 0), shape);
        let kind = |kind| Some(Malformed::GgufTensorType { tensor: tensor(), kind });
        assert_eq!(wrong_tensor(&[1], 4, 0), kind(4));
        assert_eq!(wrong_tensor(&[1], 4096, 0), kind(4096));
    }

    #[test]
    fn tensors_are_aligned_and_inside_the_file() {
        let range = |offset| Some(Malformed::GgufRange { tensor: tensor(), offset });
        assert_eq!(wrong_tensor(&[17], 0, 0), range(0));
        assert_eq!(wrong_tensor(&[8], 0, 32), None);
        assert_eq!(wrong_tensor(&[9], 0, 32), range(32));
        assert_eq!(wrong_tensor(&[1], 0, 4), range(4));
        assert_eq!(wrong_tensor(&[8], 0, u64::MAX - 31), range(u64::MAX - 31));
    }
}
