//! The JSON of a safetensors header, visited without building a tree.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::dtype;
use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, shown};
use crate::names::NameSet;
use crate::notes::Notes;
use crate::strict::{Name, Slot, fault, refuse};

/// What a header describes.
#[derive(Default)]
pub(super) struct Header {
    /// The names of the tensors.
    pub(super) tensors: NameSet,
    /// The range of each in the data, every one of the size that its shape and type ask for.
    pub(super) ranges: Vec<(u64, u64)>,
}

/// Reads the header and leaves `json` behind its closing brace.
pub(super) fn read<R: BufRead>(
    json: &mut R,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<Header, Fault> {
    if json.fill_buf()?.first() != Some(&b'{') {
        return Err(Malformed::SafetensorsStart.into());
    }
    let mut slot = None;
    let mut parser = serde_json::Deserializer::from_reader(&mut *json);
    let top = Top { budget, notes, slot: &mut slot };
    top.deserialize(&mut parser).map_err(|error| fault(error, slot))
}

const METADATA: &str = "__metadata__";

/// The object at the top: tensors by name, and metadata.
struct Top<'s> {
    budget: &'s Budget,
    notes: &'s mut Notes,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Header;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Header;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Header, A::Error> {
        let Top { budget, notes, slot } = self;
        let limit = budget.name_bytes;
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = entries.next_key_seed(Name { limit, slot })? {
            if name == METADATA {
                let most = budget.safetensors_metadata;
                entries.next_value_seed(Metadata { limit, most, notes, slot })?;
                if std::mem::replace(&mut has_metadata, true) {
                    return Err(refuse(slot, Malformed::JsonDuplicateKey { key: name }));
                }
                continue;
            }
            ordinary(&name).map_err(|cause| refuse(slot, cause))?;
            let range = entries.next_value_seed(Tensor { name: &name, limit, notes, slot })?;
            header.ranges.push(range);
            if !header.tensors.insert(&name) {
                return Err(refuse(slot, Malformed::JsonDuplicateKey { key: shown(&name) }));
            }
            if header.tensors.len() > budget.safetensors_tensors {
                let limit = budget.safetensors_tensors;
                return Err(refuse(slot, Malformed::SafetensorsTensors { limit }));
            }
        }
        Ok(header)
    }
}

/// Refuses names that nobody can see whole.
fn ordinary(name: &str) -> Result<(), Malformed> {
    if !name.is_empty() && !name.contains(char::is_control) {
        return Ok(());
    }
    let place = Place::Tensor(shown(name));
    let detail = "the name is empty or has control characters".to_owned();
    Err(Malformed::Rule { place, detail })
}

/// `__metadata__`: strings by name.
struct Metadata<'s> {
    limit: usize,
    most: usize,
    notes: &'s mut Notes,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Metadata { limit, most, notes, slot } = self;
        let mut names = NameSet::default();
        while let Some(name) = entries.next_key_seed(Name { limit, slot })? {
            entries.next_value_seed(Value { key: &name, notes })?;
            if !names.insert(&name) {
                return Err(refuse(slot, Malformed::JsonDuplicateKey { key: shown(&name) }));
            }
            if names.len() > most {
                return Err(refuse(slot, Malformed::SafetensorsMetadata { limit: most }));
            }
        }
        Ok(())
    }
}

/// A string of the metadata.
struct Value<'s> {
    key: &'s str,
    notes: &'s mut Notes,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.notes.show(|contents| contents.entry(self.key, value));
        Ok(())
    }
}

/// One tensor: exactly `dtype`, `shape` and `data_offsets`.
struct Tensor<'s> {
    name: &'s str,
    limit: usize,
    notes: &'s mut Notes,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Tensor<'_> {
    type Value = (u64, u64);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u64, u64), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tensor<'_> {
    type Value = (u64, u64);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(u64, u64), A::Error> {
        let Tensor { name, limit, notes, slot } = self;
        let (mut dtype, mut shape, mut range) = (None, None, None);
        while let Some(field) = fields.next_key_seed(Name { limit, slot })? {
            let repeated = match field.as_str() {
                "dtype" => dtype.replace(fields.next_value_seed(Name { limit, slot })?).is_some(),
                "shape" => shape.replace(fields.next_value_seed(Shape { name, slot })?).is_some(),
                "data_offsets" => range.replace(fields.next_value()?).is_some(),
                _ => {
                    let (tensor, field) = (shown(name), shown(&field));
                    return Err(refuse(slot, Malformed::SafetensorsField { tensor, field }));
                }
            };
            if repeated {
                return Err(refuse(slot, Malformed::JsonDuplicateKey { key: field }));
            }
        }
        let missing = |field| Malformed::SafetensorsMissing { tensor: shown(name), field };
        let dtype = dtype.ok_or_else(|| refuse(slot, missing("dtype")))?;
        let shape: Vec<u64> = shape.ok_or_else(|| refuse(slot, missing("shape")))?;
        let range = range.ok_or_else(|| refuse(slot, missing("data_offsets")))?;
        let bytes = bytes(name, &dtype, &shape).map_err(|cause| refuse(slot, cause))?;
        let (begin, end): (u64, u64) = range;
        if end.checked_sub(begin) != Some(bytes) {
            let (tensor, needed) = (shown(name), bytes);
            return Err(refuse(slot, Malformed::SafetensorsSize { tensor, needed, begin, end }));
        }
        notes.show(|contents| contents.tensor(name, &dtype, &shape, bytes));
        Ok(range)
    }
}

/// The bytes of all elements. No dimensions make one element.
fn bytes(name: &str, dtype: &str, shape: &[u64]) -> Result<u64, Malformed> {
    let Some(bits) = dtype::bits(dtype) else {
        let (tensor, dtype) = (shown(name), shown(dtype));
        return Err(Malformed::SafetensorsDtype { tensor, dtype });
    };
    let total = shape.iter().try_fold(1_u64, |total, &size| total.checked_mul(size));
    let Some(total) = total.and_then(|elements| elements.checked_mul(bits)) else {
        return Err(Malformed::SafetensorsOverflow { tensor: shown(name) });
    };
    if !total.is_multiple_of(8) {
        return Err(Malformed::SafetensorsPartialByte { tensor: shown(name) });
    }
    Ok(total / 8)
}

/// The sizes of a tensor.
struct Shape<'s> {
    name: &'s str,
    slot: &'s mut Slot,
}

/// Dimensions that a shape may have: PyTorch and NumPy know no more.
const DIMENSIONS: usize = 64;

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u64>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = Vec<u64>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Vec<u64>, A::Error> {
        let mut shape = Vec::new();
        while let Some(size) = sizes.next_element::<u64>()? {
            if shape.len() == DIMENSIONS {
                let place = Place::Tensor(shown(self.name));
                let detail = format!("the shape has more than {DIMENSIONS} dimensions");
                return Err(refuse(self.slot, Malformed::Rule { place, detail }));
            }
            shape.push(size);
        }
        Ok(shape)
    }
}
