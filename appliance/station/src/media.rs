//! Finding models on a carrier: every OMS bundle, with the model beside or around it.
//!
//! A bundle is a regular file whose name ends in `.sig`. It belongs to what it is named after
//! (`NAME.sig` beside `NAME`), and otherwise to the folder that holds it, which then may hold
//! several: `model.sig`, `qa.sig`. A folder that holds a `model.sig` and one other thing may also
//! be the folder around the model, as the Python tool leaves it: the signed manifest tells which
//! ([`Location`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oms_sys::beneath::{Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;

use crate::intake::{Source, refusal_or_failure, survey};

/// The suffix of a bundle's name.
pub const SUFFIX: &str = ".sig";
/// The usual name of a bundle.
pub const USUAL: &str = "model.sig";
/// The most models that are taken from one carrier.
const MAX_CANDIDATES: usize = 10_000;
/// The most bundles of one model.
const MAX_BUNDLES: usize = 64;

/// A model that somebody says is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The model, relative to the carrier; empty for the carrier's own folder.
    pub model: String,
    /// Whether the model is a folder.
    pub is_folder: bool,
    /// Its bundles, relative to the carrier.
    pub bundles: Vec<String>,
    /// The one thing beside a `model.sig`, which may be the model instead.
    pub beside: Option<Beside>,
}

/// What lies beside a `model.sig` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    path: String,
    is_folder: bool,
}

/// Where the files of a manifest may be.
#[derive(Debug)]
pub struct Location {
    /// The model that the bundle lies in, or is named after.
    pub model: Source,
    /// The one thing beside the bundle.
    pub beside: Option<Source>,
}

impl Location {
    /// Where the files of `manifest` are: beside the bundle when the first of them is there, and
    /// is not where it should be. Whether this is so is for the decision to find out.
    pub fn of(&self, manifest: &Manifest) -> &Source {
        let Some((first, beside)) = manifest.files().first().zip(self.beside.as_ref()) else {
            return &self.model;
        };
        let is_in = |source: &Source| matches!(source.open(manifest, &first.path), Ok(Some(_)));
        if !is_in(&self.model) && is_in(beside) { beside } else { &self.model }
    }
}

impl From<Source> for Location {
    fn from(model: Source) -> Self {
        Location { model, beside: None }
    }
}

impl Candidate {
    /// The name for people, unsigned.
    pub fn name(&self) -> &str {
        let last = self.model.rsplit('/').next().unwrap_or_default();
        if last.is_empty() { "carrier" } else { last }
    }

    /// Where `bundle` lies inside the model's folder, if it does.
    pub fn inside<'a>(&self, bundle: &'a str) -> Option<&'a str> {
        if !self.is_folder {
            return None;
        }
        if self.model.is_empty() {
            return Some(bundle);
        }
        bundle.strip_prefix(self.model.as_str())?.strip_prefix('/')
    }

    /// The model, ready to be read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, carrier: &Root) -> Result<Location, Reason> {
        let model = source(carrier, &self.model, self.is_folder)?;
        let beside = self.beside.as_ref().map(|it| source(carrier, &it.path, it.is_folder));
        Ok(Location { model, beside: beside.transpose()? })
    }
}

fn source(carrier: &Root, path: &str, is_folder: bool) -> Result<Source, Reason> {
    let directory =
        |path: &str| carrier.directory(path).map_err(|error| refusal_or_failure(error, path));
    if is_folder {
        return directory(path).map(Source::Folder);
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok(Source::File { folder: directory(folder)?, name: name.to_owned() })
}

/// Finds every candidate on the carrier, in the order of their paths.
///
/// # Errors
/// When the carrier cannot be read or holds more than the budget allows.
pub fn find(carrier: &Path, budget: &Budget) -> Result<(Root, Vec<Candidate>), Reason> {
    let shown = carrier.display().to_string();
    let open = |path: &Path| {
        Root::open(path).map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    Code::MediaNotFound
                }
                _ => Code::MediaUnreadable,
            };
            Reason::new(code, error.to_string()).about(&shown)
        })
    };
    let root = open(carrier)?;
    // Links, special files and odd names are each model's own matter; too many entries are not.
    let tree = survey(&Source::Folder(open(carrier)?), budget, |_| false)?;
    if let Some(reason) = tree.problems.iter().find(|r| r.code == Code::MediaTooManyEntries) {
        return Err(Reason { code: Code::MediaUnreadable, ..reason.clone() });
    }
    let mut models: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for bundle in tree.files.iter().filter(|path| path.ends_with(SUFFIX)) {
        models.entry(model_of(&root, bundle)).or_default().push(bundle.clone());
    }
    if models.len() > MAX_CANDIDATES {
        let detail = format!("more than {MAX_CANDIDATES} models");
        return Err(Reason::new(Code::MediaUnreadable, detail).about(shown));
    }
    let mut candidates = Vec::new();
    for ((model, is_folder), mut bundles) in models {
        bundles.sort();
        if bundles.len() > MAX_BUNDLES {
            let detail = format!("more than {MAX_BUNDLES} bundles for one model");
            return Err(Reason::new(Code::MediaUnreadable, detail).about(model));
        }
        let beside = beside(&root, &model, &bundles);
        candidates.push(Candidate { model, is_folder, bundles, beside });
    }
    Ok((root, candidates))
}

/// What a bundle belongs to, and whether that is a folder.
fn model_of(root: &Root, bundle: &str) -> (String, bool) {
    let named_after = bundle.strip_suffix(SUFFIX).unwrap_or(bundle);
    let is_named = !named_after.is_empty() && !named_after.ends_with('/');
    match root.kind(named_after) {
        Ok(Kind::File) if is_named => (named_after.to_owned(), false),
        Ok(Kind::Directory) if is_named => (named_after.to_owned(), true),
        _ => (bundle.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(), true),
    }
}

