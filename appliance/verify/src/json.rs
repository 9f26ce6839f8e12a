//! Strict JSON (RFC 8259): no duplicate keys, bounded depth, one value and nothing after it.
//!
//! Reading is two passes over the same bytes: the first checks the rules that a typed reader does
//! not (a duplicate key may hide below a field that nobody reads), the second makes the value.
//! Neither builds a tree, so memory stays in proportion to what the caller keeps.

mod objects;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use objects::Objects;

use crate::reason::{NAME_CHARS, shorten};

/// Keys of one object at most: each is kept until the object ends.
const KEYS_LIMIT: usize = 65_536;

/// Why bytes are not the strict JSON that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// not JSON, or not of the expected structure
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the reader found and expected.
        message: String,
    },
    /// an object repeats a key
    #[error("line {line}, column {column}: the key {key:?} stands twice in one object")]
    DuplicateKey {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The key, shortened to 64 characters.
        key: String,
    },
    /// nesting past the budget
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The budget.
        limit: usize,
    },
    /// the JSON is well-formed and does not have the structure that was asked for
    #[error("line {line}, column {column}: {message}")]
    Structure {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was found and expected.
        message: String,
    },
}

/// Reads one value of type `T` from `bytes`, with at most `depth` levels of nesting.
pub(crate) fn from_slice<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    depth: usize,
) -> Result<T, JsonError> {
    check(bytes, depth)?;
    from_checked(bytes)
}

/// Reads one value of type `T` from bytes that [`check`] has passed.
pub(crate) fn from_checked<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(Objects(&mut reader)).map_err(|e| JsonError::Structure {
        line: e.line(),
        column: e.column(),
        message: without_position(&e),
    })
}

/// Checks that `bytes` are strict JSON, whatever their structure.
pub(crate) fn check(bytes: &[u8], depth: usize) -> Result<(), JsonError> {
    let mut violation = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { left: depth, violation: &mut violation };
    let outcome = seed.deserialize(&mut reader).and_then(|()| reader.end());
    let Err(e) = outcome else { return Ok(()) };
    let (line, column) = (e.line(), e.column());
    Err(match violation {
        Some(Violation::DuplicateKey(key)) => JsonError::DuplicateKey { line, column, key },
        Some(Violation::TooDeep) => JsonError::TooDeep { limit: depth },
        None => JsonError::Syntax { line, column, message: without_position(&e) },
    })
}

