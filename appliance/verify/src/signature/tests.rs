//! Both implementations on the same signatures, good ones and odd ones.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use sha2::{Digest, Sha256, Sha384, Sha512};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::{Algorithm, BadSignature, Hash, agree, verify};
use crate::key::{KeyType, PublicKey};

const MESSAGE: &[u8] = b"message";
const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

/// A key of one curve and what it signs, by RustCrypto.
struct Signer {
    public: PublicKey,
    sign: Box<Sign>,
}

impl Signer {
    fn sign(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        (self.sign)(&match hash {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        })
    }
}

macro_rules! signer {
    ($crate_:ident, $curve:literal, $field:literal, $secret:literal) => {{
        let mut secret = [$secret; $field];
        secret[0] = 0;
        let key = $crate_::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        Signer {
            public: ec_key($curve, point.as_bytes()),
            sign: Box::new(move |hash| {
                let signature: $crate_::ecdsa::DerSignature = key.sign_prehash(hash).unwrap();
                signature.as_bytes().to_vec()
            }),
        }
    }};
}

fn p256_signer() -> Signer {
    signer!(p256, "1.2.840.10045.3.1.7", 32, 0x51)
}

fn ec_key(curve: &str, point: &[u8]) -> PublicKey {
    let curve: const_oid::ObjectIdentifier = curve.parse().unwrap();
    key("1.2.840.10045.2.1", Some((&curve).into()), point)
}

fn key(oid: &str, parameters: Option<der::Any>, bits: &[u8]) -> PublicKey {
    PublicKey::from_spki(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters },
        subject_public_key: der::asn1::BitString::from_bytes(bits).unwrap(),
    })
    .unwrap()
}

#[test]
fn ecdsa_of_every_curve_and_hash_is_agreed_upon() {
    let signers = [
        p256_signer(),
        signer!(p384, "1.3.132.0.34", 48, 0x52),
        signer!(p521, "1.3.132.0.35", 66, 0x01),
    ];
    for Signer { public, .. } in &signers {
        assert!(!public.admits(Algorithm::Ed25519));
        assert!(!public.admits(Algorithm::Pss(Hash::Sha256)));
    }
    for signer in &signers {
        for hash in HASHES {
            for count in 0..8_u8 {
                let signature = signer.sign(hash, &[count]);
                let verify_as = |hash, message: &[u8]| {
                    verify(&signer.public, Algorithm::Ecdsa(hash), message, &signature)
                };
                assert_eq!(verify_as(hash, &[count]), Ok(()), "{:?} {hash:?}", signer.public);
                assert_eq!(verify_as(hash, &[count, 0]), Err(BadSignature::Mismatch));
                for other in HASHES.into_iter().filter(|other| *other != hash) {
                    assert_eq!(verify_as(other, &[count]), Err(BadSignature::Mismatch));
                }
            }
        }
    }
}

