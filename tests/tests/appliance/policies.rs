//! The shipped policies before a whole station, and the rules of a policy that refuse a model which
//! its signer signed as it is.

use std::fs;

use oms_testkit::pki::{Authority, CrlProfile, KeyType, Profile, now};
use oms_testkit::vectors::workspace;
use oms_testkit::{files, model, run};
use oms_tests::scene::{POLICY, Scene, appliance};
use oms_tests::{entry, json};

const DAY: u64 = 24 * 60 * 60;

fn shipped(name: &str) -> String {
    fs::read_to_string(workspace().join("policies").join(name)).unwrap()
}

/// A station with `prod.toml`, whose authorities have fresh CRLs, and a model that is signed as
/// that policy asks. The root of a scene has no key any more: it gets another.
fn production(age: u64) -> (Scene, Authority, Authority) {
    let scene = Scene::with_policy(&shipped("prod.toml"));
    model::write(&scene.model, 30_000);
    let root = Authority::root(Profile::ca("Corp Root"), KeyType::P384);
    let issuer = root.intermediate(Profile::ca("Corp ML"), KeyType::P384);
    let pem = &scene_root(&scene);
    oms_testkit::roots::write(
        &scene.station.roots,
        &[
            oms_testkit::roots::Anchor::new("corp-root", &root.certificate.pem, &["code-signing"]),
            oms_testkit::roots::Anchor::new("station-root", pem, &["verdict"]),
        ],
    );
    let leaf = issuer.issue(
        Profile::code_signing("Build")
            .email("build@ml.corp.example")
            .validity(now() - age, now() + DAY),
        KeyType::P384,
    );
    scene.sign_as(&leaf, &issuer);
    scene.station.install_crl("root", &root.crl(CrlProfile::new(1)).pem);
    scene.station.install_crl("issuer", &issuer.crl(CrlProfile::new(1)).pem);
    files::public(scene.path("leaf.pem"), &leaf.certificate.pem);
    (scene, root, issuer)
}

fn scene_root(scene: &Scene) -> String {
    fs::read_to_string(scene.station.roots.join("corp-root.pem")).unwrap()
}

#[test]
fn prod_admits_what_is_signed_as_it_asks_and_says_how_it_knows() {
    let (scene, ..) = production(DAY);
    let [entry] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&entry);
    let detail = entry::detail(&payload);
    assert_eq!(detail["revocation"], "require");
    assert_eq!(detail["policy"]["crls"].as_array().unwrap().len(), 2);
    assert_eq!(detail["policy"]["id"], "prod");
}

#[test]
fn prod_refuses_an_old_signature() {
    let (scene, ..) = production(401 * DAY);
    scene.refused_at_ingest(&["signature.too-old"]);
}

#[test]
fn prod_refuses_without_a_crl_and_with_a_stale_one() {
    let (scene, _, issuer) = production(DAY);
    let stale = CrlProfile::new(1).validity(now() - 30 * DAY, now() + DAY);
    scene.station.install_crl("issuer", &issuer.crl(stale).pem);
    scene.refused_at_ingest(&["revocation.stale"]);
    fs::remove_file(scene.station.crls.join("issuer.pem")).unwrap();
    scene.refused_at_ingest(&["revocation.crl-missing"]);
}

#[test]
fn prod_refuses_a_revoked_certificate() {
    let (scene, _, issuer) = production(DAY);
    let profile = Profile::code_signing("Build")
        .email("build@ml.corp.example")
        .validity(now() - DAY, now() + DAY);
    let leaf = issuer.issue(profile, KeyType::P384);
    scene.sign_as(&leaf, &issuer);
    assert_eq!(scene.ingested().len(), 1);
    let crl = issuer.crl(CrlProfile::new(2).revoke(&leaf.certificate));
    scene.station.install_crl("issuer", &crl.pem);
    scene.refused_at_ingest(&["revocation.revoked"]);
}

