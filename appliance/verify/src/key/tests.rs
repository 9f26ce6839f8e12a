//! Which keys are read, and that each has one encoding and so one fingerprint.

use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoOwned;

use super::{KeyError, KeyType, PublicKey};
use crate::bundle::tests::maker::Key;

/// The key's SubjectPublicKeyInfo after `change`.
fn changed(key: &Key, change: impl FnOnce(&mut SubjectPublicKeyInfoOwned)) -> Vec<u8> {
    let mut spki = SubjectPublicKeyInfoOwned::from_der(key.public().spki_der()).unwrap();
    change(&mut spki);
    spki.to_der().unwrap()
}

fn bits(bytes: &[u8]) -> der::asn1::BitString {
    der::asn1::BitString::from_bytes(bytes).unwrap()
}

#[test]
fn each_supported_type_is_read_and_named() {
    for (algorithm, key_type, name) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, KeyType::P256, "P-256"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, KeyType::P384, "P-384"),
        (&rcgen::PKCS_ECDSA_P521_SHA512, KeyType::P521, "P-521"),
        (&rcgen::PKCS_ED25519, KeyType::Ed25519, "Ed25519"),
    ] {
        let key = Key::of(algorithm);
        let public = key.public();
        assert_eq!((public.key_type(), public.key_type().name()), (key_type, name));
        assert_eq!(PublicKey::from_spki_der(public.spki_der()), Ok(public.clone()));
        assert_eq!(PublicKey::from_pem(public.to_pem().as_bytes()), Ok(public.clone()));
        assert!(public.verify(b"message", &key.sign(b"message")).is_ok());
        assert!(public.verify(b"messagE", &key.sign(b"message")).is_err());
        assert!(public.verify(b"message", b"").is_err());
    }
}

#[test]
fn a_point_is_uncompressed_and_stands_alone() {
    let key = Key::p256();
    let public = key.public();
    let raw = key.0.public_key_raw();
    let with = |bytes: &[u8]| {
        PublicKey::from_spki_der(&changed(&key, |spki| spki.subject_public_key = bits(bytes)))
    };
    assert_eq!(with(raw), Ok(public.clone()));
    let compressed = [&[2 + (raw[64] & 1)], &raw[1..33]].concat();
    let mut off_the_curve = raw.to_vec();
    off_the_curve[64] ^= 1;
    let mut hybrid = raw.to_vec();
    hybrid[0] = 6 + (raw[64] & 1);
    for bad in [
        &compressed[..],
        &hybrid,
        &off_the_curve,
        public.spki_der(),
        &raw[..64],
        &[raw, &[0]].concat(),
        &[0],
        &[],
    ] {
        assert_eq!(with(bad), Err(KeyError::Invalid("P-256")), "{bad:02x?}");
    }
}

#[test]
fn parameters_are_those_of_the_standard() {
    let key = Key::p256();
    let without = changed(&key, |spki| spki.algorithm.parameters = None);
    assert!(matches!(PublicKey::from_spki_der(&without), Err(KeyError::Unsupported(_))));
    let null = der::Any::from(der::asn1::AnyRef::NULL);
    let with_null = changed(&key, |spki| spki.algorithm.parameters = Some(null.clone()));
    assert!(matches!(PublicKey::from_spki_der(&with_null), Err(KeyError::Unsupported(_))));
    let secp256k1 = der::asn1::ObjectIdentifier::new_unwrap("1.3.132.0.10");
    let other = changed(&key, |spki| spki.algorithm.parameters = Some((&secp256k1).into()));
    assert_eq!(PublicKey::from_spki_der(&other), Err(KeyError::Unsupported(secp256k1)));
    let p384 = changed(&key, |spki| spki.algorithm.parameters = Some((&super::SECP384R1).into()));
    assert_eq!(PublicKey::from_spki_der(&p384), Err(KeyError::Invalid("P-384")));

    let key = Key::of(&rcgen::PKCS_ED25519);
    let with_null = changed(&key, |spki| spki.algorithm.parameters = Some(null));
    assert_eq!(PublicKey::from_spki_der(&with_null), Err(KeyError::Invalid("Ed25519")));
    let short = changed(&key, |spki| spki.subject_public_key = bits(&[1; 31]));
    assert_eq!(PublicKey::from_spki_der(&short), Err(KeyError::Invalid("Ed25519")));
}

#[test]
fn bytes_around_a_key_are_refused_in_der_and_text_is_ignored_in_pem() {
    let public = Key::p256().public();
    let trailing = [public.spki_der(), &[0]].concat();
    assert_eq!(PublicKey::from_spki_der(&trailing), Err(KeyError::NotSpki));
    let pem = public.to_pem();
    let wordy = format!("the key\n{pem}and no more\n").replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(wordy.as_bytes()), Ok(public));
    for bad in [
        String::new(),
        pem.repeat(2),
        pem.replace("PUBLIC", "PRIVATE"),
        pem.replace("-----END", "-----end"),
        pem.replacen("MF", "M*", 1),
    ] {
        assert_eq!(PublicKey::from_pem(bad.as_bytes()), Err(KeyError::NotPem), "{bad}");
    }
    assert_eq!(PublicKey::from_pem(b"\xff"), Err(KeyError::NotPem));
}

#[test]
fn an_ed25519_key_is_canonical_and_of_large_order() {
    let key = Key::of(&rcgen::PKCS_ED25519);
    let with = |bytes: [u8; 32]| {
        PublicKey::from_spki_der(&changed(&key, |spki| spki.subject_public_key = bits(&bytes)))
    };
    let point = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    assert!(with(key.0.public_key_raw().try_into().unwrap()).is_ok());
    for bad in [
        // y = 1 and y = -1: the neutral element and the point of order 2.
        point(1, 0, 0),
        point(0xec, 0xff, 0x7f),
        // y = 0: order 4.
        point(0, 0, 0),
        // y = p + 1, which is 1 again, and y = p + 3 and more, which are small numbers again.
        point(0xee, 0xff, 0x7f),
        point(0xf0, 0xff, 0x7f),
        point(0xf1, 0xff, 0x7f),
        point(0xf2, 0xff, 0x7f),
        point(0xf3, 0xff, 0x7f),
    ] {
        assert_eq!(with(bad), Err(KeyError::Invalid("Ed25519")), "{bad:02x?}");
    }
}

#[test]
fn an_rsa_key_below_2048_bits_is_none_of_ours() {
    let root = include_bytes!("../pki/tests/fixtures/rsa-1024-root.pem");
    let root = crate::pki::Certificate::many_from_pem(root).unwrap().remove(0);
    let key = root.public_key().unwrap();
    assert_eq!(key.key_type(), KeyType::Rsa(1024));
    assert_eq!(PublicKey::from_spki_der(key.spki_der()), Err(KeyError::Invalid("RSA")));
}
