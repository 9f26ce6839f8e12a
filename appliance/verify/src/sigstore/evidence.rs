//! What a Sigstore bundle brings along for its signer: certificates and log entries, as alleged
//! (`VerificationMaterial` and `TransparencyLogEntry` of Sigstore's protobuf-specs).

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::budget::Budget;
use crate::pki::Certificate;

/// Bytes of an entry's canonicalized body: a signature, a certificate and some digests.
const BODY_LIMIT: usize = 256 << 10;
/// Bytes of a checkpoint: a tree head with a line for each witness.
const CHECKPOINT_LIMIT: usize = 16 << 10;
/// Bytes of a signed entry timestamp.
const PROMISE_LIMIT: usize = 1024;
/// Hashes of an inclusion proof: one for each level of a tree with 64-bit indices.
const HASHES_LIMIT: usize = 64;

/// The certificates and log entries of a bundle. Nothing of it is verified.
#[derive(Clone, Debug)]
pub struct Evidence {
    certificates: Vec<Certificate>,
    entries: Vec<LogEntry>,
}

impl Evidence {
    /// Takes the leaf with its chain, and the log entries, each of them not empty.
    ///
    /// # Errors
    /// When an entry is incomplete or over its limits, or there are too many.
    pub(crate) fn new(
        certificates: Vec<Certificate>,
        entries: &[RawLogEntry<'_>],
        budget: &Budget,
    ) -> Result<Self, EvidenceError> {
        if entries.len() > budget.log_entries {
            let (found, limit) = (entries.len(), budget.log_entries);
            return Err(EvidenceError::TooManyEntries { found, limit });
        }
        let entries = entries.iter().map(RawLogEntry::decode).collect::<Result<_, _>>()?;
        Ok(Evidence { certificates, entries })
    }

    /// Leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The entries of transparency logs, as they stand in the bundle.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }
}

/// An entry of a transparency log (`TransparencyLogEntry`).
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// `logId.keyId`.
    pub(super) log: [u8; 32],
    pub(super) kind: Kind,
    /// `logIndex`, over all shards of the log.
    pub(super) index: u64,
    /// `integratedTime` in seconds; absent when 0, as in protobuf.
    pub(super) integrated: Option<i64>,
    /// The signed entry timestamp of `inclusionPromise`.
    pub(super) promise: Option<Vec<u8>>,
    pub(super) proof: Option<InclusionProof>,
    pub(super) body: Vec<u8>,
}

/// `InclusionProof`, whose checkpoint is not optional here.
#[derive(Clone, Debug)]
pub(super) struct InclusionProof {
    /// The index within the shard.
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    pub(super) hashes: Vec<[u8; 32]>,
    pub(super) checkpoint: String,
}

/// `kindVersion`: what the body of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `dsse` 0.0.1, Rekor v1.
    Dsse,
    /// `intoto` 0.0.2, Rekor v1.
    Intoto,
    /// `hashedrekord` 0.0.1, Rekor v1.
    HashedRekord,
    /// `hashedrekord` 0.0.2, Rekor v2.
    HashedRekordV2,
}

impl Kind {
    fn new(kind: &str, version: &str) -> Option<Self> {
        match (kind, version) {
            ("dsse", "0.0.1") => Some(Kind::Dsse),
            ("intoto", "0.0.2") => Some(Kind::Intoto),
            ("hashedrekord", "0.0.1") => Some(Kind::HashedRekord),
            ("hashedrekord", "0.0.2") => Some(Kind::HashedRekordV2),
            _ => None,
        }
    }

    /// Whether the entry is one of Rekor v2, which tells no time.
    pub(super) fn is_v2(self) -> bool {
        self == Kind::HashedRekordV2
    }
}

/// Why log entries cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// more entries than the budget
    #[error("there are {found} log entries, the limit is {limit}")]
    TooManyEntries {
        /// How many.
        found: usize,
        /// The budget.
        limit: usize,
    },
    /// a field is missing
    #[error("a log entry has no {0}")]
    Missing(&'static str),
    /// a field is malformed
    #[error("the {0} of a log entry is malformed")]
    Malformed(&'static str),
    /// a field is over its limit
    #[error("the {field} of a log entry has more than {limit} bytes")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// The limit.
        limit: usize,
    },
    /// an entry of another kind
    #[error("log entries of the kind {kind} {version} are not supported")]
    Kind {
        /// The kind.
        kind: String,
        /// Its version.
        version: String,
    },
}