/// An INTEGER of these content bytes.
fn integer(content: &[u8]) -> Vec<u8> {
    [&[2, u8::try_from(content.len()).unwrap()], content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
}

#[test]
fn both_refuse_ecdsa_signatures_that_are_not_der() {
    let signer = p256_signer();
    // Found once: both numbers have their highest bit clear.
    let (signature, message) = (0_u8..=255)
        .map(|count| (signer.sign(Hash::Sha256, &[count]), [count]))
        .find(|(signature, _)| signature.len() == 70)
        .unwrap();
    let check = |signature: &[u8]| {
        verify(&signer.public, Algorithm::Ecdsa(Hash::Sha256), &message, signature)
    };
    assert_eq!(check(&signature), Ok(()));
    let (r, s) = (&signature[2..36], &signature[36..]);
    let (r_bytes, s_bytes) = (&r[2..], &s[2..]);
    assert_eq!(sequence(&[r, s]), signature);
    let padded = integer(&[&[0], r_bytes].concat());
    let negative = integer(&[&[r_bytes[0] | 0x80], &r_bytes[1..]].concat());
    let order = "00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = integer(&crate::hash::hex_decode(order).unwrap());
    let zero = integer(&[0]);
    for bad in [
        [&signature[..], &[0]].concat(),
        signature[..69].to_vec(),
        [&[0x30, 0x81, 68], &signature[2..]].concat(),
        [&[0x30, 0x80], &signature[2..], &[0, 0]].concat(),
        [&[0x31, 68], &signature[2..]].concat(),
        sequence(&[&padded, s]),
        sequence(&[r, &integer(&[&[0, 0], s_bytes].concat())]),
        sequence(&[&negative, s]),
        sequence(&[&zero, s]),
        sequence(&[r, &zero]),
        sequence(&[&order, s]),
        sequence(&[r, &order]),
        sequence(&[&integer(&[&[1], r_bytes].concat()), s]),
        sequence(&[r]),
        sequence(&[r, s, &zero]),
        sequence(&[s, r]),
        [r_bytes, s_bytes].concat(),
        vec![0x30, 0],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![],
        vec![0; 4096],
    ] {
        assert_eq!(check(&bad), Err(BadSignature::Mismatch), "{bad:02x?}");
    }
}

#[test]
fn a_high_s_is_as_good_as_a_low_one() {
    let key = p256::ecdsa::SigningKey::from_slice(&[0x51; 32]).unwrap();
    let signature: p256::ecdsa::Signature = key.sign_prehash(&Sha256::digest(MESSAGE)).unwrap();
    let negated = p256::ecdsa::Signature::from_scalars(signature.r(), -signature.s()).unwrap();
    let public = ec_key("1.2.840.10045.3.1.7", key.verifying_key().to_sec1_point(false).as_bytes());
    for signature in [signature, negated] {
        let der = signature.to_der();
        assert_eq!(
            verify(&public, Algorithm::Ecdsa(Hash::Sha256), MESSAGE, der.as_bytes()),
            Ok(())
        );
    }
}

#[test]
fn ed25519_is_agreed_upon_but_for_an_r_of_small_order() {
    use p256::ecdsa::signature::Signer;
    let signer = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let public = key("1.3.101.112", None, signer.verifying_key().as_bytes());
    let check =
        |message: &[u8], signature: &[u8]| verify(&public, Algorithm::Ed25519, message, signature);
    let signature = signer.sign(MESSAGE).to_bytes();
    assert_eq!(check(MESSAGE, &signature), Ok(()));
    assert_eq!(check(b"massage", &signature), Err(BadSignature::Mismatch));
    assert!(!public.admits(Algorithm::Ecdsa(Hash::Sha512)));

    // S + L is the same number modulo L and not canonical (RFC 8032, section 5.1.7).
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut malleated = signature;
    let mut carry = 0_u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    for bad in [&malleated[..], &signature[..63], &[&signature[..], &[0]].concat(), &[]] {
        assert_eq!(check(MESSAGE, bad), Err(BadSignature::Mismatch));
    }

    // Made by the holder of the key, with the neutral element for R: the equation holds.
    let odd = "0100000000000000000000000000000000000000000000000000000000000000\
               d4c5323131ff9683cfb3d30197c786c9043f1052d6c2d5293f19d6f36b911104";
    let odd = crate::hash::hex_decode(odd).unwrap();
    assert_eq!(check(MESSAGE, &odd), Err(BadSignature::Disagreement));
}

#[test]
fn rsa_signs_with_either_padding_and_its_own_hash() {
    use aws_lc_rs::signature::{
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512,
    };
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let null = || Some(der::Any::null());
    let public = key("1.2.840.113549.1.1.1", null(), pair.public_key().as_ref());
    let pss_only = key("1.2.840.113549.1.1.10", None, pair.public_key().as_ref());
    assert_eq!(public.key_type(), KeyType::Rsa(2048));
    // One key, whatever padding its SubjectPublicKeyInfo is for.
    assert!(public != pss_only && public.is_same_key(&pss_only));
    let encodings: [(&'static dyn aws_lc_rs::signature::RsaEncoding, Algorithm); 6] = [
        (&RSA_PKCS1_SHA256, Algorithm::Pkcs1(Hash::Sha256)),
        (&RSA_PKCS1_SHA384, Algorithm::Pkcs1(Hash::Sha384)),
        (&RSA_PKCS1_SHA512, Algorithm::Pkcs1(Hash::Sha512)),
        (&RSA_PSS_SHA256, Algorithm::Pss(Hash::Sha256)),
        (&RSA_PSS_SHA384, Algorithm::Pss(Hash::Sha384)),
        (&RSA_PSS_SHA512, Algorithm::Pss(Hash::Sha512)),
    ];
    for (encoding, algorithm) in encodings {
        let mut signature = vec![0; 256];
        pair.sign(encoding, &SystemRandom::new(), MESSAGE, &mut signature).unwrap();
        for (_, other) in encodings {
            let outcome = verify(&public, other, MESSAGE, &signature);
            assert_eq!(outcome.is_ok(), other == algorithm, "{algorithm:?} {other:?}");
        }
        let is_pss = matches!(algorithm, Algorithm::Pss(_));
        assert_eq!(verify(&pss_only, algorithm, MESSAGE, &signature).is_ok(), is_pss);
        signature[0] ^= 1;
        assert_eq!(verify(&public, algorithm, MESSAGE, &signature), Err(BadSignature::Mismatch));
        let short = verify(&public, algorithm, MESSAGE, &signature[1..]);
        assert_eq!(short, Err(BadSignature::Mismatch));
    }
}

#[test]
fn only_what_both_accept_is_good() {
    assert_eq!(agree(true, Some(true)), Ok(()));
    assert_eq!(agree(true, None), Ok(()));
    assert_eq!(agree(false, Some(false)), Err(BadSignature::Mismatch));
    assert_eq!(agree(false, None), Err(BadSignature::Mismatch));
    assert_eq!(agree(true, Some(false)), Err(BadSignature::Disagreement));
    assert_eq!(agree(false, Some(true)), Err(BadSignature::Disagreement));
}
