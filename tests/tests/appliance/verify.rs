//! `verify`: where it looks for the model, its bundle, its policy and its roots, and what its
//! options do.

use std::fs;
use std::path::Path;

use oms_testkit::pki::{KeyType, Profile};
use oms_testkit::{files, run, vectors};
use oms_tests::forge::Forger;
use oms_tests::scene::{Scene, any_content, appliance};
use oms_tests::{entry, json};
use serde_json::Value;

/// `verify --json` of a scene's model ends with this status; the document is one of the schema.
fn verified(scene: &Scene, more: &[&str], status: i32) -> Value {
    let outcome = run::outcome(scene.verify().args(more)).expect_status(status);
    json::conforming(&json::VERIFY, outcome.json())
}

#[test]
fn the_model_is_the_current_folder_unless_another_is_named() {
    let scene = Scene::signed();
    let mut verify = appliance();
    verify.current_dir(&scene.model).args(["verify", "--json"]);
    verify.arg("--policy").arg(&scene.station.policy).arg("--roots").arg(&scene.station.roots);
    let document = run::outcome(&mut verify).expect_status(0).json();
    assert_eq!(document["model"], "demo");
    let mut elsewhere = appliance();
    elsewhere.current_dir(scene.path("station")).args(["verify", "--json"]);
    elsewhere.arg("--policy").arg("./policies/policy.toml").args(["--roots", "roots"]);
    // There the policy lies inside the model.
    let document = run::outcome(&mut elsewhere).expect_status(2).json();
    assert_eq!(json::codes(&document["reasons"]), ["trust.location"]);
}

#[test]
fn a_policy_without_a_slash_is_one_of_the_sites() {
    let scene = Scene::signed();
    let mut verify = appliance();
    verify.current_dir(scene.station.policy.parent().unwrap());
    verify.arg("verify").arg(&scene.model).arg("--roots").arg(&scene.station.roots);
    let name = "policy-of-a-test-that-no-site-has.toml";
    files::public(scene.station.policy.with_file_name(name), any_content());
    let document = run::outcome(verify.args(["--policy", name, "--json"])).expect_status(2).json();
    let document = json::conforming(&json::VERIFY, document);
    assert_eq!(document["reasons"][0]["code"], "policy.unreadable");
    assert_eq!(document["reasons"][0]["file"], format!("/etc/oms-appliance/policies/{name}"));
}

#[test]
fn the_bundle_is_found_by_its_place() {
    let scene = Scene::signed();
    let bundle = |name: &str| scene.carrier.join(name);
    let mut last = scene.bundle();
    for place in ["demo/model.sig", "demo/vendor.sig", "demo.sig", "model.sig"] {
        fs::rename(&last, bundle(place)).unwrap();
        last = bundle(place);
        verified(&scene, &[], 0);
    }
    fs::remove_file(last).unwrap();
    let document = verified(&scene, &[], 1);
    assert_eq!(json::codes(&document["reasons"]), ["bundle.missing"]);
}

#[test]
fn of_several_bundles_in_the_model_the_usual_one_counts_or_one_is_named() {
    let scene = Scene::signed();
    let [one, two] = ["one.sig", "two.sig"].map(|name| scene.model.join(name));
    fs::copy(scene.bundle(), &one).unwrap();
    fs::rename(scene.bundle(), &two).unwrap();
    let document = verified(&scene, &[], 2);
    assert_eq!(json::codes(&document["reasons"]), ["bundle.ambiguous"]);
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    // The other one then is a file that nobody signed.
    let document = verified(&scene, &["--bundle", &name(&one)], 1);
    assert_eq!(json::codes(&document["reasons"]), ["manifest.unsigned-file"]);
    assert_eq!(document["reasons"][0]["file"], "two.sig");
    verified(&scene, &["--bundle", &name(&one), "--bundle", &name(&two)], 0);
}

#[test]
fn a_bundle_that_is_not_there_is_wrong_usage() {
    let scene = Scene::signed();
    let document = verified(&scene, &["--bundle", "/nonexistent.sig"], 2);
    assert_eq!(json::codes(&document["reasons"]), ["media.not-found"]);
}

