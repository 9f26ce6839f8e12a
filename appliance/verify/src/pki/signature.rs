//! Signatures on certificates and CRLs: which algorithms, how many, and each only once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_MGF_1, ID_RSASSA_PSS,
    ID_SHA_256, ID_SHA_384, ID_SHA_512, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{AnyRef, BitString};
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};

use crate::key::{KeyError, KeyType, PublicKey};

/// The shortest RSA key that may have signed a certificate or a CRL.
pub(super) const LEAST_RSA_BITS: u32 = 2048;

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The budget of checks is used up.
    Budget,
    /// The algorithm is not accepted, or not for keys of this type.
    Algorithm(ObjectIdentifier),
    /// The issuer's key cannot be used.
    Key(KeyError),
    /// The issuer's RSA key has this many bits, fewer than [`LEAST_RSA_BITS`].
    WeakKey(u32),
    /// The signature does not verify.
    Mismatch,
}

/// Checks signatures on certificates within the budget, and remembers each result.
///
/// The search and the path validator see the same signatures; the second look costs nothing.
pub(super) struct SignatureChecks {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: usize,
    known: BTreeMap<[u8; 32], Result<(), SignatureError>>,
}

impl SignatureChecks {
    /// Allows `limit` checks.
    pub(super) fn new(limit: usize) -> Self {
        SignatureChecks { limit, state: Mutex::default() }
    }

    /// Checks `signature` over `message`, or repeats what an earlier check of the same found.
    pub(super) fn check(
        &self,
        message: &[u8],
        signature: &BitString,
        algorithm: &AlgorithmIdentifierOwned,
        spki: &SubjectPublicKeyInfoOwned,
    ) -> Result<(), SignatureError> {
        let name = name_of(message, signature, algorithm, spki);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = name.and_then(|name| state.known.get(&name)) {
            return known.clone();
        }
        if state.used >= self.limit {
            return Err(SignatureError::Budget);
        }
        state.used = state.used.saturating_add(1);
        let result = verify(message, signature, algorithm, spki);
        if let Some(name) = name {
            state.known.insert(name, result.clone());
        }
        result
    }

    /// Checks without remembering: for CRLs, which are large and are looked at once.
    pub(super) fn check_once(
        &self,
        message: &[u8],
        signature: &BitString,
        algorithm: &AlgorithmIdentifierOwned,
        spki: &SubjectPublicKeyInfoOwned,
    ) -> Result<(), SignatureError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.used >= self.limit {
            return Err(SignatureError::Budget);
        }
        state.used = state.used.saturating_add(1);
        verify(message, signature, algorithm, spki)
    }
}

/// A digest of everything that a signature check depends on.
fn name_of(
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> Option<[u8; 32]> {
    let mut hasher = Sha256::new();
    for part in
        [message, &signature.to_der().ok()?, &algorithm.to_der().ok()?, &spki.to_der().ok()?]
    {
        hasher.update(u64::try_from(part.len()).ok()?.to_be_bytes());
        hasher.update(part);
    }
    Some(hasher.finalize().into())
}

fn verify(
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> Result<(), SignatureError> {
    let key = PublicKey::from_spki(spki.clone()).map_err(SignatureError::Key)?;
    if let KeyType::Rsa(bits) = key.key_type()
        && bits < LEAST_RSA_BITS
    {
        return Err(SignatureError::WeakKey(bits));
    }
    let verifier = verification_algorithm(algorithm, key.key_type())
        .ok_or(SignatureError::Algorithm(algorithm.oid))?;
    let signature = signature.as_bytes().ok_or(SignatureError::Mismatch)?;
    UnparsedPublicKey::new(verifier, spki.subject_public_key.raw_bytes())
        .verify(message, signature)
        .map_err(|_| SignatureError::Mismatch)
}

/// The hashes that a signature may use. SHA-1 and MD5 are not among them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn verification_algorithm(
    algorithm: &AlgorithmIdentifierOwned,
    key: KeyType,
) -> Option<&'static dyn VerificationAlgorithm> {
    let ecdsa = |hash| {
        // RFC 5758, section 3.2: the parameters are absent.
        algorithm.parameters.is_none().then(|| ecdsa(key, hash))?
    };
    let pkcs1 = |hash| {
        // RFC 4055, section 5: NULL, and absent is to be accepted too.
        let plain = algorithm.parameters.as_ref().is_none_or(|any| any.is_null());
        (plain && matches!(key, KeyType::Rsa(_))).then(|| pkcs1(hash))
    };
    match algorithm.oid {
        ECDSA_WITH_SHA_256 => ecdsa(Hash::Sha256),
        ECDSA_WITH_SHA_384 => ecdsa(Hash::Sha384),
        ECDSA_WITH_SHA_512 => ecdsa(Hash::Sha512),
        SHA_256_WITH_RSA_ENCRYPTION => pkcs1(Hash::Sha256),
        SHA_384_WITH_RSA_ENCRYPTION => pkcs1(Hash::Sha384),
        SHA_512_WITH_RSA_ENCRYPTION => pkcs1(Hash::Sha512),
        ID_RSASSA_PSS if matches!(key, KeyType::Rsa(_)) => pss_hash(algorithm).map(pss),
        ID_ED_25519 if key == KeyType::Ed25519 && algorithm.parameters.is_none() => Some(&ED25519),
        _ => None,
    }
}

