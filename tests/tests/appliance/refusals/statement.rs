//! Statements that are validly signed and are not what OMS defines.

use oms_tests::forge::{shards, statement};
use oms_tests::scene::Scene;
use serde_json::{Value, json};

fn digest() -> String {
    "22".repeat(32)
}

fn good() -> Value {
    statement(&[("a", digest())])
}

/// A statement that is good up to this change is refused.
fn refused(change: impl FnOnce(&mut Value), code: &str) {
    let scene = Scene::empty();
    let mut payload = good();
    change(&mut payload);
    scene.forge(&payload);
    scene.refused(&[code]);
}

fn refused_bytes(payload: &[u8], code: &str) {
    let scene = Scene::empty();
    scene.place(scene.forger().bundle(payload).to_string());
    scene.refused(&[code]);
}

#[test]
fn the_statement_that_the_others_are_changed_from_is_only_short_of_its_file() {
    refused(|_| {}, "manifest.missing-file");
}

#[test]
fn a_payload_that_is_not_json() {
    refused_bytes(b"not json", "statement.json");
    refused_bytes(b"", "bundle.schema");
    refused_bytes(format!("{} {{}}", good()).as_bytes(), "statement.json");
}

#[test]
fn a_payload_with_a_key_twice() {
    let text = good().to_string();
    let twice = text.replacen('{', "{\"predicateType\":\"https://innocent.example\",", 1);
    refused_bytes(twice.as_bytes(), "bundle.duplicate-key");
}

#[test]
fn a_payload_that_is_nested_100_000_deep() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    refused_bytes(&deep, "bundle.too-deep");
}

#[test]
fn a_wrong_type() {
    let wrong = |payload: &mut Value| payload["_type"] = json!("https://in-toto.io/Statement/v0.1");
    refused(wrong, "statement.type");
}

#[test]
fn a_wrong_predicate_type() {
    let wrong =
        |payload: &mut Value| payload["predicateType"] = json!("https://slsa.dev/provenance/v1");
    refused(wrong, "statement.predicate-type");
}

#[test]
fn the_predicate_type_of_version_0_2_unless_the_policy_allows_it() {
    let legacy = |payload: &mut Value| {
        payload["predicateType"] = json!("https://model_signing/Digests/v0.1")
    };
    refused(legacy, "statement.legacy");
}

#[test]
fn a_wrong_payload_type() {
    let scene = Scene::empty();
    let bundle = scene.forger().bundle_of_type("application/json", good().to_string().as_bytes());
    scene.place(bundle.to_string());
    scene.refused(&["bundle.payload-type"]);
}

#[test]
fn no_resources() {
    let scene = Scene::empty();
    scene.forge(&statement(&[]));
    scene.refused(&["manifest.no-resources"]);
}

#[test]
fn two_subjects_and_none() {
    let two = |payload: &mut Value| {
        let subject = payload["subject"][0].clone();
        payload["subject"].as_array_mut().unwrap().push(subject);
    };
    refused(two, "statement.subject");
    refused(|payload| payload["subject"] = json!([]), "statement.subject");
}

#[test]
fn a_wrong_root_digest() {
    let wrong = |payload: &mut Value| payload["subject"][0]["digest"]["sha256"] = json!(digest());
    refused(wrong, "statement.root-digest");
}

#[test]
fn a_field_that_the_schema_forbids() {
    refused(|payload| payload["more"] = json!(1), "statement.schema");
    refused(|payload| payload["predicate"]["more"] = json!(1), "statement.schema");
}

#[test]
fn a_hash_that_is_not_one_of_the_specification() {
    let wrong =
        |payload: &mut Value| payload["predicate"]["serialization"]["hash_type"] = json!("md5");
    refused(wrong, "manifest.hash");
}

#[test]
fn symbolic_links_that_the_signer_followed() {
    let wrong =
        |payload: &mut Value| payload["predicate"]["serialization"]["allow_symlinks"] = json!(true);
    refused(wrong, "manifest.symlinks-allowed");
}

fn refused_shards(names: &[&str]) {
    let scene = Scene::empty();
    let listed: Vec<_> = names.iter().map(|name| (*name, digest())).collect();
    scene.forge(&shards(&listed, 10));
    scene.refused(&["manifest.shards"]);
}

#[test]
fn shards_that_overlap() {
    refused_shards(&["a:0:10", "a:5:15"]);
    refused_shards(&["a:0:10", "a:0:5"]);
}

#[test]
fn shards_that_leave_a_hole() {
    refused_shards(&["a:0:10", "a:20:30"]);
    refused_shards(&["a:10:20"]);
    refused_shards(&["a:0:7", "a:7:14"]);
}

#[test]
fn shards_with_numbers_of_another_form() {
    for name in ["a", "a:0", "a:0:", "a:00:10", "a:0:+10", "a:-1:10", "a:0:99999999999999999999"] {
        refused_shards(&[name]);
    }
    refused_shards(&["a:10:0"]);
}
