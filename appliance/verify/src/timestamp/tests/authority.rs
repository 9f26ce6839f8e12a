//! Whether the authority that stamped may be believed, and which of several tokens counts.

use rcgen::{KeyUsagePurpose, date_time_ymd};

use super::maker::{Entity, NOW, Scene, anchor, extended_key_usage, octets, stamping};
use crate::pki::{PathError, RevocationMode};
use crate::reason::Code;
use crate::time::UnixTime;
use crate::timestamp::TimestampError;

const YESTERDAY: &str = "20291231000000Z";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";

/// The path's error; any other is a failure of the test.
#[track_caller]
fn path_error(scene: &Scene, token: &[u8]) -> PathError {
    match scene.refusal(token) {
        TimestampError::Path(error) => {
            assert_eq!(scene.code(token), Code::TimestampUntrusted);
            error
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_authority_s_anchor_is_one_that_the_policy_names() {
    let mut scene = Scene::new();
    let token = scene.token(YESTERDAY);
    scene.anchors = vec![anchor("other", &Entity::root("Other Root").certificate)];
    let _ = path_error(&scene, &token);
    scene.anchors.clear();
    let _ = path_error(&scene, &token);
}

#[test]
fn the_authority_may_stamp_and_nothing_else() {
    let stamp = |usage, key_usage: &[KeyUsagePurpose]| {
        let mut params = stamping("Stamper");
        params.custom_extensions = Vec::from_iter(usage);
        params.key_usages = key_usage.to_vec();
        let scene = Scene::with(params);
        let token = scene.token(YESTERDAY);
        scene.verify(&token).map(drop)
    };
    let signature = [KeyUsagePurpose::DigitalSignature];
    let usage = |purposes: &[&str], critical| Some(extended_key_usage(purposes, critical));
    assert_eq!(stamp(usage(&[TIME_STAMPING], true), &signature), Ok(()));
    for (usage, key_usage) in [
        (None, &signature[..]),
        (usage(&[TIME_STAMPING], false), &signature),
        (usage(&[CODE_SIGNING], true), &signature),
        (usage(&[TIME_STAMPING, CODE_SIGNING], true), &signature),
        (usage(&["2.5.29.37.0"], true), &signature),
        (usage(&[TIME_STAMPING], true), &[KeyUsagePurpose::KeyEncipherment]),
    ] {
        let error = stamp(usage, key_usage).unwrap_err();
        assert!(matches!(error, TimestampError::Path(_)), "{error}");
    }
}

#[test]
fn the_authority_is_valid_now_and_was_valid_then() {
    let mut params = stamping("Stamper");
    params.not_before = date_time_ymd(2029, 12, 30);
    let mut scene = Scene::with(params);
    assert!(scene.verify(&scene.token(YESTERDAY)).is_ok());
    let error = path_error(&scene, &scene.token("20291229235959Z"));
    assert!(matches!(error, PathError::NotYetValid { .. }), "{error}");
    let token = scene.token(YESTERDAY);
    scene.time = UnixTime(NOW.0 + 366 * 86_400);
    let error = path_error(&scene, &token);
    assert!(matches!(error, PathError::Expired { .. }), "{error}");
}

#[test]
fn a_revoked_authority_proves_nothing() {
    let mut scene = Scene::new();
    let token = scene.token(YESTERDAY);
    scene.revocation = RevocationMode::Require;
    let error = path_error(&scene, &token);
    assert!(!matches!(error, PathError::Revoked { .. }), "{error}");
    let other = scene.root.issue(stamping("Other"), &rcgen::PKCS_ECDSA_P256_SHA256);
    scene.crls = vec![scene.root.crl(&other)];
    assert!(scene.verify(&token).is_ok());
    // It was stamped after the revocation, and before it: both prove nothing.
    scene.crls = vec![scene.root.crl(&scene.authority)];
    for token in [token, scene.token("20290601000000Z")] {
        let error = path_error(&scene, &token);
        assert!(matches!(error, PathError::Revoked { .. }), "{error}");
    }
}

#[test]
fn intermediates_come_from_the_token() {
    let scene = Scene::new();
    let middle = Entity::below(&scene.root, "Stamping CA");
    let authority = middle.issue(stamping("Stamper"), &rcgen::PKCS_ECDSA_P256_SHA256);
    let info = super::maker::InfoDraft::at(YESTERDAY);
    let mut draft = super::maker::Draft::new(&authority, &info);
    let _ = path_error(&scene, &draft.sign(&authority.key));
    draft.certificates.insert(0, middle.certificate.der().to_vec());
    let trusted = scene.verify(&draft.sign(&authority.key)).unwrap();
    assert_eq!(trusted.path().certificates().len(), 3);
}

#[test]
fn the_earliest_trusted_time_stamp_counts_whatever_stands_beside_it() {
    let scene = Scene::new();
    let (early, late) = (scene.token("20291201000000Z"), scene.token(YESTERDAY));
    let forged = Scene::new().token("20290601000000Z");
    let tokens = [forged, late.clone(), octets(b"junk"), early, late];
    let stamped = scene.earliest(&tokens);
    assert_eq!(stamped.trusted.unwrap().time().to_string(), "2029-12-01T00:00:00Z");
    let refused: Vec<_> = stamped.refused.iter().map(|(at, error)| (*at, error.code())).collect();
    assert_eq!(refused, [(0, Code::TimestampUntrusted), (2, Code::TimestampMalformed)]);
    let stamped = scene.earliest(&[]);
    assert!(stamped.trusted.is_none() && stamped.refused.is_empty());
}

#[test]
fn no_more_tokens_are_looked_at_than_the_budget_allows() {
    let scene = Scene::new();
    let tokens = vec![octets(b"junk"); 100];
    assert_eq!(scene.earliest(&tokens).refused.len(), 8);
}
