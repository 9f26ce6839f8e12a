//! The options of operators: what fields the table of each has.
//!
//! One letter stands for each field: `b`, `w` and `d` for numbers of one, four and eight bytes, `B`, `i`
//! and `l` for vectors of them, `s` for a string, `g` for the number of a subgraph.

use std::io::{Read, Seek};

use crate::finding::Place;
use crate::flatbuffer::{Flat, Table};
use crate::malformed::{Fault, broken};

/// `BuiltinOptions`, from number 1 on.
pub(super) const FIRST: &[&str] = &[
    "bwwbwwb", "bwwwbww", "wii", "b", "bwwwwb", "wbb", "bb", "bbbbb", "w", "wb", "bb", "b", "wwww",
    "bwwbb", "wwbb", "g", "i", "wwb", "w", "b", "b", "", "ww", "", "", "", "b", "bb", "b", "i",
    "bbb", "wwwwwb", "", "", "w", "", "bb", "", "", "b", "", "", "", "", "", "", "", "", "bwwbb",
    "b", "", "", "", "", "b", "", "b", "wwwb", "ww", "", "w", "", "", "ww", "", "", "", "",
    "bwwbbb", "bbbb", "bwwbbb", "", "", "bb", "w", "", "b", "", "w", "b", "", "", "", "", "", "",
    "ww", "", "", "", "", "gg", "gg", "w", "", "", "", "", "", "", "bbb", "bb", "g", "", "",
    "bwwwbwww", "wbb", "", "", "", "ss", "", "", "dd", "i", "b", "", "", "", "", "", "", "", "",
    "", "",
];

/// `BuiltinOptions2`, from number 1 on.
pub(super) const SECOND: &[&str] = &[
    "d",
    "l",
    "lll",
    "llllBddlddlddlddi",
    "sbswiB",
    "lg",
    "bllldbg",
    "ww",
    "l",
    "lll",
    "d",
    "lllli",
    "lllllg",
    "dbg",
    "gg",
    "llldlb",
    "l",
    "",
    "b",
    "w",
    "sgBbw",
];

/// Walks over the options in two fields of an operator: the number of the table's type, and the table.
pub(super) fn walk<R: Read + Seek>(
    flat: &mut Flat<'_, '_, R>,
    operator: Table,
    (kind, value): (u64, u64),
    known: &[&str],
    subgraphs: u64,
) -> Result<(), Fault> {
    let number = flat.int8(operator, kind)?.unwrap_or(0);
    let wrong = |what: &str| broken(Place::Offset(operator.at), format!("an operator has {what}"));
    let options = match (number, flat.child(operator, value)?) {
        (0, None) => return Ok(()),
        (0, Some(_)) | (_, None) => return Err(wrong("options without a type, or the reverse")),
        (_, Some(options)) => options,
    };
    let fields = usize::from(number).checked_sub(1).and_then(|index| known.get(index));
    let Some(fields) = fields else {
        return Err(wrong(&format!("options of the unknown type {number}")));
    };
    flat.only(options, fields.len() as u64)?;
    for (field, letter) in (0..).zip(fields.bytes()) {
        match letter {
            b'b' => flat.scalar(options, field, 1)?,
            b'w' => flat.scalar(options, field, 4)?,
            b'd' => flat.scalar(options, field, 8)?,
            b'B' => _ = flat.vector(options, field, 1)?,
            b'i' => _ = flat.vector(options, field, 4)?,
            b'l' => _ = flat.vector(options, field, 8)?,
            b's' => _ = flat.string(options, field)?,
            _ => {
                let index = flat.int32(options, field)?.unwrap_or(0);
                if u64::try_from(index).is_ok_and(|index| index < subgraphs) {
                    continue;
                }
                return Err(wrong(&format!("the subgraph {index}, which is not there")));
            }
        }
    }
    Ok(())
}
