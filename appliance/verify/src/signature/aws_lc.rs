//! The first implementation: AWS-LC, which has every algorithm.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Algorithm, Hash};
use crate::key::{KeyType, PublicKey};

/// Whether the signature verifies.
pub(super) fn accepts(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    verifier(key.key_type(), algorithm).is_some_and(|verifier| {
        UnparsedPublicKey::new(verifier, key.bits()).verify(message, signature).is_ok()
    })
}

fn verifier(key: KeyType, algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use Hash::{Sha256, Sha384, Sha512};
    Some(match (key, algorithm) {
        (KeyType::P256, Algorithm::Ecdsa(Sha256)) => &ECDSA_P256_SHA256_ASN1,
        (KeyType::P256, Algorithm::Ecdsa(Sha384)) => &ECDSA_P256_SHA384_ASN1,
        (KeyType::P256, Algorithm::Ecdsa(Sha512)) => &ECDSA_P256_SHA512_ASN1,
        (KeyType::P384, Algorithm::Ecdsa(Sha256)) => &ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, Algorithm::Ecdsa(Sha384)) => &ECDSA_P384_SHA384_ASN1,
        (KeyType::P384, Algorithm::Ecdsa(Sha512)) => &ECDSA_P384_SHA512_ASN1,
        (KeyType::P521, Algorithm::Ecdsa(Sha256)) => &ECDSA_P521_SHA256_ASN1,
        (KeyType::P521, Algorithm::Ecdsa(Sha384)) => &ECDSA_P521_SHA384_ASN1,
        (KeyType::P521, Algorithm::Ecdsa(Sha512)) => &ECDSA_P521_SHA512_ASN1,
        (KeyType::Ed25519, Algorithm::Ed25519) => &ED25519,
        // Whether a key below 2048 bits may be used at all is decided by whoever asks.
        (KeyType::Rsa(..2048), Algorithm::Pkcs1(Sha256)) => {
            &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (KeyType::Rsa(..2048), Algorithm::Pkcs1(Sha512)) => {
            &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        (KeyType::Rsa(2048..), Algorithm::Pkcs1(Sha256)) => &RSA_PKCS1_2048_8192_SHA256,
        (KeyType::Rsa(2048..), Algorithm::Pkcs1(Sha384)) => &RSA_PKCS1_2048_8192_SHA384,
        (KeyType::Rsa(2048..), Algorithm::Pkcs1(Sha512)) => &RSA_PKCS1_2048_8192_SHA512,
        (KeyType::Rsa(2048..), Algorithm::Pss(Sha256)) => &RSA_PSS_2048_8192_SHA256,
        (KeyType::Rsa(2048..), Algorithm::Pss(Sha384)) => &RSA_PSS_2048_8192_SHA384,
        (KeyType::Rsa(2048..), Algorithm::Pss(Sha512)) => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