#[test]
fn several_bundles_show_several_signers() {
    let scene = Scene::signed();
    let second =
        scene.issuer.issue(Profile::code_signing("QA").email("qa@vendor.example"), KeyType::P256);
    let payload = entry::signed_bytes(&scene.bundle());
    let chain = [second.certificate.der.as_slice(), &scene.issuer.certificate.der];
    let bundle = Forger::new(&second.key).bundle_with_chain(&payload, &chain);
    let other = files::public(scene.path("qa.sig"), bundle.to_string());
    let (first, other) = (scene.bundle(), other.to_str().unwrap().to_owned());
    let document = verified(&scene, &["--bundle", first.to_str().unwrap(), "--bundle", &other], 0);
    assert_eq!(document["signers"].as_array().unwrap().len(), 2, "{document:#}");
    // One signer is enough for this policy: a bundle that is refused beside is told, no more.
    fs::write(&other, "{}").unwrap();
    let document = verified(&scene, &["--bundle", first.to_str().unwrap(), "--bundle", &other], 0);
    assert_eq!(document["signers"].as_array().unwrap().len(), 1);
    assert_eq!(json::codes(&document["warnings"]), ["bundle.schema"]);
}

#[test]
fn the_time_of_validation_is_an_argument() {
    let scene = Scene::signed();
    let document = verified(&scene, &["--at", "2026-03-01T12:00:00Z"], 0);
    assert_eq!(document["time"], "2026-03-01T12:00:00Z");
    for (time, code) in [
        ("2019-01-01T00:00:00Z", "signature.certificate-not-yet-valid"),
        ("2051-01-01T00:00:00Z", "signature.certificate-expired"),
    ] {
        let document = verified(&scene, &["--at", time], 1);
        assert_eq!(json::codes(&document["reasons"]), [code]);
    }
}

#[test]
fn a_single_file_is_a_model_too() {
    let scene = Scene::with_policy(&any_content());
    let file = files::public(scene.carrier.join("one.bin"), "bytes");
    scene.sign(&file, &scene.carrier.join("one.bin.sig"), &[]);
    let document = run::outcome(&mut scene.verify_at(&file)).expect_status(0).json();
    let document = json::conforming(&json::VERIFY, document);
    assert_eq!((&document["files"], &document["bytes"]), (&1.into(), &5.into()));
}

#[test]
fn a_model_that_is_not_there_or_cannot_be_one() {
    let scene = Scene::signed();
    let document = run::outcome(&mut scene.verify_at(Path::new("/nonexistent"))).expect_status(2);
    let document = json::conforming(&json::VERIFY, document.json());
    assert_eq!(json::codes(&document["reasons"]), ["media.not-found"]);
    let document = run::outcome(&mut scene.verify_at(Path::new("/dev/null"))).expect_status(1);
    let document = json::conforming(&json::VERIFY, document.json());
    assert_eq!(json::codes(&document["reasons"]), ["media.not-regular"]);
}

#[test]
fn a_model_that_a_link_leads_to_is_the_operators_choice() {
    let scene = Scene::signed();
    let link = scene.path("link");
    std::os::unix::fs::symlink(&scene.model, &link).unwrap();
    let _ = run::outcome(&mut scene.verify_at(&link)).expect_status(0);
}

#[test]
fn verify_leaves_nothing_behind() {
    let scene = Scene::signed();
    let before = entry::files(&scene.path(""));
    verified(&scene, &[], 0);
    assert_eq!(entry::files(&scene.path("")), before);
}

#[test]
fn a_sigstore_signer_is_in_the_document() {
    let Some(vectors) = vectors::dir() else { return };
    let cases = vectors.join("oms-conformance/test-cases/verify/historical");
    let policy = |identity: &str| {
        let signer = format!(
            "[[signer]]\nmethod = \"sigstore\"\ntrusted-root = \"sigstore-public-good\"\n\
             identity = \"{identity}\"\nissuer = \"https://sigstore.verify.ibm.com/oauth2\"\n"
        );
        any_content().replacen("[[signer]]", &format!("{signer}\n[[signer]]"), 1)
    };
    for (version, identity, status) in [
        ("v1.0.0", "stefanb@us.ibm.com", 0),
        ("v1.1.0", "stefanb@us.ibm.com", 0),
        ("v1.1.0", "another@us.ibm.com", 1),
    ] {
        let scene = Scene::with_policy(&policy(identity));
        let case = cases.join(format!("historical-{version}-sigstore"));
        let mut verify = scene.verify_at(&case.join("model"));
        let outcome = run::outcome(verify.arg("--bundle").arg(case.join("bundle.sig")));
        let document = json::conforming(&json::VERIFY, outcome.expect_status(status).json());
        if status == 1 {
            assert!(json::codes(&document["reasons"]).contains(&"sigstore.identity".to_owned()));
            continue;
        }
        let signer = &document["signers"][0];
        assert_eq!((&signer["rule"], &signer["method"]), (&"signer[0]".into(), &"sigstore".into()));
        assert!(signer["identity"].as_str().unwrap().contains(identity), "{signer:#}");
        assert!(signer["signed"]["source"].as_str().unwrap().contains("sigstore-public-good"));
    }
}
