//! The walk over a message and all that it holds.

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::protobuf::schema::{Field, Keep, Schema, Type};
use crate::protobuf::text;
use crate::protobuf::wire::{self, Wire};
use crate::source::Scan;

/// What the stack has room for, whatever the budget says.
const DEEPEST: usize = 96;

/// What wants to know of the messages in a file.
pub(crate) trait Visit {
    /// A message of this name starts.
    fn enter(&mut self, name: &'static str) -> Result<(), Fault>;

    /// A field of bytes, which are not kept, was passed over.
    fn passed(&mut self, _name: &'static str, _field: &'static str, _at: u64, _length: u64) {}

    /// A message ended. What it holds was visited before.
    fn leave(&mut self, message: &Message<'_>) -> Result<(), Fault>;
}

/// A message that was walked over.
#[derive(Debug)]
pub(crate) struct Message<'m> {
    /// Its name in the format's own `.proto`.
    pub(crate) name: &'static str,
    /// The message and its field that hold it; empty at the top.
    pub(crate) parent: &'static str,
    pub(crate) field: &'static str,
    /// Where its first field starts.
    pub(crate) at: u64,
    /// Its fields that are kept, encoded.
    kept: &'m [u8],
}

impl Message<'_> {
    /// What was kept, by its own names.
    pub(crate) fn decode<M: prost::Message + Default>(&self) -> Result<M, Fault> {
        M::decode(self.kept).map_err(|_| self.broken("it cannot be decoded"))
    }

    /// The fault of a rule that this message breaks.
    pub(crate) fn broken(&self, detail: &str) -> Fault {
        broken(Place::Offset(self.at), format!("{}: {detail}", self.name))
    }
}

/// Walks over the message that fills the rest of `scan`.
pub(crate) fn walk<R: Read + Seek, V: Visit>(
    scan: &mut Scan<'_, R>,
    schema: &'static Schema,
    budget: &Budget,
    visitor: &mut V,
) -> Result<(), Fault> {
    let end = scan.at().saturating_add(scan.remaining());
    Walk { scan, budget, visitor, fields: 0 }.message(schema, ("", ""), end, 0).map(drop)
}

struct Walk<'w, 's, R, V> {
    scan: &'w mut Scan<'s, R>,
    budget: &'w Budget,
    visitor: &'w mut V,
    /// Fields so far, over all messages.
    fields: u64,
}

/// What is kept of one message while it is walked over.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    sizes: Vec<(u32, u64)>,
}

impl Kept {
    fn number(&mut self, field: &Field, value: u64) {
        wire::put_varint(&mut self.bytes, u64::from(field.number) << 3);
        wire::put_varint(&mut self.bytes, value);
    }

    fn value(&mut self, field: &Field, value: &[u8]) {
        wire::put_varint(&mut self.bytes, u64::from(field.number) << 3 | 2);
        wire::put_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    fn size(&mut self, field: &Field, size: u64) {
        if field.keep != Keep::Size {
            return;
        }
        match self.sizes.iter_mut().find(|(number, _)| *number == field.number) {
            Some((_, sum)) => *sum = sum.saturating_add(size),
            None => self.sizes.push((field.number, size)),
        }
    }

    fn finish(mut self) -> Vec<u8> {
        for (number, size) in std::mem::take(&mut self.sizes) {
            wire::put_varint(&mut self.bytes, u64::from(number) << 3);
            wire::put_varint(&mut self.bytes, size);
        }
        self.bytes
    }
}

impl<R: Read + Seek, V: Visit> Walk<'_, '_, R, V> {
    /// Walks over a message up to `end` and gives what of it was kept.
    fn message(
        &mut self,
        schema: &'static Schema,
        (parent, field): (&'static str, &'static str),
        end: u64,
        depth: usize,
    ) -> Result<Vec<u8>, Fault> {
        let at = self.scan.at();
        let limit = self.budget.graph_depth.min(DEEPEST);
        if depth > limit {
            return Err(broken(Place::Offset(at), format!("messages nest deeper than {limit}")));
        }
        self.visitor.enter(schema.name)?;
        let mut kept = Kept::default();
        let mut seen = [false; 64];
        let mut groups = [false; 4];
        while self.scan.at() < end {
            let start = self.scan.at();
            self.count(start)?;
            let Some((number, wire)) = wire::tag(self.scan)? else {
                return Err(broken(Place::Offset(start), "no field can start like this"));
            };
            let known = schema.fields.iter().position(|field| u64::from(field.number) == number);
            let Some((field, seen)) =
                known.and_then(|index| schema.fields.get(index).zip(seen.get_mut(index)))
            else {
                let detail = format!("{} has no field {number}", schema.name);
                return Err(broken(Place::Offset(start), detail));
            };
            let first = !std::mem::replace(seen, true);
            if !first && !field.many {
                let detail = format!("{}.{} occurs twice", schema.name, field.name);
                return Err(broken(Place::Offset(start), detail));
            }
            let group = groups.get_mut(usize::from(field.group)).filter(|_| first);
            let chosen = group.is_some_and(|group| std::mem::replace(group, true));
            if chosen && field.group != 0 {
                let detail = format!("{}.{} is a second choice", schema.name, field.name);
                return Err(broken(Place::Offset(start), detail));
            }
            self.value(schema, field, wire, end, depth, &mut kept)?;
            if kept.bytes.len() > self.budget.graph_message {
                let limit = self.budget.graph_message;
                let detail = format!("{} has names of more than {limit} bytes", schema.name);
                return Err(broken(Place::Offset(at), detail));
            }
        }
        if self.scan.at() != end {
            let detail = format!("a field of {} runs past its end", schema.name);
            return Err(broken(Place::Offset(end), detail));
        }
        let kept = kept.finish();
        let name = schema.name;
        self.visitor.leave(&Message { name, parent, field, at, kept: &kept })?;
        Ok(kept)
    }

