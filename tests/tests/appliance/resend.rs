//! Models that stay with the station for a while, and go out once more under another number.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oms_testkit::{files, model, run};
use oms_tests::attest::{self, place};
use oms_tests::scene::{STATION, Scene, appliance};
use oms_tests::{entry, journal, json};
use serde_json::{Value, json};

/// How often the program is killed.
const ROUNDS: usize = 40;

/// A station that keeps models for a month.
fn keeping(scene: Scene) -> Scene {
    scene.configure("[outbound]", "[outbound]\nkeep = \"30d\"");
    scene
}

/// A kept model whose entry the sender has taken and deleted; gives what the verdict said.
fn sent() -> (Scene, Value) {
    let scene = keeping(Scene::signed());
    let [first] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&first);
    fs::remove_dir_all(first).unwrap();
    (scene, payload)
}

fn resend(scene: &Scene, number: u64) -> Command {
    let mut command = appliance();
    command.arg("resend").arg(number.to_string()).arg("--config").arg(&scene.station.config);
    command.arg("--json");
    command
}

/// Sends a model again; gives the new entry.
fn again(scene: &Scene, number: u64) -> PathBuf {
    let document = run::outcome(&mut resend(scene, number)).expect_status(0).json();
    let document = json::conforming(&json::RESEND, document);
    assert_eq!((&document["resendOf"], &document["result"]), (&json!(number), &json!("passed")));
    PathBuf::from(document["entry"].as_str().unwrap())
}

/// Nothing is sent, for this reason, and no number is used.
fn refused(scene: &Scene, number: u64, status: i32, code: &str) -> Value {
    let before = (scene.station.entries(), numbers(scene));
    let document = run::outcome(&mut resend(scene, number)).expect_status(status).json();
    let document = json::conforming(&json::RESEND, document);
    assert_eq!(json::codes(&document["reasons"]), [code], "{document:#}");
    assert_eq!((scene.station.entries(), numbers(scene)), before);
    let spool: Vec<_> = names(&scene.station.spool);
    assert!(spool.iter().all(|name| name == "kept"), "{spool:?}");
    document
}

fn numbers(scene: &Scene) -> Vec<String> {
    journal::column(&scene.station.state, "SELECT printf('%d', sequence) FROM decision")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The folder of the only kept model.
fn kept(scene: &Scene) -> PathBuf {
    let all = scene.station.spool.join("kept");
    let [name] = names(&all).try_into().unwrap();
    all.join(name)
}

fn received(scene: &Scene, path: &Path) -> Value {
    run::outcome(&mut scene.receive(path)).expect_status(0).json()
}

fn ledger(scene: &Scene, folder: &Path, status: i32) -> Value {
    let mut command = appliance();
    command.args(["verdict", "verify", "--ledger"]).arg(folder);
    command.args(["--verifier", STATION, "--json", "--roots"]).arg(&scene.station.roots);
    json::conforming(&json::VERDICT_LEDGER, run::outcome(&mut command).expect_status(status).json())
}

#[test]
fn a_model_is_kept_once_on_the_disk_and_the_sender_may_only_read() {
    let scene = keeping(Scene::signed());
    let [first] = scene.ingested().try_into().unwrap();
    let kept = kept(&scene);
    assert_eq!(kept.file_name(), first.file_name());
    assert_eq!(names(&kept), ["model", "source.sig"]);
    for name in ["source.sig", "model/config.json", &format!("model/{}", model::WEIGHTS)] {
        let (one, other) = (kept.join(name), first.join(name));
        let (one, other) = (one.metadata().unwrap(), other.metadata().unwrap());
        assert_eq!((one.ino(), one.nlink(), one.mode() & 0o777), (other.ino(), 2, 0o640), "{name}");
    }
    for folder in [&kept, &kept.join("model"), &first] {
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o750, "{folder:?}");
    }
    // The sender deletes what it has taken: that is all that it can do.
    fs::remove_dir_all(&first).unwrap();
    assert_eq!(kept.join("source.sig").metadata().unwrap().nlink(), 1);
}

#[test]
fn without_keep_nothing_is_kept() {
    let scene = Scene::signed();
    let [first] = scene.ingested().try_into().unwrap();
    assert_eq!(names(&scene.station.spool), Vec::<String>::new());
    assert_eq!(first.join("source.sig").metadata().unwrap().nlink(), 1);
    refused(&scene, 1, 2, "resend.not-kept");
}

