//! What signs and writes: several signers of one folder, and outputs that overwrite nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use oms_testkit::pki::{Key, KeyType, Profile, chain};
use oms_testkit::run::{self, Outcome};
use oms_testkit::{files, model};
use oms_tests::json;
use oms_tests::scene::{Scene, any_content, appliance};
use serde_json::Value;

/// `sign --json` with the vendor's key.
fn sign(scene: &Scene, bundle: &Path) -> Command {
    let mut command = appliance();
    command.arg("sign").arg(&scene.model).arg("--json").arg("--bundle").arg(bundle);
    command.arg("--key").arg(scene.path("vendor.key"));
    command
}

/// The same with the vendor's certificate.
fn sign_with_certificate(scene: &Scene, bundle: &Path) -> Command {
    let mut command = sign(scene, bundle);
    command.arg("--certificate").arg(scene.path("vendor.chain"));
    command
}

/// `verify` that writes a verdict.
fn verify_to(scene: &Scene, verdict: &Path) -> Command {
    let mut command = scene.verify();
    command.arg("--verdict").arg(verdict).arg("--signer").arg(scene.path("vendor.key"));
    command
}

/// The command ends with 2 and this code, about this file; gives the detail.
fn refused(command: &mut Command, code: &str, file: &Path) -> String {
    let document = run::outcome(command).expect_status(2).json();
    assert_eq!(json::codes(&document["reasons"]), [code], "{document:#}");
    assert_eq!(document["reasons"][0]["file"], file.to_str().unwrap(), "{document:#}");
    document["reasons"][0]["detail"].as_str().unwrap().to_owned()
}

fn root(outcome: Outcome) -> Value {
    outcome.expect_status(0).json()["rootDigest"].clone()
}

#[test]
fn several_signers_of_one_folder_sign_the_same() {
    let policy = any_content().replace("[revocation]", "[signatures]\nrequire = 2\n\n[revocation]");
    let scene = Scene::with_policy(&policy);
    model::write(&scene.model, 20_000);
    let qa =
        scene.issuer.issue(Profile::code_signing("QA").email("qa@vendor.example"), KeyType::P384);
    let qa_key = qa.key.write_private(scene.path("qa.key"));
    let certificates = chain([&qa.certificate, &scene.issuer.certificate]);
    let certificates = files::public(scene.path("qa.chain"), certificates);
    let digest = || root(run::outcome(appliance().arg("digest").arg(&scene.model).arg("--json")));
    let before = digest();

    let first = root(run::outcome(&mut sign_with_certificate(&scene, &scene.bundle())));
    let second = scene.model.join("qa.sig");
    let mut command = appliance();
    command.arg("sign").arg(&scene.model).arg("--json").arg("--bundle").arg(&second);
    command.arg("--key").arg(&qa_key).arg("--certificate").arg(&certificates);
    assert_eq!(root(run::outcome(&mut command)), first);
    // Once more, beside both.
    let third = scene.path("third.sig");
    assert_eq!(root(run::outcome(&mut sign(&scene, &third))), first);
    assert_eq!([before, digest()], [first.clone(), first]);

    let mut verify = scene.verify();
    verify.arg("--bundle").arg(scene.bundle()).arg("--bundle").arg(second);
    let document = run::outcome(&mut verify).expect_status(0).json();
    assert_eq!(document["signers"].as_array().unwrap().len(), 2);
    let _ = scene.ingested();
}

#[test]
fn only_bundles_at_the_top_are_left_out() {
    let scene = Scene::signed();
    let files = |scene: &Scene| {
        let outcome = run::outcome(appliance().arg("digest").arg(&scene.model).arg("--json"));
        outcome.expect_status(0).json()["files"].as_u64().unwrap()
    };
    let before = files(&scene);
    // Named like a bundle and none; a bundle further down; a bundle of another name.
    files::public(scene.model.join("notes.sig"), "{}");
    let below = files::folder(scene.model.join("below"));
    fs::copy(scene.bundle(), below.join("model.sig")).unwrap();
    fs::copy(scene.bundle(), scene.model.join("bundle.json")).unwrap();
    assert_eq!(files(&scene), before + 3);
}

