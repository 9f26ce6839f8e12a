//! The index of a model in several files (`model.safetensors.index.json` and the like).
//!
//! ```text
//!   {"metadata": {"total_size": 16}, "weight_map": {"tensor": "file beside the index"}}
//!                                         │
//!                     Link::Indexes: of each file, which tensors it should hold
//! ```
//!
//! An index is known by its `weight_map`, whatever its name is. [`crate::Model`] holds it against
//! the files.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read, Seek};

use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::budget::Budget;
use crate::finding::{Kind, Link, Place};
use crate::malformed::{Fault, Malformed, shown};
use crate::names::NameSet;
use crate::notes::Notes;
use crate::source::Source;
use crate::strict::{Name, Slot, fault, refuse};
use crate::tokens::Tokens;

const WEIGHT_MAP: &str = "weight_map";
const METADATA: &str = "metadata";
const TOTAL_SIZE: &str = "total_size";

/// Reads JSON that is well-formed and notes what it says as an index, if it is one. In an archive
/// nobody looks for an index, and the files beside it are not those of the model.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    if notes.depth() > 0 || !may_be_index(source)? {
        return Ok(());
    }
    let mut slot = None;
    let json = BufReader::new(Tokens::new(source.scan(0)?, budget.json_token));
    let mut parser = serde_json::Deserializer::from_reader(json);
    let read = Top { budget, slot: &mut slot }.deserialize(&mut parser);
    let read = read.map_err(|error| match fault(error, slot) {
        // Nothing else in the document has to be of one type.
        Fault::Broken(Malformed::JsonType { .. }) => wrong(NO_STRINGS).into(),
        fault => fault,
    });
    let Index { files: Some(files), total } = read? else { return Ok(()) };
    for (file, Listed { tensors, first }) in files {
        if is_beside(&file) {
            let tensors = Box::new(tensors.finish());
            notes.link(Link::Indexes { file, tensors, first: shown(&first) });
        } else {
            let detail = "is no name of a file beside the index".to_owned();
            notes.add(Kind::Index, &shown(&file), Place::Tensor(shown(&first)), detail);
        }
    }
    if let Some(total) = total {
        notes.link(Link::Total(total));
    }
    Ok(())
}

/// Whether the bytes can spell the key. Most JSON does not, and need not be read again.
fn may_be_index<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<bool, Fault> {
    let spelled = [Finder::new(WEIGHT_MAP), Finder::new("\\u")];
    let mut scan = source.scan(0)?;
    let mut buffer = vec![0; CHUNK];
    // The end of the last chunk, which may hold the start of what is looked for.
    let mut kept = 0_usize;
    loop {
        let Some(room) = buffer.get_mut(kept..) else { return Ok(false) };
        let count = scan.read(room)?;
        let filled = kept.saturating_add(count);
        let chunk = buffer.get(..filled).unwrap_or_default();
        if spelled.iter().any(|key| key.find(chunk).is_some()) {
            return Ok(true);
        }
        if count == 0 {
            return Ok(false);
        }
        let rest = filled.saturating_sub(WEIGHT_MAP.len());
        buffer.copy_within(rest..filled, 0);
        kept = filled.saturating_sub(rest);
    }
}

const CHUNK: usize = 64 * 1024;

/// Whether `file` is a plain name: an index that leads elsewhere leads out of what is looked at.
fn is_beside(file: &str) -> bool {
    !matches!(file, "" | "." | "..")
        && !file.contains(|c: char| matches!(c, '/' | '\\' | ':') || c.is_control())
}

/// What one file should hold.
#[derive(Default)]
struct Listed {
    tensors: NameSet,
    first: String,
}

/// What of the document matters here.
#[derive(Default)]
struct Index {
    files: Option<BTreeMap<String, Listed>>,
    total: Option<u64>,
}

/// The document. One that is no object is no index.
struct Top<'s> {
    budget: &'s Budget,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Index;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Index, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Index;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a document")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Index, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Index::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Index, A::Error> {
        let Top { budget, slot } = self;
        let limit = budget.name_bytes;
        let mut index = Index::default();
        while let Some(key) = entries.next_key_seed(Name { limit, slot })? {
            match key.as_str() {
                WEIGHT_MAP => {
                    index.files = Some(entries.next_value_seed(WeightMap { budget, slot })?);
                }
                METADATA => index.total = entries.next_value_seed(TotalSize { inside: false })?,
                _ => _ = entries.next_value::<IgnoredAny>()?,
            }
        }
        Ok(index)
    }
}

const NO_STRINGS: &str = "the index does not name a file for each tensor";

fn wrong(detail: &str) -> Malformed {
    let place = Place::Key("/weight_map".to_owned());
    Malformed::Rule { place, detail: detail.to_owned() }
}

/// The tensors with the names of their files.
struct WeightMap<'s> {
    budget: &'s Budget,
    slot: &'s mut Slot,
}

impl<'de> DeserializeSeed<'de> for WeightMap<'_> {
    type Value = BTreeMap<String, Listed>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WeightMap<'_> {
    type Value = BTreeMap<String, Listed>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let WeightMap { budget, slot } = self;
        let mut files = BTreeMap::<String, Listed>::new();
        let mut left = budget.index_tensors;
        while let Some(tensor) = entries.next_key_seed(Name { limit: budget.name_bytes, slot })? {
            let file = entries.next_value_seed(Name { limit: FILE, slot })?;
            if !files.contains_key(&file) && files.len() == budget.index_files {
                let detail = format!("the index names more than {} files", budget.index_files);
                return Err(refuse(slot, wrong(&detail)));
            }
            let Some(rest) = left.checked_sub(1) else {
                let detail = format!("the index lists more than {} tensors", budget.index_tensors);
                return Err(refuse(slot, wrong(&detail)));
            };
            left = rest;
            let listed = files.entry(file).or_default();
            if listed.tensors.len() == 0 {
                listed.first.clone_from(&tensor);
            }
            listed.tensors.insert(&tensor);
        }
        Ok(files)
    }
}

