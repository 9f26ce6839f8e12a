//! What is sound and yet does not work across the two sides. An entry that works after all fails
//! the test, so that this table stays true.

use self::Side::{Here, Peer};
use super::Direction::{self, HereThere, HereThereTold, ThereHere};

/// A case that one side refuses or cannot do.
pub(crate) struct Divergence {
    /// The name of the case in the matrix.
    pub(crate) case: &'static str,
    /// Who signs, and who verifies.
    pub(crate) direction: Direction,
    /// Who refuses it.
    pub(crate) side: Side,
    /// A part of what that side says.
    pub(crate) says: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

/// The side that a divergence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A fault of the peer, `model_signing` 1.1.1.
    Peer,
    /// A rule of this project.
    Here,
}

const SHARD_NAMES: &str = "it names the algorithm of a shard `sha256-sharded-N` and compares the \
    name with the digest; the schema of the predicate admits `sha256` alone. It cannot verify its \
    own sharded bundles either: it writes `shard_size` as 1000.0 and then cannot count with it";
const BLAKE2B: &str = "it writes the hash type `blake2b`, and reading it back knows only `blake2`: \
    it cannot verify its own bundles either, unless it is told the hash";
const BLAKE3_SHARDS: &str = "it has no shards with blake3: it hashes whole files, whatever the \
    bundle says";
const COLONS: &str = "it splits the name of a shard at every colon, and wants three parts";
const SINGLE_FILE: &str = "it knows a single-file model's file by the name `.` alone; the \
    specification asks for the file's name";
const EMPTY_CHAIN: &str = "it cannot sign with a certificate and no chain: it reads an empty chain \
    as a PEM file that is broken";

const UNSIGNED: &str = "an empty file has no shard, so that nobody signed it, and the policy says \
    what becomes of it; the peer lets it pass";
const EXPIRED: &str = "the station's clock judges the certificate; the peer judges every certificate \
    as on its own first day";
const CODE_SIGNING: &str = "a leaf must say that it may sign code; digitalSignature is enough for \
    the peer";
const NAMES: &str = "no name may hold a control character, or a backslash, which parts folders on \
    other systems";
const DECEPTIVE: &str = "no name may hold a character that changes the direction of text or breaks \
    the line: it would read as another name";

pub(crate) const DIVERGENCES: &[Divergence] = &[
    peer("shards", HereThere, "sha256-sharded-1000", SHARD_NAMES),
    peer("one shard a file", HereThere, "sha256-sharded-1000000000", SHARD_NAMES),
    peer("shards, certificate", HereThere, "sha256-sharded-1000", SHARD_NAMES),
    peer("empty files, shards", HereThere, "sha256-sharded-1000", SHARD_NAMES),
    peer("ignored paths, shards", HereThere, "sha256-sharded-1000", SHARD_NAMES),
    peer("blake2b", HereThere, "Unsupported hashing method blake2b", BLAKE2B),
    peer("blake2b, shards", HereThere, "Unsupported hashing method blake2b", BLAKE2B),
    peer("blake3, shards", HereThere, "Missing files in", BLAKE3_SHARDS),
    peer("blake3, shards", HereThereTold, "Missing files in", BLAKE3_SHARDS),
    peer("colons, shards", HereThere, "expected 3 components", COLONS),
    peer("colons, shards", HereThereTold, "expected 3 components", COLONS),
    peer("single file", HereThere, "Extra files found in model 'model.bin': .", SINGLE_FILE),
    peer("single file", HereThereTold, "Extra files found in model 'model.bin': .", SINGLE_FILE),
    peer("single file, shards", HereThere, "in model 'model.bin': .:0:1000", SINGLE_FILE),
    peer("single file, shards", HereThereTold, "in model 'model.bin': .:0:1000", SINGLE_FILE),
    peer("self-signed P-256", ThereHere, "Unable to load PEM file", EMPTY_CHAIN),
    peer("self-signed P-384", ThereHere, "Unable to load PEM file", EMPTY_CHAIN),
    here("empty files, shards", ThereHere, "manifest.unsigned-file", UNSIGNED),
    here("expired leaf", ThereHere, "signature.certificate-expired", EXPIRED),
    here("leaf without codeSigning", ThereHere, "signature.certificate-purpose", CODE_SIGNING),
    here("backslash", HereThere, "media.name", NAMES),
    here("backslash", ThereHere, "manifest.unsafe-name", NAMES),
    here("newline", HereThere, "media.name", NAMES),
    here("newline", ThereHere, "manifest.unsafe-name", NAMES),
    here("line separator", HereThere, "media.name", DECEPTIVE),
    here("line separator", ThereHere, "manifest.unsafe-name", DECEPTIVE),
    here("right to left", HereThere, "media.name", DECEPTIVE),
    here("right to left", ThereHere, "manifest.unsafe-name", DECEPTIVE),
];

const fn peer(
    case: &'static str,
    direction: Direction,
    says: &'static str,
    reason: &'static str,
) -> Divergence {
    Divergence { case, direction, side: Peer, says, reason }
}

const fn here(
    case: &'static str,
    direction: Direction,
    says: &'static str,
    reason: &'static str,
) -> Divergence {
    Divergence { case, direction, side: Here, says, reason }
}
