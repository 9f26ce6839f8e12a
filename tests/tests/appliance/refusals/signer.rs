//! Signers that the policy does not admit.

use oms_testkit::pki::{Authority, Key, KeyType, Profile};
use oms_tests::scene::Scene;

#[test]
fn a_wrong_key() {
    let scene = Scene::unsigned();
    scene.sign_with_key(&Key::generate(KeyType::P256));
    scene.refused(&["signature.wrong-key"]);
}

#[test]
fn a_wrong_key_that_the_bundle_does_not_name() {
    let scene = Scene::signed();
    let stranger = oms_tests::forge::Forger::new(&Key::generate(KeyType::P256));
    let mut bundle = stranger.bundle(&oms_tests::entry::signed_bytes(&scene.bundle()));
    bundle["verificationMaterial"]["publicKey"] = serde_json::json!({});
    scene.place(bundle.to_string());
    scene.refused(&["signature.invalid"]);
}

#[test]
fn a_wrong_root_of_the_same_name() {
    let scene = Scene::unsigned();
    let root = Authority::root(Profile::ca("Corp Root"), KeyType::P256);
    let issuer = root.intermediate(Profile::ca("Corp Issuing"), KeyType::P256);
    let leaf = issuer.issue(vendor(), KeyType::P256);
    scene.sign_as(&leaf, &issuer);
    scene.refused(&["signature.untrusted-anchor"]);
}

#[test]
fn an_expired_certificate() {
    refused_certificate(vendor().expired(), "signature.certificate-expired");
}

#[test]
fn a_certificate_that_is_not_yet_valid() {
    refused_certificate(vendor().not_yet_valid(), "signature.certificate-not-yet-valid");
}

#[test]
fn a_certificate_for_another_purpose() {
    refused_certificate(vendor().extended_key_usages([]), "signature.certificate-purpose");
}

#[test]
fn another_identity() {
    let other = Profile::code_signing("Other").email("release@other.example");
    refused_certificate(other, "signature.identity");
}

#[test]
fn a_chain_that_ends_before_its_anchor() {
    let scene = Scene::unsigned();
    let payload = oms_tests::forge::statement(&[("a", "0".repeat(64))]).to_string();
    let leaf = scene.vendor.certificate.der.as_slice();
    let bundle = scene.forger().bundle_with_chain(payload.as_bytes(), &[leaf]);
    scene.place(bundle.to_string());
    scene.refused(&["signature.no-path"]);
}

fn vendor() -> Profile {
    Profile::code_signing("Vendor").email("release@vendor.example")
}

fn refused_certificate(profile: Profile, code: &str) {
    let scene = Scene::unsigned();
    let leaf = scene.issuer.issue(profile, KeyType::P256);
    scene.sign_as(&leaf, &scene.issuer);
    scene.refused(&[code]);
}
