//! Key pairs that a test makes, and public keys that it was given.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm, SigningKey as _};

use crate::files;

/// The types of keys that the kit can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256; certificates are signed with SHA-256.
    P256,
    /// ECDSA on P-384; certificates are signed with SHA-384.
    P384,
    /// ECDSA on P-521; certificates are signed with SHA-512.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA of 2048 bits, PKCS#1 v1.5 with SHA-256: below this project's floor.
    Rsa2048,
    /// RSA of 3072 bits, PKCS#1 v1.5 with SHA-256.
    Rsa3072,
    /// RSA of 4096 bits, PKCS#1 v1.5 with SHA-256.
    Rsa4096,
}

/// A key pair.
#[derive(Debug)]
pub struct Key {
    pub(super) pair: KeyPair,
}

impl Key {
    /// A new key of this type.
    pub fn generate(key_type: KeyType) -> Key {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let pair = match key_type {
            KeyType::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::P521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyType::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyType::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyType::Rsa4096 => rsa(RsaKeySize::_4096),
        };
        Key { pair: pair.expect("a key pair") }
    }

    /// Signs with the hash that [`KeyType`] names for certificates.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).expect("a signature")
    }

    /// The private key as PKCS#8 in PEM.
    pub fn private_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// The private key as PKCS#8 in DER.
    pub fn private_der(&self) -> Vec<u8> {
        self.pair.serialize_der()
    }

    /// The SubjectPublicKeyInfo in PEM.
    pub fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn public_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// Writes the private key as PKCS#8 in PEM, for the owner only.
    pub fn write_private(&self, path: impl AsRef<Path>) -> PathBuf {
        files::secret(path.as_ref(), self.private_pem())
    }

    /// Writes the SubjectPublicKeyInfo in PEM.
    pub fn write_public(&self, path: impl AsRef<Path>) -> PathBuf {
        files::public(path.as_ref(), self.public_pem())
    }
}

impl Clone for Key {
    fn clone(&self) -> Key {
        let algorithm = self.pair.algorithm();
        let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&self.private_pem(), algorithm);
        Key { pair: pair.expect("the same key pair") }
    }
}

/// For each NIST curve: what the DER encoding of a SubjectPublicKeyInfo has before the uncompressed
/// point, how long that point is, and the algorithm that certificates name.
const CURVES: [(&[u8], usize, &SignatureAlgorithm); 3] = [
    (
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
        65,
        &rcgen::PKCS_ECDSA_P256_SHA256,
    ),
    (
        b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
        97,
        &rcgen::PKCS_ECDSA_P384_SHA384,
    ),
    (
        b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00",
        133,
        &rcgen::PKCS_ECDSA_P521_SHA512,
    ),
];

/// The SubjectPublicKeyInfo of an uncompressed point; its length names the curve.
pub fn spki_of_point(point: &[u8]) -> Option<Vec<u8>> {
    let (prefix, _, _) = CURVES.iter().find(|(_, length, _)| *length == point.len())?;
    Some([*prefix, point].concat())
}

/// A public key whose private half is elsewhere.
pub(super) struct ForeignKey {
    algorithm: &'static SignatureAlgorithm,
    point: Vec<u8>,
}

impl ForeignKey {
    /// Reads a SubjectPublicKeyInfo with an uncompressed point on a NIST curve.
    pub(super) fn from_spki(spki: &[u8]) -> ForeignKey {
        CURVES
            .iter()
            .find_map(|(prefix, length, algorithm)| {
                let point = spki.strip_prefix(*prefix).filter(|point| point.len() == *length)?;
                Some(ForeignKey { algorithm, point: point.to_vec() })
            })
            .unwrap_or_else(|| {
                panic!("not an ECDSA public key on a NIST curve: {}", files::hex(spki))
            })
    }
}

impl PublicKeyData for ForeignKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_key_is_pkcs8_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = Key::generate(KeyType::P521).write_private(dir.path().join("key.pem"));
        assert!(
            std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n")
        );
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_public_key_has_64_columns() {
        let pem = Key::generate(KeyType::P384).public_pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert_eq!(pem.lines().nth(1).map(str::len), Some(64));
    }
}
