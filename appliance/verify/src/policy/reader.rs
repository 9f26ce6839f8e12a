//! A typed reader over spanned TOML: every value knows its place and its rule.
//!
//! [`Table`] and [`Value`] are views into the parsed text. Each question that fails answers with
//! the line and column of the very value, so the grammar above never handles positions.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, PolicyError, PolicyErrorKind};

/// Entries of any list in a policy.
const LIST_LIMIT: usize = 256;
/// Bytes of any string in a policy.
const STRING_LIMIT: usize = 1024;
/// Characters of a wrong value that an error repeats.
const SHOWN_LIMIT: usize = 60;

/// Finds lines and columns in a text.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl Text<'_> {
    pub(super) fn place(self, offset: usize, rule: String) -> Place {
        let before = self.0.get(..offset).unwrap_or(self.0);
        let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.get(line_start..).map_or(0, |s| s.chars().count()).saturating_add(1);
        Place { line, column, rule }
    }
}

/// A table and the place of its header.
pub(super) struct Table<'a> {
    text: Text<'a>,
    entries: &'a DeTable<'a>,
    offset: usize,
    rule: String,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn root(text: Text<'a>, entries: &'a DeTable<'a>) -> Self {
        Table { text, entries, offset: 0, rule: String::new() }
    }

    /// Refuses the first key, in the order of the text, that is not one of `expected`.
    pub(super) fn allow_only(&self, expected: &'static [&'static str]) -> Result<(), PolicyError> {
        let unknown = self.entries.keys().filter(|key| !expected.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let place = self.text.place(key.span().start, self.rule_of("", None));
                let key = key.get_ref().chars().take(SHOWN_LIMIT).collect();
                Err(place.error(PolicyErrorKind::UnknownKey { key, expected }))
            }
        }
    }

    /// Refuses keys of `all` that `expected` lacks, since they mean nothing for `method`.
    pub(super) fn allow_only_of_method(
        &self,
        method: &'static str,
        all: &'static [&'static str],
        expected: &'static [&'static str],
    ) -> Result<(), PolicyError> {
        self.allow_only(all)?;
        let foreign = all.iter().copied().filter(|key| !expected.contains(key));
        let first = foreign
            .filter_map(|key| Some((self.entries.get_key_value(key)?.0.span().start, key)))
            .min();
        match first {
            None => Ok(()),
            Some((offset, key)) => Err(self
                .text
                .place(offset, self.rule_of(key, None))
                .error(PolicyErrorKind::NotOfMethod { key, method, expected })),
        }
    }

    /// The value of `key`, if it is given.
    pub(super) fn optional(&self, key: &'static str) -> Option<Value<'a>> {
        self.entries.get(key).map(|value| self.value(key, None, value))
    }

    /// The value of `key`; its absence is an error at the table's header.
    pub(super) fn required(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Value<'a>, PolicyError> {
        self.optional(key)
            .ok_or_else(|| self.place().error(PolicyErrorKind::Missing { key, expected }))
    }

    /// Every key, its place, and its value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Place, Value<'a>)> {
        self.entries.iter().map(|(key, value)| {
            let name: &'a str = key.get_ref();
            let rule = self.rule_of(name, None);
            (name, self.text.place(key.span().start, rule), self.value(name, None, value))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The place of the header.
    pub(super) fn place(&self) -> Place {
        self.text.place(self.offset, self.rule.clone())
    }

    fn value(&self, key: &str, index: Option<usize>, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        Value {
            text: self.text,
            value: value.get_ref(),
            offset: value.span().start,
            rule: self.rule_of(key, index),
        }
    }

    fn rule_of(&self, key: &str, index: Option<usize>) -> String {
        let dot = if self.rule.is_empty() || key.is_empty() { "" } else { "." };
        let index = index.map(|i| format!("[{i}]")).unwrap_or_default();
        let key: String = key.chars().take(SHOWN_LIMIT).collect();
        format!("{}{dot}{key}{index}", self.rule)
    }
}

/// A value and its place.
pub(super) struct Value<'a> {
    text: Text<'a>,
    value: &'a DeValue<'a>,
    offset: usize,
    rule: String,
}

impl<'a> Value<'a> {
    /// The value's place.
    pub(super) fn place(&self) -> Place {
        self.text.place(self.offset, self.rule.clone())
    }

    /// An error here that says what was expected.
    pub(super) fn wrong(&self, expected: impl Into<String>) -> PolicyError {
        let found = shown(self.value);
        self.place().error(PolicyErrorKind::WrongValue { found, expected: expected.into() })
    }

    /// A string that is not longer than any string of a policy may be.
    pub(super) fn string(&self, expected: &str) -> Result<&'a str, PolicyError> {
        match self.value.as_str() {
            Some(text) if text.len() <= STRING_LIMIT => Ok(text),
            Some(_) => Err(self.wrong(format!("a string of at most {STRING_LIMIT} bytes"))),
            None => Err(self.wrong(expected)),
        }
    }

    /// A string, or `None` when the value has another type.
    pub(super) fn string_if(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The value that `read` makes of a string.
    pub(super) fn parsed<T>(
        &self,
        expected: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, PolicyError> {
        read(self.string(expected)?).ok_or_else(|| self.wrong(expected))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, PolicyError> {
        let expected = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>();
        self.parsed(&expected.join(" or "), |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
        })
    }

    /// A boolean.
    pub(super) fn boolean(&self) -> Result<bool, PolicyError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// An integer; `None` when the value has another type.
    pub(super) fn integer_if(&self) -> Option<i128> {
        let integer = self.value.as_integer()?;
        i128::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// An integer within `range`.
    pub(super) fn integer(&self, range: std::ops::RangeInclusive<u64>) -> Result<u64, PolicyError> {
        self.integer_if()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.wrong(format!("a whole number from {} to {}", range.start(), range.end()))
            })
    }

    /// A table.
    pub(super) fn table(&self) -> Result<Table<'a>, PolicyError> {
        let entries = self.value.as_table().ok_or_else(|| self.wrong("a table"))?;
        Ok(Table { text: self.text, entries, offset: self.offset, rule: self.rule.clone() })
    }

    /// The entries of an array.
    pub(super) fn list(&self, expected: &str) -> Result<Vec<Value<'a>>, PolicyError> {
        self.list_within(LIST_LIMIT, expected)
    }

    /// The entries of an array of at most `limit`.
    pub(super) fn list_within(
        &self,
        limit: usize,
        expected: &str,
    ) -> Result<Vec<Value<'a>>, PolicyError> {
        let array = self.value.as_array().ok_or_else(|| self.wrong(expected))?;
        if array.len() > limit {
            let kind = PolicyErrorKind::TooMany { count: array.len(), limit };
            return Err(self.place().error(kind));
        }
        let entry = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Value {
            text: self.text,
            value: value.get_ref(),
            offset: value.span().start,
            rule: format!("{}[{index}]", self.rule),
        };
        Ok(array.iter().enumerate().map(entry).collect())
    }

    /// The entries of an array that is not empty, or the value itself when it is a string.
    pub(super) fn list_or_one(self, expected: &str) -> Result<Vec<Value<'a>>, PolicyError> {
        if self.value.is_str() {
            return Ok(vec![self]);
        }
        let list = self.list(expected)?;
        if list.is_empty() { Err(self.wrong(expected)) } else { Ok(list) }
    }

    /// What `read` makes of each entry; no two entries may be equal.
    pub(super) fn distinct<T: Ord + Clone>(
        list: Vec<Value<'a>>,
        read: impl Fn(&Value<'a>) -> Result<T, PolicyError>,
    ) -> Result<Vec<T>, PolicyError> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::with_capacity(list.len());
        for value in list {
            let item = read(&value)?;
            if !seen.insert(item.clone()) {
                let kind = PolicyErrorKind::Repeated { value: shown(value.value) };
                return Err(value.place().error(kind));
            }
            all.push(item);
        }
        Ok(all)
    }
}

/// A value as an error repeats it: short, and by its kind where its text says little.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().nth(SHOWN_LIMIT).is_some() => {
            format!("\"{}...\"", text.chars().take(SHOWN_LIMIT).collect::<String>())
        }
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.to_string().chars().take(SHOWN_LIMIT).collect(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Array(list) if list.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Float(_) => "a number with a fraction".to_owned(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
    }
}
