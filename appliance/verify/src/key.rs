//! Public keys and the signatures that they verify.
//!
//! A [`PublicKey`] can only be made from a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) of a
//! type that this project accepts: ECDSA on the NIST curves with named parameters, Ed25519, and
//! RSA of at least 2048 bits, for any padding or for PSS alone. Which of them may sign a model is the policy's to say.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use der::{Decode, Encode, pem::LineEnding};
use spki::SubjectPublicKeyInfoOwned;

use crate::hash::Sha256Digest;
use crate::signature::{self, Algorithm, Hash, is_sound_ed25519, pss_key_hash};

pub use crate::signature::BadSignature;

/// The shortest RSA key that is accepted for anything but a look at a foreign PKI.
pub(crate) const LEAST_RSA_BITS: u32 = 2048;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ID_RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The type of a public key, and of the signatures that it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// ECDSA on P-521 with SHA-512.
    P521,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA with this many bits of modulus, with SHA-256, PKCS #1 v1.5 or PSS padding.
    Rsa(u32),
}

impl KeyType {
    /// The name that a policy uses: `P-256`, `P-384`, `P-521`, `Ed25519`, `RSA`.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::P256 => "P-256",
            KeyType::P384 => "P-384",
            KeyType::P521 => "P-521",
            KeyType::Ed25519 => "Ed25519",
            KeyType::Rsa(_) => "RSA",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyType::Rsa(bits) => write!(f, "RSA-{bits}"),
            other => f.write_str(other.name()),
        }
    }
}

/// Why a SubjectPublicKeyInfo is not a [`PublicKey`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// the bytes are not a DER SubjectPublicKeyInfo
    #[error("the bytes are not a DER SubjectPublicKeyInfo")]
    NotSpki,
    /// the text does not hold exactly one PEM block `PUBLIC KEY`
    #[error("the text does not hold exactly one PEM block `PUBLIC KEY`")]
    NotPem,
    /// the key's algorithm or curve is not supported
    #[error("the key algorithm {0} is not supported")]
    Unsupported(ObjectIdentifier),
    /// the key's own bytes are not a valid key of its algorithm
    #[error("the {0} key is not valid")]
    Invalid(&'static str),
}

/// A public key of a supported type, checked to be a point of its curve or a modulus in range.
#[derive(Clone)]
pub struct PublicKey {
    spki: SubjectPublicKeyInfoOwned,
    der: Vec<u8>,
    key_type: KeyType,
    pss: PssOnly,
}

