//! Finding models on a carrier: every OMS bundle, with the model beside or around it.
//!
//! A bundle is a regular file whose name ends in `.sig`. It belongs to what it is named after
//! (`NAME.sig` beside `NAME`), and otherwise to the folder that holds it, which then may hold
//! several: `model.sig`, `qa.sig`. Whether the pairing is right is decided by the signed manifest,
//! not here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oms_sys::beneath::{Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::reason::{Code, Reason};

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

    /// The model as a source.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, carrier: &Root) -> Result<Source, Reason> {
        let directory =
            |path: &str| carrier.directory(path).map_err(|error| refusal_or_failure(error, path));
        if self.is_folder {
            return directory(&self.model).map(Source::Folder);
        }
        let (folder, name) = self.model.rsplit_once('/').unwrap_or(("", &self.model));
        Ok(Source::File { folder: directory(folder)?, name: name.to_owned() })
    }
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
        candidates.push(Candidate { model, is_folder, bundles });
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
