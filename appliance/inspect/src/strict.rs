//! What JSON files and safetensors headers share: bounded names, refusals with their cause.
//!
//! serde carries errors as text. So a visitor leaves the cause in a slot and raises an empty error;
//! whoever started the parser takes the cause out of the slot.

use std::fmt;
use std::io;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use serde_json::error::Category;

use crate::malformed::{Fault, Malformed};

/// Where a visitor leaves the cause of its refusal.
pub(crate) type Slot = Option<Malformed>;

/// Leaves `cause` in `slot` and gives the error that stops the parser.
pub(crate) fn refuse<E: Error>(slot: &mut Slot, cause: Malformed) -> E {
    *slot = Some(cause);
    E::custom("refused")
}

/// The cause of a parser's error: the one in the slot, or the parser's own.
pub(crate) fn fault(error: serde_json::Error, slot: Slot) -> Fault {
    let (line, column) = (error.line(), error.column());
    match (slot, error.classify()) {
        (Some(cause), _) => cause.into(),
        (None, Category::Io) => io::Error::from(error).into(),
        (None, Category::Data) => Malformed::JsonType { line, column }.into(),
        (None, Category::Syntax) => Malformed::JsonSyntax { line, column }.into(),
        (None, Category::Eof) => Malformed::JsonEnd.into(),
    }
}

/// Reads a string of at most `limit` bytes, and allocates no more than that.
pub(crate) struct Name<'s> {
    pub(crate) limit: usize,
    pub(crate) slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        if name.len() > self.limit {
            return Err(refuse(self.slot, Malformed::NameTooLong { limit: self.limit }));
        }
        Ok(name.to_owned())
    }
}
