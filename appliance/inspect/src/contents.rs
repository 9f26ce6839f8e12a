//! What a model file holds, as a person wants to see it.

use serde::Serialize;

use crate::malformed::shown;

/// What is inside one file, in the order of the file. Bounded as the inspection is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Key and value, as text.
    pub metadata: Vec<Entry>,
    /// The tensors.
    pub tensors: Vec<Tensor>,
    /// Names that pickles import, `module.name`.
    pub globals: Vec<String>,
    /// Operators that graphs use, with their domain where the format has domains.
    pub operators: Vec<String>,
    /// Classes from which a model is built (Keras).
    pub classes: Vec<String>,
    /// Templates of prompts.
    pub templates: Vec<Template>,
    /// The members of an archive.
    pub members: Vec<Member>,
    /// Metadata and tensors that were left out, for their number.
    pub omitted: u64,
    /// Bytes that metadata and tensors take, about.
    #[serde(skip)]
    taken: usize,
}

/// Bytes of metadata and tensors that are kept. 100,000 tensors of a real model take less.
const MOST: usize = 24 << 20;

/// Characters of a value that are kept.
const VALUE: usize = 240;

impl Contents {
    /// Keeps an entry of the metadata, shortened.
    pub(crate) fn entry(&mut self, key: &str, value: &str) {
        let mut short: String = value.chars().take(VALUE).collect();
        if short.len() < value.len() {
            short.push('\u{2026}');
        }
        let value = short;
        let entry = Entry { key: shown(key), value };
        if self.has_room(size_of::<Entry>(), entry.key.len().saturating_add(entry.value.len())) {
            self.metadata.push(entry);
        }
    }

    /// Keeps a tensor; its name is shortened.
    pub(crate) fn tensor(&mut self, name: &str, dtype: &str, shape: &[u64], bytes: u64) {
        let (name, dtype) = (shown(name), dtype.to_owned());
        let text = name.len().saturating_add(dtype.len());
        if self.has_room(size_of::<Tensor>(), text.saturating_add(size_of_val(shape))) {
            self.tensors.push(Tensor { name, dtype, shape: shape.to_vec(), bytes });
        }
    }

    fn has_room(&mut self, item: usize, held: usize) -> bool {
        let taken = self.taken.saturating_add(item).saturating_add(held);
        let has_room = taken <= MOST;
        if has_room {
            self.taken = taken;
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
        has_room
    }
}

/// One entry of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value as text; long ones are shortened and end in an ellipsis.
    pub value: String,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The type of the elements, in the format's own words.
    pub dtype: String,
    /// The dimensions in the order of the file.
    pub shape: Vec<u64>,
    /// Bytes in the file.
    pub bytes: u64,
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    /// Where it stands.
    pub place: String,
    /// SHA-256 of its UTF-8, in hex.
    pub sha256: String,
    /// The template itself.
    pub text: String,
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Bytes when it is unpacked.
    pub bytes: u64,
    /// What it is; several names where it is ambiguous, none where it is unknown.
    pub formats: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short() {
        let mut contents = Contents::default();
        contents.entry("k", &"v".repeat(VALUE));
        contents.entry("k", &"v".repeat(VALUE + 1));
        assert_eq!(contents.metadata[0].value.chars().count(), VALUE);
        assert!(contents.metadata[1].value.ends_with("v\u{2026}"));
    }

    #[test]
    fn a_flood_of_tensors_is_counted_and_not_kept() {
        let mut contents = Contents::default();
        for _ in 0..100_000 {
            contents.tensor(
                "model.layers.60.mlp.experts.255.down_proj.weight",
                "BF16",
                &[9, 9],
                162,
            );
        }
        assert_eq!((contents.tensors.len(), contents.omitted), (100_000, 0));
        for _ in 0..100_000 {
            contents.tensor(&"n".repeat(1000), "U8", &[1; 64], 1);
        }
        assert!(contents.omitted > 50_000);
    }
}
