//! The receiving side: whatever is changed in an entry, `verdict verify` refuses it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use oms_testkit::pki::{KeyType, Profile};
use oms_testkit::{files, model, run};
use oms_tests::forge::Forger;
use oms_tests::scene::{STATION, Scene, appliance};
use oms_tests::{entry, json};
use serde_json::{Value, json};

/// An entry that passed.
fn published() -> (Scene, PathBuf) {
    let scene = Scene::signed();
    let [entry] = scene.ingested().try_into().unwrap();
    (scene, entry)
}

/// The entry is refused for these codes.
fn refused(scene: &Scene, entry: &Path, codes: &[&str]) {
    let received = run::outcome(&mut scene.receive(entry)).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), codes, "{received:#}");
    assert_eq!((&received["result"], &received["exitCode"]), (&json!("refused"), &json!(1)));
}

/// An entry that is good up to this change is refused.
fn changed(change: impl FnOnce(&Path), codes: &[&str]) {
    let (scene, entry) = published();
    change(&entry);
    refused(&scene, &entry, codes);
}

#[test]
fn a_changed_byte() {
    changed(
        |entry| {
            model::flip_weight_bit(entry.join("model"));
        },
        &["verdict.files"],
    );
}

#[test]
fn an_extra_file_in_the_model_and_beside_it() {
    for name in ["model/extra.json", "extra.json"] {
        changed(|entry| drop(files::public(entry.join(name), "{}")), &["verdict.files"]);
    }
    changed(|entry| drop(files::folder(entry.join("extra"))), &["verdict.files"]);
    changed(
        |entry| drop(files::public(entry.join("model/.gitattributes"), "")),
        &["verdict.files"],
    );
}

#[test]
fn a_removed_file() {
    let remove =
        |name: &'static str| move |entry: &Path| fs::remove_file(entry.join(name)).unwrap();
    changed(remove("model/config.json"), &["manifest.missing-file", "verdict.files"]);
    changed(remove("model.sig"), &["verdict.resigned"]);
    changed(remove("source.sig"), &["verdict.files"]);
    changed(remove("verdict.sigstore.json"), &["verdict.missing"]);
}

#[test]
fn a_link_in_the_place_of_a_file() {
    changed(
        |entry| {
            fs::rename(entry.join("model/config.json"), entry.join("../config.json")).unwrap();
            symlink("../../config.json", entry.join("model/config.json")).unwrap();
        },
        &["media.symlink", "verdict.files"],
    );
}

