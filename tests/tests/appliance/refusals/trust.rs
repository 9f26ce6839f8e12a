//! Policies, roots and places of trust that cannot be used: nothing is decided.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use oms_testkit::{files, run};
use oms_tests::json;
use oms_tests::scene::{POLICY, Scene};

/// A good model before a station with this policy.
fn with_policy(change: impl FnOnce(&str) -> String) -> Scene {
    let scene = Scene::signed();
    files::public(&scene.station.policy, change(POLICY));
    scene
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_policy_with_an_unknown_key() {
    let scene = with_policy(|policy| policy.replace("[revocation]", "[revocation]\nmodes = 1"));
    scene.undecided(2, "policy.syntax");
    let document = run::outcome(&mut scene.verify()).expect_status(2).json();
    let detail = document["reasons"][0]["detail"].as_str().unwrap();
    let line = POLICY.lines().position(|line| line == "[revocation]").unwrap() + 2;
    assert!(detail.contains(&format!("line {line}")) && detail.contains("modes"), "{detail}");
}

#[test]
fn a_policy_with_an_unknown_anchor() {
    let scene = with_policy(|policy| policy.replace("corp-root", "other-root"));
    scene.undecided(2, "policy.unknown-anchor");
}

#[test]
fn a_policy_with_no_signer() {
    let head = |policy: &str| policy.split("[[signer]]").next().unwrap().to_owned();
    with_policy(head).undecided(2, "policy.no-signer");
}

#[test]
fn a_policy_that_is_not_toml_or_not_there() {
    with_policy(|_| "not a policy".to_owned()).undecided(2, "policy.syntax");
    let scene = Scene::signed();
    fs::remove_file(&scene.station.policy).unwrap();
    scene.undecided(2, "policy.unreadable");
}

#[test]
fn a_key_that_the_policy_names_and_that_is_not_there_or_no_key() {
    let scene = with_policy(|policy| policy.replace("vendor.pem", "absent.pem"));
    scene.undecided(2, "policy.key");
    let scene = Scene::signed();
    files::public(scene.station.policy.with_file_name("vendor.pem"), "not a key");
    scene.undecided(2, "policy.key");
}

#[test]
fn an_anchor_whose_file_was_changed() {
    let scene = Scene::signed();
    let file = scene.station.roots.join("corp-root.pem");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push('\n');
    fs::write(&file, text).unwrap();
    scene.undecided(2, "trust.anchor");
}

#[test]
fn a_policy_that_others_may_write() {
    let scene = Scene::signed();
    set_mode(&scene.station.policy, 0o666);
    scene.undecided(2, "trust.location");
}

#[test]
fn a_folder_of_the_policy_that_others_may_write() {
    let scene = Scene::signed();
    set_mode(scene.station.policy.parent().unwrap(), 0o777);
    scene.undecided(2, "trust.location");
}

#[test]
fn roots_that_others_may_write() {
    for (name, mode) in [("", 0o777), ("roots.toml", 0o664), ("corp-root.pem", 0o646)] {
        let scene = Scene::signed();
        set_mode(&scene.station.roots.join(name), mode);
        scene.undecided(2, "trust.location");
    }
}

#[test]
fn crls_that_others_may_write() {
    let scene = Scene::signed();
    set_mode(&scene.station.crls, 0o777);
    scene.undecided_at_ingest(2, "trust.location");
    let mut verify = scene.verify();
    let outcome = run::outcome(verify.arg("--crls").arg(&scene.station.crls)).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["trust.location"]);
}

#[test]
fn a_configuration_that_others_may_write() {
    let scene = Scene::signed();
    set_mode(&scene.station.config, 0o666);
    scene.undecided_at_ingest(2, "trust.location");
}

/// `verify` and `ingest` with a policy and roots at these places are errors.
fn located(scene: &Scene, policy: &Path, roots: &Path) {
    let mut verify = oms_tests::scene::appliance();
    verify.arg("verify").arg(&scene.model).arg("--json");
    verify.arg("--policy").arg(policy).arg("--roots").arg(roots);
    let document = run::outcome(&mut verify).expect_status(2).json();
    let document = json::conforming(&json::VERIFY, document);
    assert_eq!(json::codes(&document["reasons"]), ["trust.location"]);

    let config = fs::read_to_string(&scene.station.config).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let moved = config
        .replace(&shown(&scene.station.policy), &shown(policy))
        .replace(&shown(&scene.station.roots), &shown(roots));
    assert_ne!(config, moved);
    files::public(&scene.station.config, moved);
    scene.undecided_at_ingest(2, "trust.location");
}

#[test]
fn a_policy_in_the_model() {
    let scene = Scene::signed();
    let inside = files::public(scene.model.join("policy.toml"), POLICY);
    located(&scene, &inside, &scene.station.roots.clone());
}

#[test]
fn a_policy_that_a_link_leads_to_in_the_model() {
    let scene = Scene::signed();
    let inside = files::public(scene.model.join("policy.toml"), POLICY);
    let link = scene.path("policy.toml");
    symlink(inside, &link).unwrap();
    located(&scene, &link, &scene.station.roots.clone());
}

#[test]
fn roots_in_the_model() {
    let scene = Scene::signed();
    let inside = scene.model.join("roots");
    fs::rename(&scene.station.roots, &inside).unwrap();
    located(&scene, &scene.station.policy.clone(), &inside);
}

#[test]
fn a_policy_on_the_carrier_beside_the_model() {
    let scene = Scene::signed();
    let beside = files::public(scene.carrier.join("policy.toml"), POLICY);
    let mut ingest = scene.ingest();
    scene.ends_undecided(ingest.arg("--policy").arg(beside), 2, "trust.location");
}
