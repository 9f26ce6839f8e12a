//! Who signed a token: SignerInfo, its attributes and its signature.

use super::maker::{
    CONTENT_TYPE, Entity, MESSAGE_DIGEST, SHA_256, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2,
    Scene, TST_INFO, algorithm, anchor, attribute, der, integer, octets, oid, sequence,
    signing_certificate_v1, signing_certificate_v2, stamping,
};
use crate::hash::Sha256Digest;
use crate::reason::Code;
use crate::timestamp::{Part, TimestampError};

#[test]
fn there_is_exactly_one_signer() {
    let scene = Scene::new();
    let token = scene.changed(|draft| draft.signers = 0);
    assert_eq!(scene.refusal(&token), TimestampError::SignerCount(0));
    let one = scene.draft("20291231000000Z");
    let signer = |signature: &[u8]| {
        sequence(&[
            &integer(1),
            &one.signer,
            &one.hash,
            &der(0xa0, &[&one.attributes.concat()]),
            &one.signature_algorithm,
            &octets(signature),
        ])
    };
    let token = one.assemble(&[signer(b"1"), signer(b"2")].concat());
    assert_eq!(scene.refusal(&token), TimestampError::SignerCount(2));
    assert_eq!(scene.code(&token), Code::TimestampMalformed);
}

#[test]
fn the_signer_is_identified_by_its_version() {
    let scene = Scene::new();
    let token = scene.changed(|draft| draft.signer_version = 3);
    assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::SignerInfo));
    let token = scene.changed(|draft| draft.signer = scene.authority.place(&[1]));
    assert_eq!(scene.refusal(&token), TimestampError::NoCertificate);
    assert_eq!(scene.code(&token), Code::TimestampUntrusted);
    let id = scene.authority.key_id();
    let token = scene.changed(|draft| {
        draft.signer = der(0x80, &[&id]);
        draft.signer_version = 3;
    });
    assert!(scene.verify(&token).is_ok());
    let token = scene.changed(|draft| {
        draft.signer = der(0x80, &[b"another"]);
        draft.signer_version = 3;
    });
    assert_eq!(scene.refusal(&token), TimestampError::NoCertificate);
}

#[test]
fn an_authority_may_be_an_anchor_and_leave_its_certificate_out() {
    let mut scene = Scene::new();
    scene.authority = Entity::self_signed(stamping("Stamper"));
    let token = scene.changed(|draft| draft.certificates.clear());
    assert_eq!(scene.refusal(&token), TimestampError::NoCertificate);
    scene.anchors = vec![anchor("pinned", &scene.authority.certificate)];
    assert_eq!(scene.verify(&token).unwrap().anchor(), "pinned");
}

#[test]
fn each_needed_attribute_is_there_once_with_one_value() {
    let scene = Scene::new();
    let digest = |content: &[u8]| octets(&Sha256Digest::of(content).0);
    for kind in [CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE_V2] {
        let refusal = TimestampError::Attribute(kind.parse().unwrap());
        let token = scene.changed(|draft| draft.replace(kind, None));
        assert_eq!(scene.refusal(&token), refusal);
        assert_eq!(refusal.code(), Code::TimestampMalformed);
        let token = scene.changed(|draft| {
            draft.replace(kind, Some(attribute(kind, &[&integer(1), &integer(2)])));
        });
        assert_eq!(scene.refusal(&token), refusal);
        let token = scene.changed(|draft| {
            draft.attributes.push(attribute(kind, &[&integer(1)]));
            draft.attributes.sort();
        });
        assert_eq!(scene.refusal(&token), refusal);
        let token = scene.changed(|draft| {
            draft.replace(kind, Some(attribute(kind, &[&der(5, &[])])));
        });
        let kind = kind.parse().unwrap();
        assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::Attribute(kind)));
    }
    let token = scene.changed(|draft| {
        draft.replace(MESSAGE_DIGEST, Some(attribute(MESSAGE_DIGEST, &[&digest(b"other")])));
    });
    assert_eq!(scene.refusal(&token), TimestampError::MessageDigest);
    assert_eq!(scene.code(&token), Code::TimestampUntrusted);
}

#[test]
fn a_signature_without_attributes_is_not_enough() {
    let scene = Scene::new();
    let draft = scene.draft("20291231000000Z");
    let signature = rcgen::SigningKey::sign(&scene.authority.key, &draft.content).unwrap();
    let token = draft.assemble(&sequence(&[
        &integer(1),
        &draft.signer,
        &draft.hash,
        &draft.signature_algorithm,
        &octets(&signature),
    ]));
    assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::SignerInfo));
}

#[test]
fn the_attributes_are_signed_as_a_sorted_set() {
    let scene = Scene::new();
    let token = scene.changed(|draft| draft.attributes.reverse());
    // Signed in an order that DER does not have.
    assert!(matches!(scene.refusal(&token), TimestampError::Signature { .. }));
}

#[test]
fn the_content_is_hashed_with_sha_2() {
    let scene = Scene::new();
    let token = scene.changed(|draft| draft.hash = algorithm("1.3.14.3.2.26"));
    assert!(matches!(scene.refusal(&token), TimestampError::Hash(_)));
    let odd = sequence(&[&oid(SHA_256), &octets(b"x")]);
    let token = scene.changed(|draft| draft.hash = odd);
    assert!(matches!(scene.refusal(&token), TimestampError::Hash(_)));
}