#[test]
fn outputs_overwrite_bundles_only() {
    let scene = Scene::signed();
    let weights = scene.model.join(model::WEIGHTS);
    let certificate = scene.path("vendor.chain");
    for file in [&scene.path("vendor.key"), &scene.station.policy, &certificate, &weights] {
        let before = fs::read(file).unwrap();
        let detail = refused(&mut sign_with_certificate(&scene, file), "config.usage", file);
        assert!(detail.starts_with("--bundle would overwrite"), "{detail}");
        let detail = refused(&mut verify_to(&scene, file), "config.usage", file);
        assert!(detail.starts_with("--verdict would overwrite"), "{detail}");
        assert_eq!(fs::read(file).unwrap(), before);
    }
    let dangling = scene.path("dangling.sig");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    refused(&mut sign(&scene, &dangling), "config.usage", &dangling);

    let absent = scene.path("no/where.sig");
    let detail = refused(&mut sign(&scene, &absent), "config.path", &absent);
    assert_eq!(detail, "the folder of --bundle does not exist");
    let detail = refused(&mut verify_to(&scene, &absent), "config.path", &absent);
    assert_eq!(detail, "the folder of --verdict does not exist");
}

#[test]
fn a_verdict_in_place_takes_the_place_of_nothing_that_is_verified() {
    let scene = Scene::signed();
    for inside in [scene.bundle(), scene.model.join("verdict.json")] {
        let detail = refused(&mut verify_to(&scene, &inside), "config.usage", &inside);
        assert_eq!(detail, "--verdict is inside the model");
    }
    let beside = scene.path("beside.sig");
    fs::copy(scene.bundle(), &beside).unwrap();
    let mut command = verify_to(&scene, &beside);
    let detail = refused(command.arg("--bundle").arg(&beside), "config.usage", &beside);
    assert_eq!(detail, "--verdict is a bundle that is verified");
    assert_eq!(fs::read(&beside).unwrap(), fs::read(scene.bundle()).unwrap());

    // Twice: a verdict may replace an earlier one.
    let verdict = scene.path("verdict.json");
    for _ in 0..2 {
        let outcome = run::outcome(&mut verify_to(&scene, &verdict)).expect_status(0);
        let told = format!("verdict written to {}\n", verdict.display());
        assert!(outcome.stderr.ends_with(&told), "{}", outcome.stderr);
    }
}

#[test]
fn an_expired_certificate_is_told_to_the_signer() {
    let scene = Scene::unsigned();
    let sound = run::outcome(&mut sign_with_certificate(&scene, &scene.bundle()));
    assert_eq!(sound.expect_status(0).stderr, "");
    let old = scene.issuer.issue(Profile::code_signing("Old").expired(), KeyType::P256);
    let key = old.key.write_private(scene.path("old.key"));
    let certificate = files::public(scene.path("old.pem"), &old.certificate.pem);
    let mut command = appliance();
    command.arg("sign").arg(&scene.model).arg("--bundle").arg(scene.bundle());
    command.arg("--key").arg(key).arg("--certificate").arg(certificate);
    let outcome = run::outcome(&mut command).expect_status(0);
    assert!(outcome.stderr.starts_with("warning: the certificate of "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Old") && outcome.stderr.contains(" expired at "));
}

#[test]
fn a_public_key_does_not_sign_and_a_folder_is_not_inspected() {
    let scene = Scene::unsigned();
    let public = Key::generate(KeyType::P256).write_public(scene.path("public.pem"));
    let mut command = appliance();
    command.arg("sign").arg(&scene.model).arg("--json").arg("--bundle").arg(scene.bundle());
    let document = run::outcome(command.arg("--key").arg(public)).expect_status(2).json();
    assert_eq!(json::codes(&document["reasons"]), ["key.file"]);
    let detail = document["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("this is a public key"), "{detail}");

    let mut inspect = appliance();
    inspect.arg("inspect").arg(&scene.model).arg("--json");
    let detail = refused(&mut inspect, "config.usage", &scene.model);
    assert_eq!(detail, "inspect takes one file: a bundle or a model file");
}