/// Whether an RSA key is for PSS alone (RFC 4055, section 1.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum PssOnly {
    /// It is not, or it is no RSA key.
    No,
    /// With any hash.
    AnyHash,
    /// With this hash.
    Hash(Hash),
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// When the bytes are not DER, or the key is of another type, or it is not a valid key, or it
    /// is an RSA key of fewer than 2048 bits.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| KeyError::NotSpki)?;
        let key = Self::from_spki(spki)?;
        if key.is_short() {
            return Err(KeyError::Invalid("RSA"));
        }
        Ok(key)
    }

    /// Reads a PEM text with one block `PUBLIC KEY`; text around the block is ignored.
    ///
    /// # Errors
    /// As [`PublicKey::from_spki_der`], and when there is no such block or more than one.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
        const END: &str = "-----END PUBLIC KEY-----";
        let text = std::str::from_utf8(text).map_err(|_| KeyError::NotPem)?;
        let (_, body) = text.split_once(BEGIN).ok_or(KeyError::NotPem)?;
        let (body, rest) = body.split_once(END).ok_or(KeyError::NotPem)?;
        if rest.contains(BEGIN) {
            return Err(KeyError::NotPem);
        }
        let block = format!("{BEGIN}\n{}\n{END}\n", body.trim().replace('\r', ""));
        let (_, der) = der::pem::decode_vec(block.as_bytes()).map_err(|_| KeyError::NotPem)?;
        Self::from_spki_der(&der)
    }

    /// The key of a certificate, whose use is judged with its path: RSA from 1024 bits.
    pub(crate) fn from_spki(spki: SubjectPublicKeyInfoOwned) -> Result<Self, KeyError> {
        let key_type = key_type(&spki)?;
        let pss = pss_only(&spki)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyError::NotSpki)?;
        if !has_one_encoding(key_type, &spki, bits) {
            return Err(KeyError::Invalid(key_type.name()));
        }
        ParsedPublicKey::new(parser(key_type), bits)
            .map_err(|_| KeyError::Invalid(key_type.name()))?;
        let der = spki.to_der().map_err(|_| KeyError::NotSpki)?;
        Ok(PublicKey { spki, der, key_type, pss })
    }

    /// The key's type.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER: the key's name in verdicts.
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.der)
    }

    /// The SubjectPublicKeyInfo as PEM, 64 columns, with a final newline.
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &self.der).unwrap_or_default()
    }

    /// The value that OMS puts into `publicKey.hint`: SHA-256 of [`PublicKey::to_pem`].
    pub fn hint(&self) -> Sha256Digest {
        Sha256Digest::of(self.to_pem().as_bytes())
    }

    /// Verifies `signature` over `message` with the hash that belongs to the key's type.
    ///
    /// ECDSA signatures are DER (RFC 3279, section 2.2.3).
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let check = |algorithm| signature::verify(self, algorithm, message, signature);
        match self.key_type {
            _ if self.is_short() => Err(BadSignature::Mismatch),
            KeyType::P256 => check(Algorithm::Ecdsa(Hash::Sha256)),
            KeyType::P384 => check(Algorithm::Ecdsa(Hash::Sha384)),
            KeyType::P521 => check(Algorithm::Ecdsa(Hash::Sha512)),
            KeyType::Ed25519 => check(Algorithm::Ed25519),
            KeyType::Rsa(_) => check(Algorithm::Pkcs1(Hash::Sha256))
                .or_else(|_| check(Algorithm::Pss(Hash::Sha256))),
        }
    }

    /// Verifies with SHA-256 whatever the curve, as version 0.2 of the Python implementation
    /// signed. Only for bundles that a policy allows as legacy.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_legacy(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        signature::verify(self, Algorithm::Ecdsa(Hash::Sha256), message, signature)
    }

    /// Whether signatures by `algorithm` can be under this key.
    pub(crate) fn admits(&self, algorithm: Algorithm) -> bool {
        match (self.key_type, algorithm) {
            (KeyType::P256 | KeyType::P384 | KeyType::P521, Algorithm::Ecdsa(_))
            | (KeyType::Ed25519, Algorithm::Ed25519) => true,
            (KeyType::Rsa(_), Algorithm::Pkcs1(_)) => self.pss == PssOnly::No,
            (KeyType::Rsa(_), Algorithm::Pss(hash)) => match self.pss {
                PssOnly::No | PssOnly::AnyHash => true,
                PssOnly::Hash(only) => only == hash,
            },
            _ => false,
        }
    }

    /// The key's own bits: a point, or an RSAPublicKey.
    pub(crate) fn bits(&self) -> &[u8] {
        self.spki.subject_public_key.raw_bytes()
    }

    /// Whether both are one key, which RSA writes in several ways: for any padding, or for PSS
    /// with any parameters (RFC 4055, section 1.2).
    pub(crate) fn is_same_key(&self, other: &PublicKey) -> bool {
        self.key_type == other.key_type && self.bits() == other.bits()
    }

    fn is_short(&self) -> bool {
        matches!(self.key_type, KeyType::Rsa(bits) if bits < LEAST_RSA_BITS)
    }
}

/// Two keys are equal when their SubjectPublicKeyInfo is.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.key_type, self.fingerprint())
    }
}

