//! A folder of verdicts in order: what was lost, exchanged or sent again is told, and the station's
//! own record is exported.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, model, run};
use oms_tests::scene::{STATION, Scene, appliance};
use oms_tests::{entry, journal, json};
use serde_json::{Value, json};

/// A station that has published three entries: two that passed, and a refusal between them.
fn three() -> (Scene, Vec<PathBuf>) {
    let scene = Scene::signed();
    scene.ingested();
    let offset = fs::read(scene.model.join(model::WEIGHTS)).unwrap();
    model::flip_weight_bit(&scene.model);
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    fs::write(scene.model.join(model::WEIGHTS), offset).unwrap();
    scene.ingested();
    let entries = scene.station.entries().into_iter().map(|name| scene.station.outbound.join(name));
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.len(), 3);
    (scene, entries)
}

fn ledger(scene: &Scene, folder: &Path) -> Command {
    let mut command = appliance();
    command.args(["verdict", "verify", "--ledger"]).arg(folder);
    command.args(["--verifier", STATION, "--json", "--roots"]).arg(&scene.station.roots);
    command
}

fn checked(command: &mut Command, status: i32) -> Value {
    json::conforming(&json::VERDICT_LEDGER, run::outcome(command).expect_status(status).json())
}

fn payload_digest(entry: &Path) -> String {
    files::sha256_hex(&entry::signed_bytes(&entry::verdict(entry)))
}

#[test]
fn a_whole_folder_and_the_archive_are_complete() {
    let (scene, entries) = three();
    for folder in [&scene.station.outbound, &scene.station.state.join("archive")] {
        let found = checked(&mut ledger(&scene, folder), 0);
        assert_eq!(found["passed"], 2);
        assert_eq!(found["refused"], 1);
        assert_eq!((&found["first"], &found["last"]), (&json!(1), &json!(3)));
        assert_eq!(found["next"], json!({ "from": 4, "after": payload_digest(&entries[2]) }));
    }
}

#[test]
fn the_first_gap_is_named() {
    let (scene, entries) = three();
    fs::remove_dir_all(&entries[1]).unwrap();
    let found = checked(&mut ledger(&scene, &scene.station.outbound), 1);
    assert_eq!(json::codes(&found["reasons"]), ["ledger.gap"]);
    assert_eq!(found["reasons"][0]["detail"], "verdict 2 is missing");
    fs::remove_dir_all(&entries[0]).unwrap();
    let found = checked(&mut ledger(&scene, &scene.station.outbound), 1);
    assert_eq!(found["reasons"][0]["detail"], "verdicts 1 to 2 are missing");
}

#[test]
fn a_folder_whose_beginning_was_taken_away_goes_on_from_it() {
    let (scene, entries) = three();
    let before = payload_digest(&entries[1]);
    for entry in &entries[..2] {
        fs::remove_dir_all(entry).unwrap();
    }
    let outbound = &scene.station.outbound;
    let found = |status: i32, state: &[&str]| checked(ledger(&scene, outbound).args(state), status);
    found(0, &["--from", "3", "--after", &before]);
    found(0, &["--from", "3"]);
    let other = "1".repeat(64);
    let broken = found(1, &["--from", "3", "--after", &other]);
    assert_eq!(json::codes(&broken["reasons"]), ["ledger.chain"]);
    let found = found(1, &["--from", "4", "--after", &before]);
    assert_eq!(json::codes(&found["reasons"]), ["ledger.duplicate", "verdict.missing"]);
}

#[test]
fn a_verdict_that_was_sent_again_under_any_number() {
    let (scene, entries) = three();
    let outbound = &scene.station.outbound;
    let rest = entries[0].file_name().unwrap().to_str().unwrap()[12..].to_owned();
    let copy = |number: &str| {
        let folder = files::folder(outbound.join(format!("{number}{rest}")));
        fs::copy(entry::verdict(&entries[0]), entry::verdict(&folder)).unwrap();
        folder
    };
    let again = copy("000000000004");
    let found = checked(&mut ledger(&scene, outbound), 1);
    assert_eq!(json::codes(&found["reasons"]), ["ledger.duplicate"]);
    fs::remove_dir_all(again).unwrap();
    // Twice under its own number.
    fs::copy(entry::verdict(&entries[0]), outbound.join("000000000001-0.verdict.json")).unwrap();
    let found = checked(&mut ledger(&scene, outbound), 1);
    assert_eq!(json::codes(&found["reasons"]), ["ledger.duplicate"]);
    fs::remove_file(outbound.join("000000000001-0.verdict.json")).unwrap();
    fs::write(outbound.join("notes.txt"), "").unwrap();
    let found = checked(&mut ledger(&scene, outbound), 0);
    assert_eq!(found["ignored"], json!(["notes.txt"]));
}

