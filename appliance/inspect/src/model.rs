//! What only shows when all files of a model are known.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Kind, Link, Place};
use crate::malformed::Malformed;
use crate::shards;

/// Findings between files that are told. Past that only that there are more.
const MOST: usize = 256;

/// What runtimes align weights in a file of their own to: the granularity of memory maps on Windows.
const ALIGNMENT: u64 = 65_536;

/// The files of one model, as far as they speak of one another.
#[derive(Debug, Default)]
pub struct Model {
    /// Size in bytes by path, as the manifest has it.
    sizes: BTreeMap<String, u64>,
    links: Vec<(String, Vec<Link>)>,
}

impl Model {
    /// Takes one file: its path in the manifest, its size in bytes, and what it says about others.
    pub fn add(&mut self, path: &str, size: u64, links: Vec<Link>) {
        self.sizes.insert(path.to_owned(), size);
        if !links.is_empty() {
            self.links.push((path.to_owned(), links));
        }
    }

    /// The files that others name as the place of weights, and in which everything is weights: no byte
    /// that none of them reads, but for what aligns the next. A file without a known format that is one
    /// of these is a part of the ONNX model that names it.
    pub fn weights(&self) -> BTreeSet<String> {
        let mut ranges: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        for (path, links) in &self.links {
            for link in links {
                let Link::External { location, offset, length: Some(length), .. } = link else {
                    continue;
                };
                if self.missing(path, location, *offset, Some(*length)).is_none() {
                    let range = (*offset, offset.saturating_add(*length));
                    ranges.entry(beside(path, location)).or_default().push(range);
                }
            }
        }
        let all_weights = |(path, mut ranges): (String, Vec<(u64, u64)>)| {
            let size = *self.sizes.get(&path)?;
            ranges.sort_unstable();
            let mut read = 0_u64;
            for (start, end) in ranges.into_iter().chain([(size, size)]) {
                if start.saturating_sub(read) >= ALIGNMENT {
                    return None;
                }
                read = read.max(end);
            }
            Some(path)
        };
        ranges.into_iter().filter_map(all_weights).collect()
    }

    /// What is wrong between the files: findings with the path of the file that says what is not so.
    pub fn findings(self) -> Vec<(String, Finding)> {
        let mut findings = self.external();
        findings.extend(shards::findings(&self.sizes, &self.links, MOST));
        if let Some((path, _)) = findings.get(MOST) {
            let detail = Malformed::Findings { limit: MOST }.to_string();
            let (kind, subject) = (Kind::Malformed, String::new());
            let more = (path.clone(), Finding { kind, subject, place: Place::File, detail });
            findings.truncate(MOST);
            findings.push(more);
        }
        findings
    }

    /// Weights in other files that are not there. One finding more than are told is enough.
    fn external(&self) -> Vec<(String, Finding)> {
        let mut findings = Vec::new();
        for (path, links) in &self.links {
            for link in links {
                if let Link::External { tensor, location, offset, length } = link
                    && let Some(detail) = self.missing(path, location, *offset, *length)
                    && findings.len() <= MOST
                {
                    let place = Place::Tensor(tensor.clone());
                    let (kind, subject) = (Kind::ExternalData, location.clone());
                    findings.push((path.clone(), Finding { kind, subject, place, detail }));
                }
            }
        }
        findings
    }

    /// Why the bytes are not in the model, if they are not.
    fn missing(
        &self,
        from: &str,
        location: &str,
        offset: u64,
        length: Option<u64>,
    ) -> Option<String> {
        let relative = !location.starts_with('/')
            && !location.contains(['\\', ':', '\0'])
            && location.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !relative {
            return Some(format!("lies at {location:?}, which leads out of the model's folder"));
        }
        let path = beside(from, location);
        let Some(&size) = self.sizes.get(&path) else {
            return Some(format!("lies in {path:?}, which is not a file of the signed model"));
        };
        let end = offset.checked_add(length.unwrap_or(0));
        if end.is_none_or(|end| end > size) {
            return Some(format!("lies past the end of {path:?}, which has {size} bytes"));
        }
        None
    }
}

/// The path of what the file at `from` calls `location`.
fn beside(from: &str, location: &str) -> String {
    match from.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{location}"),
        None => location.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(offset: u64, length: Option<u64>) -> Link {
        let (tensor, location) = ("t".to_owned(), "data".to_owned());
        Link::External { tensor, location, offset, length }
    }

    #[test]
    fn a_file_of_weights_holds_nothing_else() {
        let weights = |size, links: Vec<Link>| {
            let mut model = Model::default();
            model.add("m/a.onnx", 100, links);
            model.add("m/data", size, Vec::new());
            model.add("data", size, Vec::new());
            model.weights().into_iter().collect::<Vec<_>>()
        };
        let whole = ["m/data".to_owned()];
        assert_eq!(weights(8, vec![external(0, Some(8))]), whole);
        assert_eq!(weights(8, vec![external(4, Some(4)), external(0, Some(4))]), whole);
        // The second tensor is aligned; a page behind the last one is.
        let aligned = || vec![external(0, Some(4)), external(ALIGNMENT, Some(4))];
        assert_eq!(weights(ALIGNMENT + 4, aligned()), whole);
        assert_eq!(weights(ALIGNMENT + 4096, aligned()), whole);
        for (size, links) in [
            (8, vec![external(0, None)]),
            (8, vec![external(0, Some(9))]),
            (ALIGNMENT + 8, vec![external(0, Some(8))]),
            (2 * ALIGNMENT, vec![external(ALIGNMENT, Some(ALIGNMENT))]),
            (2 * ALIGNMENT + 8, vec![external(0, Some(4)), external(2 * ALIGNMENT, Some(8))]),
        ] {
            assert!(weights(size, links).is_empty(), "{size}");
        }
    }
}
