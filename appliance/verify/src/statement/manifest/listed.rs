//! From the resources that a statement lists to the files of a manifest: names, ranges, and the
//! name `.` of a single-file model (OMS v1.0, sections 6.1.2 and 6.4).

use std::borrow::Cow;

use super::{Manifest, ManifestFile, Method, Pieces, Shard, sorted};
use crate::budget::Budget;
use crate::hash::{Digest, HashAlgorithm};
use crate::name::{NameError, ResourcePath};
use crate::statement::ManifestError;

/// A resource as it is listed: its name and its digest.
pub(in crate::statement) struct Listed<'a> {
    pub(in crate::statement) name: Cow<'a, str>,
    pub(in crate::statement) digest: Digest,
}

impl Manifest {
    /// The manifest of a list of resources in any order. `dot_name` is what the name `.`, the
    /// whole of a single-file model, stands for.
    pub(in crate::statement) fn from_listed(
        hash: HashAlgorithm,
        method: Method,
        allow_symlinks: bool,
        ignore_paths: Vec<String>,
        listed: Vec<Listed<'_>>,
        dot_name: Option<&str>,
        budget: &Budget,
    ) -> Result<Self, ManifestError> {
        if listed.len() > budget.resources {
            return Err(ManifestError::TooMany { found: listed.len(), limit: budget.resources });
        }
        let dot = listed.iter().all(|resource| match method {
            Method::Files => resource.name == ".",
            Method::Shards { .. } => {
                split_shard_name(&resource.name).is_some_and(|(base, ..)| base == ".")
            }
        });
        let path = |name: &str| match dot_name {
            Some(dot_name) if dot => safe_file_name(dot_name, budget),
            _ => ResourcePath::parse(name, budget),
        };
        let named = |name: &str, base: &str| {
            path(base).map_err(|error| ManifestError::Name { name: name.to_owned(), error })
        };
        let files = match method {
            Method::Files => {
                let file = |Listed { name, digest }: Listed<'_>| {
                    let pieces = Pieces::Whole(digest);
                    Ok(ManifestFile { path: named(&name, &name)?, pieces })
                };
                listed.into_iter().map(file).collect::<Result<Vec<_>, ManifestError>>()?
            }
            Method::Shards { .. } => {
                let shard = |Listed { name, digest }: Listed<'_>| {
                    let (base, start, end) = split_shard_name(&name)
                        .ok_or_else(|| ManifestError::ShardName { name: name.to_string() })?;
                    Ok((named(&name, base)?, Shard { start, end, digest }))
                };
                let shards = listed.into_iter().map(shard);
                by_file(shards.collect::<Result<Vec<_>, ManifestError>>()?)
            }
        };
        let ignored = sorted(&ignore_paths);
        Manifest { hash, method, allow_symlinks, ignore_paths, ignored, files, dot }.checked(budget)
    }
}

/// The files of shards in any order.
fn by_file(mut shards: Vec<(ResourcePath, Shard)>) -> Vec<ManifestFile> {
    shards.sort_unstable_by(|(a, one), (b, other)| (a, one.start).cmp(&(b, other.start)));
    let mut files: Vec<ManifestFile> = Vec::new();
    for (path, shard) in shards {
        match files.last_mut() {
            Some(ManifestFile { path: last, pieces: Pieces::Shards(of_file) }) if *last == path => {
                of_file.push(shard);
            }
            _ => files.push(ManifestFile { path, pieces: Pieces::Shards(vec![shard]) }),
        }
    }
    files
}

/// A file name that a signer chose, if it is a single safe component.
fn safe_file_name(name: &str, budget: &Budget) -> Result<ResourcePath, NameError> {
    let path = ResourcePath::parse(name, budget)?;
    if path.components().count() == 1 { Ok(path) } else { Err(NameError::NotCanonical) }
}

/// Splits `path:start:end` at its last two colons; names may hold colons themselves.
fn split_shard_name(name: &str) -> Option<(&str, u64, u64)> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    Some((path, canonical_number(start)?, canonical_number(end)?))
}

/// A decimal number in the one form that gives each number one name.
fn canonical_number(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}