#[test]
fn a_verdict_that_nobody_signed() {
    let (scene, entries) = three();
    let mut bundle: Value =
        serde_json::from_slice(&fs::read(entry::verdict(&entries[1])).unwrap()).unwrap();
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA".into();
    fs::write(entry::verdict(&entries[1]), bundle.to_string()).unwrap();
    let found = checked(&mut ledger(&scene, &scene.station.outbound), 1);
    assert_eq!(json::codes(&found["reasons"]), ["verdict.untrusted"]);
}

#[test]
fn the_record_is_exported_line_by_line() {
    let (scene, entries) = three();
    let out = scene.path("ledger.jsonl");
    let export = || {
        let mut command = appliance();
        command.args(["ledger", "export", "--config"]).arg(&scene.station.config);
        command.arg("--out").arg(&out);
        command
    };
    // Whoever holds the station's lock does not keep auditors away.
    let lock = fs::File::create(scene.station.state.join("lock")).unwrap();
    lock.lock().unwrap();
    let _ = run::outcome(&mut export()).expect_status(0);
    drop(lock);
    let lines = fs::read_to_string(&out).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| json::conforming(&json::LEDGER, serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(lines.len(), 3);
    for (line, entry) in lines.iter().zip(&entries) {
        let archived = scene.station.state.join("archive").join(line["archive"].as_str().unwrap());
        let bytes = fs::read(&archived).unwrap();
        assert_eq!(line["verdictSha256"], files::sha256_hex(&bytes).as_str());
        assert_eq!(line["payloadSha256"], payload_digest(entry).as_str());
        assert_eq!(line["state"], "published");
        assert_eq!(line["carrier"]["source"], scene.carrier.to_str().unwrap());
        assert_eq!(line["carrier"]["path"], "demo");
    }
    let results: Vec<_> = lines.iter().map(|line| line["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["passed", "refused", "passed"]);
    fs::remove_file(scene.station.state.join("journal.sqlite")).unwrap();
    let _ = run::outcome(&mut export()).expect_status(2);
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 3, "the earlier one stays");
}

/// Takes an entry out of its tar and checks it as the receiving side does.
fn unpacked(scene: &Scene, tar: &Path) {
    let folder = files::folder(scene.path("unpacked"));
    let done = Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(&folder).status().unwrap();
    assert!(done.success());
    let _ = run::outcome(&mut scene.receive(&folder)).expect_status(0);
    let weights = |model: &Path| fs::read(model.join(model::WEIGHTS)).unwrap();
    assert_ne!(weights(&folder.join("model")), weights(&scene.model), "that one has a bit flipped");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn single_files_for_senders_that_take_no_folders() {
    let scene = Scene::signed().as_files();
    let _ = run::outcome(&mut scene.ingest()).expect_status(0);
    model::flip_weight_bit(&scene.model);
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    let outbound = &scene.station.outbound;
    let names = scene.station.entries();
    let [tar, verdict, refusal] = names.as_slice() else { panic!("{names:?}") };
    assert!(tar.starts_with("000000000001-") && tar.ends_with("-passed.tar"), "{tar}");
    assert_eq!(*verdict, tar.replace("-passed.tar", ".verdict.json"));
    assert!(refusal.starts_with("000000000002-") && refusal.ends_with(".verdict.json"));
    for name in &names {
        let mode = outbound.join(name).metadata().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o640, "{name}");
    }
    unpacked(&scene, &outbound.join(tar));
    let found = checked(&mut ledger(&scene, outbound), 0);
    assert_eq!((&found["passed"], &found["refused"]), (&json!(1), &json!(1)));
    assert_eq!(found["ignored"], json!([]));
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
}

#[test]
fn a_verdict_that_a_sender_took_before_a_crash_is_not_sent_again() {
    let scene = Scene::signed().as_files();
    let _ = run::outcome(&mut scene.ingest()).expect_status(0);
    let outbound = &scene.station.outbound;
    let names = scene.station.entries();
    let [tar, verdict] = names.as_slice() else { panic!("{names:?}") };
    // Killed after the verdict went out, and before the tar did: put it all back.
    let staged = files::folder(scene.station.spool.join("ingest-1"));
    let mut unpack = Command::new("tar");
    unpack.arg("-xf").arg(outbound.join(tar)).arg("-C").arg(&staged);
    assert!(unpack.status().unwrap().success());
    let out = files::folder(scene.station.spool.join("ingest-1.out"));
    let before = fs::read(outbound.join(tar)).unwrap();
    fs::rename(outbound.join(tar), out.join(tar)).unwrap();
    fs::remove_file(outbound.join(verdict)).unwrap();
    let payload = entry::signed_bytes(&entry::verdict(&staged));
    files::secret(scene.station.state.join("open/000000000001.payload"), payload);
    journal::change(
        &scene.station.state,
        "UPDATE decision SET state = 'signed', published = NULL WHERE sequence = 1",
    );
    let _ = run::outcome(&mut scene.ingest()).expect_status(0);
    assert_eq!(fs::read(outbound.join(tar)).unwrap(), before, "the same bytes");
    assert!(!outbound.join(verdict).exists(), "it was sent");
    assert_eq!(scene.station.entries().len(), 3, "the tar, and the second entry");
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
}
