//! Datatypes (HDF5 File Format 3.0, IV.A.2.d): numbers, strings, and what they are put together to.

use super::fields::Fields;
use super::group::COMMON;
use super::header::{Header, Kind};
use crate::malformed::Fault;

/// A type, as far as it matters how an element is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datatype {
    /// What people call it.
    pub(super) name: String,
    /// Bytes of an element.
    pub(super) size: u64,
    pub(super) holds: Holds,
}

/// What an element is, beyond its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Numbers and the like: only bytes.
    Plain,
    /// Text that fills the element.
    Text,
    /// The place of a text in a global heap.
    Place,
    /// Somewhere in it, the address of an object.
    Reference,
}

/// Types within types: complex numbers and records need two, arrays of them three.
const DEEPEST: usize = 8;

impl Datatype {
    /// Reads one type and leaves `fields` behind it.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Datatype, Fault> {
        within(fields, DEEPEST)
    }
}

/// An object that is nothing but a type.
pub(super) fn committed(header: &Header) -> Result<(), Fault> {
    header.only(&[COMMON.as_slice(), &[Kind::DATATYPE]].concat())?;
    Datatype::read(&mut header.must(Kind::DATATYPE)?.fields())?;
    Ok(())
}

fn within(fields: &mut Fields<'_>, depth: usize) -> Result<Datatype, Fault> {
    let start = fields.clone();
    let Some(depth) = depth.checked_sub(1) else {
        return Err(start.wrong("types are nested deeper than allowed"));
    };
    let [head, bits, more, _] = fields.array()?;
    let size = u64::from(fields.u32()?);
    let (version, class) = (head >> 4, head & 15);
    // Versions 4 and 5 only brought new references and complex numbers.
    if !(1..=5).contains(&version) {
        return Err(start.wrong(format!("version {version} of a datatype is unknown")));
    }
    if size == 0 {
        return Err(start.wrong("a datatype has no size"));
    }
    let plain = |name: String| Ok(Datatype { name, size, holds: Holds::Plain });
    let wide = size.saturating_mul(8);
    match class {
        0 => {
            let (offset, precision) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
            if !matches!(size, 1 | 2 | 4 | 8) || precision == 0 || offset + precision > wide {
                return Err(start.wrong("an integer is not possible"));
            }
            plain(format!("{}int{precision}", if bits & 8 == 0 { "u" } else { "" }))
        }
        1 => {
            let (offset, precision) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
            let [at, exponent, _, mantissa] = fields.array()?;
            fields.take(4)?;
            let inside = u64::from(at) + u64::from(exponent) <= wide;
            if size > 16 || precision == 0 || offset + precision > wide || !inside {
                return Err(start.wrong("a floating-point number is not possible"));
            }
            plain(match (precision, exponent, mantissa) {
                (16, 8, 7) => "bfloat16".to_owned(),
                (8, exponent, mantissa) => format!("float8_e{exponent}m{mantissa}"),
                _ => format!("float{precision}"),
            })
        }
        3 => {
            if bits & 15 > 2 || bits >> 4 > 1 {
                return Err(start.wrong("a string has an unknown padding or character set"));
            }
            Ok(Datatype { name: format!("string[{size}]"), size, holds: Holds::Text })
        }
        5 => {
            // h5py keeps number formats that HDF5 does not know, such as bfloat16, this way.
            if size > 2 {
                return Err(start.wrong(format!("{size} opaque bytes can be anything")));
            }
            fields.take(usize::from(bits))?;
            plain(format!("opaque[{size}]"))
        }
        6 => compound(fields, [version, bits, more], size, depth),
        7 => Ok(Datatype { name: "reference".to_owned(), size, holds: Holds::Reference }),
        8 => enumeration(fields, [version, bits, more], size, depth),
        9 => {
            let base = within(fields, depth)?;
            if size != 16 {
                return Err(start.wrong("an element of variable length is not possible"));
            }
            match base.holds {
                Holds::Reference => Ok(Datatype { size, ..base }),
                _ if bits & 15 == 1 && base.size == 1 => {
                    Ok(Datatype { name: "string".to_owned(), size, holds: Holds::Place })
                }
                _ => Err(start.wrong("sequences of variable length are not supported")),
            }
        }
        10 => array(fields, version, size, depth),
        _ => Err(start.wrong(format!("class {class} of a datatype is not supported"))),
    }
}

/// Members, each at its offset in the element.
fn compound(
    fields: &mut Fields<'_>,
    [version, low, high]: [u8; 3],
    size: u64,
    depth: usize,
) -> Result<Datatype, Fault> {
    let mut holds = Holds::Plain;
    let mut used = Vec::new();
    for _ in 0..u16::from_le_bytes([low, high]) {
        name(fields, version)?;
        let offset = match version {
            3.. => fields.uint(usize::try_from(size.ilog2() / 8 + 1).unwrap_or(8))?,
            _ => u64::from(fields.u32()?),
        };
        if version == 1 {
            // Dimensions and a permutation, as they were before arrays were a class.
            if fields.u8()? != 0 {
                return Err(fields.wrong("a member that is an array of the old kind"));
            }
            fields.take(3 + 4 + 4 + 16)?;
        }
        let member = within(fields, depth)?;
        match member.holds {
            Holds::Reference => holds = Holds::Reference,
            Holds::Place => return Err(fields.wrong("a string of variable length in a record")),
            Holds::Plain | Holds::Text => {}
        }
        used.push((offset, offset.saturating_add(member.size)));
    }
    used.sort_unstable();
    let overlap = used.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if start < end));
    if overlap || used.last().is_none_or(|&(_, end)| end > size) {
        return Err(fields.wrong("the members of a record overlap or do not fit"));
    }
    Ok(Datatype { name: "record".to_owned(), size, holds })
}

/// Names for some values of an integer.
fn enumeration(
    fields: &mut Fields<'_>,
    [version, low, high]: [u8; 3],
    size: u64,
    depth: usize,
) -> Result<Datatype, Fault> {
    let base = within(fields, depth)?;
    if base.holds != Holds::Plain || base.size != size {
        return Err(fields.wrong("an enumeration of something else than integers"));
    }
    let count = u16::from_le_bytes([low, high]);
    for _ in 0..count {
        name(fields, version)?;
    }
    let values = size.saturating_mul(u64::from(count));
    fields.take(usize::try_from(values).unwrap_or(usize::MAX))?;
    Ok(Datatype { name: format!("enum of {}", base.name), size, holds: Holds::Plain })
}

/// A fixed number of elements in one.
fn array(fields: &mut Fields<'_>, version: u8, size: u64, depth: usize) -> Result<Datatype, Fault> {
    let rank = usize::from(fields.u8()?);
    if version < 3 {
        fields.take(3)?;
    }
    let mut count = 1_u64;
    for _ in 0..rank {
        count = count.saturating_mul(u64::from(fields.u32()?));
    }
    if version < 3 {
        fields.take(rank.saturating_mul(4))?;
    }
    let base = within(fields, depth)?;
    if base.holds == Holds::Place || count.saturating_mul(base.size) != size {
        return Err(fields.wrong("an array does not fill its element"));
    }
    Ok(Datatype { name: format!("{}[{count}]", base.name), size, holds: base.holds })
}

/// Passes over a name, which ends in a zero and, before version 3, is padded to eight bytes.
fn name(fields: &mut Fields<'_>, version: u8) -> Result<(), Fault> {
    let mut length = 1_usize;
    while fields.u8()? != 0 {
        length = length.saturating_add(1);
    }
    if version < 3 {
        fields.take(length.next_multiple_of(8).saturating_sub(length))?;
    }
    Ok(())
}
