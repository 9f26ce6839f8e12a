//! A verdict can be checked years later with a shell and `openssl` alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use oms_testkit::pki::{KeyType, Profile};
use oms_testkit::{files, model, run};
use oms_tests::entry;
use oms_tests::scene::{STATION, Scene};
use serde_json::json;

use crate::opening::install_verdict;

/// The check, as the documentation quotes it. `VERDICT` is the verdict's file, `ROOT` the trusted
/// root in PEM, `STATION` the URI of the station that is expected.
const CHECK: &str = include_str!("check-verdict.sh");

fn check(scene: &Scene, verdict: &Path, station: &str) -> run::Outcome {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // As somebody who pastes it: without options that stop a shell.
    command.args(["-c", CHECK]).current_dir(dir.path());
    command.env("VERDICT", verdict).env("STATION", station);
    run::outcome(command.env("ROOT", scene.station.roots.join("corp-root.pem")))
}

#[test]
fn a_verdict_is_checked_with_openssl_alone() {
    let scene = Scene::signed();
    let [passed] = scene.ingested().try_into().unwrap();
    let outcome = check(&scene, &entry::verdict(&passed), STATION).expect_status(0);
    assert!(outcome.stdout.contains("Verified OK"), "{outcome:?}");
    assert!(outcome.stdout.trim_end().ends_with("PASSED"), "{outcome:?}");
    model::flip_weight_bit(&scene.model);
    let refused = scene.refused_at_ingest(&["manifest.digest-mismatch"]);
    let outcome = check(&scene, &entry::verdict(&refused), STATION).expect_status(0);
    assert!(outcome.stdout.trim_end().ends_with("FAILED"), "{outcome:?}");
}

#[test]
fn a_certificate_right_below_the_root_is_checked_too() {
    let scene = Scene::signed();
    let leaf = scene.root.issue(Profile::code_signing("Station").uri(STATION), KeyType::P384);
    install_verdict(&scene, &leaf);
    let chain = scene.station.config.with_file_name("verdict-chain.pem");
    files::public(chain, oms_testkit::pki::chain([&leaf.certificate, &scene.root.certificate]));
    let [passed] = scene.ingested().try_into().unwrap();
    let outcome = check(&scene, &entry::verdict(&passed), STATION).expect_status(0);
    assert!(outcome.stdout.trim_end().ends_with("PASSED"), "{outcome:?}");
}

#[test]
fn the_check_knows_the_hash_of_each_curve() {
    for curve in [KeyType::P256, KeyType::P384, KeyType::P521] {
        let scene = Scene::signed();
        let profile = Profile::code_signing("Station").uri(STATION);
        install_verdict(&scene, &scene.issuer.issue(profile, curve));
        let [passed] = scene.ingested().try_into().unwrap();
        let outcome = check(&scene, &entry::verdict(&passed), STATION).expect_status(0);
        assert!(outcome.stdout.trim_end().ends_with("PASSED"), "{outcome:?}");
    }
}

#[test]
fn openssl_refuses_an_edited_verdict_another_station_and_another_root() {
    let scene = Scene::signed();
    let [passed] = scene.ingested().try_into().unwrap();
    let verdict = entry::verdict(&passed);
    let other = check(&scene, &verdict, "https://corp.example/stations/diode-4");
    assert_ne!(other.status, 0);
    assert!(!other.stdout.contains("PASSED"), "{other:?}");
    assert_ne!(check(&Scene::empty(), &verdict, STATION).status, 0);
    let bytes = fs::read(&verdict).unwrap();
    entry::edit_payload(&verdict, |payload| payload["subject"][0]["name"] = json!("other"));
    assert_ne!(check(&scene, &verdict, STATION).status, 0);
    fs::write(&verdict, bytes).unwrap();
    let _ = check(&scene, &verdict, STATION).expect_status(0);
}
