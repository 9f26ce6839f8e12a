//! One NumPy array, versions 1 to 3 of the format (`numpy.lib.format`).
//!
//! ```text
//!   \x93NUMPY | version | length | {'descr': ..., 'fortran_order': ..., 'shape': ..., } spaces \n | data
//!   6 bytes     2         2 or 4   `-------------------- length bytes --------------------------'
//! ```
//!
//! numpy hands the header to Python's own parser of literals. Here it must be what numpy writes. Where
//! an element is a Python object, the data is a pickle.

mod literal;

use std::io::{Read, Seek};

use literal::Literal;

use crate::budget::Budget;
use crate::contents::Tensor;
use crate::finding::Place;
use crate::malformed::{Fault, broken, shown};
use crate::notes::Notes;
use crate::pickle::{self, Element, Loader};
use crate::source::Source;

/// `\x93NUMPY`, which the claim has seen.
const MAGIC: u64 = 6;
/// Where headers end is a multiple of this; of 64 since numpy 1.14.
const ALIGNMENT: u64 = 16;
/// Dimensions of an array; numpy 1 allows 32.
const DIMENSIONS: usize = 64;

/// Reads the header, holds it against the size of the file, and reads what objects are pickled.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut scan = source.scan(MAGIC)?;
    let version: [u8; 2] = scan.array()?;
    let length = match version {
        [1, 0] => u64::from(u16::from_le_bytes(scan.array()?)),
        [2 | 3, 0] => u64::from(u32::from_le_bytes(scan.array()?)),
        [major, minor] => return Err(wrong(format!("version {major}.{minor} is none of 1 to 3"))),
    };
    if length > budget.numpy_header {
        let most = budget.numpy_header;
        return Err(wrong(format!("the header claims {length} bytes, more than {most}")));
    }
    let bytes = scan.vec(length)?;
    if !scan.at().is_multiple_of(ALIGNMENT) {
        return Err(wrong(format!("the header does not end at a multiple of {ALIGNMENT}")));
    }
    let text: String = match version {
        [3, _] => String::from_utf8(bytes).map_err(|_| wrong("the header is not UTF-8"))?,
        _ => bytes.into_iter().map(char::from).collect(),
    };
    let header = Header::parse(&text)?;
    let count = header.shape.iter().try_fold(1_u64, |count, size| count.checked_mul(*size));
    let count = count.ok_or_else(|| wrong("the size of the array overflows"))?;
    let bytes = match header.descr.bytes {
        Some(bytes) => {
            let bytes = bytes.checked_mul(count);
            bytes.ok_or_else(|| wrong("the size of the array overflows"))?
        }
        None => scan.remaining(),
    };
    notes.show(|contents| {
        let (dtype, shape) = (shown(&header.descr.text), header.shape.clone());
        contents.tensors.push(Tensor { name: String::new(), dtype, shape, bytes });
    });
    if header.descr.bytes.is_none() {
        pickle::from(&mut scan, budget, notes, Loader::Python)?;
    } else if scan.remaining() != bytes {
        let present = scan.remaining();
        let detail = format!("shape and type need {bytes} bytes, and {present} follow the header");
        return Err(wrong(detail));
    }
    Ok(())
}

/// What a header says.
struct Header {
    descr: Descr,
    shape: Vec<u64>,
}

impl Header {
    fn parse(text: &str) -> Result<Header, Fault> {
        let not_literal =
            |at: usize| wrong(format!("the header is no plain literal at its byte {at}"));
        let body = text.strip_suffix('\n').ok_or_else(|| wrong("the header has no line feed"))?;
        let Literal::Dict(entries) =
            literal::parse(body.trim_end_matches(' ')).map_err(not_literal)?
        else {
            return Err(wrong("the header is no dictionary"));
        };
        let (mut descr, mut order, mut shape) = (None, None, None);
        for (key, value) in entries {
            let twice = match key.as_str() {
                "descr" => descr.replace(value).is_some(),
                "fortran_order" => order.replace(value).is_some(),
                "shape" => shape.replace(value).is_some(),
                other => {
                    let other = shown(other);
                    return Err(wrong(format!("the header has the unknown key {other:?}")));
                }
            };
            if twice {
                return Err(wrong(format!("the header has the key {key:?} twice")));
            }
        }
        let (Some(descr), Some(order), Some(shape)) = (descr, order, shape) else {
            return Err(wrong("the header lacks one of descr, fortran_order and shape"));
        };
        if !matches!(order, Literal::Bool(_)) {
            return Err(wrong("fortran_order is no truth value"));
        }
        let shape = sizes(&shape).ok_or_else(|| wrong("the shape is no tuple of sizes"))?;
        let descr = Descr::of(&descr).ok_or_else(|| wrong("descr is no type that is known"))?;
        Ok(Header { descr, shape })
    }
}

/// A type of elements.
struct Descr {
    text: String,
    /// Bytes of one element; none where it holds Python objects.
    bytes: Option<u64>,
}

impl Descr {
    fn of(descr: &Literal) -> Option<Descr> {
        match descr {
            Literal::Text(code) => {
                let element = Element::of(plain(code)?)?;
                Some(Descr { text: code.clone(), bytes: element.bytes() })
            }
            Literal::List(fields) => {
                let mut bytes = Some(0_u64);
                for field in fields {
                    bytes = match (bytes, Self::field(field)?) {
                        (Some(sum), Some(size)) => Some(sum.checked_add(size)?),
                        _ => None,
                    };
                }
                Some(Descr { text: "structure".to_owned(), bytes })
            }
            _ => None,
        }
    }