/// The one thing that a folder holds besides its only bundle, `model.sig`.
fn beside(root: &Root, folder: &str, bundles: &[String]) -> Option<Beside> {
    let [bundle] = bundles else { return None };
    let usual = if folder.is_empty() { USUAL.to_owned() } else { format!("{folder}/{USUAL}") };
    if *bundle != usual {
        return None;
    }
    let mut entries = root.directory(folder).ok()?.entries(2).ok()?;
    entries.retain(|entry| entry.name != USUAL.as_bytes());
    let [entry] = entries.as_slice() else { return None };
    let name = std::str::from_utf8(&entry.name).ok()?;
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    match entry.kind {
        Kind::Directory => Some(Beside { path, is_folder: true }),
        Kind::File => Some(Beside { path, is_folder: false }),
        Kind::Symlink | Kind::Special => None,
    }
}

/// The bundle of a model in place, by OMS's conventions: `MODEL/model.sig`, a single `*.sig` in
/// `MODEL`, `MODEL.sig`, or `model.sig` beside it.
///
/// # Errors
/// [`Code::BundleMissing`] when there is none, [`Code::BundleAmbiguous`] when `MODEL` holds
/// several and none of them is `model.sig`.
pub fn bundle_of(model: &Path) -> Result<PathBuf, Reason> {
    let shown = model.display().to_string();
    let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|m| m.is_file());
    if model.is_dir() {
        let usual = model.join(USUAL);
        if is_file(&usual) {
            return Ok(usual);
        }
        let mut bundles: Vec<PathBuf> = std::fs::read_dir(model)
            .map_err(|e| Reason::new(Code::MediaUnreadable, e.to_string()).about(&shown))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "sig") && is_file(path))
            .take(2)
            .collect();
        match (bundles.pop(), bundles.pop()) {
            (Some(only), None) => return Ok(only),
            (Some(_), Some(_)) => {
                let detail = "the folder holds several *.sig and none is model.sig";
                return Err(Reason::new(Code::BundleAmbiguous, detail).about(shown));
            }
            (None, _) => {}
        }
    }
    let canonical = model
        .canonicalize()
        .map_err(|e| Reason::new(Code::MediaNotFound, e.to_string()).about(&shown))?;
    let mut named = canonical.clone().into_os_string();
    named.push(SUFFIX);
    [PathBuf::from(named), canonical.with_file_name(USUAL)]
        .into_iter()
        .find(|path| is_file(path))
        .ok_or_else(|| {
            let detail = "no model.sig in it, no bundle of its name and no model.sig beside it";
            Reason::new(Code::BundleMissing, detail).about(shown)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(files: &[&str]) -> (tempfile::TempDir, Vec<Candidate>) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let (_, candidates) = find(dir.path(), &Budget::default()).unwrap();
        (dir, candidates)
    }

    fn pairs(candidates: &[Candidate]) -> Vec<(&str, Vec<&str>)> {
        candidates
            .iter()
            .map(|c| (c.model.as_str(), c.bundles.iter().map(String::as_str).collect()))
            .collect()
    }

    #[test]
    fn a_bundle_belongs_to_its_namesake_or_to_its_folder() {
        let (_dir, found) = carrier(&[
            "a/weights",
            "a/model.sig",
            "a/qa.sig",
            "b/weights",
            "b.sig",
            "c.gguf",
            "c.gguf.sig",
        ]);
        let expected = [
            ("a", vec!["a/model.sig", "a/qa.sig"]),
            ("b", vec!["b.sig"]),
            ("c.gguf", vec!["c.gguf.sig"]),
        ];
        assert_eq!(pairs(&found), expected);
        let inside: Vec<_> = found.iter().map(|c| c.inside(&c.bundles[0]).is_some()).collect();
        assert_eq!(inside, [true, false, false]);
        assert_eq!(found[0].inside("a/model.sig"), Some("model.sig"));
    }

    #[test]
    fn a_model_alone_beside_model_sig_is_considered() {
        let (_dir, found) = carrier(&["llama/weights", "model.sig"]);
        assert_eq!(pairs(&found), [("", vec!["model.sig"])]);
        let beside = Beside { path: "llama".to_owned(), is_folder: true };
        assert_eq!(found[0].beside, Some(beside));
        let (_dir, found) = carrier(&["llama/weights", "other/weights", "model.sig"]);
        assert_eq!(found[0].beside, None, "two things beside it: none is chosen");
        let (_dir, found) = carrier(&["llama/weights", "odd.sig"]);
        assert_eq!(found[0].beside, None, "only model.sig is left beside a model");
    }

    #[test]
    fn a_file_whose_name_is_only_the_suffix_belongs_to_its_folder() {
        let (_dir, found) = carrier(&["d/.sig", "d/weights"]);
        assert_eq!(pairs(&found), [("d", vec!["d/.sig"])]);
    }

    #[test]
    fn in_place_the_bundle_is_found_in_the_order_of_the_conventions() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("m");
        std::fs::create_dir(&model).unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(bundle_of(&model).unwrap_err().code, Code::BundleMissing);
        for name in ["model.sig", "m.sig", "m/other.sig", "m/model.sig"] {
            std::fs::write(at(name), "x").unwrap();
            assert_eq!(bundle_of(&model).unwrap(), at(name).canonicalize().unwrap(), "{name}");
        }
        std::fs::remove_file(at("m/model.sig")).unwrap();
        std::fs::write(at("m/third.sig"), "x").unwrap();
        assert_eq!(bundle_of(&model).unwrap_err().code, Code::BundleAmbiguous);
    }
}