    fn count(&mut self, at: u64) -> Result<(), Fault> {
        self.fields = self.fields.saturating_add(1);
        if self.fields > self.budget.graph_fields {
            let limit = self.budget.graph_fields;
            return Err(broken(Place::Offset(at), format!("there are more than {limit} fields")));
        }
        Ok(())
    }

    fn value(
        &mut self,
        schema: &'static Schema,
        field: &'static Field,
        wire: Wire,
        end: u64,
        depth: usize,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        match (field.kind, wire) {
            (Type::Varint, Wire::Varint) => {
                let value = wire::varint(self.scan)?;
                if field.keep == Keep::Value {
                    kept.number(field, value);
                }
                kept.size(field, 1);
                Ok(())
            }
            (Type::Four, Wire::Four) | (Type::Eight, Wire::Eight) => {
                kept.size(field, 1);
                wire::skip(self.scan, wire)
            }
            (_, Wire::Bytes) => {
                let length = wire::varint(self.scan)?;
                if length > end.saturating_sub(self.scan.at()) {
                    return Err(Malformed::Truncated { at: self.scan.at(), needed: length }.into());
                }
                self.bytes(schema, field, length, depth, kept)
            }
            _ => Err(self.wrong(schema, field)),
        }
    }

    /// A value that has a length.
    fn bytes(
        &mut self,
        schema: &'static Schema,
        field: &'static Field,
        length: u64,
        depth: usize,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let at = self.scan.at();
        match field.kind {
            Type::Varint if field.many && field.keep == Keep::Value => {
                let end = at.saturating_add(length);
                while self.scan.at() < end && kept.bytes.len() <= self.budget.graph_message {
                    kept.number(field, wire::varint(self.scan)?);
                }
                // Where the budget ended first, the message is refused for it.
                if self.scan.at() > end { Err(self.wrong(schema, field)) } else { Ok(()) }
            }
            Type::Varint if field.many => {
                let count = wire::varints(self.scan, length)?;
                kept.size(field, count);
                Ok(())
            }
            Type::Four | Type::Eight if field.many => {
                let each = if matches!(field.kind, Type::Four) { 4 } else { 8 };
                if !length.is_multiple_of(each) {
                    return Err(self.wrong(schema, field));
                }
                kept.size(field, length / each);
                self.scan.skip(length)
            }
            Type::Name => {
                let limit = self.budget.name_bytes;
                if length > limit as u64 {
                    return Err(Malformed::NameTooLong { limit }.into());
                }
                let name = self.scan.vec(length)?;
                if std::str::from_utf8(&name).is_err() {
                    let detail = format!("{}.{} is not UTF-8", schema.name, field.name);
                    return Err(broken(Place::Offset(at), shown(&detail)));
                }
                if field.keep == Keep::Value {
                    kept.value(field, &name);
                }
                kept.size(field, if field.many { 1 } else { length });
                Ok(())
            }
            Type::Text => {
                let text = text::pass(self.scan, length)?;
                if field.keep == Keep::Value {
                    kept.value(field, text.as_bytes());
                }
                Ok(())
            }
            Type::Bytes if field.keep == Keep::Value => {
                let limit = self.budget.graph_message;
                if length > limit as u64 {
                    let detail = format!("{}.{} is larger than {limit}", schema.name, field.name);
                    return Err(broken(Place::Offset(at), detail));
                }
                kept.value(field, &self.scan.vec(length)?);
                Ok(())
            }
            Type::Bytes => {
                self.visitor.passed(schema.name, field.name, self.scan.at(), length);
                kept.size(field, if field.many { 1 } else { length });
                self.scan.skip(length)
            }
            Type::Message(inner) => {
                let end = at.saturating_add(length);
                let part =
                    self.message(inner, (schema.name, field.name), end, depth.saturating_add(1))?;
                if field.keep == Keep::Value {
                    kept.value(field, &part);
                }
                kept.size(field, 1);
                Ok(())
            }
            Type::Varint | Type::Four | Type::Eight => Err(self.wrong(schema, field)),
        }
    }

    fn wrong(&self, schema: &Schema, field: &Field) -> Fault {
        let detail = format!("{}.{} has the wrong encoding", schema.name, field.name);
        broken(Place::Offset(self.scan.at()), detail)
    }
}