/// Reads a list of at most `LIMIT` elements, for `#[serde(deserialize_with)]`: an element may take
/// much more memory than the few bytes that a hostile list spends on it.
pub(crate) fn at_most<'de, const LIMIT: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Bounded<T, const LIMIT: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const LIMIT: usize> Visitor<'de> for Bounded<T, LIMIT> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {LIMIT} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = seq.next_element()? {
                if list.len() == LIMIT {
                    return Err(de::Error::invalid_length(LIMIT + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Bounded::<T, LIMIT>(PhantomData))
}

/// Writes compact JSON. Only for types whose maps have string keys, which cannot fail.
pub(crate) fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// serde_json appends ` at line L column C`, which the caller states itself, and repeats what it
/// found, which may be as long as the input.
fn without_position(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    shorten(&mut text, NAME_CHARS);
    text
}

enum Violation {
    DuplicateKey(String),
    TooDeep,
}

/// Walks any value and keeps nothing but the keys of the objects that are open.
struct Strict<'v> {
    left: usize,
    violation: &'v mut Option<Violation>,
}

impl Strict<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Strict<'_>, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Strict { left, violation: self.violation }),
            None => {
                *self.violation = Some(Violation::TooDeep);
                Err(E::custom("nested too deep"))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.inner::<A::Error>()?;
        let mut keys = HashSet::new();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if keys.contains(&key) {
                *self.violation = Some(Violation::DuplicateKey(key.chars().take(64).collect()));
                return Err(de::Error::custom("duplicate key"));
            }
            if keys.len() == KEYS_LIMIT {
                return Err(de::Error::custom("an object with more than 65536 keys"));
            }
            keys.insert(key);
            map.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

/// An object's key, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A field that is checked to be JSON and otherwise not read.
pub(crate) type Anything = IgnoredAny;

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        match check(text.as_bytes(), 4) {
            Ok(()) => "ok",
            Err(JsonError::Syntax { .. }) => "syntax",
            Err(JsonError::DuplicateKey { .. }) => "duplicate",
            Err(JsonError::TooDeep { .. }) => "deep",
            Err(JsonError::Structure { .. }) => "structure",
        }
    }

    #[test]
    fn duplicate_keys_are_found_at_any_level_and_however_they_are_escaped() {
        assert_eq!(code(r#"{"a":1,"b":{"a":1}}"#), "ok");
        assert_eq!(code(r#"{"a":1,"a":1}"#), "duplicate");
        assert_eq!(code(r#"{"a":1,"\u0061":1}"#), "duplicate");
        assert_eq!(code(r#"[[{"x":{"a":1,"a":1}}]]"#), "duplicate");
    }

    #[test]
    fn a_structure_is_an_object_and_never_an_array() {
        #[derive(Debug, Deserialize)]
        struct Outer {
            list: Vec<Inner>,
            one: Option<Inner>,
        }
        #[derive(Debug, Deserialize)]
        struct Inner {
            x: u64,
        }
        let read = |text: &str| from_slice::<Outer>(text.as_bytes(), 4);
        let good = read(r#"{"list":[{"x":1}],"one":{"x":2}}"#).unwrap();
        assert_eq!((good.list[0].x, good.one.unwrap().x), (1, 2));
        for bad in [
            r#"[[{"x":1}],{"x":2}]"#,
            r#"{"list":[[1]],"one":{"x":2}}"#,
            r#"{"list":[{"x":1}],"one":[2]}"#,
        ] {
            assert!(matches!(read(bad), Err(JsonError::Structure { .. })), "{bad}");
        }
    }

    #[test]
    fn objects_and_lists_are_bounded() {
        let object = |count: usize| {
            let keys: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        assert_eq!(code(&object(KEYS_LIMIT)), "ok");
        assert_eq!(code(&object(KEYS_LIMIT + 1)), "syntax");
        #[derive(Deserialize)]
        struct Short {
            #[serde(deserialize_with = "at_most::<2, _, _>")]
            list: Vec<u64>,
        }
        let read = |text: &str| from_slice::<Short>(text.as_bytes(), 4).map(|short| short.list);
        assert_eq!(read(r#"{"list":[1,2]}"#), Ok(vec![1, 2]));
        assert!(matches!(read(r#"{"list":[1,2,3]}"#), Err(JsonError::Structure { .. })));
    }

    #[test]
    fn a_message_does_not_grow_with_the_input() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct None {}
        let text = format!("{{\"{}\":1}}", "模".repeat(100_000));
        let error = from_slice::<None>(text.as_bytes(), 4).unwrap_err();
        assert!(error.to_string().chars().count() < 2 * NAME_CHARS, "{error}");
    }

    #[test]
    fn depth_is_bounded_exactly() {
        assert_eq!(code("[[[[1]]]]"), "ok");
        assert_eq!(code("[[[[[1]]]]]"), "deep");
        assert_eq!(code(r#"{"a":{"a":{"a":{"a":1}}}}"#), "ok");
        assert_eq!(code(r#"{"a":{"a":{"a":{"a":{}}}}}"#), "deep");
        assert_eq!(code(&"[".repeat(100_000)), "deep");
    }

    #[test]
    fn one_value_and_nothing_after_it() {
        for bad in [
            "",
            "{} {}",
            "{}x",
            "{'a':1}",
            "{\"a\":1,}",
            "\u{feff}{}",
            "NaN",
            "\"\\ud800\"",
            "{\"a\":1",
        ] {
            assert_eq!(code(bad), "syntax", "{bad}");
        }
        assert_eq!(code(" {} \n"), "ok");
        assert!(check(b"\"\xff\"", 4).is_err());
    }
}
