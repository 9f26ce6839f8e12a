//! safetensors: an 8-byte length, a JSON header, and the tensors' bytes.
//!
//! ```text
//!   u64 LE n | n bytes of JSON, padded with spaces | data
//!            { "__metadata__": {"k": "v"},
//!              "tensor": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} }
//! ```
//!
//! The header is visited as it is parsed. Kept are hashes of the names, to find duplicates, and the
//! ranges, to find holes and overlap. Of the data nothing is read.

mod dtype;
mod header;

use std::io::{BufRead, BufReader, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::finding::Link;
use crate::format::Format;
use crate::malformed::{Fault, Malformed};
use crate::notes::Notes;
use crate::source::Source;
use crate::text;
use crate::tokens::Tokens;
use header::Header;

/// Looks whether the file is safetensors.
pub(crate) fn claim<R: Read + Seek>(source: &Source<'_, R>) -> Option<Claim> {
    looks_like(source.head()).then(|| Claim::sure(Format::Safetensors))
}

/// A length that is no text, and JSON of an object after it. White space before the object is
/// wrong, but some readers pass over it, so the file is claimed all the same.
fn looks_like(head: &[u8]) -> bool {
    let Some((length, json)) = head.split_at_checked(LENGTH) else {
        return false;
    };
    let mut json = json.iter().filter(|byte| !byte.is_ascii_whitespace());
    !text::starts_as_text(length)
        && json.next() == Some(&b'{')
        && matches!(json.next(), None | Some(b'"' | b'}'))
}

const LENGTH: usize = 8;

/// Checks the header and that its tensors fill the file.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut scan = source.scan(0)?;
    let claimed = u64::from_le_bytes(scan.array()?);
    let limit = budget.safetensors_header;
    if claimed > limit {
        return Err(Malformed::SafetensorsHeaderTooLarge { claimed, limit }.into());
    }
    scan.need(claimed)?;
    let present = scan.remaining().saturating_sub(claimed);
    scan.limit(claimed);

    let mut json = BufReader::new(Tokens::new(scan, budget.json_token));
    let Header { tensors, ranges } = header::read(&mut json, budget, notes)?;
    only_spaces(json)?;
    contiguous(ranges, present)?;
    // No index names what lies in an archive.
    if notes.depth() == 0 {
        notes.link(Link::Holds { tensors: Box::new(tensors.finish()), bytes: present });
    }
    Ok(())
}

fn only_spaces<R: BufRead>(mut padding: R) -> Result<(), Fault> {
    loop {
        let bytes = padding.fill_buf()?;
        if bytes.iter().any(|&byte| byte != b' ') {
            return Err(Malformed::SafetensorsPadding.into());
        }
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        padding.consume(count);
    }
}

