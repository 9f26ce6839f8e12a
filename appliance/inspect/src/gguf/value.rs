//! The key-value pairs of a GGUF header.

use std::io::{Read, Seek};

use super::standard::{self, Expected};
use super::walk::{Text, Walk};
use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::template;

/// The types of values.
pub(super) mod kind {
    pub(in super::super) const UINT8: u32 = 0;
    pub(in super::super) const INT8: u32 = 1;
    pub(in super::super) const UINT16: u32 = 2;
    pub(in super::super) const INT16: u32 = 3;
    pub(in super::super) const UINT32: u32 = 4;
    pub(in super::super) const INT32: u32 = 5;
    pub(in super::super) const FLOAT32: u32 = 6;
    pub(in super::super) const BOOL: u32 = 7;
    pub(in super::super) const STRING: u32 = 8;
    pub(in super::super) const ARRAY: u32 = 9;
    pub(in super::super) const UINT64: u32 = 10;
    pub(in super::super) const INT64: u32 = 11;
    pub(in super::super) const FLOAT64: u32 = 12;
}

/// The name of a type, for reports.
pub(super) fn name(kind: u32) -> &'static str {
    match kind {
        kind::UINT8 => "uint8",
        kind::INT8 => "int8",
        kind::UINT16 => "uint16",
        kind::INT16 => "int16",
        kind::UINT32 => "uint32",
        kind::INT32 => "int32",
        kind::FLOAT32 => "float32",
        kind::BOOL => "bool",
        kind::STRING => "string",
        kind::ARRAY => "array",
        kind::UINT64 => "uint64",
        kind::INT64 => "int64",
        kind::FLOAT64 => "float64",
        _ => "unknown",
    }
}

/// A value, as far as anybody asks for it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A whole number that is not negative.
    Natural(u64),
    /// Another number, or a truth value, as text.
    Other(String),
    /// The start of a string, and its length.
    Text(String, u64),
    /// How many items, and the first of them.
    Array(u64, Vec<String>),
}