/// Bytes of a file's name: what file systems allow.
const FILE: usize = 255;

/// `metadata`, and in it `total_size`. Other documents have metadata of any shape.
struct TotalSize {
    inside: bool,
}

impl<'de> DeserializeSeed<'de> for TotalSize {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TotalSize {
    type Value = Option<u64>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("metadata")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(self.inside.then_some(number))
    }

    /// Some tools write `16.0`. Whole numbers below 2^53 are exact.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<u64>, E> {
        let is_whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        Ok((self.inside && is_whole).then_some(number as u64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<u64>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<u64>, A::Error> {
        let mut total = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key == TOTAL_SIZE && !self.inside {
                total = entries.next_value_seed(TotalSize { inside: true })?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within, packed, safetensors};
    use crate::{Budget, Kind, Link};

    fn files(json: &str) -> Vec<(String, u64)> {
        let found = look(json.as_bytes());
        assert_eq!((found.malformed, found.findings), (None, Vec::new()), "{json}");
        let files = found.links.into_iter().filter_map(|link| match link {
            Link::Indexes { file, tensors, .. } => Some((file, tensors.count())),
            _ => None,
        });
        files.collect()
    }

    fn total(metadata: &str) -> Option<u64> {
        let json = format!(r#"{{"weight_map":{{"t":"a"}},"metadata":{metadata}}}"#);
        look(json.as_bytes()).links.into_iter().find_map(|link| match link {
            Link::Total(total) => Some(total),
            _ => None,
        })
    }

    fn broken(json: &str, budget: &Budget) -> String {
        look_within(json.as_bytes(), budget).malformed.unwrap().to_string()
    }

    #[test]
    fn an_index_is_known_by_its_content() {
        let index = r#"{"x":[{"y":1}],"weight_map":{"t":"b","u":"a","v":"b"}}"#;
        assert_eq!(files(index), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let escaped = r#"{"weight\u005fmap":{"t":"a"}}"#;
        assert_eq!(files(escaped), [("a".to_owned(), 1)]);
        let late = format!(r#"{{"x":"{}","weight_map":{{"t":"a"}}}}"#, "y".repeat(65_525));
        assert_eq!(files(&late), [("a".to_owned(), 1)]);
    }

    #[test]
    fn other_documents_are_left_alone() {
        for json in [
            r#"[{"weight_map":{"t":1}}]"#,
            r#"{"a":{"weight_map":1}}"#,
            r#"{"metadata":[1,{"total_size":3}],"a":"weight_map"}"#,
            r#"{"metadata":"weight_map"}"#,
            r#"{"metadata":null,"b":"\u00e9"}"#,
        ] {
            assert_eq!(files(json), [], "{json}");
        }
    }

    #[test]
    fn what_lies_in_an_archive_says_nothing_of_the_files_beside_it() {
        let index = br#"{"weight_map":{"t":"../a"}}"#;
        let weights = safetensors(r#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1);
        let files = [
            ("index.json", 0, index.to_vec(), &index[..]),
            ("a.safetensors", 0, weights.clone(), &weights),
        ];
        let found = look(&packed(&files));
        assert_eq!((found.malformed, found.links), (None, Vec::new()));
        assert!(found.findings.iter().all(|finding| finding.kind != Kind::Index));
    }

    #[test]
    fn the_total_is_a_whole_number() {
        assert_eq!(total(r#"{"total_size":16}"#), Some(16));
        assert_eq!(total(r#"{"a":{"total_size":3},"total_size":16.0}"#), Some(16));
        for other in ["16", r#"{"total_size":"16"}"#, r#"{"total_size":-1}"#, "{}", "null", "true"]
        {
            assert_eq!(total(other), None, "{other}");
        }
        assert_eq!(total(r#"{"total_size":0.5}"#), None);
        assert_eq!(total(r#"{"total_size":{"total_size":3}}"#), None);
    }

    #[test]
    fn a_weight_map_is_an_object_of_strings_within_the_budget() {
        let default = Budget::default();
        for map in ["3", "[]", r#"{"t":1}"#, r#"{"t":{"u":"a"}}"#] {
            let said = broken(&format!(r#"{{"weight_map":{map}}}"#), &default);
            assert!(said.ends_with("does not name a file for each tensor"), "{map}: {said}");
        }
        let long = format!(r#"{{"weight_map":{{"t":"{}"}}}}"#, "f".repeat(256));
        assert_eq!(broken(&long, &default), "a name is longer than 255 bytes");
        let two = r#"{"weight_map":{"t":"a","u":"b"}}"#;
        let few = Budget { index_files: 1, ..Budget::default() };
        assert!(broken(two, &few).ends_with("names more than 1 files"));
        let few = Budget { index_tensors: 1, ..Budget::default() };
        assert!(broken(two, &few).ends_with("lists more than 1 tensors"));
    }

    #[test]
    fn files_lie_beside_the_index() {
        for file in ["../a", "b/a", "/a", "b\\\\a", "C:a", "..", ".", "", "a\\u0000"] {
            let json = format!(r#"{{"weight_map":{{"t":"{file}"}}}}"#);
            let found = look(json.as_bytes());
            assert_eq!(found.findings.len(), 1, "{file}");
            assert_eq!(found.findings[0].kind, Kind::Index);
            assert!(found.links.is_empty());
        }
    }
}
