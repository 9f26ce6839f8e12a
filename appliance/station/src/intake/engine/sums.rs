//! Hashing many streams at once, whatever the hash.

use digest::Digest as _;
use oms_sys::sha256::{Job, Lanes, Sha256};
use oms_verify::hash::{Digest, HashAlgorithm};

/// A stream that is being hashed.
pub(super) enum Sum {
    /// Hashed in lanes, with others.
    Sha256(Sha256),
    /// Hashed by itself.
    Blake2b(Box<blake2::Blake2b512>),
    /// Hashed by itself.
    Blake3(Box<blake3::Hasher>),
}

impl Sum {
    /// A stream without a byte.
    pub(super) fn new(algorithm: HashAlgorithm, lanes: &Lanes) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Sum::Sha256(lanes.start()),
            HashAlgorithm::Blake2b => Sum::Blake2b(Box::default()),
            HashAlgorithm::Blake3 => Sum::Blake3(Box::default()),
        }
    }

    /// The digest. `None` never happens: each variant gives as many bytes as its algorithm has.
    pub(super) fn finish(self) -> Option<Digest> {
        match self {
            Sum::Sha256(sum) => Digest::new(HashAlgorithm::Sha256, &sum.finish()),
            Sum::Blake2b(sum) => Digest::new(HashAlgorithm::Blake2b, &sum.finalize()),
            Sum::Blake3(sum) => Digest::new(HashAlgorithm::Blake3, sum.finalize().as_bytes()),
        }
        .ok()
    }
}

/// Adds to each stream its bytes.
pub(super) fn update<'a>(lanes: &Lanes, work: impl Iterator<Item = (&'a mut Sum, &'a [u8])>) {
    let mut jobs = Vec::new();
    for (sum, bytes) in work {
        match sum {
            Sum::Sha256(state) => jobs.push(Job { state, bytes }),
            Sum::Blake2b(sum) => sum.update(bytes),
            Sum::Blake3(sum) => {
                sum.update(bytes);
            }
        }
    }
    lanes.update(&mut jobs);
}

/// The digests of many streams, in their order.
pub(super) fn finish(lanes: &Lanes, sums: Vec<Sum>) -> Vec<Option<Digest>> {
    let mut others = Vec::new();
    let mut states = Vec::with_capacity(sums.len());
    for sum in sums {
        match sum {
            Sum::Sha256(state) => states.push(state),
            other => others.push(other),
        }
    }
    // All of one kind: a model has one hash.
    let in_lanes = lanes.finish(states).into_iter();
    in_lanes
        .map(|bytes| Digest::new(HashAlgorithm::Sha256, &bytes).ok())
        .chain(others.into_iter().map(Sum::finish))
        .collect()
}
