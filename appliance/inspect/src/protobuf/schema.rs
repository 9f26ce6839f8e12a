//! What messages may hold.

/// A message: its name in the format's own `.proto`, and its fields.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(super) kind: Type,
    /// Whether it may occur more than once.
    pub(super) many: bool,
    /// Of the fields of one group only one may be there; 0 is no group.
    pub(super) group: u8,
    pub(super) keep: Keep,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// An integer, enumeration or truth value.
    Varint,
    /// A `float` or `fixed32`.
    Four,
    /// A `double` or `fixed64`.
    Eight,
    /// UTF-8 that names something, of bounded length.
    Name,
    /// UTF-8 for people, of any length.
    Text,
    /// Any bytes.
    Bytes,
    /// Another message.
    Message(&'static Schema),
}

/// What of a field is handed to prost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    No,
    /// The value: of a text its start, of a message what is kept of it.
    Value,
    /// As a number under the same tag, how much there is: how many values where the field repeats,
    /// else how many bytes or, of a message or a number, 1.
    Size,
}

/// A field that may occur once.
pub(crate) const fn one(number: u32, name: &'static str, kind: Type) -> Field {
    Field { number, name, kind, many: false, group: 0, keep: Keep::No }
}

/// A field that may repeat. Numbers are packed or not, as proto3 asks of readers.
pub(crate) const fn many(number: u32, name: &'static str, kind: Type) -> Field {
    Field { number, name, kind, many: true, group: 0, keep: Keep::No }
}

impl Field {
    /// The same field, kept.
    pub(crate) const fn kept(self) -> Field {
        Field { keep: Keep::Value, ..self }
    }

    /// The same field, its size kept.
    pub(crate) const fn sized(self) -> Field {
        Field { keep: Keep::Size, ..self }
    }

    /// The same field as one of a `oneof`.
    pub(crate) const fn of(self, group: u8) -> Field {
        Field { group, ..self }
    }
}