/// Walks over `count` pairs and gives what the format says of them.
pub(super) fn pairs<R: Read + Seek>(
    walk: &mut Walk<'_, R>,
    count: u64,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<standard::Known, Fault> {
    let mut known = standard::Known::default();
    let mut left = Left { strings: budget.gguf_strings, templates: budget.gguf_templates };
    for _ in 0..count {
        let key = walk.new_name()?;
        let kind = walk.u32()?;
        let expected = standard::expected(&key);
        if let Some(Expected { kind: right, .. }) = expected
            && right != kind
        {
            let detail = format!("the value is of type {} and not {}", name(kind), name(right));
            return Err(broken(Place::Key(shown(&key)), detail));
        }
        let items = expected.and_then(|expected| expected.items);
        let value = Reading { walk, key: &key, notes, left: &mut left }.value(kind, items)?;
        known.take(&key, &value)?;
        notes.show(|contents| contents.entry(&key, &text(&value)));
    }
    Ok(known)
}

/// A value as a person wants to see it.
fn text(value: &Value) -> String {
    match value {
        Value::Natural(number) => number.to_string(),
        Value::Other(text) => text.clone(),
        Value::Text(start, length) if (start.len() as u64) < *length => format!("{start}\u{2026}"),
        Value::Text(start, _) => start.clone(),
        Value::Array(count, first) => {
            let more = if (first.len() as u64) < *count { ", \u{2026}" } else { "" };
            format!("{count} items: [{}{more}]", first.join(", "))
        }
    }
}

/// What the budget leaves for the pairs that follow.
struct Left {
    /// Strings in arrays.
    strings: u64,
    /// Bytes of templates.
    templates: u64,
}

/// One value that is being read.
struct Reading<'a, 's, R> {
    walk: &'a mut Walk<'s, R>,
    key: &'a str,
    notes: &'a mut Notes,
    left: &'a mut Left,
}

/// Bytes of a string, and items of an array, that are shown.
const SHOWN: usize = 1024;
const ITEMS_SHOWN: u64 = 8;
const ITEM_SHOWN: usize = 24;

impl<R: Read + Seek> Reading<'_, '_, R> {
    fn value(&mut self, kind: u32, items: Option<u32>) -> Result<Value, Fault> {
        match kind {
            kind::STRING => self.string(),
            kind::ARRAY => self.array(items),
            _ => self.number(kind),
        }
    }

    fn string(&mut self) -> Result<Value, Fault> {
        if standard::is_template(self.key) {
            return self.template();
        }
        let keep = if self.notes.shows() { SHOWN } else { 0 };
        let Text { start, length } = self.walk.string(self.key, keep)?;
        Ok(Value::Text(start, length))
    }

    /// Reads a whole template and has it judged.
    fn template(&mut self) -> Result<Value, Fault> {
        let most = usize::try_from(self.left.templates).unwrap_or(usize::MAX);
        let Text { start, length } = self.walk.string(self.key, most)?;
        let Some(left) = self.left.templates.checked_sub(length.saturating_add(TEMPLATE)) else {
            let detail = "the templates of the file are too long or too many";
            return Err(broken(Place::Key(self.name()), detail));
        };
        self.left.templates = left;
        template::read(&start, Place::Key(self.name()), self.notes);
        Ok(Value::Text(start, length))
    }

    fn array(&mut self, right: Option<u32>) -> Result<Value, Fault> {
        let kind = self.walk.u32()?;
        if let Some(right) = right
            && right != kind
        {
            let detail = format!("the items are of type {} and not {}", name(kind), name(right));
            return Err(broken(Place::Key(shown(self.key)), detail));
        }
        let count = self.walk.u64()?;
        let mut first = Vec::new();
        let shown = if self.notes.shows() { count.min(ITEMS_SHOWN) } else { 0 };
        match kind {
            kind::ARRAY => return Err(Malformed::GgufNestedArray { key: self.name() }.into()),
            kind::STRING => {
                self.walk.count(ITEMS, count, 8, self.left.strings)?;
                self.left.strings = self.left.strings.saturating_sub(count);
                for item in 0..count {
                    let start = self.item(item < shown)?;
                    if item < shown {
                        let start: String = start.chars().take(ITEM_SHOWN).collect();
                        first.push(format!("{start:?}"));
                    }
                }
            }
            kind::BOOL => {
                self.walk.count(ITEMS, count, 1, u64::MAX)?;
                for _ in 0..shown {
                    first.push(self.truth()?.to_string());
                }
                if !self.walk.truths(count.saturating_sub(shown))? {
                    return Err(Malformed::GgufBool { key: self.name() }.into());
                }
            }
            _ => {
                let size = size(kind).ok_or_else(|| self.unknown(kind))?;
                self.walk.count(ITEMS, count, size, u64::MAX)?;
                for _ in 0..shown {
                    first.push(text(&self.number(kind)?));
                }
                self.walk.skip(count.saturating_sub(shown).saturating_mul(size))?;
            }
        }
        Ok(Value::Array(count, first))
    }

    /// The start of one string of an array.
    fn item(&mut self, shown: bool) -> Result<String, Fault> {
        if standard::is_template(self.key)
            && let Value::Text(start, _) = self.template()?
        {
            return Ok(start);
        }
        let keep = if shown { ITEM_SHOWN } else { 0 };
        Ok(self.walk.string(self.key, keep)?.start)
    }

    fn number(&mut self, kind: u32) -> Result<Value, Fault> {
        let signed = |number: i64| match u64::try_from(number) {
            Ok(natural) => Value::Natural(natural),
            Err(_) => Value::Other(number.to_string()),
        };
        Ok(match kind {
            kind::UINT8 => Value::Natural(u8::from_le_bytes(self.walk.number()?).into()),
            kind::INT8 => signed(i8::from_le_bytes(self.walk.number()?).into()),
            kind::UINT16 => Value::Natural(u16::from_le_bytes(self.walk.number()?).into()),
            kind::INT16 => signed(i16::from_le_bytes(self.walk.number()?).into()),
            kind::UINT32 => Value::Natural(self.walk.u32()?.into()),
            kind::INT32 => signed(i32::from_le_bytes(self.walk.number()?).into()),
            kind::FLOAT32 => Value::Other(f32::from_le_bytes(self.walk.number()?).to_string()),
            kind::BOOL => Value::Other(self.truth()?.to_string()),
            kind::UINT64 => Value::Natural(self.walk.u64()?),
            kind::INT64 => signed(i64::from_le_bytes(self.walk.number()?)),
            kind::FLOAT64 => Value::Other(f64::from_le_bytes(self.walk.number()?).to_string()),
            _ => return Err(self.unknown(kind).into()),
        })
    }

    fn truth(&mut self) -> Result<bool, Fault> {
        match self.walk.number()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(Malformed::GgufBool { key: self.name() }.into()),
        }
    }

    fn name(&self) -> String {
        shown(self.key)
    }

    fn unknown(&self, kind: u32) -> Malformed {
        Malformed::GgufValueType { key: self.name(), kind }
    }
}

const ITEMS: &str = "items";

/// Bytes that one more template costs, besides its own.
const TEMPLATE: u64 = 64;

/// Bytes of a number.
fn size(kind: u32) -> Option<u64> {
    match kind {
        kind::UINT8 | kind::INT8 => Some(1),
        kind::UINT16 | kind::INT16 => Some(2),
        kind::UINT32 | kind::INT32 | kind::FLOAT32 => Some(4),
        kind::UINT64 | kind::INT64 | kind::FLOAT64 => Some(8),
        _ => None,
    }
}