/// The ranges, in order, go from 0 to `present` without hole or overlap.
fn contiguous(mut ranges: Vec<(u64, u64)>, present: u64) -> Result<(), Malformed> {
    ranges.sort_unstable();
    let mut expected = 0;
    for (begin, end) in ranges {
        if begin != expected {
            return Err(Malformed::SafetensorsGap { expected, found: begin });
        }
        expected = end;
    }
    if expected != present {
        return Err(Malformed::SafetensorsEnd { described: expected, present });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within, safetensors};
    use crate::{Budget, Format, Identified, Link, Malformed};

    /// What is wrong with a file that is safetensors beyond doubt.
    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Safetensors));
        found.malformed
    }

    fn wrong_header(header: &str, data: usize) -> Option<Malformed> {
        wrong(&safetensors(header, data))
    }

    fn one(dtype: &str, shape: &str, offsets: &str) -> String {
        format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    }

    #[test]
    fn well_formed_files_pass() {
        let two = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},"a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}   "#;
        assert_eq!(wrong_header(two, 8), None);
        assert_eq!(wrong_header("{}", 0), None);
        assert_eq!(wrong_header(&one("F4", "[2,3]", "[0,3]"), 3), None);
        assert_eq!(wrong_header(&one("F6_E2M3", "[4]", "[0,3]"), 3), None);
        assert_eq!(wrong_header(&one("F64", "[0,5]", "[0,0]"), 0), None);
    }

    #[test]
    fn the_header_length_is_bounded_by_budget_and_file() {
        let mut bytes = safetensors("{}", 0);
        bytes[0] = 3;
        assert_eq!(wrong(&bytes), Some(Malformed::Truncated { at: 8, needed: 3 }));
        bytes[..8].fill(0xff);
        let limit = Budget::default().safetensors_header;
        let claimed = u64::MAX;
        let large = Malformed::SafetensorsHeaderTooLarge { claimed, limit };
        assert_eq!(wrong(&bytes), Some(large));
    }

    #[test]
    fn start_and_padding_are_strict() {
        assert_eq!(wrong_header(" {}", 0), Some(Malformed::SafetensorsStart));
        assert_eq!(wrong_header("{}\n", 0), Some(Malformed::SafetensorsPadding));
        assert_eq!(wrong_header("{} {}", 0), Some(Malformed::SafetensorsPadding));
        assert_eq!(wrong_header("{\"a\"", 0), Some(Malformed::JsonEnd));
        assert!(matches!(wrong_header("{\"a\" 1}", 0), Some(Malformed::JsonSyntax { .. })));
    }

    #[test]
    fn duplicates_are_refused_everywhere() {
        let tensor = r#"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        for (header, key) in [
            (format!(r#"{{"t":{tensor},"t":{tensor}}}"#), "t"),
            (r#"{"__metadata__":{},"__metadata__":{}}"#.to_owned(), "__metadata__"),
            (r#"{"__metadata__":{"k":"1","k":"2"}}"#.to_owned(), "k"),
            (r#"{"t":{"dtype":"U8","dtype":"U8"}}"#.to_owned(), "dtype"),
            (r#"{"t":{"shape":[],"shape":[]}}"#.to_owned(), "shape"),
            (r#"{"t":{"data_offsets":[0,0],"data_offsets":[0,0]}}"#.to_owned(), "data_offsets"),
        ] {
            let cause = Malformed::JsonDuplicateKey { key: key.to_owned() };
            assert_eq!(wrong_header(&header, 0), Some(cause), "{header}");
        }
    }

    #[test]
    fn types_are_strict() {
        for header in [
            r#"{"__metadata__":{"k":1}}"#,
            r#"{"__metadata__":[]}"#,
            r#"{"t":1}"#,
            &one("U8", "[1.0]", "[0,1]"),
            &one("U8", "[-1]", "[0,1]"),
            &one("U8", "1", "[0,1]"),
            &one("U8", "[1]", "[0]"),
            &one("U8", "[1]", "[0,\"1\"]"),
        ] {
            let cause = wrong_header(header, 1);
            assert!(matches!(cause, Some(Malformed::JsonType { .. })), "{header}: {cause:?}");
        }
        let three = wrong_header(&one("U8", "[1]", "[0,1,1]"), 1);
        assert!(matches!(three, Some(Malformed::JsonSyntax { .. })));
    }

    #[test]
    fn fields_are_exactly_three() {
        let tensor = || "t".to_owned();
        let extra = r#"{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}"#;
        let cause = Malformed::SafetensorsField { tensor: tensor(), field: "x".to_owned() };
        assert_eq!(wrong_header(extra, 0), Some(cause));
        for (header, field) in [
            (r#"{"t":{"shape":[0],"data_offsets":[0,0]}}"#, "dtype"),
            (r#"{"t":{"dtype":"U8","data_offsets":[0,0]}}"#, "shape"),
            (r#"{"t":{"dtype":"U8","shape":[0]}}"#, "data_offsets"),
        ] {
            let cause = Malformed::SafetensorsMissing { tensor: tensor(), field };
            assert_eq!(wrong_header(header, 0), Some(cause));
        }
    }

    #[test]
    fn sizes_are_checked_without_overflow() {
        let tensor = || "t".to_owned();
        let dtype = Malformed::SafetensorsDtype { tensor: tensor(), dtype: "F33".to_owned() };
        assert_eq!(wrong_header(&one("F33", "[1]", "[0,4]"), 4), Some(dtype));
        let overflow = Malformed::SafetensorsOverflow { tensor: tensor() };
        for shape in ["[4294967296,4294967296]", "[18446744073709551615]"] {
            assert_eq!(wrong_header(&one("F32", shape, "[0,0]"), 0), Some(overflow.clone()));
        }
        let partial = Malformed::SafetensorsPartialByte { tensor: tensor() };
        assert_eq!(wrong_header(&one("F4", "[3]", "[0,2]"), 2), Some(partial));
        for (begin, end) in [(0, 7), (8, 0)] {
            let size = Malformed::SafetensorsSize { tensor: tensor(), needed: 8, begin, end };
            let header = one("F32", "[2]", &format!("[{begin},{end}]"));
            assert_eq!(wrong_header(&header, 8), Some(size));
        }
    }

    #[test]
    fn ranges_fill_the_file() {
        let two = |a: &str, b: &str| {
            let tensor = |at: &str| format!(r#"{{"dtype":"U8","shape":[4],"data_offsets":{at}}}"#);
            format!(r#"{{"a":{},"b":{}}}"#, tensor(a), tensor(b))
        };
        let gap = |expected, found| Some(Malformed::SafetensorsGap { expected, found });
        assert_eq!(wrong_header(&two("[0,4]", "[5,9]"), 9), gap(4, 5));
        assert_eq!(wrong_header(&two("[0,4]", "[3,7]"), 7), gap(4, 3));
        assert_eq!(wrong_header(&two("[1,5]", "[5,9]"), 9), gap(0, 1));
        let end = |described, present| Some(Malformed::SafetensorsEnd { described, present });
        assert_eq!(wrong_header(&two("[0,4]", "[4,8]"), 9), end(8, 9));
        assert_eq!(wrong_header(&two("[0,4]", "[4,8]"), 7), end(8, 7));
        assert_eq!(wrong_header("{}", 1), end(0, 1));
    }

    #[test]
    fn tensors_and_names_are_bounded() {
        let tensor = r#"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        let bytes = safetensors(&format!(r#"{{"a":{tensor},"bb":{tensor}}}"#), 0);
        let few = Budget { safetensors_tensors: 1, ..Budget::default() };
        let cause = Malformed::SafetensorsTensors { limit: 1 };
        assert_eq!(look_within(&bytes, &few).malformed, Some(cause));
        let described =
            safetensors(&format!(r#"{{"__metadata__":{{"a":"1","b":"2"}},"t":{tensor}}}"#), 0);
        let within = |most| Budget { safetensors_metadata: most, ..Budget::default() };
        let cause = Malformed::SafetensorsMetadata { limit: 1 };
        assert_eq!(look_within(&described, &within(1)).malformed, Some(cause));
        assert_eq!(look_within(&described, &within(2)).malformed, None);
        let short = Budget { name_bytes: 1, ..Budget::default() };
        let cause = Malformed::NameTooLong { limit: 1 };
        assert_eq!(look_within(&bytes, &short).malformed, Some(cause));
    }

    #[test]
    fn every_cut_is_refused_or_something_else() {
        let header =
            r#"{"__metadata__":{"k":"v"},"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  "#;
        let bytes = safetensors(header, 4);
        assert_eq!(wrong(&bytes), None);
        for length in 0..bytes.len() {
            let found = look(&bytes[..length]);
            let is_safetensors = found.format == Identified::One(Format::Safetensors);
            assert!(found.malformed.is_some() || !is_safetensors, "{length}");
        }
    }

    #[test]
    fn names_can_be_seen() {
        let tensor = r#"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        for name in ["", "a\\u0000", "a\\n", "\\u0085"] {
            let said = wrong_header(&format!(r#"{{"{name}":{tensor}}}"#), 0).unwrap().to_string();
            assert!(said.ends_with("the name is empty or has control characters"), "{said}");
        }
        assert_eq!(wrong_header(&format!(r#"{{"\u00e9 a/b":{tensor}}}"#), 0), None);
    }

    #[test]
    fn shapes_have_at_most_64_dimensions() {
        let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(wrong_header(&one("U8", &ones(64), "[0,1]"), 1), None);
        let said = wrong_header(&one("U8", &ones(65), "[0,1]"), 1).unwrap().to_string();
        assert!(said.ends_with("the shape has more than 64 dimensions"));
    }

    #[test]
    fn long_strings_and_numbers_never_reach_the_parser() {
        let budget = Budget { json_token: 20, ..Budget::default() };
        let wrong = |header: &str| look_within(&safetensors(header, 0), &budget).malformed;
        let long = Some(Malformed::JsonToken { limit: 20 });
        let metadata = |value: &str| wrong(&format!(r#"{{"__metadata__":{{"k":"{value}"}}}}"#));
        assert_eq!(metadata(&"v".repeat(20)), None);
        assert_eq!(metadata(&"v".repeat(21)), long);
        let zeros = "0".repeat(21);
        assert_eq!(wrong(&one("U8", "[0]", &format!("[1{zeros},0]"))), long);
    }

    #[test]
    fn what_is_inside_is_shown() {
        let header = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}"#;
        let bytes = safetensors(header, 4);
        let length = bytes.len() as u64;
        let mut reader = std::io::Cursor::new(bytes);
        let (found, shown) = crate::describe(&mut reader, length, &Budget::default()).unwrap();
        assert_eq!((&*shown.metadata[0].key, &*shown.metadata[0].value), ("format", "pt"));
        let tensor = &shown.tensors[0];
        assert_eq!((&*tensor.name, &*tensor.dtype, tensor.bytes), ("b", "F16", 4));
        assert_eq!(tensor.shape, [2, 1]);
        let [Link::Holds { tensors, bytes: 4 }] = found.links.as_slice() else { panic!() };
        assert_eq!(tensors.count(), 1);
    }
}
