//! Protocol buffers: the wire format, the messages that a format knows, and a walk over them.
//!
//! ```text
//!   file --> walk ---------------> leave(message) --> prost --> values
//!            every field against   names, numbers,
//!            its schema; weights   and how large
//!            are passed over       the weights are
//! ```
//!
//! prost reads a whole message into memory, passes over fields it does not know, and lets the last of
//! two values win. So the walk goes first: it holds every field against the schema, and hands to prost
//! only the small rest of each message, written anew.

mod schema;
mod text;
mod walk;
mod wire;

pub(crate) use schema::{Schema, Type, many, one};
pub(crate) use walk::{Message, Visit, walk};
pub(crate) use wire::{Wire, skip, tag, varint};