/// A log entry in JSON. Every field is optional here, so that what is missing can be named;
/// unknown fields are left to later versions of Sigstore.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawLogEntry<'a> {
    log_index: Option<Int64>,
    log_id: Option<RawLogId>,
    #[serde(borrow)]
    kind_version: Option<RawKindVersion<'a>>,
    integrated_time: Option<Int64>,
    inclusion_promise: Option<RawPromise>,
    inclusion_proof: Option<RawProof>,
    #[serde(borrow)]
    canonicalized_body: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLogId {
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct RawKindVersion<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPromise {
    signed_entry_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawProof {
    log_index: Option<Int64>,
    root_hash: Option<String>,
    tree_size: Option<Int64>,
    #[serde(default, deserialize_with = "crate::json::at_most::<HASHES_LIMIT, _, _>")]
    hashes: Vec<String>,
    checkpoint: Option<RawCheckpoint>,
}

#[derive(Deserialize)]
struct RawCheckpoint {
    envelope: Option<String>,
}

impl RawLogEntry<'_> {
    fn decode(&self) -> Result<LogEntry, EvidenceError> {
        let log = self.log_id.as_ref().and_then(|id| id.key_id.as_ref());
        let log = digest(log.ok_or(EvidenceError::Missing("logId"))?, "logId")?;
        let RawKindVersion { kind, version } =
            self.kind_version.as_ref().ok_or(EvidenceError::Missing("kindVersion"))?;
        let kind = Kind::new(kind, version).ok_or_else(|| EvidenceError::Kind {
            kind: kind.chars().take(32).collect(),
            version: version.chars().take(32).collect(),
        })?;
        let integrated = self.integrated_time.map(|time| time.0).filter(|time| *time != 0);
        let promise = match &self.inclusion_promise {
            Some(RawPromise { signed_entry_timestamp }) => {
                let field = "inclusionPromise";
                let text = signed_entry_timestamp.as_ref().ok_or(EvidenceError::Missing(field))?;
                Some(bytes(text, field, PROMISE_LIMIT)?)
            }
            None => None,
        };
        let proof = self.inclusion_proof.as_ref().map(RawProof::decode).transpose()?;
        let field = "canonicalizedBody";
        let body = self.canonicalized_body.as_ref().ok_or(EvidenceError::Missing(field))?;
        let body = bytes(body, field, BODY_LIMIT)?;
        let index = unsigned(self.log_index, "logIndex")?;
        Ok(LogEntry { log, kind, index, integrated, promise, proof, body })
    }
}

impl RawProof {
    fn decode(&self) -> Result<InclusionProof, EvidenceError> {
        let root = self.root_hash.as_ref().ok_or(EvidenceError::Missing("rootHash"))?;
        let envelope = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.envelope.clone());
        let checkpoint = envelope.ok_or(EvidenceError::Missing("checkpoint"))?;
        if checkpoint.len() > CHECKPOINT_LIMIT {
            return Err(EvidenceError::TooLarge { field: "checkpoint", limit: CHECKPOINT_LIMIT });
        }
        Ok(InclusionProof {
            index: unsigned(self.log_index, "logIndex")?,
            size: unsigned(self.tree_size, "treeSize")?,
            root: digest(root, "rootHash")?,
            hashes: self
                .hashes
                .iter()
                .map(|hash| digest(hash, "hashes"))
                .collect::<Result<_, _>>()?,
            checkpoint,
        })
    }
}

fn unsigned(number: Option<Int64>, field: &'static str) -> Result<u64, EvidenceError> {
    let number = number.map_or(0, |number| number.0);
    u64::try_from(number).map_err(|_| EvidenceError::Malformed(field))
}

fn digest(text: &str, field: &'static str) -> Result<[u8; 32], EvidenceError> {
    let bytes = bytes(text, field, 32)?;
    bytes.try_into().map_err(|_| EvidenceError::Malformed(field))
}

fn bytes(text: &str, field: &'static str, limit: usize) -> Result<Vec<u8>, EvidenceError> {
    // Four characters stand for three bytes, with at most two of them as padding.
    if text.len() / 4 > limit.div_ceil(3) {
        return Err(EvidenceError::TooLarge { field, limit });
    }
    let bytes = STANDARD.decode(text).map_err(|_| EvidenceError::Malformed(field))?;
    if bytes.is_empty() { Err(EvidenceError::Missing(field)) } else { Ok(bytes) }
}

/// An `int64` of protobuf, which JSON has as a string or as a number.
#[derive(Clone, Copy)]
struct Int64(i64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Int64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 64-bit integer, as a string or a number")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Int64, E> {
                Ok(Int64(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int64, E> {
                i64::try_from(value).map(Int64).map_err(|_| E::custom("a number past int64"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Int64, E> {
                text.parse().map(Int64).map_err(|_| E::custom("a string that is no int64"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}