#[test]
fn a_swapped_resigned_bundle() {
    let (scene, entry) = published();
    // The vendor's own bundle is about the same files; another by the same key may be too.
    fs::copy(entry.join("source.sig"), entry.join("model.sig")).unwrap();
    refused(&scene, &entry, &["verdict.resigned"]);
    model::write(&scene.model, 50_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let [second] = scene.ingested().try_into().unwrap();
    fs::copy(second.join("model.sig"), entry.join("model.sig")).unwrap();
    refused(&scene, &entry, &["verdict.resigned"]);
}

#[test]
fn a_swapped_source_bundle() {
    changed(
        |entry| {
            fs::write(entry.join("source.sig"), "{}").unwrap();
        },
        &["verdict.files"],
    );
}

#[test]
fn an_edited_verdict() {
    let edit = |change: fn(&mut Value)| {
        changed(
            |entry| entry::edit_payload(&entry::verdict(entry), change),
            &["verdict.untrusted"],
        );
    };
    edit(|payload| payload["predicate"]["timeVerified"] = json!("2020-01-01T00:00:00Z"));
    edit(|payload| {
        let files = payload.pointer_mut("/predicate/urn:oms-appliance:verdict:1/files");
        files.unwrap().as_array_mut().unwrap().pop();
    });
}

#[test]
fn a_verdict_that_is_none() {
    let write =
        |text: &'static str| move |entry: &Path| fs::write(entry::verdict(entry), text).unwrap();
    changed(write("{}"), &["verdict.schema"]);
    changed(write(""), &["verdict.schema"]);
    // An OMS bundle is signed by a good key and is no verdict.
    let copy = |entry: &Path| {
        fs::copy(entry.join("model.sig"), entry::verdict(entry)).unwrap();
    };
    changed(copy, &["verdict.schema"]);
}

#[test]
fn the_verdict_of_another_entry() {
    let (scene, first) = published();
    model::write(&scene.model, 50_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let [second] = scene.ingested().try_into().unwrap();
    fs::copy(entry::verdict(&second), entry::verdict(&first)).unwrap();
    refused(&scene, &first, &["verdict.files", "verdict.resigned"]);
}

#[test]
fn an_entry_that_is_sent_again_under_another_name() {
    let (scene, entry) = published();
    let name = entry.file_name().unwrap().to_str().unwrap();
    for other in
        [name.replacen("000000000001", "000000000002", 1), name.replace("passed", "refused")]
    {
        let renamed = entry.with_file_name(other);
        fs::rename(&entry, &renamed).unwrap();
        refused(&scene, &renamed, &["verdict.files"]);
        fs::rename(&renamed, &entry).unwrap();
    }
    let unpacked = entry.with_file_name("unpacked");
    fs::rename(&entry, &unpacked).unwrap();
    let _ = run::outcome(&mut scene.receive(&unpacked)).expect_status(0);
}

#[test]
fn a_refusal_with_a_model_slipped_in() {
    let scene = Scene::signed();
    let [good] = scene.ingested().try_into().unwrap();
    model::flip_weight_bit(&scene.model);
    let refusal = scene.refused_at_ingest(&["manifest.digest-mismatch"]);
    fs::rename(good.join("model"), refusal.join("model")).unwrap();
    refused(&scene, &refusal, &["verdict.failed", "verdict.files"]);
}

#[test]
fn another_verifier_than_expected() {
    let (scene, entry) = published();
    let other = "https://corp.example/stations/other";
    let mut command = appliance();
    command.args(["verdict", "verify"]).arg(&entry).args(["--verifier", other, "--json"]);
    command.arg("--roots").arg(&scene.station.roots);
    let received = run::outcome(&mut command).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["verdict.verifier"]);
    let detail = received["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(other) && detail.contains(STATION), "{detail}");

    // A key says nothing about its holder: there the payload decides.
    let key = scene.verdict.key.write_public(scene.path("verdict.pem"));
    let mut command = appliance();
    command.args(["verdict", "verify"]).arg(&entry).args(["--verifier", other, "--json"]);
    let received = run::outcome(command.arg("--key").arg(key)).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["verdict.verifier"]);
}

#[test]
fn another_key_than_expected() {
    let (scene, entry) = published();
    let key = scene.vendor.key.write_public(scene.path("other.pem"));
    let mut command = appliance();
    command.args(["verdict", "verify"]).arg(&entry).args(["--verifier", STATION, "--json"]);
    let received = run::outcome(command.arg("--key").arg(key)).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["verdict.untrusted"]);
}

/// The station's verdict, signed again by a certificate of the same PKI.
fn by_another_certificate(profile: Profile, codes: &[&str]) {
    let (scene, entry) = published();
    let leaf = scene.issuer.issue(profile, KeyType::P256);
    let payload = entry::signed_bytes(&entry::verdict(&entry));
    let mut bundle = Forger::new(&leaf.key).bundle_with_chain(&payload, &[&leaf.certificate.der]);
    let certificates = &mut bundle["verificationMaterial"]["x509CertificateChain"]["certificates"];
    let certificate = certificates[0].take();
    bundle["verificationMaterial"] = json!({ "certificate": certificate });
    fs::write(entry::verdict(&entry), bundle.to_string()).unwrap();
    if codes.is_empty() {
        let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
    } else {
        refused(&scene, &entry, codes);
    }
}

#[test]
fn a_verdict_made_by_another_certificate_of_the_same_pki() {
    let vendor = || Profile::code_signing("Vendor").email("release@vendor.example");
    by_another_certificate(vendor(), &["verdict.untrusted"]);
    let other = "https://corp.example/stations/other";
    by_another_certificate(vendor().uri(other), &["verdict.verifier"]);
    by_another_certificate(vendor().dns("corp.example"), &["verdict.untrusted"]);
    // The one thing that the issuer vouches for makes the difference.
    by_another_certificate(vendor().uri(STATION), &[]);
}

#[test]
fn a_verdict_in_place_does_not_speak_for_an_ingest() {
    let (scene, entry) = published();
    let key = scene.vendor.key.write_private(scene.path("in-place.key"));
    let public = scene.vendor.key.write_public(scene.path("in-place.pem"));
    let mut verify = scene.verify();
    verify.arg("--verdict").arg(entry::verdict(&entry)).arg("--signer").arg(key);
    let _ = run::outcome(&mut verify).expect_status(0);
    let mut command = appliance();
    command.args(["verdict", "verify"]).arg(&entry).arg("--key").arg(public);
    command.args(["--verifier", "urn:oms-appliance:in-place", "--json"]);
    let received = run::outcome(&mut command).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["verdict.mode"]);
}

#[test]
fn an_entry_that_is_not_there() {
    let scene = Scene::empty();
    let received = run::outcome(&mut scene.receive(&scene.path("absent"))).expect_status(2).json();
    assert_eq!(json::codes(&received["reasons"]), ["media.not-found"]);
}
