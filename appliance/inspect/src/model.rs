//! What only shows when all files of a model are known.

use std::collections::BTreeMap;

use crate::finding::{Finding, Kind, Link, Place};
use crate::malformed::Malformed;
use crate::shards;

/// Findings between files that are told. Past that only that there are more.
const MOST: usize = 256;

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
        let path = match from.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{location}"),
            None => location.to_owned(),
        };
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
