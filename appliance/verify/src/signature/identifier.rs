//! Which algorithm an AlgorithmIdentifier names (RFC 5758, RFC 4055, RFC 8410).

use const_oid::ObjectIdentifier;
use const_oid::db::DB;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_MGF_1, ID_RSASSA_PSS,
    ID_SHA_256, ID_SHA_384, ID_SHA_512, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::AnyRef;
use der::{Any, Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::{Algorithm, Hash};

impl Algorithm {
    /// The algorithm that `identifier` names; `None` when it is not accepted, as SHA-1 and MD5
    /// are not, or has parameters that it should not have.
    pub(crate) fn named_by(identifier: &AlgorithmIdentifierOwned) -> Option<Self> {
        let parameters = identifier.parameters.as_ref();
        // RFC 5758, section 3.2, and RFC 8410, section 3: the parameters are absent.
        let absent = |algorithm| parameters.is_none().then_some(algorithm);
        // RFC 4055, section 5: NULL, and absent is to be accepted too.
        let null = |algorithm| parameters.is_none_or(Any::is_null).then_some(algorithm);
        match identifier.oid {
            ECDSA_WITH_SHA_256 => absent(Algorithm::Ecdsa(Hash::Sha256)),
            ECDSA_WITH_SHA_384 => absent(Algorithm::Ecdsa(Hash::Sha384)),
            ECDSA_WITH_SHA_512 => absent(Algorithm::Ecdsa(Hash::Sha512)),
            SHA_256_WITH_RSA_ENCRYPTION => null(Algorithm::Pkcs1(Hash::Sha256)),
            SHA_384_WITH_RSA_ENCRYPTION => null(Algorithm::Pkcs1(Hash::Sha384)),
            SHA_512_WITH_RSA_ENCRYPTION => null(Algorithm::Pkcs1(Hash::Sha512)),
            ID_RSASSA_PSS => {
                let (hash, salt) = pss(parameters?)?;
                (usize::from(salt) == hash.size()).then_some(Algorithm::Pss(hash))
            }
            ID_ED_25519 => absent(Algorithm::Ed25519),
            _ => None,
        }
    }
}

/// The name of an algorithm in the standards, such as `ecdsa-with-SHA256`; its number where it is
/// not known.
pub(crate) fn algorithm_name(algorithm: &ObjectIdentifier) -> String {
    DB.by_oid(algorithm).map_or_else(|| algorithm.to_string(), str::to_owned)
}

/// The hash to which the parameters of an id-RSASSA-PSS key restrict it (RFC 4055, section 3.3):
/// signatures under it use this hash and at least its salt. `None` when no signature that is
/// accepted here can be under such a key.
pub(crate) fn pss_key_hash(parameters: &Any) -> Option<Hash> {
    let (hash, least_salt) = pss(parameters)?;
    (usize::from(least_salt) <= hash.size()).then_some(hash)
}

/// The hash, used throughout, and the bytes of salt.
fn pss(parameters: &Any) -> Option<(Hash, u8)> {
    let der = parameters.to_der().ok()?;
    let parameters = PssParameters::from_der(&der).ok()?;
    let hash = Hash::named_by(&parameters.hash?)?;
    let mask = parameters.mask.filter(|mask| mask.oid == ID_MGF_1)?;
    let mask_hash: AlgorithmIdentifierRef<'_> = mask.parameters?.decode_as().ok()?;
    let consistent = Hash::named_by(&mask_hash)? == hash
        && parameters.trailer.is_none_or(|trailer| trailer == 1);
    consistent.then_some((hash, parameters.salt.unwrap_or(DEFAULT_SALT)))
}

/// Bytes of salt where the parameters do not say (RFC 4055, section 3.1).
const DEFAULT_SALT: u8 = 20;

impl Hash {
    fn named_by(identifier: &AlgorithmIdentifierRef<'_>) -> Option<Self> {
        if !identifier.parameters.is_none_or(AnyRef::is_null) {
            return None;
        }
        match identifier.oid {
            ID_SHA_256 => Some(Hash::Sha256),
            ID_SHA_384 => Some(Hash::Sha384),
            ID_SHA_512 => Some(Hash::Sha512),
            _ => None,
        }
    }

    /// Bytes of output.
    fn size(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

/// `RSASSA-PSS-params` (RFC 4055, section 3.1). Hash and mask default to SHA-1, so that neither
/// may be absent.
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

#[cfg(test)]
mod tests {
    use const_oid::ObjectIdentifier;
    use const_oid::db::rfc5912::{MD_5_WITH_RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION};

    use super::*;

    fn named(oid: ObjectIdentifier, parameters: Option<Any>) -> Option<Algorithm> {
        Algorithm::named_by(&AlgorithmIdentifierOwned { oid, parameters })
    }

    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        Any::new(der::Tag::Sequence, parts.concat()).unwrap().to_der().unwrap()
    }

    /// Parameters with this hash, mask hash, salt and trailer.
    fn parameters(
        hash: ObjectIdentifier,
        mask: ObjectIdentifier,
        salt: Option<u8>,
        trailer: Option<u8>,
    ) -> Any {
        let explicit = |number: u8, value: &[u8]| {
            [&[0xa0 | number, u8::try_from(value.len()).unwrap()], value].concat()
        };
        let hash = sequence(&[&hash.to_der().unwrap()]);
        let mask = sequence(&[&mask.to_der().unwrap()]);
        let mask = sequence(&[&ID_MGF_1.to_der().unwrap(), &mask]);
        let mut parts = vec![explicit(0, &hash), explicit(1, &mask)];
        parts.extend(salt.map(|salt| explicit(2, &[2, 1, salt])));
        parts.extend(trailer.map(|trailer| explicit(3, &[2, 1, trailer])));
        Any::new(der::Tag::Sequence, parts.concat()).unwrap()
    }

    #[test]
    fn parameters_stand_only_where_they_belong() {
        let null = || Some(Any::null());
        let odd = || Some(Any::new(der::Tag::OctetString, [1]).unwrap());
        let ecdsa = Some(Algorithm::Ecdsa(Hash::Sha256));
        assert_eq!(named(ECDSA_WITH_SHA_256, None), ecdsa);
        assert_eq!(named(ECDSA_WITH_SHA_256, null()), None);
        assert_eq!(named(ID_ED_25519, None), Some(Algorithm::Ed25519));
        assert_eq!(named(ID_ED_25519, null()), None);
        for good in [None, null()] {
            let pkcs1 = Some(Algorithm::Pkcs1(Hash::Sha256));
            assert_eq!(named(SHA_256_WITH_RSA_ENCRYPTION, good), pkcs1);
        }
        assert_eq!(named(SHA_256_WITH_RSA_ENCRYPTION, odd()), None);
        assert_eq!(named(ID_RSASSA_PSS, None), None);
        assert_eq!(named(ID_RSASSA_PSS, odd()), None);
    }

    #[test]
    fn sha1_and_md5_are_no_algorithms() {
        let null = || Some(Any::null());
        assert_eq!(named(SHA_1_WITH_RSA_ENCRYPTION, null()), None);
        assert_eq!(named(MD_5_WITH_RSA_ENCRYPTION, null()), None);
        assert_eq!(named(ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), None), None);
    }

    #[test]
    fn pss_uses_one_hash_throughout_with_a_salt_of_its_length() {
        let pss = |parameters| named(ID_RSASSA_PSS, Some(parameters));
        let sha256 = Some(Algorithm::Pss(Hash::Sha256));
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_256, Some(32), None)), sha256);
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_256, Some(32), Some(1))), sha256);
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_256, Some(32), Some(2))), None);
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_256, None, None)), None);
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_384, Some(32), None)), None);
        assert_eq!(pss(parameters(ID_SHA_256, ID_SHA_256, Some(48), None)), None);
        assert_eq!(pss(Any::new(der::Tag::Sequence, []).unwrap()), None);
    }

    #[test]
    fn a_key_for_pss_asks_for_at_least_its_salt() {
        let key = |salt| pss_key_hash(&parameters(ID_SHA_384, ID_SHA_384, salt, None));
        assert_eq!(key(None), Some(Hash::Sha384));
        assert_eq!(key(Some(48)), Some(Hash::Sha384));
        assert_eq!(key(Some(49)), None);
        assert_eq!(pss_key_hash(&Any::new(der::Tag::Sequence, []).unwrap()), None);
        assert_eq!(pss_key_hash(&Any::null()), None);
    }
}
