//! The second implementation: RustCrypto, which has everything but RSA.

use ed25519_dalek::{Signature, VerifyingKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Algorithm, Hash};
use crate::key::{KeyType, PublicKey};

/// Whether the signature verifies; `None` for algorithms that this implementation does not have.
pub(super) fn accepts(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let bits = key.bits();
    let hash = match algorithm {
        Algorithm::Pkcs1(_) | Algorithm::Pss(_) => return None,
        Algorithm::Ed25519 => return Some(ed25519(bits, message, signature)),
        Algorithm::Ecdsa(hash) => digest(hash, message),
    };
    Some(match key.key_type() {
        KeyType::P256 => ecdsa::<_, _, p256::ecdsa::DerSignature>(
            p256::ecdsa::VerifyingKey::from_sec1_bytes(bits),
            &hash,
            signature,
        ),
        KeyType::P384 => ecdsa::<_, _, p384::ecdsa::DerSignature>(
            p384::ecdsa::VerifyingKey::from_sec1_bytes(bits),
            &hash,
            signature,
        ),
        KeyType::P521 => ecdsa::<_, _, p521::ecdsa::DerSignature>(
            p521::ecdsa::VerifyingKey::from_sec1_bytes(bits),
            &hash,
            signature,
        ),
        KeyType::Ed25519 | KeyType::Rsa(_) => false,
    })
}

/// Whether these are the one encoding (RFC 8032, section 5.1.2) of a point that is of large order.
/// A key of small order verifies signatures that nobody made.
pub(crate) fn is_sound_ed25519(bits: &[u8]) -> bool {
    <[u8; 32]>::try_from(bits).is_ok_and(|bytes| {
        VerifyingKey::from_bytes(&bytes)
            .is_ok_and(|key| !key.is_weak() && key.to_edwards().compress().to_bytes() == bytes)
    })
}

fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

fn ecdsa<K, E, S>(key: Result<K, E>, hash: &[u8], signature: &[u8]) -> bool
where
    K: PrehashVerifier<S>,
    S: for<'a> TryFrom<&'a [u8]>,
{
    match (key, S::try_from(signature)) {
        (Ok(key), Ok(signature)) => key.verify_prehash(hash, &signature).is_ok(),
        _ => false,
    }
}

fn ed25519(bits: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = <[u8; 32]>::try_from(bits).ok().and_then(|bits| VerifyingKey::from_bytes(&bits).ok());
    match (key, Signature::from_slice(signature)) {
        (Some(key), Ok(signature)) => key.verify_strict(message, &signature).is_ok(),
        _ => false,
    }
}
