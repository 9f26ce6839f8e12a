//! What may be wrong with a manifest.

use crate::name::NameError;
use crate::reason::Code;

/// Why a list of resources is not a [`Manifest`](super::Manifest).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// there is no resource
    #[error("the manifest lists no resource")]
    Empty,
    /// there are more resources than the budget allows
    #[error("the manifest lists {found} resources, the limit is {limit}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// The budget.
        limit: usize,
    },
    /// a name is not safe
    #[error("{error}")]
    Name {
        /// The name as it stands.
        name: String,
        /// The rule that it breaks.
        error: NameError,
    },
    /// a name stands twice
    #[error("the name is listed twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// a name is the folder of another
    #[error("the name is also the folder of another listed file")]
    Conflict {
        /// The name.
        name: String,
    },
    /// a shard's name does not end in `:start:end`
    #[error("the name of a shard does not end in :start:end")]
    ShardName {
        /// The name.
        name: String,
    },
    /// the shards of a file do not tile it
    #[error(
        "expected the shard that starts at {expected_start} and has {size} bytes, or is the last and shorter"
    )]
    Tiling {
        /// The file.
        name: String,
        /// Where the next shard should start.
        expected_start: u64,
        /// The shard size.
        size: u64,
    },
    /// a shard size that is not a positive whole number
    #[error("shard_size is missing, or is not a positive whole number")]
    ShardSize,
    /// a shard size together with the method `files`
    #[error("shard_size must be absent with the method `files`")]
    ShardSizeWithoutShards,
    /// an unknown serialization method
    #[error("the serialization method {0:?} is not one of OMS")]
    Method(String),
    /// an unknown hash, or one that is not `hash_type`
    #[error("the hash algorithm {algorithm:?} is unknown or is not the manifest's")]
    Hash {
        /// The resource, or `hash_type`.
        name: String,
        /// The algorithm as it stands.
        algorithm: String,
    },
    /// a digest of the wrong length or not in lower-case hexadecimal
    #[error("the digest is not one of its algorithm in lower-case hexadecimal")]
    Digest {
        /// The resource.
        name: String,
    },
}

impl ManifestError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            ManifestError::Empty => Code::ManifestNoResources,
            ManifestError::TooMany { .. } => Code::ManifestTooManyFiles,
            ManifestError::Name { .. } => Code::ManifestUnsafeName,
            ManifestError::Duplicate { .. } => Code::ManifestDuplicateName,
            ManifestError::Conflict { .. } => Code::ManifestNameConflict,
            ManifestError::ShardName { .. }
            | ManifestError::Tiling { .. }
            | ManifestError::ShardSize
            | ManifestError::ShardSizeWithoutShards => Code::ManifestShards,
            ManifestError::Method(_) | ManifestError::Digest { .. } => Code::StatementSchema,
            ManifestError::Hash { .. } => Code::ManifestHash,
        }
    }

    /// The name that it is about.
    pub fn name(&self) -> Option<&str> {
        match self {
            ManifestError::Name { name, .. }
            | ManifestError::Duplicate { name }
            | ManifestError::Conflict { name }
            | ManifestError::ShardName { name }
            | ManifestError::Tiling { name, .. }
            | ManifestError::Hash { name, .. }
            | ManifestError::Digest { name } => Some(name),
            _ => None,
        }
    }
}