fn ecdsa(key: KeyType, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, hash) {
        (KeyType::P256, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
        (KeyType::P256, Hash::Sha384) => &ECDSA_P256_SHA384_ASN1,
        (KeyType::P256, Hash::Sha512) => &ECDSA_P256_SHA512_ASN1,
        (KeyType::P384, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
        (KeyType::P384, Hash::Sha512) => &ECDSA_P384_SHA512_ASN1,
        (KeyType::P521, Hash::Sha256) => &ECDSA_P521_SHA256_ASN1,
        (KeyType::P521, Hash::Sha384) => &ECDSA_P521_SHA384_ASN1,
        (KeyType::P521, Hash::Sha512) => &ECDSA_P521_SHA512_ASN1,
        (KeyType::Ed25519 | KeyType::Rsa(_), _) => return None,
    })
}

fn pkcs1(hash: Hash) -> &'static dyn VerificationAlgorithm {
    match hash {
        Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}

fn pss(hash: Hash) -> &'static dyn VerificationAlgorithm {
    match hash {
        Hash::Sha256 => &RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &RSA_PSS_2048_8192_SHA512,
    }
}

/// `RSASSA-PSS-params` (RFC 4055, section 3.1). Every default means SHA-1, so that nothing but
/// the trailer may be absent.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u8>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

/// The hash of PSS parameters that use one SHA-2 hash throughout, with a salt of its length.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    let der = algorithm.parameters.as_ref()?.to_der().ok()?;
    let parameters = PssParameters::from_der(&der).ok()?;
    let mask = parameters.mask.filter(|mask| mask.oid == ID_MGF_1)?;
    let mask_hash: AlgorithmIdentifierRef<'_> = mask.parameters?.decode_as().ok()?;
    let hash = sha2_hash(&parameters.hash?)?;
    let salt = match hash {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    };
    let consistent = sha2_hash(&mask_hash)? == hash
        && parameters.salt == Some(salt)
        && parameters.trailer.is_none_or(|trailer| trailer == 1);
    consistent.then_some(hash)
}

fn sha2_hash(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<Hash> {
    if !algorithm.parameters.is_none_or(AnyRef::is_null) {
        return None;
    }
    match algorithm.oid {
        ID_SHA_256 => Some(Hash::Sha256),
        ID_SHA_384 => Some(Hash::Sha384),
        ID_SHA_512 => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use der::Any;

    use super::*;

    fn accepted(oid: ObjectIdentifier, parameters: Option<Any>, key: KeyType) -> bool {
        verification_algorithm(&AlgorithmIdentifierOwned { oid, parameters }, key).is_some()
    }

    #[test]
    fn parameters_stand_only_where_they_belong() {
        let null = || Some(Any::null());
        let odd = || Some(Any::new(der::Tag::OctetString, [1]).unwrap());
        assert!(accepted(ECDSA_WITH_SHA_256, None, KeyType::P256));
        assert!(!accepted(ECDSA_WITH_SHA_256, null(), KeyType::P256));
        assert!(accepted(ID_ED_25519, None, KeyType::Ed25519));
        assert!(!accepted(ID_ED_25519, null(), KeyType::Ed25519));
        for good in [None, null()] {
            assert!(accepted(SHA_256_WITH_RSA_ENCRYPTION, good, KeyType::Rsa(2048)));
        }
        assert!(!accepted(SHA_256_WITH_RSA_ENCRYPTION, odd(), KeyType::Rsa(2048)));
        assert!(!accepted(ID_RSASSA_PSS, None, KeyType::Rsa(2048)));
    }

    #[test]
    fn the_algorithm_is_for_keys_of_its_kind() {
        let ecdsa = [KeyType::P256, KeyType::P384, KeyType::P521];
        for hash in [ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512] {
            assert!(ecdsa.iter().all(|key| accepted(hash, None, *key)));
            assert!(!accepted(hash, None, KeyType::Ed25519));
            assert!(!accepted(hash, None, KeyType::Rsa(4096)));
        }
        assert!(!accepted(ID_ED_25519, None, KeyType::P256));
        assert!(!accepted(SHA_256_WITH_RSA_ENCRYPTION, None, KeyType::P256));
    }
}
