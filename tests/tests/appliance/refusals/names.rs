//! Names that a manifest must not hold, in bundles whose signature is valid.

use oms_tests::forge::{shards, statement};
use oms_tests::scene::Scene;
use serde_json::json;

fn digest() -> String {
    "11".repeat(32)
}

/// A manifest that lists these names is refused, whatever is on the carrier.
fn refused(names: &[&str], code: &str) {
    let scene = Scene::empty();
    let listed: Vec<_> = names.iter().map(|name| (*name, digest())).collect();
    scene.forge(&statement(&listed));
    scene.refused(&[code]);
}

#[test]
fn a_name_that_leads_out_of_the_model() {
    refused(&["../outside"], "manifest.unsafe-name");
    refused(&["a/../../outside"], "manifest.unsafe-name");
}

#[test]
fn an_absolute_name() {
    refused(&["/etc/passwd"], "manifest.unsafe-name");
}

#[test]
fn an_empty_name() {
    refused(&[""], "manifest.unsafe-name");
    refused(&["a", "b//c"], "manifest.unsafe-name");
}

#[test]
fn a_name_with_a_nul() {
    refused(&["a\0b"], "manifest.unsafe-name");
}

#[test]
fn a_name_twice() {
    refused(&["a", "a"], "manifest.duplicate-name");
}

#[test]
fn a_name_twice_by_dot_slash() {
    refused(&["a", "./a"], "manifest.unsafe-name");
}

#[test]
fn a_name_twice_by_two_slashes() {
    refused(&["a/b", "a//b"], "manifest.unsafe-name");
}

#[test]
fn a_name_twice_in_shards() {
    let scene = Scene::empty();
    scene.forge(&shards(&[("a:0:10", digest()), ("a:0:10", digest())], 10));
    scene.refused(&["manifest.shards"]);
}

#[test]
fn a_name_that_is_also_a_folder() {
    refused(&["a", "a/b"], "manifest.name-conflict");
}

#[test]
fn the_name_dot_for_more_than_one_file() {
    refused(&[".", "a"], "manifest.unsafe-name");
    refused(&[".", "."], "manifest.duplicate-name");
}

#[test]
fn the_name_dot_with_a_subject_that_is_no_file_name() {
    let scene = Scene::empty();
    let mut payload = statement(&[(".", digest())]);
    payload["subject"][0]["name"] = json!("../outside");
    scene.forge(&payload);
    scene.refused(&["manifest.unsafe-name"]);
}

#[test]
fn a_name_that_is_not_utf_8() {
    let scene = Scene::empty();
    let payload = statement(&[("NAME", digest())]).to_string();
    let (before, after) = payload.split_once("NAME").unwrap();
    let bytes = [before.as_bytes(), b"a\xffb", after.as_bytes()].concat();
    scene.place(scene.forger().bundle(&bytes).to_string());
    scene.refused(&["statement.json"]);
}

#[test]
fn a_name_with_half_of_a_surrogate_pair() {
    let scene = Scene::empty();
    let payload = statement(&[("NAME", digest())]).to_string().replace("NAME", "a\\ud800b");
    scene.place(scene.forger().bundle(payload.as_bytes()).to_string());
    scene.refused(&["statement.json"]);
}
