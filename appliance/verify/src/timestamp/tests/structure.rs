//! The structure of tokens, and what TSTInfo says.

use super::maker::{
    CONTENT_TYPE, Draft, InfoDraft, NOW, SHA_256, SIGNATURE, Scene, TST_INFO, algorithm, der,
    integer, octets, oid, sequence,
};
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::reason::Code;
use crate::time::UnixTime;
use crate::timestamp::{Part, TimestampError};

const DAY: i64 = 86_400;

/// A TimeStampResp of this status around a token.
fn response(status: u8, token: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&integer(status)]), token])
}

#[test]
fn a_right_token_tells_its_time_and_authority() {
    let scene = Scene::new();
    let token = scene.token("20291231000000Z");
    let trusted = scene.verify(&token).unwrap();
    assert_eq!(trusted.time(), UnixTime(NOW.0 - DAY));
    assert_eq!(trusted.authority(), "CN=Stamper");
    assert_eq!(trusted.anchor(), "corp-tsa");
    assert_eq!(trusted.sha256(), Sha256Digest::of(&token));
    assert_eq!(trusted.path().leaf(), &scene.authority.certificate);
}

#[test]
fn a_whole_response_counts_when_it_was_granted() {
    let scene = Scene::new();
    let token = scene.token("20291231000000Z");
    for status in [0, 1] {
        assert!(scene.verify(&response(status, &token)).is_ok(), "{status}");
    }
    for (status, token) in [(2, token.as_slice()), (5, &token), (0, &[])] {
        let refusal = scene.refusal(&response(status, token));
        assert_eq!(refusal, TimestampError::NotGranted(status));
        assert_eq!(refusal.code(), Code::TimestampMalformed);
    }
}

#[test]
fn a_token_is_bounded() {
    let limit = Budget::default().timestamp_bytes;
    let refusal = Scene::new().refusal(&vec![0x30; limit + 1]);
    assert_eq!(refusal, TimestampError::TooLarge { size: limit + 1, limit });
    assert_eq!(refusal.code(), Code::TimestampMalformed);
}

#[test]
fn what_is_no_token_is_refused() {
    let scene = Scene::new();
    let malformed = |token: &[u8]| match scene.refusal(token) {
        TimestampError::Malformed(part) => part,
        other => panic!("{other}"),
    };
    let token = scene.token("20291231000000Z");
    assert_eq!(malformed(&[]), Part::Token);
    assert_eq!(malformed(&[token.as_slice(), &[0]].concat()), Part::Token);
    for length in 0..token.len() {
        assert_eq!(malformed(&token[..length]), Part::Token, "{length}");
    }
    let other = sequence(&[&oid("1.2.840.113549.1.7.1"), &der(0xa0, &[&octets(b"data")])]);
    assert!(matches!(scene.refusal(&other), TimestampError::ContentType(_)));
    let empty = sequence(&[&oid("1.2.840.113549.1.7.2"), &der(0xa0, &[&sequence(&[])])]);
    assert_eq!(malformed(&empty), Part::SignedData);
    assert_eq!(malformed(&scene.changed(|draft| draft.version = 1)), Part::SignedData);
}

#[test]
fn the_content_is_a_time_stamp() {
    let scene = Scene::new();
    let data = "1.2.840.113549.1.7.1";
    let token = scene.changed(|draft| draft.content_type = data);
    assert_eq!(scene.refusal(&token), TimestampError::ContentType(data.parse().unwrap()));
    assert_eq!(scene.code(&token), Code::TimestampMalformed);
    let token = scene.changed(|draft| {
        draft.replace(CONTENT_TYPE, Some(super::maker::attribute(CONTENT_TYPE, &[&oid(data)])));
    });
    assert_eq!(scene.refusal(&token), TimestampError::ContentType(data.parse().unwrap()));
    let token = scene.about(|info| info.rest = octets(b"unexpected"));
    assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::Info));
    assert_ne!(data, TST_INFO);
}

#[test]
fn only_version_1_is_understood() {
    let scene = Scene::new();
    let token = scene.about(|info| info.version = 2);
    assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::Info));
}

#[test]
fn a_critical_extension_must_be_understood() {
    let scene = Scene::new();
    let kind = "1.3.6.1.4.1.99999.7";
    let extensions = |critical: &[u8]| {
        let extension = sequence(&[&oid(kind), critical, &octets(b"x")]);
        der(0xa1, &[&extension])
    };
    let token = scene.about(|info| info.rest = extensions(&der(1, &[&[0xff]])));
    let refusal = scene.refusal(&token);
    assert_eq!(refusal, TimestampError::CriticalExtension(kind.parse().unwrap()));
    assert_eq!(refusal.code(), Code::TimestampMalformed);
    assert!(scene.verify(&scene.about(|info| info.rest = extensions(&[]))).is_ok());
}

#[test]
fn the_named_authority_is_the_one_that_signed() {
    let scene = Scene::new();
    let name = |entity: &super::maker::Entity| der(0xa0, &[&entity.general_name()]);
    let token = scene.about(|info| info.rest = name(&scene.authority));
    assert!(scene.verify(&token).is_ok());
    let token = scene.about(|info| info.rest = name(&scene.root));
    let subject = "CN=Stamper".to_owned();
    assert_eq!(scene.refusal(&token), TimestampError::OtherAuthority { subject });
    assert_eq!(scene.code(&token), Code::TimestampUntrusted);
}

