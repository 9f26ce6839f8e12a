//! The manifest: which files a model has and what they hash to (OMS v1.0, sections 5.2 and 6.3).

mod listed;

use std::borrow::Cow;

pub(super) use listed::Listed;

use super::{DEFAULT_IGNORED, ManifestError};
use crate::budget::Budget;
use crate::hash::{Digest, HashAlgorithm, Sha256Digest};
use crate::name::ResourcePath;

/// How files are mapped to resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One resource for each file.
    Files,
    /// One resource for each range of this many bytes.
    Shards {
        /// Bytes of every shard but the last of a file.
        size: u64,
    },
}

/// The default shard size, in bytes.
pub const DEFAULT_SHARD_SIZE: u64 = 1_000_000_000;

/// A range of a file with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The first byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// The digest of the range.
    pub digest: Digest,
}

/// What is signed of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// The digest of the whole file.
    Whole(Digest),
    /// Shards that tile the file from its first to its last byte.
    Shards(Vec<Shard>),
}

impl Pieces {
    /// The file's size in bytes, where the pieces tell it.
    pub fn size(&self) -> Option<u64> {
        match self {
            Pieces::Whole(_) => None,
            Pieces::Shards(shards) => Some(shards.last().map_or(0, |shard| shard.end)),
        }
    }

    /// Every digest of the file.
    fn digests(&self) -> impl Iterator<Item = &Digest> {
        let (whole, shards) = match self {
            Pieces::Whole(digest) => (Some(digest), [].as_slice()),
            Pieces::Shards(shards) => (None, shards.as_slice()),
        };
        whole.into_iter().chain(shards.iter().map(|shard| &shard.digest))
    }
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its path inside the model.
    pub path: ResourcePath,
    /// What is signed of it.
    pub pieces: Pieces,
}

/// The files of a model: at least one, no path twice, none of them the folder of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    hash: HashAlgorithm,
    method: Method,
    allow_symlinks: bool,
    ignore_paths: Vec<String>,
    /// Places in `ignore_paths` in the order of the paths, for looking up: a signer may list many.
    ignored: Vec<usize>,
    files: Vec<ManifestFile>,
    dot: bool,
}

impl Manifest {
    /// A manifest of files that were enumerated and hashed here, for signing.
    ///
    /// # Errors
    /// When a rule of the type is broken.
    pub fn new(
        hash: HashAlgorithm,
        method: Method,
        ignore_paths: Vec<String>,
        files: Vec<ManifestFile>,
        budget: &Budget,
    ) -> Result<Self, ManifestError> {
        let ignored = sorted(&ignore_paths);
        let allow_symlinks = false;
        Manifest { hash, method, allow_symlinks, ignore_paths, ignored, files, dot: false }
            .checked(budget)
    }

    /// The same manifest, of a model that is a single file and was listed as `.`.
    ///
    /// # Errors
    /// When there are several files.
    pub fn named_dot(mut self) -> Result<Self, ManifestError> {
        if self.files.len() != 1 {
            return Err(ManifestError::TooMany { found: self.files.len(), limit: 1 });
        }
        self.dot = true;
        Ok(self)
    }

    /// Sorts files and shards and checks the rules that concern more than one resource.
    fn checked(mut self, budget: &Budget) -> Result<Self, ManifestError> {
        if self.files.is_empty() {
            return Err(ManifestError::Empty);
        }
        if self.method == (Method::Shards { size: 0 }) {
            return Err(ManifestError::ShardSize);
        }
        // Unstable, which takes no second buffer: a path that stands twice is refused below.
        self.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut resources = 0usize;
        for file in &mut self.files {
            let right = match (&file.pieces, self.method) {
                (Pieces::Whole(_), Method::Files) => true,
                (Pieces::Shards(_), Method::Shards { .. }) => true,
                (Pieces::Whole(_), Method::Shards { .. }) | (Pieces::Shards(_), Method::Files) => {
                    false
                }
            };
            if !right {
                return Err(ManifestError::ShardName { name: file.path.to_string() });
            }
            if let Some(digest) = file.pieces.digests().find(|d| d.algorithm() != self.hash) {
                let algorithm = digest.algorithm().name().to_owned();
                return Err(ManifestError::Hash { name: file.path.to_string(), algorithm });
            }
            resources = resources.saturating_add(match &mut file.pieces {
                Pieces::Whole(_) => 1,
                Pieces::Shards(shards) => {
                    shards.sort_by_key(|shard| (shard.start, shard.end));
                    check_tiling(&file.path, shards, self.method)?;
                    shards.len()
                }
            });
        }
        if resources > budget.resources {
            return Err(ManifestError::TooMany { found: resources, limit: budget.resources });
        }
        self.check_paths()?;
        Ok(self)
    }