    /// Bytes of a field: name (or title and name), type, and the shape of a subarray.
    fn field(field: &Literal) -> Option<Option<u64>> {
        let Literal::Tuple(parts) = field else { return None };
        let (name, descr, shape) = match parts.as_slice() {
            [name, descr] => (name, descr, None),
            [name, descr, shape] => (name, descr, Some(sizes(shape)?)),
            _ => return None,
        };
        let is_name = match name {
            Literal::Text(_) => true,
            Literal::Tuple(names) => matches!(names[..], [Literal::Text(_), Literal::Text(_)]),
            _ => false,
        };
        let bytes = Self::of(descr).filter(|_| is_name)?.bytes;
        let count =
            shape.unwrap_or_default().iter().try_fold(1_u64, |n, size| n.checked_mul(*size))?;
        bytes.map_or(Some(None), |bytes| bytes.checked_mul(count).map(Some))
    }
}

/// The code of a type without its byte order and without the unit of a time.
fn plain(code: &str) -> Option<&str> {
    let code = code.strip_prefix(['<', '>', '|', '=']).unwrap_or(code);
    match code.split_once('[') {
        None => Some(code),
        Some((time @ ("M8" | "m8"), unit)) => {
            let unit = unit.strip_suffix(']')?;
            unit.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(time)
        }
        Some(_) => None,
    }
}

fn sizes(shape: &Literal) -> Option<Vec<u64>> {
    let Literal::Tuple(sizes) = shape else { return None };
    let size = |size: &Literal| match size {
        Literal::Int(size) => Some(*size),
        _ => None,
    };
    sizes.iter().map(size).collect::<Option<Vec<u64>>>().filter(|sizes| sizes.len() <= DIMENSIONS)
}

fn wrong(detail: impl Into<String>) -> Fault {
    broken(Place::Key("header".to_owned()), detail)
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, npy};
    use crate::{Format, Identified, Malformed};

    fn wrong(bytes: &[u8]) -> Option<String> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Numpy), "{}", bytes.escape_ascii());
        found.malformed.as_ref().map(Malformed::to_string)
    }

    fn header(header: &str, data: usize) -> Option<String> {
        wrong(&npy(1, header, &vec![0; data]))
    }

    #[test]
    fn arrays_of_all_versions_and_types_pass() {
        for version in 1..=3 {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
            assert_eq!(wrong(&npy(version, header, &[0; 24])), None);
        }
        for (descr, bytes) in [
            ("'|b1'", 1),
            ("'>c16'", 16),
            ("'<U5'", 20),
            ("'|S3'", 3),
            ("'<M8[ns]'", 8),
            ("'|V2'", 2),
            ("[('a', '<f4'), ('', '|V4'), (('title', 'b'), '<i8', (2, 2))]", 40),
            ("[('a', [('b', '<f4'), ('c', '|u1')], (3,))]", 15),
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': True, 'shape': ()}}");
            assert_eq!(header(&text, bytes), None, "{descr}");
            assert!(header(&text, bytes + 1).is_some_and(|said| said.contains("need")));
        }
        assert_eq!(header("{'shape': (0,), 'descr': '<f4', 'fortran_order': False}", 0), None);
    }

    #[test]
    fn whatever_numpy_does_not_write_is_refused() {
        for (text, says) in [
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", "the shape"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': [2], }", "the shape"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }", "the shape"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "its byte 51"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (02,), }", "its byte 51"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1_0,), }", "its byte 52"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", "fortran_order"),
            ("{'descr': '<f4', 'fortran_order': False}", "lacks"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "\"x\""),
            ("{'shape': (1,), 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "twice"),
            ("{'descr': 'float32', 'fortran_order': False, 'shape': (2,), }", "descr"),
            ("{'descr': '<f3', 'fortran_order': False, 'shape': (2,), }", "descr"),
            ("{'descr': '<f4[ns]', 'fortran_order': False, 'shape': (2,), }", "descr"),
            ("{'descr': [('a',)], 'fortran_order': False, 'shape': (2,), }", "descr"),
            ("{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2,), }", "its byte 11"),
            ("{'descr': __import__('os'), 'fortran_order': False}", "its byte 10"),
            ("[]", "dictionary"),
            ("", "its byte 0"),
        ] {
            assert!(header(text, 8).is_some_and(|said| said.contains(says)), "{text}");
        }
        let nested = format!("{{'descr': {}", "[('a', ".repeat(1000));
        assert!(header(&nested, 8).is_some_and(|said| said.contains("no plain literal")));
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let shape = "18446744073709551615, 2";
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        assert!(header(&text, 8).is_some_and(|said| said.contains("overflows")));
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", &[0; 8]);
        for end in MAGIC..whole.len() {
            assert!(wrong(&whole[..end]).is_some(), "{end}");
        }
    }

    const MAGIC: usize = 6;

    #[test]
    fn versions_and_lengths_are_bounded() {
        let whole = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", &[0; 8]);
        let mut other = whole.clone();
        other[6] = 4;
        assert!(wrong(&other).is_some_and(|said| said.contains("version 4.0")));
        let mut other = npy(2, "{}", b"");
        other[8..12].fill(0xff);
        assert!(wrong(&other).is_some_and(|said| said.contains("claims")));
        let mut other = whole;
        other[8] += 1;
        assert!(wrong(&other).is_some_and(|said| said.contains("multiple of 16")));
    }
}
