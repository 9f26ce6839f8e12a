//! Several signers of one model, and whatever makes one look like two.

use std::fs;
use std::path::PathBuf;

use oms_testkit::pki::{Certificate, Key, KeyType, Profile};
use oms_testkit::{files, model, run};
use oms_tests::forge::Forger;
use oms_tests::scene::{Scene, any_content};
use oms_tests::{entry, json};
use serde_json::Value;

/// A station that asks for two signers, and a model that the vendor signed.
fn scene() -> Scene {
    let policy = any_content().replace("[revocation]", "[signatures]\nrequire = 2\n\n[revocation]");
    let scene = Scene::with_policy(&policy);
    model::write(&scene.model, 4_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

fn profile(name: &str, address: &str) -> Profile {
    Profile::code_signing(name).email(address)
}

/// What the vendor signed, signed with this key and certificate, in a file beside the carrier.
fn also_signed(scene: &Scene, key: &Key, certificate: &Certificate) -> PathBuf {
    let payload = entry::signed_bytes(&scene.bundle());
    let chain = [certificate.der.as_slice(), &scene.issuer.certificate.der];
    let bundle = Forger::new(key).bundle_with_chain(&payload, &chain);
    files::public(scene.path("second.sig"), bundle.to_string())
}

/// `verify` with the vendor's bundle and this one.
fn verified(scene: &Scene, second: &PathBuf, status: i32) -> Value {
    let mut verify = scene.verify();
    verify.arg("--bundle").arg(scene.bundle()).arg("--bundle").arg(second);
    json::conforming(&json::VERIFY, run::outcome(&mut verify).expect_status(status).json())
}

#[test]
fn two_signers_who_differ_are_two() {
    let scene = scene();
    let qa = scene.issuer.issue(profile("QA", "qa@vendor.example"), KeyType::P256);
    let document = verified(&scene, &also_signed(&scene, &qa.key, &qa.certificate), 0);
    let signers = document["signers"].as_array().unwrap();
    let identities: Vec<_> = signers.iter().map(|signer| &signer["identity"]).collect();
    assert_eq!(identities, ["san-email:release@vendor.example", "san-email:qa@vendor.example"]);
    assert!(signers.iter().all(|signer| signer["method"] == "certificate"));
}

#[test]
fn one_signer_is_never_two() {
    let scene = scene();
    let vendor = &scene.vendor;
    let mut traps = vec![("the same bundle under two names", {
        let copy = scene.path("copy.sig");
        fs::copy(scene.bundle(), &copy).unwrap();
        copy
    })];
    for (why, profile) in [
        ("one key with two certificates", profile("QA", "qa@vendor.example")),
        ("one key in a renewed certificate", profile("Vendor", "release@vendor.example")),
    ] {
        let spki = vendor.key.public_der();
        let certificate = scene.issuer.issue_for(profile, &spki);
        let second = also_signed(&scene, &vendor.key, &certificate);
        let kept = scene.path(&format!("{}.sig", traps.len()));
        fs::rename(second, &kept).unwrap();
        traps.push((why, kept));
    }
    for (why, profile) in [
        ("one address with two keys", profile("QA", "release@vendor.example")),
        ("one address in another case", profile("QA", "Release@vendor.example")),
        ("one subject with two addresses", profile("Vendor", "qa@vendor.example")),
        ("one subject in another case and spacing", profile("  VENDOR ", "qa@vendor.example")),
    ] {
        let leaf = scene.issuer.issue(profile, KeyType::P256);
        let second = also_signed(&scene, &leaf.key, &leaf.certificate);
        let kept = scene.path(&format!("{}.sig", traps.len()));
        fs::rename(second, &kept).unwrap();
        traps.push((why, kept));
    }
    // The policy pins the vendor's key too.
    let by_key = scene.forger().bundle(&entry::signed_bytes(&scene.bundle()));
    traps.push((
        "a pinned key and its certificate",
        files::public(scene.path("key.sig"), by_key.to_string()),
    ));
    for (why, second) in traps {
        let document = verified(&scene, &second, 1);
        assert_eq!(json::codes(&document["reasons"]), ["signature.threshold"], "{why}");
    }
}

#[test]
fn a_copy_of_the_bundle_on_the_carrier_adds_no_signer() {
    let scene = scene();
    fs::copy(scene.bundle(), scene.model.join("qa.sig")).unwrap();
    let _ = scene.refused_at_ingest(&["signature.threshold"]);
    let qa = scene.issuer.issue(profile("QA", "qa@vendor.example"), KeyType::P256);
    let second = also_signed(&scene, &qa.key, &qa.certificate);
    fs::copy(second, scene.model.join("qa.sig")).unwrap();
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn a_counted_bundle_is_no_unsigned_file_and_a_refused_one_is() {
    let scene = Scene::with_policy(&any_content());
    model::write(&scene.model, 4_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let qa = scene.issuer.issue(profile("QA", "qa@vendor.example"), KeyType::P256);
    let second = also_signed(&scene, &qa.key, &qa.certificate);
    fs::copy(second, scene.model.join("qa.sig")).unwrap();
    assert_eq!(scene.ingested().len(), 1);
    let stranger = scene.issuer.issue(profile("QA", "qa@other.example"), KeyType::P256);
    let second = also_signed(&scene, &stranger.key, &stranger.certificate);
    fs::copy(second, scene.model.join("qa.sig")).unwrap();
    let refused = scene.refused_at_ingest(&["manifest.unsigned-file"]);
    let detail = entry::detail(&entry::payload(&refused))["reasons"][0]["detail"].clone();
    assert_eq!(detail, "it is a bundle that does not count; it stays behind");
}
