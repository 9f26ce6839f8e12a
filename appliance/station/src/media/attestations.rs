//! The attestations that lie about on a carrier or beside a model in place.
//!
//! An attestation is a file whose name ends in one of [`SUFFIXES`], in the model's folder itself or
//! in the folder that holds the model. Whether one that lies beside a model is about that model is
//! for its signed subject to say.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_sys::beneath::Root;
use oms_verify::attestation::AttestationSource;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;
use serde::{Deserialize, Serialize};

use crate::intake::{Source, absent_or_unreadable};

/// The suffixes of an attestation's name.
pub const SUFFIXES: [&str; 3] = [".sigstore.json", ".sigstore", ".intoto.json"];

/// Names that are kept of one folder in place.
const MOST_IN_PLACE: usize = 100_000;

/// Whether a file of this name is taken for an attestation.
pub(super) fn is_named_like_one(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// How surely an attestation that lies beside a model is meant for it, by their names alone: the
/// surest are looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kinship {
    /// `demo.intoto.json` beside `demo`.
    Own,
    /// `demo-sbom.sigstore.json`, which may be about `demo` or about `demo-sbom`.
    Alike,
    /// Any other.
    Other,
}

impl Kinship {
    fn of(name: &str, model: &str) -> Self {
        match name.strip_prefix(model) {
            Some(rest) if rest.starts_with('.') => Kinship::Own,
            Some(_) => Kinship::Alike,
            None => Kinship::Other,
        }
    }
}

/// The attestations of a carrier: their names by the folder that holds them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestations {
    names: BTreeMap<String, BTreeSet<String>>,
    count: usize,
}

/// A file that may be an attestation of a model.
#[derive(Debug)]
pub struct Lying<'a> {
    /// The folder that it is opened beneath.
    pub root: &'a Arc<Root>,
    /// Its path there.
    pub path: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
}

impl Lying<'_> {
    /// What it is called, and where it lies in the model.
    pub fn source(&self) -> AttestationSource {
        let file = self.path.rsplit('/').next().unwrap_or(&self.path).to_owned();
        AttestationSource { file, in_model: self.in_model.clone() }
    }

    /// Whether the manifest of the model at `source` lists it: then it is a file of the model,
    /// whatever its name.
    pub fn is_listed(&self, source: &Source, manifest: &Manifest) -> bool {
        self.in_model.as_ref().is_some_and(|path| source.lists(manifest, path))
    }
}

impl Attestations {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn insert(&mut self, folder: &str, name: String) {
        if self.names.entry(folder.to_owned()).or_default().insert(name) {
            self.count = self.count.saturating_add(1);
        }
    }

    /// Whether one of this name lies at the top of the carrier.
    pub fn at_top(&self, name: &str) -> bool {
        self.names.get("").is_some_and(|names| names.contains(name))
    }

    /// At most `most` of the ones of the model at `model` on `carrier`, and how many more there
    /// are: those in its folder, then, where `beside` are asked for, those that lie beside it, by
    /// how closely their names are the model's.
    pub fn of<'a>(
        &self,
        carrier: &'a Arc<Root>,
        (model, is_folder): (&str, bool),
        beside: bool,
        most: usize,
    ) -> (Vec<Lying<'a>>, usize) {
        let inside = self.names.get(model).filter(|_| is_folder);
        let (folder, own) = model.rsplit_once('/').unwrap_or(("", model));
        let beside = self.names.get(folder).filter(|_| beside && !model.is_empty());
        let count = inside.map_or(0, BTreeSet::len).saturating_add(beside.map_or(0, BTreeSet::len));
        let inside = inside.into_iter().flatten();
        let inside = inside.map(|name| (super::join(model, name), Some(name.clone())));
        let starting = |start: String| {
            beside
                .into_iter()
                .flat_map(move |names| names.range(start.clone()..))
                .take_while(move |name| name.starts_with(own))
        };
        let of = move |kinship| move |name: &&String| Kinship::of(name, own) == kinship;
        let own_ones = starting(format!("{own}.")).take_while(of(Kinship::Own));
        let alike = starting(own.to_owned()).filter(of(Kinship::Alike));
        let others = beside.into_iter().flatten().filter(of(Kinship::Other));
        let beside = own_ones.chain(alike).chain(others);
        let beside = beside.map(|name| (super::join(folder, name), None));
        let lying = |(path, in_model)| Lying { root: carrier, path, in_model };
        let first: Vec<_> = inside.chain(beside).take(most).map(lying).collect();
        let left = count.saturating_sub(first.len());
        (first, left)
    }
}

