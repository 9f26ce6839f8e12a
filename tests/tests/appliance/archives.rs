//! Entries as tar: checked without being unpacked, and whatever is changed in one is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, model, run};
use oms_tests::json;
use oms_tests::scene::{STATION, Scene, appliance};
use serde_json::{Value, json};

const BLOCK: usize = 512;

/// An entry that passed, as tar, with the verdict beside it.
fn published() -> (Scene, PathBuf) {
    let scene = Scene::signed().as_files();
    let [entry] = scene.ingested().try_into().unwrap();
    (scene, entry)
}

fn received(scene: &Scene, path: &Path, status: i32) -> Value {
    run::outcome(&mut scene.receive(path)).expect_status(status).json()
}

fn codes(found: &Value) -> Vec<String> {
    json::codes(&found["reasons"])
}

/// A tar's members: each header's place, its name, and where its content begins and ends.
fn members(tar: &[u8]) -> Vec<(usize, String, usize, usize)> {
    let mut members = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        let name = tar[at..at + 100].split(|byte| *byte == 0).next().unwrap();
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        let start = at + BLOCK;
        members.push((at, String::from_utf8(name.to_vec()).unwrap(), start, start + size));
        at = start + size.next_multiple_of(BLOCK);
    }
    members
}

/// A tar that is good up to this change is refused for these codes.
fn changed(scene: &Scene, tar: &[u8], change: impl FnOnce(&mut Vec<u8>), expected: &[&str]) {
    let mut bytes = tar.to_vec();
    change(&mut bytes);
    let path = scene.path("changed.tar");
    fs::write(&path, bytes).unwrap();
    let found = received(scene, &path, 1);
    assert_eq!(codes(&found), expected, "{found:#}");
}

#[test]
fn an_entry_is_checked_where_it_is() {
    let (scene, tar) = published();
    let found = received(&scene, &tar, 0);
    assert_eq!((&found["verdict"]["passed"], &found["warnings"]), (&json!(true), &json!([])));
    // Under another name too, and by the bare key of the verdict.
    let other = scene.path("entry");
    fs::copy(&tar, &other).unwrap();
    let _ = received(&scene, &other, 0);
    let mut command = appliance();
    command.args(["verdict", "verify", "--verifier", STATION]).arg(&other).arg("--key");
    command.arg(scene.verdict.key.write_public(scene.path("verdict.pub")));
    let _ = run::outcome(&mut command).expect_status(0);
}

#[test]
fn a_refusal_is_a_file_by_itself() {
    let scene = Scene::signed().as_files();
    model::flip_weight_bit(&scene.model);
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    let [name] = scene.station.entries().try_into().unwrap();
    let found = received(&scene, &scene.station.outbound.join(&name), 1);
    assert_eq!(codes(&found), ["verdict.failed"]);
    let (scene, tar) = published();
    let beside = tar.to_string_lossy().replace("-passed.tar", ".verdict.json");
    assert_eq!(codes(&received(&scene, Path::new(&beside), 1)), ["verdict.files"]);
}

