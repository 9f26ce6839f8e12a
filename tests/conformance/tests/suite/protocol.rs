//! The protocol: exit codes, methods, single files.

use std::fs;

use oms_testkit::pki::{Authority, KeyType, Leaf, Profile};
use oms_testkit::{files, vectors};
use tempfile::tempdir;

use crate::{Scene, adapter, assert_refused};

#[test]
fn a_wrong_command_line_is_an_error_and_not_a_refusal() {
    let scene = Scene::signed(KeyType::P256);
    let (model, bundle) = (scene.model(), scene.bundle());
    let (model, bundle) = (model.to_str().unwrap(), bundle.to_str().unwrap());
    for method in ["key", "certificate", "sigstore", "other"] {
        let common = ["--method", method, "--model-path", model];
        let verify = [&["verify-model"], &common[..], &["--bundle", bundle]].concat();
        let _ = adapter(verify).expect_status(2);
        let sign = [&["sign-model"], &common[..], &["--output-bundle", bundle]].concat();
        let _ = adapter(sign).expect_status(2);
    }
    let _ = adapter(["verify-model"]).expect_status(2);
    let absent = scene.verify(&scene.model(), &scene.path("absent.sig"), &[], &[]);
    let _ = absent.expect_status(2);
}

#[test]
fn signing_by_sigstore_says_that_it_cannot() {
    let scene = Scene::new(KeyType::P256);
    let (model, bundle) = (scene.model(), scene.bundle());
    let (model, bundle) = (model.to_str().unwrap(), bundle.to_str().unwrap());
    let method = ["sign-model", "--method", "sigstore", "--identity-token", "t", "--use-staging"];
    let paths = ["--model-path", model, "--output-bundle", bundle];
    let outcome = adapter([&method[..], &paths].concat()).expect_status(2);
    assert!(outcome.stderr.contains("sigstore"), "{}", outcome.stderr);
    assert!(!scene.bundle().exists());
}

#[test]
fn a_public_sigstore_sample_needs_its_method_and_its_identity() {
    let Some(vectors) = vectors::dir() else { return };
    let bundle = vectors.join("oms-spec/test-vectors-v1.0/valid/sigstore.bundle.json");
    let scene = Scene::new(KeyType::P256);
    let outcome = scene.verify(&scene.model(), &bundle, &[], &[]);
    assert_refused(outcome, "signature.no-rule");

    let model = scene.model();
    let paths = ["--model-path", model.to_str().unwrap(), "--bundle", bundle.to_str().unwrap()];
    let expected = ["--identity", "a@b.example", "--identity-provider", "https://c.example"];
    let method = ["verify-model", "--method", "sigstore"];
    let outcome = adapter([&method[..], &paths, &expected].concat());
    assert_refused(outcome, "sigstore.identity");
    // The root of the staging instance is not built in.
    let outcome = adapter([&method[..], &paths, &expected, &["--use-staging"]].concat());
    let outcome = outcome.expect_status(2);
    assert!(outcome.stderr.contains("policy.trusted-root"), "{}", outcome.stderr);
}

#[test]
fn a_model_may_be_a_single_file() {
    for key_type in [KeyType::P256, KeyType::P384, KeyType::P521] {
        let scene = Scene::new(key_type);
        let file = scene.model().join("weights");
        let _ = scene.sign(&file, &scene.bundle()).expect_status(0);
        let _ = scene.verify(&file, &scene.bundle(), &["any"], &[]).expect_status(0);
        fs::write(&file, "other").unwrap();
        let outcome = scene.verify(&file, &scene.bundle(), &[], &[]);
        assert_refused(outcome, "manifest.digest-mismatch");
    }
}

/// Signs with this leaf and verifies under this anchor.
fn by_certificate(leaf: &Leaf, anchor: &str) -> oms_testkit::run::Outcome {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let model = path("model");
    fs::create_dir(&model).unwrap();
    fs::write(dir.path().join("model/weights"), "weights").unwrap();
    files::public(path("leaf.pem"), &leaf.certificate.pem);
    files::public(path("anchor.pem"), anchor);
    leaf.key.write_private(path("key.pem"));

    let (bundle, key) = (path("bundle.sig"), path("key.pem"));
    let (certificate, anchor) = (path("leaf.pem"), path("anchor.pem"));
    let common = ["--method", "certificate", "--model-path", model.as_str()];
    let sign = ["--output-bundle", &bundle, "--private-key", &key, "--signing-cert", &certificate];
    let chain = ["--cert-chain", anchor.as_str()];
    let _ = adapter([&["sign-model"][..], &common, &sign, &chain].concat()).expect_status(0);
    adapter([&["verify-model"][..], &common, &["--bundle", &bundle], &chain].concat())
}

#[test]
fn the_settings_ask_for_purpose_usage_and_every_validity_period() {
    let leaf = || Profile::code_signing("leaf");
    let root = Authority::root(Profile::ca("root"), KeyType::P384);
    let anchor = root.certificate.pem.as_str();
    let signed = |profile| by_certificate(&root.issue(profile, KeyType::P256), anchor);
    let _ = signed(leaf()).expect_status(0);
    // The one thing in which the suite's leaves differ from the profile of models.
    let _ = signed(leaf().with_ca(true)).expect_status(0);

    assert_refused(signed(leaf().extended_key_usages([])), "signature.certificate-purpose");
    assert_refused(signed(leaf().key_usages([])), "signature.certificate-key-usage");
    assert_refused(signed(leaf().expired()), "signature.certificate-expired");
    assert_refused(signed(leaf().not_yet_valid()), "signature.certificate-not-yet-valid");
    let old = Authority::root(Profile::ca("old root").expired(), KeyType::P384);
    let outcome = by_certificate(&old.issue(leaf(), KeyType::P256), &old.certificate.pem);
    assert_refused(outcome, "signature.certificate-expired");
}

#[test]
fn a_self_signed_leaf_may_be_its_own_anchor() {
    let pinned = Leaf::self_signed(Profile::code_signing("pinned"), KeyType::P384);
    let _ = by_certificate(&pinned, &pinned.certificate.pem).expect_status(0);
    let other = Leaf::self_signed(Profile::code_signing("pinned"), KeyType::P384);
    let outcome = by_certificate(&pinned, &other.certificate.pem);
    assert_refused(outcome, "signature.untrusted-anchor");
}
