//! Enumerating and hashing a model for signing (OMS v1.0, sections 6.1 to 6.4).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_sys::beneath::{Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;
use oms_verify::hash::HashAlgorithm;
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{DEFAULT_IGNORED, Manifest, ManifestFile, Method, Pieces};

use crate::bounded;
use crate::intake::{
    Pulse, Reading, Source, absent_or_unreadable, alone, entries_of_a_folder, hash_found,
    is_at_or_below, survey,
};
use crate::media::SUFFIX;

/// How to make a manifest of a model.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The hash of files or shards.
    pub hash: HashAlgorithm,
    /// Files or shards.
    pub method: Method,
    /// Paths to leave out, absolute or relative to the current folder. The bundle to be written
    /// belongs here when it lies in the model.
    pub ignore: Vec<PathBuf>,
}

/// A model that was hashed.
#[derive(Debug)]
pub struct Hashed {
    /// The model's name: the last component of its path.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Empty files, which the method `shards` cannot list.
    pub unlisted: Vec<String>,
}

/// Hashes every file of the model at `path` that `plan` does not leave out. The bundles at the top
/// of the model's folder are left out too and recorded as ignored: several signers then list the
/// same files, whoever signs first.
///
/// # Errors
/// When there is no file, or something that cannot be signed: a link, a special file, a name that
/// is not UTF-8. Every such path is reported.
pub fn hash_model(
    path: &Path,
    plan: &Plan,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<Hashed, Vec<Reason>> {
    let (own, own_plan, own_budget) = (path.to_owned(), plan.clone(), budget.clone());
    let look = move |pulse: &Pulse| Ok(find(&own, &own_plan, &own_budget, pulse));
    let Found { source, name, ignored, files } = alone(reading, look).map_err(one)??;
    let is_folder = matches!(source, Source::Folder(_));
    let paths = Arc::new(files);
    let (read, problems) =
        hash_found(&source, &paths, (plan.hash, plan.method), reading).map_err(one)?;
    if !problems.is_empty() {
        return Err(problems.into_vec());
    }
    let mut files = Vec::with_capacity(read.len());
    let mut unlisted = Vec::new();
    for (number, pieces) in read {
        let Some(path) = paths.get(number) else { continue };
        if pieces == Pieces::Shards(Vec::new()) {
            unlisted.push(path.clone());
            continue;
        }
        let parsed = ResourcePath::parse(path, budget)
            .map_err(|error| one(Reason::new(Code::MediaName, error.to_string()).about(path)))?;
        files.push(ManifestFile { path: parsed, pieces });
    }
    let ignore_paths = match is_folder {
        true => DEFAULT_IGNORED.iter().map(|path| (*path).to_owned()).chain(ignored).collect(),
        false => Vec::new(),
    };
    let manifest = Manifest::new(plan.hash, plan.method, ignore_paths, files, budget)
        .map_err(|error| one(Reason::new(error.code(), error.to_string()).about(&name)))?;
    Ok(Hashed { name, manifest, unlisted })
}

/// What is to be hashed of a model.
struct Found {
    source: Source,
    name: String,
    /// Paths that are left out, but for the default ones.
    ignored: Vec<String>,
    files: Vec<String>,
}

/// Looks for the files of the model at `path`.
fn find(path: &Path, plan: &Plan, budget: &Budget, pulse: &Pulse) -> Result<Found, Vec<Reason>> {
    let source = Source::at(path).map_err(one)?;
    let root = path.canonicalize().map_err(|error| one(absent_or_unreadable(&error, path)))?;
    let name = root.file_name().and_then(|name| name.to_str()).unwrap_or("model").to_owned();
    let ignored = match &source {
        Source::Folder(folder) => {
            let mut ignored = relative_paths(&root, &plan.ignore)?;
            ignored.extend(bundles_at_the_top(folder, budget, pulse));
            ignored.sort();
            ignored.dedup();
            ignored
        }
        Source::File { .. } => Vec::new(),
    };
    let is_folder = matches!(source, Source::Folder(_));
    let ignores = |path: &str| {
        is_folder && (is_at_or_below(path, &DEFAULT_IGNORED) || is_at_or_below(path, &ignored))
    };
    let tree = survey(&source, budget, || pulse.go_on(), ignores).map_err(one)?;
    if !tree.problems.is_empty() {
        return Err(tree.problems.into_vec());
    }
    Ok(Found { source, name, ignored, files: tree.files })
}

/// The names of the bundles that lie in `folder` itself. What cannot be read or parsed is none, and
/// a file of the model like any other; that the folder cannot be listed is for the survey to say.
fn bundles_at_the_top(folder: &Root, budget: &Budget, pulse: &Pulse) -> Vec<String> {
    let entries = folder.entries(entries_of_a_folder(budget)).unwrap_or_default();
    let names = entries.into_iter().filter(|entry| entry.kind == Kind::File);
    let names = names.filter_map(|entry| String::from_utf8(entry.name).ok());
    let is_one = |name: &String| {
        pulse.beat();
        name.ends_with(SUFFIX) && is_bundle(folder, name, budget)
    };
    names.filter(is_one).collect()
}

fn is_bundle(folder: &Root, name: &str, budget: &Budget) -> bool {
    let Ok(file) = folder.file(name) else { return false };
    bounded::read_open(file.as_file(), budget.bundle_bytes)
        .is_ok_and(|bytes| Bundle::parse(&bytes, budget).is_ok())
}

fn one(reason: Reason) -> Vec<Reason> {
    vec![reason]
}

/// The paths to ignore as they stand in a manifest: relative to the model, with `/`. Those outside
/// the model, whose canonical path is `root`, have nothing to do with it; the default exclusions
/// need not be said.
///
/// # Errors
/// When the folder of a path does not exist, or a path is not UTF-8.
pub fn relative_paths(root: &Path, ignore: &[PathBuf]) -> Result<Vec<String>, Vec<Reason>> {
    let mut relative = Vec::new();
    for path in ignore {
        // The bundle may not be there yet: its folder is.
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(full) = folder.canonicalize().ok().zip(path.file_name()).map(|(f, n)| f.join(n))
        else {
            let detail = "the path to ignore has no folder";
            let reason = Reason::new(Code::ConfigUsage, detail).about(path.display().to_string());
            return Err(vec![reason]);
        };
        let Ok(inside) = full.strip_prefix(root) else { continue };
        match inside.to_str() {
            Some(text) if !text.is_empty() && !DEFAULT_IGNORED.contains(&text) => {
                relative.push(text.to_owned());
            }
            Some(_) => {}
            None => {
                let reason = Reason::new(Code::MediaName, "the path to ignore is not UTF-8");
                return Err(vec![reason.about(path.display().to_string())]);
            }
        }
    }
    relative.sort();
    relative.dedup();
    Ok(relative)
}