#[test]
fn whatever_is_changed_in_a_tar_is_refused() {
    let (scene, tar) = published();
    let good = fs::read(tar).unwrap();
    let all = members(&good);
    let names: Vec<_> = all.iter().map(|(_, name, ..)| name.as_str()).collect();
    let first = ["verdict.sigstore.json", "model.sig", "source.sig", "report.html"];
    assert_eq!(names[..4], first);
    let place = |name: &str| all.iter().find(|(_, found, ..)| found == name).unwrap().clone();
    let files = &["verdict.files"];
    let end = good.len() - 2 * BLOCK;

    let (at, _, start, stop) = place(&format!("model/{}", model::WEIGHTS));
    let next = start + (stop - start).next_multiple_of(BLOCK);
    changed(&scene, &good, |tar| tar[stop - 1] ^= 1, files);
    changed(&scene, &good, |tar| tar[stop] ^= 1, files); // what fills the block up
    changed(&scene, &good, |tar| drop(tar.drain(at..next)), files); // taken away
    changed(&scene, &good, |tar| tar[at + 100] = b'7', files); // another mode
    changed(&scene, &good, |tar| tar[at + 156] = b'2', files); // a link
    // Twice, and in another place than its own.
    let member = good[at..next].to_vec();
    changed(&scene, &good, |tar| drop(tar.splice(next..next, member.clone())), files);
    let moved = |tar: &mut Vec<u8>| {
        tar.drain(at..next);
        let early = place("report.html").0;
        tar.splice(early..early, member.clone());
    };
    changed(&scene, &good, moved, files);
    for name in ["extra", "/etc/passwd", "../../x", "model/../x", "model/./config.json"] {
        let stranger = [oms_verify::tar::header(name, 3), b"abc".to_vec(), vec![0; 509]].concat();
        changed(&scene, &good, |tar| drop(tar.splice(end..end, stranger)), files);
    }
    let huge = oms_verify::tar::header("model/huge", u64::MAX);
    changed(&scene, &good, |tar| drop(tar.splice(end..end, huge)), files);

    // Cut anywhere, or with more behind its end.
    for cut in [good.len() - 1, end, end - 1, start + 1, at + 3] {
        changed(&scene, &good, |tar| tar.truncate(cut), files);
    }
    changed(&scene, &good, |tar| tar.push(0), files);
    let again = good.clone();
    changed(&scene, &good, |tar| tar.extend(again), files);

    let (.., start, _) = place("source.sig");
    changed(&scene, &good, |tar| tar[start] ^= 1, files);
    let (.., start, _) = place("model.sig");
    changed(&scene, &good, |tar| tar[start] ^= 1, &["verdict.resigned"]);
    let next = place("model.sig").0;
    changed(&scene, &good, |tar| drop(tar.drain(..next)), &["verdict.missing"]);
    changed(&scene, &good, |tar| tar.truncate(100), &["verdict.missing"]);
    changed(&scene, &good, Vec::clear, &["verdict.missing"]);
    let sig = good.windows(6).position(|bytes| bytes == b"\"sig\":").unwrap() + 20;
    let other = if good[sig] == b'A' { b'B' } else { b'A' };
    changed(&scene, &good, |tar| tar[sig] = other, &["verdict.untrusted"]);
}

#[test]
fn a_report_that_differs_in_a_tar_is_told_and_refuses_nothing() {
    let (scene, tar) = published();
    let mut bytes = fs::read(&tar).unwrap();
    let (.., start, _) =
        members(&bytes).into_iter().find(|(_, name, ..)| name == "report.html").unwrap();
    bytes[start + 20] ^= 1;
    fs::write(&tar, bytes).unwrap();
    let found = received(&scene, &tar, 0);
    assert_eq!(found["warnings"][0]["file"], "report.html");
}

#[test]
fn a_tar_is_named_after_its_verdict_and_has_the_one_beside_it() {
    let (scene, tar) = published();
    let name = tar.file_name().unwrap().to_str().unwrap();
    let folder = files::folder(scene.path("inbound"));
    let other = folder.join(name.replacen("000000000001", "000000000002", 1));
    fs::copy(&tar, &other).unwrap();
    assert_eq!(codes(&received(&scene, &other, 1)), ["verdict.files"]);
    let kept = folder.join(name);
    fs::rename(other, &kept).unwrap();
    let _ = received(&scene, &kept, 0);
    fs::write(folder.join(name.replace("-passed.tar", ".verdict.json")), "{}").unwrap();
    assert_eq!(codes(&received(&scene, &kept, 1)), ["verdict.files"]);
}

#[test]
fn a_ledger_is_checked_over_tars_alone_or_with_their_verdicts() {
    let (scene, tar) = published();
    let _ = scene.ingested();
    let ledger = |status| {
        let mut command: Command = appliance();
        command.args(["verdict", "verify", "--ledger"]).arg(&scene.station.outbound);
        command.args(["--verifier", STATION, "--json", "--roots"]).arg(&scene.station.roots);
        let found = run::outcome(&mut command).expect_status(status).json();
        json::conforming(&json::VERDICT_LEDGER, found)
    };
    assert_eq!(ledger(0)["passed"], 2);
    let beside = tar.to_string_lossy().replace("-passed.tar", ".verdict.json");
    let verdict = fs::read(&beside).unwrap();
    fs::remove_file(&beside).unwrap();
    assert_eq!(ledger(0)["passed"], 2, "its verdict is in it");
    let other = &scene.station.entries()[1];
    assert!(other.starts_with("000000000002") && other.ends_with("-passed.tar"), "{other}");
    fs::write(scene.station.outbound.join(other.replace("-passed.tar", ".verdict.json")), verdict)
        .unwrap();
    assert_eq!(codes(&ledger(1)), ["ledger.duplicate"]);
    fs::remove_file(&tar).unwrap();
    assert_eq!(codes(&ledger(1)), ["ledger.duplicate", "ledger.gap"]);
}