    fn check_paths(&self) -> Result<(), ManifestError> {
        for pair in self.files.windows(2) {
            if let [a, b] = pair
                && a.path == b.path
            {
                return Err(ManifestError::Duplicate { name: a.path.to_string() });
            }
        }
        let mut before = "";
        for file in &self.files {
            // The folders of neighbours are mostly the same, and those were looked up.
            let is_shared = |parent: &str| {
                before.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
            };
            for parent in file.path.parents().take_while(|parent| !is_shared(parent)) {
                if self.file(parent).is_some() {
                    return Err(ManifestError::Conflict { name: parent.to_owned() });
                }
            }
            before = file.path.as_str();
        }
        Ok(())
    }

    /// The hash algorithm of every digest.
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// How files are mapped to resources.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the signer followed symbolic links.
    pub fn allow_symlinks(&self) -> bool {
        self.allow_symlinks
    }

    /// The signer's `ignore_paths`, as they stand. Use [`Manifest::ignores`] to apply them.
    pub fn ignore_paths(&self) -> &[String] {
        &self.ignore_paths
    }

    /// The files in code-point order of their paths.
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&ManifestFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether the one resource is named `.`: a model that is a single file.
    pub fn is_dot(&self) -> bool {
        self.dot
    }

    /// How many resources there are: files, or shards.
    pub fn resources(&self) -> usize {
        self.files
            .iter()
            .map(|file| match &file.pieces {
                Pieces::Whole(_) => 1,
                Pieces::Shards(shards) => shards.len(),
            })
            .sum()
    }

    /// Whether the signer left out `path` or a folder above it, or it is one of the default
    /// exclusions (OMS v1.0, section 6.2.1). Paths are exact; entries that are not canonical
    /// relative paths match nothing.
    pub fn ignores(&self, path: &str) -> bool {
        let at = |place: &usize| self.ignore_paths.get(*place).map(String::as_str);
        let ignored = |path: &str| {
            DEFAULT_IGNORED.contains(&path)
                || self.ignored.binary_search_by(|place| at(place).cmp(&Some(path))).is_ok()
        };
        let folders = path.rmatch_indices('/').filter_map(|(at, _)| path.get(..at));
        std::iter::once(path).chain(folders).any(|part| !part.is_empty() && ignored(part))
    }

    /// The resources in code-point order of their names, as OMS lists them.
    pub(super) fn listing(&self) -> Listing<'_> {
        let mut entries = Vec::with_capacity(self.resources());
        for file in &self.files {
            match &file.pieces {
                Pieces::Whole(digest) => {
                    entries.push(Entry { path: &file.path, range: None, digest })
                }
                Pieces::Shards(shards) => entries.extend(shards.iter().map(|shard| Entry {
                    path: &file.path,
                    range: Some((shard.start, shard.end)),
                    digest: &shard.digest,
                })),
            }
        }
        // Files are in this order already. The ranges of shards are compared as text, and a path
        // may go on with what sorts before the colon.
        if self.method != Method::Files {
            entries.sort_by_cached_key(Entry::name);
        }
        Listing(entries)
    }

    /// The root digest over the resources in code-point order of their names.
    pub fn root(&self) -> Sha256Digest {
        self.listing().root()
    }
}

/// The resources of a manifest in the order in which they are listed.
pub(super) struct Listing<'a>(Vec<Entry<'a>>);

struct Entry<'a> {
    path: &'a ResourcePath,
    range: Option<(u64, u64)>,
    digest: &'a Digest,
}

impl<'a> Entry<'a> {
    fn name(&self) -> Cow<'a, str> {
        match self.range {
            None => Cow::Borrowed(self.path.as_str()),
            Some((start, end)) => Cow::Owned(format!("{}:{start}:{end}", self.path)),
        }
    }
}

impl<'a> Listing<'a> {
    /// Names and digests.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, &'a Digest)> {
        self.0.iter().map(|entry| (entry.name(), entry.digest))
    }

    /// The root digest.
    pub(super) fn root(&self) -> Sha256Digest {
        Sha256Digest::root(self.0.iter().map(|entry| entry.digest))
    }
}

/// The places of `paths` in their order.
fn sorted(paths: &[String]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..paths.len()).collect();
    places.sort_unstable_by_key(|place| paths.get(*place));
    places
}

/// Shards start where the one before ended, have the shard size, and only the last is shorter.
/// There is at least one: a file without bytes has no shard and so cannot be listed.
fn check_tiling(
    path: &ResourcePath,
    shards: &[Shard],
    method: Method,
) -> Result<(), ManifestError> {
    let Method::Shards { size } = method else { return Ok(()) };
    let mut expected_start = 0u64;
    if shards.is_empty() {
        return Err(ManifestError::Tiling { name: path.to_string(), expected_start, size });
    }
    for (at, shard) in shards.iter().enumerate() {
        let length = shard.end.saturating_sub(shard.start);
        let last = at + 1 == shards.len();
        let fits = length == size || (last && length > 0 && length < size);
        if shard.start != expected_start || !fits {
            return Err(ManifestError::Tiling { name: path.to_string(), expected_start, size });
        }
        expected_start = shard.end;
    }
    Ok(())
}
