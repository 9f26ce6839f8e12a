//! Conditions on the fields of a statement.
//!
//! A payload of many megabytes is walked and not built: memory does not grow with it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::policy::{Condition, Scalar, Test};
use crate::reason::{Printable, shorten};

/// The part of a path that stands for any entry of a list.
const ANY: &str = "[]";
/// Characters of a found value that a reason shows.
const SHOWN: usize = 100;

/// What `payload`, which has been checked to be strict JSON, says instead of what `condition` asks
/// for; `None` when it holds.
pub(super) fn shortfall(payload: &[u8], condition: &Condition) -> Option<String> {
    let mut found = None;
    let mut holds = false;
    let mut look = |value: Found<'_>| {
        holds = holds || passes(&value, &condition.test);
        if found.is_none() {
            found = Some(value.to_string());
        }
    };
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let walk = Walk { parts: condition.field.parts(), look: &mut look };
    let whole = walk.deserialize(&mut reader).is_ok();
    if condition.test == Test::Present(false) {
        // The one test that what was not read could pass.
        holds = whole && found.is_none();
    }
    if holds {
        return None;
    }
    let found = found.unwrap_or_else(|| "it is not there".to_owned());
    Some(format!("{condition}: {found}"))
}

/// A value at the end of a path.
enum Found<'a> {
    Text(&'a str),
    Integer(i128),
    Fraction(f64),
    Boolean(bool),
    Null,
    List,
    Object,
}

/// How a reason shows it.
impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Text(text) => {
                let mut text: String = text.chars().take(SHOWN.saturating_add(1)).collect();
                shorten(&mut text, SHOWN);
                write!(f, "it is \"{}\"", Printable(&text))
            }
            Found::Integer(number) => write!(f, "it is {number}"),
            Found::Fraction(number) => write!(f, "it is {number:e}"),
            Found::Boolean(yes) => write!(f, "it is {yes}"),
            Found::Null => f.write_str("it is null"),
            Found::List => f.write_str("it is a list"),
            Found::Object => f.write_str("it is an object"),
        }
    }
}

fn passes(found: &Found<'_>, test: &Test) -> bool {
    match test {
        Test::Equals(value) => equals(found, value),
        Test::OneOf(values) => values.iter().any(|value| equals(found, value)),
        Test::Present(present) => *present,
        Test::AtLeast(least) => match found {
            Found::Integer(number) => *number >= i128::from(*least),
            // Exact where a conversion of the limit to floating point would round it.
            Found::Fraction(number) => {
                number.is_finite() && number.floor() as i128 >= i128::from(*least)
            }
            _ => false,
        },
    }
}

fn equals(found: &Found<'_>, value: &Scalar) -> bool {
    match (found, value) {
        (Found::Text(found), Scalar::Text(value)) => found == value,
        (Found::Integer(found), Scalar::Integer(value)) => *found == i128::from(*value),
        // A protobuf Struct in between writes whole numbers as `1.0`.
        (Found::Fraction(found), Scalar::Integer(value)) => {
            found.is_finite() && found.fract() == 0.0 && *found as i128 == i128::from(*value)
        }
        (Found::Boolean(found), Scalar::Boolean(value)) => found == value,
        _ => false,
    }
}

/// Walks to every value at the end of a path.
struct Walk<'p, 'l> {
    parts: &'p [String],
    look: &'l mut dyn FnMut(Found<'_>),
}

impl<'p> Walk<'p, '_> {
    fn end(self, found: Found<'_>) {
        if self.parts.is_empty() {
            (self.look)(found);
        }
    }

    fn inside(&mut self, parts: &'p [String]) -> Walk<'p, '_> {
        Walk { parts, look: self.look }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.end(Found::Boolean(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.end(Found::Integer(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.end(Found::Integer(value.into()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.end(Found::Fraction(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.end(Found::Text(value));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.end(Found::Null);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let Some((part, rest)) = self.parts.split_first() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            self.end(Found::List);
            return Ok(());
        };
        let wanted = part.parse::<usize>().ok();
        for at in 0usize.. {
            let more = if part == ANY || wanted == Some(at) {
                seq.next_element_seed(self.inside(rest))?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let Some((part, rest)) = self.parts.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            self.end(Found::Object);
            return Ok(());
        };
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == part.as_str() {
                map.next_value_seed(self.inside(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