/// The type that a key says it is of, before its own bytes are looked at.
pub(crate) fn key_type(spki: &SubjectPublicKeyInfoOwned) -> Result<KeyType, KeyError> {
    match spki.algorithm.oid {
        ID_EC_PUBLIC_KEY => {
            // Named curves only (RFC 5480, section 2.1.1): explicit parameters could name a
            // weaker group under a familiar key.
            let curve = spki
                .algorithm
                .parameters
                .as_ref()
                .and_then(|any| any.decode_as::<ObjectIdentifier>().ok())
                .ok_or(KeyError::Unsupported(ID_EC_PUBLIC_KEY))?;
            match curve {
                SECP256R1 => Ok(KeyType::P256),
                SECP384R1 => Ok(KeyType::P384),
                SECP521R1 => Ok(KeyType::P521),
                other => Err(KeyError::Unsupported(other)),
            }
        }
        ID_ED25519 => Ok(KeyType::Ed25519),
        RSA_ENCRYPTION | ID_RSASSA_PSS => {
            let key = spki.subject_public_key.as_bytes().ok_or(KeyError::NotSpki)?;
            rsa_bits(key).map(KeyType::Rsa).ok_or(KeyError::Invalid("RSA"))
        }
        other => Err(KeyError::Unsupported(other)),
    }
}

/// Whether the key stands in the one encoding that its type has here, so that no key has two
/// fingerprints: an uncompressed point (RFC 5480, section 2.2), 32 bytes without parameters
/// (RFC 8410), an RSAPublicKey with NULL parameters (RFC 3279, section 2.3.1) or, for PSS alone,
/// with those of RFC 4055, section 3.3.
fn has_one_encoding(key_type: KeyType, spki: &SubjectPublicKeyInfoOwned, bits: &[u8]) -> bool {
    let uncompressed = |field: usize| bits.len() == 1 + 2 * field && bits.first() == Some(&4);
    let parameters = spki.algorithm.parameters.as_ref();
    match key_type {
        KeyType::P256 => uncompressed(32),
        KeyType::P384 => uncompressed(48),
        KeyType::P521 => uncompressed(66),
        KeyType::Ed25519 => parameters.is_none() && is_sound_ed25519(bits),
        KeyType::Rsa(_) if spki.algorithm.oid == ID_RSASSA_PSS => true,
        KeyType::Rsa(_) => parameters.is_some_and(|any| any.decode_as::<der::asn1::Null>().is_ok()),
    }
}

fn pss_only(spki: &SubjectPublicKeyInfoOwned) -> Result<PssOnly, KeyError> {
    match (spki.algorithm.oid, &spki.algorithm.parameters) {
        (ID_RSASSA_PSS, None) => Ok(PssOnly::AnyHash),
        (ID_RSASSA_PSS, Some(parameters)) => {
            pss_key_hash(parameters).map(PssOnly::Hash).ok_or(KeyError::Unsupported(ID_RSASSA_PSS))
        }
        _ => Ok(PssOnly::No),
    }
}

/// The size of the modulus of an RSAPublicKey (RFC 8017, appendix A.1.1).
fn rsa_bits(key: &[u8]) -> Option<u32> {
    #[derive(der::Sequence)]
    struct RsaPublicKey<'a> {
        modulus: der::asn1::UintRef<'a>,
        exponent: der::asn1::UintRef<'a>,
    }
    let key = RsaPublicKey::from_der(key).ok()?;
    let modulus = key.modulus.as_bytes();
    let first = modulus.first()?;
    let bits = modulus.len().checked_mul(8)?.checked_sub(first.leading_zeros() as usize)?;
    let _ = key.exponent;
    u32::try_from(bits).ok()
}

/// What reads a key of this type and checks that it is sound; the hash does not matter.
fn parser(key_type: KeyType) -> &'static dyn VerificationAlgorithm {
    match key_type {
        KeyType::P256 => &ECDSA_P256_SHA256_ASN1,
        KeyType::P384 => &ECDSA_P384_SHA384_ASN1,
        KeyType::P521 => &ECDSA_P521_SHA512_ASN1,
        KeyType::Ed25519 => &ED25519,
        KeyType::Rsa(_) => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    }
}

#[cfg(test)]
mod tests;
