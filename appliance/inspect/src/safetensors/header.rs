//! The JSON of a safetensors header, visited without building a tree.

use std::collections::HashSet;
use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::dtype;
use crate::budget::Budget;
use crate::malformed::{Fault, Malformed, shown};
use crate::strict::{Name, Slot, fault, refuse};

/// Reads the header and leaves `json` behind its closing brace. Gives the range of each tensor in
/// the data, every one of the size that its shape and type ask for.
pub(super) fn read<R: BufRead>(json: &mut R, budget: &Budget) -> Result<Vec<(u64, u64)>, Fault> {
    if json.fill_buf()?.first() != Some(&b'{') {
        return Err(Malformed::SafetensorsStart.into());
    }
    let mut slot = None;
    let mut parser = serde_json::Deserializer::from_reader(&mut *json);
    let header = Header { budget, slot: &mut slot };
    header.deserialize(&mut parser).map_err(|error| fault(error, slot))
}

const METADATA: &str = "__metadata__";

/// The object at the top: tensors by name, and metadata.
struct Header<'s> {
    budget: &'s Budget,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Header<'_> {
    type Value = Vec<(u64, u64)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Header<'_> {
    type Value = Vec<(u64, u64)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let Header { budget, slot } = self;
        let limit = budget.name_bytes;
        let mut names = Names::default();
        let mut ranges = Vec::new();
        while let Some(name) = entries.next_key_seed(Name { limit, slot })? {
            if name == METADATA {
                let most = budget.safetensors_metadata;
                entries.next_value_seed(Metadata { limit, most, slot })?;
            } else {
                ranges.push(entries.next_value_seed(Tensor { name: &name, limit, slot })?);
            }
            if ranges.len() > budget.safetensors_tensors {
                let limit = budget.safetensors_tensors;
                return Err(refuse(slot, Malformed::SafetensorsTensors { limit }));
            }
            names.insert(name).map_err(|cause| refuse(slot, cause))?;
        }
        Ok(ranges)
    }
}

/// The keys of one object.
#[derive(Default)]
struct Names(HashSet<Box<str>>);

impl Names {
    fn insert(&mut self, name: String) -> Result<(), Malformed> {
        if self.0.contains(name.as_str()) {
            return Err(Malformed::JsonDuplicateKey { key: shown(&name) });
        }
        self.0.insert(name.into_boxed_str());
        Ok(())
    }
}

/// `__metadata__`: strings by name.
struct Metadata<'s> {
    limit: usize,
    most: usize,
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
        let Metadata { limit, most, slot } = self;
        let mut names = Names::default();
        let mut left = most;
        while let Some(name) = entries.next_key_seed(Name { limit, slot })? {
            entries.next_value_seed(AnyString)?;
            names.insert(name).map_err(|cause| refuse(slot, cause))?;
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return Err(refuse(slot, Malformed::SafetensorsMetadata { limit: most })),
            };
        }
        Ok(())
    }
}

/// A string that is not kept, so its length does not matter.
struct AnyString;

impl<'de> DeserializeSeed<'de> for AnyString {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for AnyString {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// One tensor: exactly `dtype`, `shape` and `data_offsets`.
struct Tensor<'s> {
    name: &'s str,
    limit: usize,
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
        let Tensor { name, limit, slot } = self;
        let (mut bits, mut elements, mut range) = (None, None, None);
        while let Some(field) = fields.next_key_seed(Name { limit, slot })? {
            let repeated = match field.as_str() {
                "dtype" => {
                    let dtype = fields.next_value_seed(Name { limit, slot })?;
                    let Some(known) = dtype::bits(&dtype) else {
                        let (tensor, dtype) = (shown(name), shown(&dtype));
                        return Err(refuse(slot, Malformed::SafetensorsDtype { tensor, dtype }));
                    };
                    bits.replace(known).is_some()
                }
                "shape" => {
                    elements.replace(fields.next_value_seed(Shape { name, slot })?).is_some()
                }
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
        sized(name, bits, elements, range).map_err(|cause| refuse(slot, cause))
    }
}

/// The range, if it has the size that `elements` of `bits` each need.
fn sized(
    name: &str,
    bits: Option<u64>,
    elements: Option<u64>,
    range: Option<(u64, u64)>,
) -> Result<(u64, u64), Malformed> {
    let missing = |field| Malformed::SafetensorsMissing { tensor: shown(name), field };
    let bits = bits.ok_or_else(|| missing("dtype"))?;
    let elements = elements.ok_or_else(|| missing("shape"))?;
    let (begin, end) = range.ok_or_else(|| missing("data_offsets"))?;

    let total = elements
        .checked_mul(bits)
        .ok_or_else(|| Malformed::SafetensorsOverflow { tensor: shown(name) })?;
    if !total.is_multiple_of(8) {
        return Err(Malformed::SafetensorsPartialByte { tensor: shown(name) });
    }
    let needed = total / 8;
    if end.checked_sub(begin) != Some(needed) {
        return Err(Malformed::SafetensorsSize { tensor: shown(name), needed, begin, end });
    }
    Ok((begin, end))
}

/// The number of elements that a shape holds. No dimensions make one element.
struct Shape<'s> {
    name: &'s str,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<u64, A::Error> {
        let mut elements = 1_u64;
        while let Some(size) = sizes.next_element::<u64>()? {
            elements = elements.checked_mul(size).ok_or_else(|| {
                refuse(self.slot, Malformed::SafetensorsOverflow { tensor: shown(self.name) })
            })?;
        }
        Ok(elements)
    }
}
