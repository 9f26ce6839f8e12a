//! Digital signatures, each verified by two implementations that share no code.
//!
//! ```text
//!                    ┌── aws_lc       every algorithm ──┐
//!  key, algorithm,   │                                  ├── agree ──▶ good, bad, disagreement
//!  message, signature┴── rust_crypto  all but RSA ──────┘
//! ```
//!
//! A signature counts when both accept it. RSA has one implementation only: the other one has an
//! open advisory (RUSTSEC-2023-0071). Whatever verifies a signature in this crate comes here, but
//! for what only the services of a Sigstore instance sign (checkpoints, promises, certificate
//! timestamps and its time stamps): that is `sigstore-verify`'s, with AWS-LC alone.
//!
//! Where the two are known to differ on purpose: RustCrypto refuses Ed25519 signatures whose R is
//! of small order (`verify_strict`), AWS-LC does not. No honest signer makes one. Both take ECDSA
//! signatures with a high S, as every signer with a NIST curve makes them, in DER alone.

mod aws_lc;
mod identifier;
mod rust_crypto;
#[cfg(test)]
mod tests;

use crate::key::PublicKey;

pub(crate) use identifier::{algorithm_name, pss_key_hash};
pub(crate) use rust_crypto::is_sound_ed25519;

/// The hashes that a signature may use. SHA-1 and MD5 are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// A signature algorithm that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA with a signature in DER (RFC 3279, section 2.2.3).
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    Pkcs1(Hash),
    /// RSASSA-PSS (RFC 8017, section 8.1): one hash throughout, a salt of its length.
    Pss(Hash),
    /// Ed25519 (RFC 8032), without a context.
    Ed25519,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It does not verify under the key.
    #[error("the signature does not verify under the key")]
    Mismatch,
    /// One implementation accepts it, the other does not.
    #[error("two implementations disagree about the signature")]
    Disagreement,
}

/// Verifies `signature` over `message`.
///
/// # Errors
/// [`BadSignature`]; a key that is not for this algorithm is a mismatch.
pub(crate) fn verify(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    if !key.admits(algorithm) {
        return Err(BadSignature::Mismatch);
    }
    agree(
        aws_lc::accepts(key, algorithm, message, signature),
        rust_crypto::accepts(key, algorithm, message, signature),
    )
}

/// What `first` and `second` find together; `second` is absent where it has no opinion.
fn agree(first: bool, second: Option<bool>) -> Result<(), BadSignature> {
    match (first, second) {
        (true, Some(true) | None) => Ok(()),
        (false, Some(false) | None) => Err(BadSignature::Mismatch),
        (true, Some(false)) | (false, Some(true)) => Err(BadSignature::Disagreement),
    }
}