#[test]
fn a_time_stamp_is_over_this_signature_by_a_good_hash() {
    let scene = Scene::new();
    let imprint = |kind: &str, digest: &[u8]| sequence(&[&algorithm(kind), &octets(digest)]);
    let other = Sha256Digest::of(b"another signature").0;
    let token = scene.about(|info| info.imprint = imprint(SHA_256, &other));
    assert_eq!(scene.refusal(&token), TimestampError::OtherData);
    assert_eq!(scene.code(&token), Code::TimestampOtherData);

    let sha512 = <sha2::Sha512 as sha2::Digest>::digest(SIGNATURE);
    let token = scene.about(|info| info.imprint = imprint("2.16.840.1.101.3.4.2.3", &sha512));
    assert!(scene.verify(&token).is_ok());
    // The right digest cut off, under the name of the longer hash.
    let token = scene.about(|info| info.imprint = imprint("2.16.840.1.101.3.4.2.3", &sha512[..32]));
    assert_eq!(scene.refusal(&token), TimestampError::OtherData);

    const SHA_1: &str = "1.3.14.3.2.26";
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, SIGNATURE);
    let token = scene.about(|info| info.imprint = imprint(SHA_1, sha1.as_ref()));
    assert_eq!(scene.refusal(&token), TimestampError::Hash(SHA_1.parse().unwrap()));
    assert_eq!(scene.code(&token), Code::TimestampMalformed);
}

#[test]
fn a_time_is_generalized_time_in_der() {
    let scene = Scene::new();
    let time = |text: &str| scene.verify(&scene.token(text)).map(|trusted| trusted.time());
    assert_eq!(time("20291231000000Z").unwrap(), UnixTime(NOW.0 - DAY));
    // Rounded up: by the end of that second it certainly existed.
    for fraction in [".5", ".000000001", ".9999999"] {
        let text = format!("20291231000000{fraction}Z");
        assert_eq!(time(&text).unwrap(), UnixTime(NOW.0 - DAY + 1), "{text}");
    }
    for bad in [
        "",
        "Z",
        "20291231000000",
        "202912310000Z",
        "20291231000000.Z",
        "20291231000000.50Z",
        "20291231000000,5Z",
        "20291231000000+0100",
        "20291231000060Z",
        "20290230000000Z",
        "20291231240000Z",
        "2029123100000 Z",
        "+0291231000000Z",
        "20291231000000.-5Z",
        "20291231000000.5Z0",
    ] {
        assert_eq!(time(bad).unwrap_err(), TimestampError::Malformed(Part::Time), "{bad}");
    }
    let token = scene.about(|info| info.time = der(0x17, &[b"291231000000Z"]));
    assert_eq!(scene.refusal(&token), TimestampError::Malformed(Part::Time));
}

#[test]
fn the_claimed_accuracy_puts_the_time_later_and_never_after_now() {
    let scene = Scene::new();
    let with = |parts: &[&[u8]]| scene.about(|info| info.rest = sequence(parts));
    let time = |parts: &[&[u8]]| scene.verify(&with(parts)).unwrap().time();
    let (millis, micros) = (der(0x80, &[&[1]]), der(0x81, &[&[1]]));
    assert_eq!(time(&[&integer(60)]), UnixTime(NOW.0 - DAY + 60));
    assert_eq!(time(&[&integer(60), &millis, &micros]), UnixTime(NOW.0 - DAY + 61));
    assert_eq!(time(&[&der(2, &[&[0x7f, 0xff, 0xff, 0xff]])]), NOW);
    for bad in [der(0x80, &[&[0]]), der(0x81, &[&[0x03, 0xe8]])] {
        let refusal = scene.refusal(&with(&[&bad]));
        assert_eq!(refusal, TimestampError::Malformed(Part::Accuracy));
    }
}

#[test]
fn a_time_stamp_is_not_from_the_future() {
    let mut scene = Scene::new();
    let token = scene.token("20300101000000.9Z");
    assert_eq!(scene.verify(&token).unwrap().time(), NOW, "the same second");
    scene.time = UnixTime(NOW.0 - 1);
    let refusal = scene.refusal(&token);
    assert_eq!(refusal, TimestampError::Future { stamped: NOW, time: scene.time });
    assert_eq!(refusal.code(), Code::TimestampFuture);
}

#[test]
fn a_token_that_was_tampered_with_proves_no_other_time() {
    let scene = Scene::new();
    let token =
        Draft::new(&scene.authority, &InfoDraft::at("20291231000000Z")).sign(&scene.authority.key);
    let right = scene.verify(&token).unwrap().time();
    for at in 0..token.len() {
        for bit in [0x01, 0x80] {
            let mut changed = token.clone();
            changed[at] ^= bit;
            // What is not signed, such as the list of hashes, may change.
            if let Ok(trusted) = scene.verify(&changed) {
                assert_eq!(trusted.time(), right, "byte {at}");
                assert_eq!(trusted.path().leaf(), &scene.authority.certificate, "byte {at}");
            }
        }
    }
}
