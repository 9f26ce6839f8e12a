//! GGUF, versions 2 and 3, in either byte order.
//!
//! ```text
//!   "GGUF" | u32 version | u64 tensors | u64 pairs
//!   pairs:   key, u32 type, value
//!   tensors: name, u32 dimensions, u64 each, u32 element type, u64 offset
//!   padding to general.alignment, then the data
//! ```
//!
//! The header is walked once. The tensors lie one behind the other in the order in which they are
//! described, as llama.cpp demands it, so that nothing can overlap and nothing can hide: of the data
//! only the padding between them is read. Nothing is allocated by a count of the file.

mod elements;
mod layout;
mod standard;
mod value;
mod walk;

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::{Fault, Malformed, shown};
use crate::notes::Notes;
use crate::source::Source;
use elements::element;
use layout::Layout;
use walk::Walk;

const MAGIC: &[u8] = b"GGUF";

/// Looks whether the file is GGUF.
pub(crate) fn claim<R: Read + Seek>(source: &Source<'_, R>) -> Option<Claim> {
    if !source.head().starts_with(MAGIC) {
        return None;
    }
    // A text that starts with these letters has letters where the version is.
    let sure = source.head().get(4..8).is_none_or(|version| version.contains(&0));
    Some(if sure { Claim::sure(Format::Gguf) } else { Claim::weak(Format::Gguf) })
}

/// The least bytes of a pair: an empty key, a type, one byte.
const LEAST_PAIR: u64 = 8 + 4 + 1;
/// The least bytes of a tensor: an empty name, no dimensions, type and offset.
const LEAST_TENSOR: u64 = 8 + 4 + 4 + 8;

/// Checks the header, and that its tensors fill the file.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
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

    let known = value::pairs(&mut walk, pairs, budget, notes)?;
    known.agree(tensors)?;
    let mut layout = Layout::new(known.alignment());
    walk.forget_names();
    for _ in 0..tensors {
        tensor(&mut walk, &mut layout, notes)?;
    }
    let end = walk.at();
    layout.check(source, end)
}

/// Dimensions that a tensor may have.
const DIMENSIONS: u32 = 4;

