//! The key-value pairs of a GGUF header.

use std::io::{Read, Seek};

use super::walk::Walk;
use crate::budget::Budget;
use crate::malformed::{Fault, Malformed, shown};

const UINT32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Walks over `count` pairs and gives `general.alignment`, if it is there.
pub(super) fn pairs<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    count: u64,
    budget: &Budget,
) -> Result<Option<u64>, Fault> {
    let mut alignment = None;
    let mut strings_left = budget.gguf_strings;
    for _ in 0..count {
        let key = walk.new_name()?;
        let kind = walk.u32()?;
        if &*key == "general.alignment" {
            let value = if kind == UINT32 { walk.u32()? } else { 0 };
            if !value.is_power_of_two() {
                return Err(Malformed::GgufAlignment.into());
            }
            alignment = Some(u64::from(value));
        } else {
            value(walk, &key, kind, &mut strings_left)?;
        }
    }
    Ok(alignment)
}

fn value<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    key: &str,
    kind: u32,
    strings_left: &mut u64,
) -> Result<(), Fault> {
    match kind {
        BOOL => truth(walk, key),
        STRING => string(walk),
        ARRAY => array(walk, key, strings_left),
        _ => {
            let size = size(kind).ok_or_else(|| unknown(key, kind))?;
            walk.skip(size)
        }
    }
}

fn array<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    key: &str,
    strings_left: &mut u64,
) -> Result<(), Fault> {
    let kind = walk.u32()?;
    let items = walk.u64()?;
    match kind {
        ARRAY => Err(Malformed::GgufNestedArray { key: shown(key) }.into()),
        STRING => {
            walk.count(ITEMS, items, 8, *strings_left)?;
            *strings_left = strings_left.saturating_sub(items);
            (0..items).try_for_each(|_| string(walk))
        }
        BOOL => {
            walk.count(ITEMS, items, 1, u64::MAX)?;
            (0..items).try_for_each(|_| truth(walk, key))
        }
        _ => {
            let size = size(kind).ok_or_else(|| unknown(key, kind))?;
            walk.count(ITEMS, items, size, u64::MAX)?;
            walk.skip(items.saturating_mul(size))
        }
    }
}

const ITEMS: &str = "items";

fn string<R: Read + Seek>(walk: &mut Walk<'_, R>) -> Result<(), Fault> {
    let length = walk.u64()?;
    walk.skip(length)
}

fn truth<R: Read + Seek>(walk: &mut Walk<'_, R>, key: &str) -> Result<(), Fault> {
    if walk.u8()? > 1 {
        return Err(Malformed::GgufBool { key: shown(key) }.into());
    }
    Ok(())
}

/// Bytes of a number.
fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn unknown(key: &str, kind: u32) -> Malformed {
    Malformed::GgufValueType { key: shown(key), kind }
}
