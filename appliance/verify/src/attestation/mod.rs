//! Attestations: other signed in-toto statements about a model, which a policy may require.
//!
//! ```text
//!  Bundle ──signer of a rule──▶ Attestation ──root, conditions──▶ AttestationOutcome ──▶ verdict
//! ```
//!
//! An attestation is a Sigstore bundle like a signature, and is read and verified like one. Its
//! payload is an in-toto Statement v1, or v0.1, which `cosign attest` and older SLSA tools write
//! and which has the same fields, of any predicate type but the ones of OMS signatures. It is about
//! a model when one of its subjects has the SHA-256 that the model's signed manifest gives as root
//! digest; other subjects, and other digests of that subject, say nothing about it.
//!
//! A rule of the policy asks for a predicate type from a signer, with conditions on fields. A
//! condition holds when some value at its path passes the test. The parts of a path are names of
//! members, numbers of entries of a list, or `[]` for any entry; a name that holds a dot cannot be
//! told.

mod appraise;
mod field;
mod statement;

#[cfg(test)]
mod tests;

pub use appraise::{AcceptedAttestation, AttestationOutcome, AttestationSource};
pub(crate) use appraise::{Closeness, Shortfall};
pub use statement::{Attestation, AttestationError, STATEMENT_TYPES};

use crate::hash::Sha256Digest;

/// The name under which the accepted attestation of this `number`, from 1, is published: nothing of
/// the carrier's names is in it.
pub fn published_name(number: usize, digest: Sha256Digest) -> String {
    let id: String = digest.to_hex().chars().take(16).collect();
    format!("{number}-{id}.sigstore.json")
}