fn tensor<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    layout: &mut Layout,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let name = walk.new_name()?;
    let impossible = || Malformed::GgufShape { tensor: shown(&name) };
    let dimensions = walk.u32()?;
    if !(1..=DIMENSIONS).contains(&dimensions) {
        return Err(impossible().into());
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(walk.u64()?);
    }
    let kind = walk.u32()?;
    let offset = walk.u64()?;
    let Some(element) = element(kind) else {
        return Err(Malformed::GgufTensorType { tensor: shown(&name), kind }.into());
    };
    // Loaders count in signed numbers.
    let count = shape.iter().try_fold(1_u64, |count, &size| count.checked_mul(size));
    let count = count.filter(|count| (1..=i64::MAX as u64).contains(count));
    let blocks =
        count.filter(|_| shape.first().is_some_and(|row| row.is_multiple_of(element.block)));
    let bytes = blocks.and_then(|count| (count / element.block).checked_mul(element.bytes));
    let bytes = bytes.ok_or_else(impossible)?;
    layout.place(&name, offset, bytes)?;
    notes.show(|contents| contents.tensor(&name, element.name, &shape, bytes));
    Ok(())
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
            .aligned(16)
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
        let bytes = Gguf::new(3).tensor("a", &[1], 0, 0).tensor("b", &[1], 0, 32).data(36).bytes();
        let budget = Budget { gguf_tensors: 1, ..Budget::default() };
        let cause = Malformed::GgufCount { what: "tensors", claimed: 2, most: 1 };
        assert_eq!(look_within(&bytes, &budget).malformed, Some(cause));
    }

    #[test]
    fn names_are_unique_and_bounded() {
        let twice = Gguf::new(3).pair("k", 0, &[1]).pair("k", 0, &[1]).bytes();
        assert_eq!(wrong(&twice), Some(Malformed::GgufDuplicate { name: key() }));
        let twice = Gguf::new(3).tensor("t", &[1], 0, 0).tensor("t", &[1], 0, 32).data(36).bytes();
        assert_eq!(wrong(&twice), Some(Malformed::GgufDuplicate { name: tensor() }));
        // A key and a tensor may share a name.
        let both = Gguf::new(3).pair("t", 0, &[1]).tensor("t", &[1], 0, 0).data(4).bytes();
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
    fn the_alignment_is_a_power_of_two_from_8_to_a_mebibyte() {
        let aligned = |value: u32| {
            let value = value.to_le_bytes();
            let gguf = Gguf::new(3).pair("general.alignment", 4, &value);
            wrong(&gguf.tensor("t", &[1], 0, 0).aligned(1 << 20).data(4).bytes())
        };
        assert_eq!(aligned(1 << 20), None);
        for value in [0, 4, 24, 1 << 21] {
            assert_eq!(aligned(value), Some(Malformed::GgufAlignment));
        }
        let bytes = Gguf::new(3).pair("general.alignment", 10, &[32, 0, 0, 0, 0, 0, 0, 0]).bytes();
        assert!(said(&bytes).ends_with("of type uint64 and not uint32"));
    }

    /// What is wrong with a file, as it is told.
    fn said(bytes: &[u8]) -> String {
        wrong(bytes).unwrap().to_string()
    }

    #[test]
    fn shapes_fit_their_type() {
        let shape = Some(Malformed::GgufShape { tensor: tensor() });
        assert_eq!(wrong_tensor(&[16], 0, 0), None);
        assert_eq!(wrong_tensor(&[2, 2, 2, 2], 0, 0), None);
        for sizes in [&[][..], &[1; 5], &[0], &[1 << 32, 1 << 32], &[1 << 63, 1], &[1 << 62, 2]] {
            assert_eq!(wrong_tensor(sizes, 24, 0), shape, "{sizes:?}");
        }
        assert_eq!(wrong_tensor(&[1 << 62], 28, 0), shape);
        assert_eq!(wrong_tensor(&[33], 8, 0), shape);
        assert_eq!(wrong_tensor(&[16, 2], 8, 0), shape);
        for kind in [4, 5, 31, 33, 36, 38, 43, 4096, u32::MAX] {
            let cause = Malformed::GgufTensorType { tensor: tensor(), kind };
            assert_eq!(wrong_tensor(&[1], kind, 0), Some(cause));
        }
    }

    #[test]
    fn tensors_are_aligned_and_inside_the_file() {
        let range = |offset| Some(Malformed::GgufRange { tensor: tensor(), offset });
        assert_eq!(wrong_tensor(&[17], 0, 0), range(0));
        assert_eq!(wrong_tensor(&[1], 0, 4), range(4));
        assert_eq!(wrong_tensor(&[1 << 60], 24, 0), range(0));
        let far = Gguf::new(3).tensor("s", &[i64::MAX as u64], 24, 0);
        let far = far.tensor("t", &[(i64::MAX - 31) as u64], 24, 1 << 63).data(64);
        assert_eq!(wrong(&far.bytes()), range(1 << 63));
    }

    #[test]
    fn tensors_follow_one_another() {
        let two = |first, second| {
            Gguf::new(3).tensor("s", &[8], 0, first).tensor("t", &[9], 0, second).data(68).bytes()
        };
        assert_eq!(wrong(&two(0, 32)), None);
        assert!(said(&two(0, 0)).ends_with("instead of 32, and overlaps the one before"));
        assert!(said(&two(0, 64)).ends_with("instead of 32, and leaves a hole"));
        assert!(said(&two(64, 0)).ends_with("instead of 0, and leaves a hole"));
    }

    #[test]
    fn padding_is_zero_and_nothing_follows_it() {
        let two = || Gguf::new(3).tensor("s", &[1], 0, 0).tensor("t", &[1], 0, 32);
        for length in 36..=64 {
            assert_eq!(wrong(&two().data(length).bytes()), None, "{length}");
        }
        assert!(
            said(&two().data(65).bytes())
                .ends_with("1 bytes follow the last tensor and its padding")
        );
        let bytes = two().data(64).bytes();
        let start = bytes.len() - 64;
        let header = start - two().bytes().len();
        assert!(header > 0);
        for at in [start - 1, start - header, start + 4, start + 31, start + 36, start + 63] {
            let mut bytes = bytes.clone();
            bytes[at] = 1;
            assert_eq!(said(&bytes), format!("offset {at}: the padding is not zero"));
        }
        for at in [start, start + 3, start + 32, start + 35] {
            let mut bytes = bytes.clone();
            bytes[at] = 1;
            assert_eq!(wrong(&bytes), None);
        }
    }

    #[test]
    fn without_tensors_only_padding_follows() {
        let pairs = || Gguf::new(3).pair("k", 0, &[1]);
        let header = pairs().bytes().len();
        assert_eq!(wrong(&pairs().data(0).bytes()), None);
        assert!(
            said(&pairs().data(1).bytes())
                .ends_with("1 bytes follow the last tensor and its padding")
        );
        let mut bytes = pairs().data(0).bytes();
        bytes[header] = 1;
        assert_eq!(said(&bytes), format!("offset {header}: the padding is not zero"));
    }

    #[test]
    fn strings_are_utf8_wherever_they_are_cut() {
        let gguf = Gguf::new(3);
        for length in 4090..4100 {
            let text = format!("{}\u{1f600}{}", "a".repeat(length), "\u{e9}".repeat(4096));
            assert_eq!(wrong_value(8, &gguf.string(&text)), None);
            let mut cut = gguf.string(&text);
            *cut.last_mut().unwrap() = b'a';
            assert!(said(&Gguf::new(3).pair("k", 8, &cut).bytes()).ends_with("is not UTF-8"));
        }
        let ended = [&gguf.u64(1)[..], &[0xc3]].concat();
        assert!(said(&Gguf::new(3).pair("k", 8, &ended).bytes()).ends_with("is not UTF-8"));
    }

    #[test]
    fn standard_keys_have_their_types() {
        let gguf = Gguf::new(3);
        let number = [0; 8];
        let array = |kind| [gguf.u32(kind), gguf.u64(0)].concat();
        for (key, right, value) in [
            ("general.architecture", 8, gguf.string("llama")),
            ("tokenizer.ggml.bos_token_id", 4, number[..4].to_vec()),
            ("tokenizer.ggml.add_bos_token", 7, vec![1]),
            ("tokenizer.ggml.tokens", 9, array(8)),
            ("tokenizer.ggml.scores", 9, array(6)),
            ("tokenizer.ggml.token_type", 9, array(5)),
            ("tokenizer.chat_template.tool_use", 8, gguf.string("")),
        ] {
            assert_eq!(wrong(&Gguf::new(3).pair(key, right, &value).bytes()), None, "{key}");
            let said = said(&Gguf::new(3).pair(key, 11, &number).bytes());
            assert!(said.contains("is of type int64 and not "), "{key}: {said}");
        }
        let items = said(&Gguf::new(3).pair("tokenizer.ggml.scores", 9, &array(0)).bytes());
        assert!(items.ends_with("the items are of type uint8 and not float32"));
        let empty = said(&Gguf::new(3).pair("general.architecture", 8, &gguf.string("")).bytes());
        assert!(empty.ends_with("the architecture is empty"));
    }

    #[test]
    fn parts_are_counted_from_0() {
        let parts = |number: u8, count: u8, tensors: i32| {
            let gguf = Gguf::new(3)
                .pair("split.no", 2, &[number, 0])
                .pair("split.count", 2, &[count, 0])
                .pair("split.tensors.count", 5, &tensors.to_le_bytes());
            wrong(&gguf.tensor("t", &[1], 0, 0).data(4).bytes()).map(|cause| cause.to_string())
        };
        for (number, count, tensors) in [(0, 1, 1), (2, 3, 7), (0, 0, 1)] {
            assert_eq!(parts(number, count, tensors), None);
        }
        assert!(parts(3, 3, 9).unwrap().contains("there is no part 3 of 3"));
        assert!(parts(0, 2, 0).unwrap().contains("has 1 tensors, and all parts together 0"));
        assert!(parts(0, 2, -1).unwrap().contains("is negative"));
    }

    #[test]
    fn what_is_inside_is_shown() {
        let bytes = full(Gguf::big_endian());
        let length = bytes.len() as u64;
        let budget = Budget::default();
        let mut reader = std::io::Cursor::new(bytes);
        let (_, contents) = crate::describe(&mut reader, length, &budget).unwrap();
        let entries = contents.metadata.iter().map(|entry| (&*entry.key, &*entry.value));
        let expected = [
            ("general.alignment", "16"),
            ("general.architecture", "llama"),
            ("tokens", r#"2 items: ["a", ""]"#),
            ("flag", "true"),
        ];
        assert!(entries.eq(expected));
        let tensors = contents.tensors.iter();
        let tensors =
            tensors.map(|tensor| (&*tensor.name, &*tensor.dtype, &*tensor.shape, tensor.bytes));
        assert!(tensors.eq([("a", "Q8_0", &[32, 2][..], 68), ("b", "F32", &[3], 12)]));
    }
}