/// The attestations of a model in place, by the folders that hold them.
#[derive(Debug, Default)]
pub struct InPlace {
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: Arc<Root>,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: String,
    in_model: Option<String>,
}

impl InPlace {
    /// The files that an operator named.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn named(files: &[PathBuf], model: &Path) -> Result<Self, Reason> {
        let mut all = InPlace::default();
        for file in files {
            let shown = file.display().to_string();
            let exists = file.symlink_metadata().map_err(|e| absent_or_unreadable(&e, file));
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let folder = folder.canonicalize().map_err(|e| absent_or_unreadable(&e, file))?;
            let name = exists.and(Ok(file.file_name().and_then(|name| name.to_str())))?;
            let name = name.ok_or_else(|| {
                Reason::new(Code::MediaNotFound, "the name is not UTF-8").about(&shown)
            })?;
            all.add(&folder, vec![name.to_owned()], model)?;
        }
        Ok(all)
    }

    /// Those in the model's folder and, where the ones `beside` it are asked for, in the folder
    /// that holds it and in those of its bundles.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn found(model: &Path, bundles: &[PathBuf], beside: bool) -> Result<Self, Reason> {
        let wrong = |error: io::Error| absent_or_unreadable(&error, model);
        let canonical = model.canonicalize().map_err(wrong)?;
        let mut folders: Vec<PathBuf> = Vec::new();
        if canonical.metadata().map_err(wrong)?.is_dir() {
            folders.push(canonical.clone());
        }
        if beside {
            folders.extend(canonical.parent().map(Path::to_owned));
            let bundles = bundles.iter().filter_map(|bundle| bundle.canonicalize().ok());
            folders.extend(bundles.filter_map(|bundle| bundle.parent().map(Path::to_owned)));
        }
        // In the order of a carrier.
        let own = canonical.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut all = InPlace::default();
        let mut seen = BTreeSet::new();
        for folder in folders {
            if seen.insert(folder.clone()) {
                let mut names = names_in(&folder).map_err(|mut reason| {
                    let hint = ": attestations may lie there, name them with --attestation";
                    reason.detail.push_str(hint);
                    reason
                })?;
                names.sort_by_key(|name| Kinship::of(name, own));
                all.add(&folder, names, &canonical)?;
            }
        }
        Ok(all)
    }

    fn add(&mut self, folder: &Path, names: Vec<String>, model: &Path) -> Result<(), Reason> {
        let root = Root::open(folder).map(Arc::new).map_err(|error| unreadable(&error, folder))?;
        let model = model.canonicalize().ok().filter(|model| model.is_dir());
        let file = |name: String| {
            let full = folder.join(&name);
            let inside = model.as_ref().and_then(|model| full.strip_prefix(model).ok());
            let in_model = inside.and_then(Path::to_str).map(str::to_owned);
            File { name, in_model }
        };
        let files = names.into_iter().map(file).collect();
        self.folders.push(Folder { root, files });
        Ok(())
    }

    /// At most `most` of them, and how many more there are.
    pub fn first(&self, most: usize) -> (Vec<Lying<'_>>, usize) {
        let mut all = self.folders.iter().flat_map(|Folder { root, files }| {
            files.iter().map(move |File { name, in_model }| Lying {
                root,
                path: name.clone(),
                in_model: in_model.clone(),
            })
        });
        let first = all.by_ref().take(most).collect();
        (first, all.count())
    }
}

/// The names in a folder that are like an attestation's, in order.
fn names_in(folder: &Path) -> Result<Vec<String>, Reason> {
    let failed = |error: io::Error| unreadable(&error, folder);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some(name) = name.to_str().filter(|name| is_named_like_one(name)) {
            names.insert(name.to_owned());
            if names.len() > MOST_IN_PLACE {
                names.pop_last();
            }
        }
    }
    Ok(names.into_iter().collect())
}

fn unreadable(error: &io::Error, path: &Path) -> Reason {
    Reason::new(Code::MediaUnreadable, error.to_string()).about(path.display().to_string())
}