#[test]
fn the_signature_verifies_under_the_authority_s_key() {
    let scene = Scene::new();
    let subject = "CN=Stamper".to_owned();
    let refusal = TimestampError::Signature { subject };
    let draft = scene.draft("20291231000000Z");
    assert_eq!(scene.refusal(&draft.sign(&scene.root.key)), refusal);
    assert_eq!(refusal.code(), Code::TimestampUntrusted);
    // SHA-1 with ECDSA, and an algorithm of another kind of key.
    for other in ["1.2.840.10045.4.1", "1.2.840.113549.1.1.11"] {
        let token = scene.changed(|draft| draft.signature_algorithm = algorithm(other));
        assert_eq!(scene.refusal(&token), refusal, "{other}");
    }
}

#[test]
fn the_attributes_name_the_signer_s_certificate() {
    let scene = Scene::new();
    let (v1, v2) = (SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2);
    let own = scene.authority.certificate.der();
    let sha256 = Sha256Digest::of(own).0;
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, own);
    let wrong = [7; 32];
    let named = |old: Option<&[u8]>, new: Option<&[u8]>| {
        scene.changed(|draft| {
            draft.replace(v2, new.map(signing_certificate_v2));
            draft.replace(v1, old.map(signing_certificate_v1));
        })
    };
    assert!(scene.verify(&named(None, Some(&sha256))).is_ok());
    assert!(scene.verify(&named(Some(sha1.as_ref()), Some(&sha256))).is_ok());
    assert!(scene.verify(&named(Some(sha1.as_ref()), None)).is_ok());
    for token in [
        named(None, Some(&wrong)),
        named(Some(&wrong[..20]), Some(&sha256)),
        named(Some(sha1.as_ref()), Some(&wrong)),
        named(Some(&wrong[..20]), None),
    ] {
        assert_eq!(scene.refusal(&token), TimestampError::OtherCertificate);
        assert_eq!(scene.code(&token), Code::TimestampUntrusted);
    }
    let none = sequence(&[&sequence(&[])]);
    for kind in [v1, v2] {
        let token = scene.changed(|draft| draft.replace(kind, Some(attribute(kind, &[&none]))));
        let kind = kind.parse().unwrap();
        assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::Attribute(kind)));
    }
}

#[test]
fn the_place_of_the_certificate_is_the_signer_s_too() {
    let scene = Scene::new();
    let own = octets(&Sha256Digest::of(scene.authority.certificate.der()).0);
    let named = |issuer: Vec<u8>, serial: &[u8]| {
        let place = sequence(&[&sequence(&[&issuer]), &der(2, &[serial])]);
        let id = sequence(&[&own, &place]);
        let value = sequence(&[&sequence(&[&id])]);
        let kind = SIGNING_CERTIFICATE_V2;
        scene.changed(|draft| draft.replace(kind, Some(attribute(kind, &[&value]))))
    };
    let serial = scene.authority.serial();
    assert!(scene.verify(&named(scene.root.general_name(), &serial)).is_ok());
    for token in [
        named(scene.root.general_name(), &[1]),
        named(scene.authority.general_name(), &serial),
        named(der(0x82, &[b"stamping.example"]), &serial),
    ] {
        assert_eq!(scene.refusal(&token), TimestampError::OtherCertificate);
    }
}

#[test]
fn a_certificate_of_the_same_key_cannot_be_put_in_place() {
    let scene = Scene::new();
    let key = rcgen::KeyPair::from_pem(&scene.authority.key.serialize_pem()).unwrap();
    let twin = scene.root.issue_for(stamping("Twin"), key);
    let token = scene.changed(|draft| {
        draft.certificates = vec![twin.certificate.der().to_vec()];
        draft.signer = twin.place(&twin.serial());
    });
    assert_eq!(scene.refusal(&token), TimestampError::OtherCertificate);
}

#[test]
fn every_kind_of_key_may_stamp() {
    const RSA: &str = "1.2.840.113549.1.1.1";
    const RSA_WITH_SHA_256: &str = "1.2.840.113549.1.1.11";
    let scene = Scene::new();
    for (kind, algorithms) in [
        (&rcgen::PKCS_ECDSA_P384_SHA384, &["1.2.840.10045.4.3.3"][..]),
        (&rcgen::PKCS_ED25519, &["1.3.101.112"]),
        (&rcgen::PKCS_RSA_SHA256, &[RSA, RSA_WITH_SHA_256]),
    ] {
        let authority: Entity = scene.root.issue(stamping("Other Stamper"), kind);
        for name in algorithms {
            let info = super::maker::InfoDraft::at("20291231000000Z");
            let mut draft = super::maker::Draft::new(&authority, &info);
            draft.signature_algorithm = match *name {
                RSA | RSA_WITH_SHA_256 => sequence(&[&oid(name), &der(5, &[])]),
                _ => algorithm(name),
            };
            assert!(scene.verify(&draft.sign(&authority.key)).is_ok(), "{name}");
        }
    }
    assert_ne!(TST_INFO, RSA);
}