#[test]
fn lab_admits_what_its_key_signed() {
    let scene = Scene::with_policy(&shipped("lab.toml"));
    scene.vendor.key.write_public(scene.station.policy.with_file_name("lab.pem"));
    model::write(&scene.model, 30_000);
    scene.sign_with_key(&scene.vendor.key);
    files::public(scene.model.join("unsigned.json"), "{}");
    let [entry] = scene.ingested().try_into().unwrap();
    assert!(!entry.join("model/unsigned.json").exists(), "what nobody signed stays behind");
    let payload = entry::payload(&entry);
    assert_eq!(json::codes(&entry::detail(&payload)["warnings"]), ["manifest.unsigned-file"]);
}

#[test]
fn the_shipped_policies_are_checked_and_explained() {
    let (scene, ..) = production(DAY);
    for (command, words) in [("check", "prod version"), ("explain", "corp-root")] {
        let mut policy = appliance();
        policy.args(["policy", command]).arg(workspace().join("policies/prod.toml"));
        let outcome = run::outcome(policy.arg("--roots").arg(&scene.station.roots));
        let outcome = outcome.expect_status(0);
        assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
    }
}

/// A model that is signed as it is, with one file more, is refused for its content.
fn refused_content(name: &str, bytes: &[u8], codes: &[&str]) {
    let scene = Scene::unsigned();
    files::public(scene.model.join(name), bytes);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let entry = scene.refused(codes);
    let payload = entry::payload(&entry);
    let reason = &entry::detail(&payload)["reasons"][0];
    assert_eq!((&reason["file"], reason["rule"].is_string()), (&name.into(), true), "{reason}");
}

#[test]
fn a_pickle_is_refused_whatever_its_name_is() {
    // An empty dictionary, in protocol 2.
    let pickle = b"\x80\x02}q\x00.";
    refused_content("weights.bin", pickle, &["content.format"]);
    for name in ["config2.json", "more.safetensors", "README.txt"] {
        refused_content(name, pickle, &["content.extension", "content.format"]);
    }
}

#[test]
fn what_is_not_known_and_what_is_malformed() {
    refused_content("noise.json", b"\x00\x01\x02\xff\xfe\xfd noise", &["content.unknown"]);
    refused_content(
        "auto.json",
        br#"{"auto_map": {"AutoModel": "modeling.Evil"}}"#,
        &["content.remote-code"],
    );
}

/// The usual model before a policy with one rule more under `[manifest]`.
fn refused_by_rule(rule: &str, code: &str) {
    let scene = Scene::with_policy(&POLICY.replace("[manifest]", &format!("[manifest]\n{rule}")));
    model::write(&scene.model, 30_000);
    model::add_gitattributes(&scene.model);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let entry = scene.refused(&[code]);
    let payload = entry::payload(&entry);
    let name = rule.split(' ').next().unwrap();
    for reason in entry::detail(&payload)["reasons"].as_array().unwrap() {
        assert_eq!(reason["rule"], format!("manifest.{name}"), "{reason}");
    }
}

#[test]
fn limits_and_other_rules_of_the_manifest() {
    refused_by_rule("max-files = 4", "manifest.too-many-files");
    refused_by_rule("max-file-bytes = 20000", "manifest.file-too-large");
    refused_by_rule("max-total-bytes = 30000", "manifest.total-too-large");
    refused_by_rule("max-bundle-bytes = 1000", "bundle.too-large");
    refused_by_rule("ignored-paths = \"reject\"", "manifest.ignored-path");
}

#[test]
fn a_hash_that_the_policy_does_not_admit() {
    let only = POLICY.replace("[\"sha256\", \"blake2b\", \"blake3\"]", "[\"sha256\"]");
    let scene = Scene::with_policy(&only);
    model::write(&scene.model, 30_000);
    scene.sign(&scene.model, &scene.bundle(), &["--hash", "blake3"]);
    scene.refused(&["manifest.hash"]);
}
