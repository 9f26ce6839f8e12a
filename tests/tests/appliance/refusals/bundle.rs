//! Files that are no bundles, or too much of one.

use std::fs::File;

use oms_tests::entry;
use oms_tests::forge::statement;
use oms_tests::scene::Scene;
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

fn good(scene: &Scene) -> Value {
    let payload = statement(&[("a", "33".repeat(32))]);
    scene.forger().bundle(payload.to_string().as_bytes())
}

/// The bundle file with these bytes is refused.
fn refused_text(text: &str, code: &str) {
    let scene = Scene::empty();
    scene.place(text);
    scene.refused(&[code]);
}

/// A bundle that is good up to this change is refused.
fn refused(change: impl FnOnce(&mut Value), code: &str) {
    let scene = Scene::empty();
    let mut bundle = good(&scene);
    change(&mut bundle);
    scene.place(bundle.to_string());
    scene.refused(&[code]);
}

#[test]
fn an_empty_bundle() {
    refused_text("", "bundle.empty");
}

#[test]
fn no_bundle() {
    let scene = Scene::unsigned();
    let document = oms_testkit::run::outcome(&mut scene.verify()).expect_status(1).json();
    assert_eq!(oms_tests::json::codes(&document["reasons"]), ["bundle.missing"]);
    scene.undecided_at_ingest(1, "bundle.missing");
}

#[test]
fn a_bundle_of_one_gibibyte_and_one_of_a_tebibyte() {
    for size in [GIB, 1024 * GIB] {
        let scene = Scene::empty();
        scene.place("");
        // A hole: no byte of it is on the disk.
        File::create(scene.bundle()).unwrap().set_len(size).unwrap();
        scene.refused(&["bundle.too-large"]);
    }
}

#[test]
fn a_bundle_that_is_nested_100_000_deep() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    refused_text(&deep, "bundle.too-deep");
    refused_text(&"{\"a\":".repeat(100_000), "bundle.too-deep");
    let nested: Value = json!("DEEP");
    let scene = Scene::empty();
    let mut bundle = good(&scene);
    bundle["verificationMaterial"]["timestampVerificationData"] = nested;
    scene.place(bundle.to_string().replace("\"DEEP\"", &deep));
    scene.refused(&["bundle.too-deep"]);
}

#[test]
fn a_bundle_with_a_key_twice() {
    let scene = Scene::empty();
    let text = good(&scene).to_string();
    scene.place(text.replacen("\"payload\":", "\"payload\":\"e30=\",\"payload\":", 1));
    scene.refused(&["bundle.duplicate-key"]);
}

#[test]
fn a_bundle_with_a_key_twice_where_nobody_reads_it() {
    let scene = Scene::empty();
    let text = good(&scene).to_string();
    scene.place(text.replacen("\"hint\":", "\"x\":{\"a\":1,\"\\u0061\":2},\"hint\":", 1));
    scene.refused(&["bundle.duplicate-key"]);
}

#[test]
fn a_bundle_that_is_not_json() {
    refused_text("not json", "bundle.json");
    refused_text("{\"mediaType\":\"\\ud800\"}", "bundle.json");
    let scene = Scene::empty();
    scene.place(format!("{} {{}}", good(&scene)));
    scene.refused(&["bundle.json"]);
}

#[test]
fn a_bundle_of_another_structure() {
    refused_text("{}", "bundle.schema");
    refused_text("[]", "bundle.schema");
    refused(|bundle| bundle["more"] = json!(1), "bundle.schema");
    refused(|bundle| bundle["dsseEnvelope"]["payload"] = json!("%"), "bundle.schema");
}

#[test]
fn a_media_type_that_oms_does_not_use() {
    let other = "application/vnd.dev.sigstore.bundle+json;version=0.4";
    refused(|bundle| bundle["mediaType"] = json!(other), "bundle.media-type");
}

#[test]
fn two_signatures_and_none() {
    let two = |bundle: &mut Value| {
        let signature = bundle["dsseEnvelope"]["signatures"][0].clone();
        bundle["dsseEnvelope"]["signatures"] = json!([signature, signature]);
    };
    refused(two, "bundle.signature-count");
    refused(|bundle| bundle["dsseEnvelope"]["signatures"] = json!([]), "bundle.signature-count");
}

#[test]
fn no_material_and_two_kinds_of_it() {
    refused(|bundle| bundle["verificationMaterial"] = json!({}), "bundle.material");
    let certificate = json!({ "rawBytes": "AAAA" });
    let both = |bundle: &mut Value| bundle["verificationMaterial"]["certificate"] = certificate;
    refused(both, "bundle.material");
    let none = json!({ "x509CertificateChain": { "certificates": [] } });
    refused(|bundle| bundle["verificationMaterial"] = none, "bundle.material");
}

#[test]
fn a_changed_payload_and_a_changed_signature() {
    let scene = Scene::signed();
    entry::edit_payload(&scene.bundle(), |payload| payload["subject"][0]["name"] = json!("x"));
    scene.refused(&["signature.invalid"]);
    let scene = Scene::signed();
    entry::edit(&scene.bundle(), |bundle| {
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = json!("MAYCAQECAQE=");
    });
    scene.refused(&["signature.invalid"]);
}

#[test]
fn the_verdict_of_a_bundle_that_was_never_opened_names_its_file_and_digest() {
    let scene = Scene::empty();
    scene.place("not json");
    let entry = scene.refused(&["bundle.json"]);
    let payload = entry::payload(&entry);
    let digest = oms_testkit::files::sha256_hex(b"not json");
    assert_eq!(payload["subject"][0]["name"], "model.sig");
    assert_eq!(payload["subject"][0]["digest"]["sha256"], digest);
    assert_eq!(payload["predicate"]["inputAttestations"][0]["digest"]["sha256"], digest);
    let name = entry.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("000000000001-{}-refused", &digest[..16]));
}
