//! A real virus scanner beside the station.

use std::fs;

use oms_testkit::{files, run};
use oms_tests::clamd::{Clamd, FOUND, MARKER, MOST};
use oms_tests::scene::{Scene, any_content, appliance};
use oms_tests::{entry, json};

/// A station whose policy asks for a scanner, which is there.
fn scanned(rules: &str) -> (Scene, Clamd) {
    let policy = format!("{}\n[content.scanner]\nrequired = true\n{rules}", any_content());
    let scene = Scene::with_policy(&policy);
    oms_testkit::model::write(&scene.model, 40_000);
    let clamd = Clamd::start(&files::folder(scene.path("clamd")));
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let table = format!("\n[scanner]\nsocket = {:?}\nmax-file-bytes = \"{MOST}B\"\n", clamd.socket);
    files::public(&scene.station.config, config + &table);
    (scene, clamd)
}

fn with(scene: &Scene, name: &str, bytes: &[u8]) {
    files::public(scene.model.join(name), bytes);
    scene.sign(&scene.model, &scene.bundle(), &[]);
}

#[test]
fn what_the_scanner_has_read_in_full_passes_and_the_verdict_names_it() {
    let (scene, _clamd) = scanned("");
    // Its last byte lies where the scanner still reads.
    with(&scene, "large.bin", &vec![7; MOST as usize]);
    let [entry] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&entry);
    let scanner = entry::detail(&payload)["scanner"].as_str().unwrap().to_owned();
    assert!(scanner.starts_with("ClamAV "), "{scanner}");
    let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
}

#[test]
fn what_it_finds_is_refused() {
    let (scene, clamd) = scanned("skip = [\"text\"]\n");
    with(&scene, "notes.bin", &[b"\0before ", MARKER, b" after"].concat());
    let entry = scene.refused_at_ingest(&["content.malware"]);
    let payload = entry::payload(&entry);
    let reason = &entry::detail(&payload)["reasons"][0];
    assert!(reason["detail"].as_str().unwrap().contains(FOUND), "{reason}");
    let mut verify = scene.verify();
    verify.arg("--scanner").arg(&clamd.socket).args(["--scanner-max-file", "512KiB"]);
    let document = run::outcome(&mut verify).expect_status(1).json();
    assert_eq!(json::codes(&document["reasons"]), ["content.malware"]);
    // A format that is skipped is not asked about.
    with(&scene, "notes.bin", &[b"before ", MARKER, b" after"].concat());
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn what_it_calls_clean_without_reading_it_is_not_scanned() {
    let (scene, _clamd) = scanned("");
    // This scanner answers OK to a file that is larger than it reads.
    let mut large = vec![7; MOST as usize];
    large.extend(MARKER);
    with(&scene, "large.bin", &large);
    let entry = scene.refused_at_ingest(&["content.not-scanned"]);
    let payload = entry::payload(&entry);
    let reason = &entry::detail(&payload)["reasons"][0];
    assert_eq!(reason["file"], "large.bin");
    assert_eq!(reason["rule"], "content.scanner");
}

#[test]
fn the_doctor_asks_it_and_says_what_it_does_not_take() {
    let (scene, clamd) = scanned("");
    let check = |scene: &Scene| {
        let mut doctor = appliance();
        doctor.arg("doctor").arg("--config").arg(&scene.station.config).arg("--json");
        let document = run::outcome(&mut doctor).json();
        let checks = document["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == "scanner").unwrap().clone()
    };
    // Its one signature is not that of the test file.
    assert_eq!(check(&scene)["state"], "warning");
    scene.configure(&format!("{MOST}B"), "9MiB");
    let refused = check(&scene);
    assert_eq!(refused["state"], "failed", "{refused}");
    clamd.stop();
    assert_eq!(check(&scene)["state"], "failed");
}

#[test]
fn without_a_scanner_nothing_is_decided_or_nothing_passes() {
    let (scene, clamd) = scanned("");
    scene.sign(&scene.model, &scene.bundle(), &[]);
    // A policy that asks for one, and a command that has none.
    let document = run::outcome(&mut scene.verify()).expect_status(1).json();
    assert!(json::codes(&document["reasons"]).iter().all(|code| *code == "content.not-scanned"));
    clamd.stop();
    scene.undecided_at_ingest(3, "scanner.unavailable");
}
