//! The list of a model's files in JSON, as verdicts hold it and as the processes of a station pass
//! it on: each file with its size and its digests.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use super::VerdictError;
use crate::budget::Budget;
use crate::hash::{Digest, HashAlgorithm};
use crate::name::ResourcePath;
use crate::statement::{Manifest, ManifestError, ManifestFile, Method, Pieces, Shard};

/// How the files of a list are hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Serialization {
    method: String,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shard_size: Option<u64>,
}

impl Serialization {
    /// That of a method and a hash.
    pub fn new(method: Method, hash: HashAlgorithm) -> Self {
        let (method, shard_size) = match method {
            Method::Files => ("files", None),
            Method::Shards { size } => ("shards", Some(size)),
        };
        Serialization { method: method.to_owned(), hash: hash.name().to_owned(), shard_size }
    }

    /// The method and the hash.
    ///
    /// # Errors
    /// When there are none of these names.
    pub fn read(&self) -> Result<(Method, HashAlgorithm), VerdictError> {
        let wrong = || VerdictError::Field("serialization");
        let hash = HashAlgorithm::from_name(&self.hash).ok_or_else(wrong)?;
        match (self.method.as_str(), self.shard_size) {
            ("files", None) => Ok((Method::Files, hash)),
            ("shards", Some(size)) if size > 0 => Ok((Method::Shards { size }, hash)),
            _ => Err(wrong()),
        }
    }
}

impl From<&Manifest> for Serialization {
    fn from(manifest: &Manifest) -> Self {
        Serialization::new(manifest.method(), manifest.hash())
    }
}

/// Files to be written, each made when it is: a model may have millions.
pub struct FilesOf<'a>(pub &'a [(ManifestFile, u64)]);

impl Serialize for FilesOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(file, size)| FileEntry::new(file, *size)))
    }
}

/// One file of a list. Text is borrowed from where it was read when it stands there without
/// escapes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry<'a> {
    /// The path inside the model.
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// Bytes.
    size: u64,
    /// The digest of the whole file, `algorithm:hex`, with the method `files`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    digest: Option<Text<'a>>,
    /// The digests of its shards in order, `algorithm:hex`, with the method `shards`.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", default)]
    shards: Vec<Text<'a>>,
}

/// Text inside of another type, where a `Cow` alone would be copied.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> FileEntry<'a> {
    /// The entry of a file of this many bytes.
    pub fn new(file: &'a ManifestFile, size: u64) -> Self {
        FileEntry::of(&file.path, &file.pieces, size)
    }

    /// The entry of the file at `path`.
    pub fn of(path: &'a ResourcePath, pieces: &'a Pieces, size: u64) -> Self {
        let text = |digest: &Digest| Text(digest.to_string().into());
        let (digest, shards) = match pieces {
            Pieces::Whole(digest) => (Some(text(digest)), Vec::new()),
            Pieces::Shards(shards) => {
                (None, shards.iter().map(|shard| text(&shard.digest)).collect())
            }
        };
        FileEntry { name: path.as_str().into(), size, digest, shards }
    }

    /// The file and its size, hashed by this method.
    ///
    /// # Errors
    /// When the name is none of a model's file, or the digests are not those of such a list.
    pub fn read(
        &self,
        method: Method,
        hash: HashAlgorithm,
        budget: &Budget,
    ) -> Result<(ManifestFile, u64), VerdictError> {
        let path = ResourcePath::parse(&self.name, budget)
            .map_err(|error| ManifestError::Name { name: self.name.to_string(), error })?;
        let pieces = self.pieces(method, hash).ok_or(VerdictError::Field("files"))?;
        Ok((ManifestFile { path, pieces }, self.size))
    }

    fn pieces(&self, method: Method, hash: HashAlgorithm) -> Option<Pieces> {
        let digest = |Text(text): &Text<'_>| {
            let (algorithm, hex) = text.split_once(':')?;
            (algorithm == hash.name()).then(|| Digest::from_hex(hash, hex).ok())?
        };
        match (method, &self.digest) {
            (Method::Files, Some(text)) if self.shards.is_empty() => {
                digest(text).map(Pieces::Whole)
            }
            (Method::Shards { size }, None) => {
                let count = usize::try_from(self.size.div_ceil(size)).ok()?;
                if count != self.shards.len() {
                    return None;
                }
                let shards = self.shards.iter().enumerate().map(|(at, text)| {
                    let start = size.checked_mul(at as u64)?;
                    let end = start.saturating_add(size).min(self.size);
                    Some(Shard { start, end, digest: digest(text)? })
                });
                shards.collect::<Option<Vec<_>>>().map(Pieces::Shards)
            }
            _ => None,
        }
    }
}