#[test]
fn a_model_goes_out_again_by_the_old_decision() {
    let (scene, first) = sent();
    let second = again(&scene, 1);
    assert!(second.to_string_lossy().contains("/000000000002-"), "{second:?}");
    let found = received(&scene, &second);
    assert_eq!(
        (&found["verdict"]["resendOf"], &found["verdict"]["sequence"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(found["warnings"], json!([]), "the report is that of the verdict");
    let report = fs::read_to_string(second.join("report.html")).unwrap();
    assert!(report.contains("the model of verdict 1 sent again"));
    // The rest of the verdict is as it was, the time too.
    let mut payload = entry::payload(&second);
    let stated = first["predicate"]["timeVerified"].clone();
    assert_eq!(payload["predicate"]["timeVerified"], stated);
    for field in ["sequence", "previous", "resigned", "resendOf"] {
        let detail = payload.pointer_mut("/predicate/urn:oms-appliance:verdict:1").unwrap();
        let before = first.pointer("/predicate/urn:oms-appliance:verdict:1").unwrap();
        match before.get(field) {
            Some(before) => detail[field] = before.clone(),
            None => drop(detail.as_object_mut().unwrap().remove(field)),
        }
    }
    assert_eq!(payload, first);
    // As often as there is need; what was sent again is not kept a second time.
    let third = again(&scene, 1);
    let _ = received(&scene, &third);
    assert_eq!(names(&scene.station.spool.join("kept")).len(), 1);
    let found = ledger(&scene, &scene.station.state.join("archive"), 0);
    assert_eq!((&found["passed"], &found["last"]), (&json!(3), &json!(3)));
    assert_eq!(json::codes(&ledger(&scene, &scene.station.outbound, 1)["reasons"]), ["ledger.gap"]);
    let told = refused(&scene, 2, 2, "resend.unknown");
    assert!(told["reasons"][0]["detail"].as_str().unwrap().ends_with("resend 1"), "{told:#}");

    let out = scene.path("ledger.jsonl");
    let mut export = appliance();
    export.args(["ledger", "export", "--config"]).arg(&scene.station.config);
    let _ = run::outcome(export.arg("--out").arg(&out)).expect_status(0);
    let lines = fs::read_to_string(out).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| json::conforming(&json::LEDGER, serde_json::from_str(line).unwrap()))
        .collect();
    assert!(lines[0]["keptUntil"].is_string() && lines[0]["removedAt"].is_null());
    assert_eq!((&lines[1]["resendOf"], &lines[1]["keptUntil"]), (&json!(1), &Value::Null));
    assert_eq!(lines[1]["time"], stated);
}

#[test]
fn a_tar_goes_out_again_as_a_tar() {
    let scene = keeping(Scene::signed().as_files());
    let [first] = scene.ingested().try_into().unwrap();
    let sent = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    let second = again(&scene, 1);
    let name = second.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("000000000002-") && name.ends_with("-passed.tar"), "{name}");
    let found = received(&scene, &second);
    assert_eq!(found["verdict"]["resendOf"], 1);
    assert_ne!(fs::read(&second).unwrap(), sent, "another verdict");
    assert_eq!(ledger(&scene, &scene.station.outbound, 0)["passed"], 2);
    assert_eq!(names(&scene.station.spool), ["kept"]);
}

#[test]
fn attestations_go_out_again_too() {
    let scene = keeping(attest::scene());
    let file = scene.carrier.join("a.intoto.json");
    place(&file, &scene.forger(), &attest::statement_about(&scene.bundle()));
    let [first] = scene.ingested().try_into().unwrap();
    let attestations = names(&first.join("attestations"));
    assert_eq!(attestations.len(), 1);
    fs::remove_dir_all(first).unwrap();
    let second = again(&scene, 1);
    assert_eq!(names(&second.join("attestations")), attestations);
    let _ = received(&scene, &second);
    fs::write(kept(&scene).join("attestations").join(&attestations[0]), "{}").unwrap();
    refused(&scene, 1, 1, "resend.changed");
}

#[test]
fn what_was_never_accepted_is_not_sent() {
    let scene = keeping(Scene::signed());
    model::flip_weight_bit(&scene.model);
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    refused(&scene, 1, 1, "resend.refused");
    refused(&scene, 2, 2, "resend.unknown");
    assert_eq!(names(&scene.station.spool), Vec::<String>::new(), "a refused model is not kept");
}

#[test]
fn kept_files_that_changed_are_not_sent() {
    let cases: [&dyn Fn(&Path); 5] = [
        &|kept| _ = model::flip_weight_bit(kept.join("model")),
        &|kept| fs::remove_file(kept.join("model/config.json")).unwrap(),
        &|kept| drop(files::public(kept.join("model/extra.json"), "{}")),
        &|kept| fs::write(kept.join("source.sig"), "{}").unwrap(),
        &|kept| fs::remove_file(kept.join("source.sig")).unwrap(),
    ];
    for change in cases {
        let (scene, _) = sent();
        change(&kept(&scene));
        refused(&scene, 1, 1, "resend.changed");
    }
}

#[test]
fn another_policy_does_not_send_what_this_one_accepted() {
    let (scene, _) = sent();
    let policy = fs::read_to_string(&scene.station.policy).unwrap();
    files::public(&scene.station.policy, policy.replace("version = 3", "version = 4"));
    refused(&scene, 1, 1, "resend.policy");
    files::public(&scene.station.policy, policy);
    let _ = again(&scene, 1);
}

#[test]
fn another_verdict_in_the_archive_is_not_believed() {
    let (scene, _) = sent();
    let [name] = names(&scene.station.state.join("archive")).try_into().unwrap();
    let verdict = scene.station.state.join("archive").join(name).join("verdict.sigstore.json");
    entry::edit_payload(&verdict, |payload| {
        payload["predicate"]["timeVerified"] = json!("2020-01-01T00:00:00Z");
    });
    refused(&scene, 1, 3, "state.damaged");
}

#[test]
fn the_quota_holds_for_what_is_sent_again() {
    let (scene, _) = sent();
    scene.configure("[outbound]", "[outbound]\nquota = \"8KiB\"");
    refused(&scene, 1, 3, "outbound.quota");
}

#[test]
fn what_is_kept_too_long_is_removed_at_the_next_publication_or_start() {
    let (scene, _) = sent();
    let expire = |number: u64| {
        let change = format!("UPDATE kept SET until = 1 WHERE decision = {number}");
        journal::change(&scene.station.state, &change);
    };
    expire(1);
    files::folder(scene.station.spool.join("kept/000000000009-0-passed.new/model"));
    let _ = scene.ingested();
    let all = names(&scene.station.spool.join("kept"));
    assert!(all.len() == 1 && all[0].starts_with("000000000002-"), "{all:?}");
    let removed = "SELECT printf('%d', decision) FROM kept WHERE removed IS NOT NULL";
    assert_eq!(journal::column(&scene.station.state, removed), ["1"]);
    refused(&scene, 1, 2, "resend.not-kept");
    expire(2);
    refused(&scene, 2, 2, "resend.not-kept");
    assert_eq!(names(&scene.station.spool.join("kept")), Vec::<String>::new());
}

#[test]
fn killed_while_models_are_kept_and_sent_again() {
    for scene in [keeping(Scene::signed()), keeping(Scene::signed().as_files())] {
        let start = Instant::now();
        let _ = scene.ingested();
        let _ = again(&scene, 1);
        let whole = start.elapsed() / 2;
        let mut killed = 0;
        for round in 0..ROUNDS {
            let done = if round % 2 == 0 { scene.ingest() } else { resend(&scene, 1) };
            // Without `timeout`, which would be killed in its place.
            let mut command = run::command();
            command.args(done.get_args().skip(3)).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let moment = Duration::from_nanos(whole.as_nanos() as u64 / 19 * (round as u64 % 20));
            std::thread::sleep(moment);
            let _ = child.kill();
            killed += usize::from(child.wait().unwrap().code().is_none());
        }
        eprintln!("{killed} of {ROUNDS} runs of {whole:?} were killed");
        assert!(killed > ROUNDS / 4, "the runs end before they are killed");
        let last = again(&scene, 1);
        let _ = received(&scene, &last);
        assert!(!journal::is_unfinished(&scene.station.state), "nothing is begun");
        assert_eq!(names(&scene.station.spool), ["kept"]);
        // What is kept is what the record says, and each can be sent.
        let known = "SELECT folder FROM kept WHERE removed IS NULL ORDER BY folder";
        let known = journal::column(&scene.station.state, known);
        assert_eq!(names(&scene.station.spool.join("kept")), known);
        let first = "SELECT printf('%d', sequence) FROM decision WHERE resend_of IS NULL";
        assert_eq!(journal::column(&scene.station.state, first).len(), known.len());
        let newest = known.last().unwrap().get(..12).unwrap().parse().unwrap();
        let _ = received(&scene, &again(&scene, newest));
        let found = ledger(&scene, &scene.station.outbound, 0);
        let archived = ledger(&scene, &scene.station.state.join("archive"), 0);
        assert_eq!(found["passed"], archived["passed"]);
    }
}
