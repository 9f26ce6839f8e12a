//! A daemon that is unfit, told to end, killed, or not alone.

use std::fs;
use std::path::PathBuf;

use oms_testkit::{files, model, run};
use oms_tests::scene::Scene;
use oms_tests::{journal, json};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::station::{Daemon, bring, with_hot_folder};

#[test]
fn a_failed_self_test_stops_ingestion_until_it_is_put_right() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let away = scene.station.policy.with_extension("away");
    fs::rename(&scene.station.policy, &away).unwrap();
    let carrier = bring(&scene.carrier, &hot, "carrier");
    let daemon = Daemon::start(&scene);
    let status = daemon.until("unfit", |status| status["state"] == "unfit");
    assert_eq!(json::codes(&status["why"]), ["station.unfit"]);
    assert!(status["why"][0]["detail"].as_str().unwrap().starts_with("trust: "), "{status:#}");
    assert_eq!(scene.station.entries().len(), 0);
    fs::rename(&away, &scene.station.policy).unwrap();
    assert_eq!(daemon.served(&carrier)["passed"], 1);
    assert_eq!(daemon.status()["why"].as_array().unwrap().len(), 0);
    daemon.stop();
}

#[test]
fn a_second_daemon_ends_at_once() {
    let scene = Scene::signed();
    let _hot = with_hot_folder(&scene);
    let daemon = Daemon::start(&scene);
    daemon.until("waiting", |status| status["state"] == "waiting");
    let config = scene.station.config.to_str().unwrap();
    let second = run::appliance(["run", "--config", config]).expect_status(3);
    assert!(second.stderr.contains("state.locked"), "{}", second.stderr);
    // The first one still answers, and an ingest beside it does not get in its way.
    scene.undecided_at_ingest(3, "state.locked");
    assert_eq!(daemon.status()["state"], "waiting");
    daemon.stop();
    assert_eq!(scene.ingested().len(), 1, "without the daemon the state is free");
}

#[test]
fn without_a_daemon_status_says_so() {
    let scene = Scene::empty();
    let socket = scene.path("none");
    let outcome = run::appliance(["status", "--json", "--socket", socket.to_str().unwrap()]);
    let document = outcome.expect_status(3).json();
    assert_eq!(json::codes(&document["reasons"]), ["status.unreachable"]);
}

#[test]
fn a_killed_copier_is_told_and_the_next_carrier_is_served() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let broken = bring(&long, &hot, "long");
    let status = daemon.until("reading", is_reading);
    assert_eq!(status["state"], "serving");
    let reading = &status["carriers"][0]["reading"];
    assert_eq!(reading["path"], "demo", "{status:#}");
    assert!(reading["progress"]["totalBytes"].as_u64() >= Some(LONG), "{status:#}");
    let processes = daemon.processes();
    let copier = processes.iter().find(|(_, line)| line.contains("role copier")).unwrap();
    kill_process(Pid::from_raw(copier.0).unwrap(), Signal::KILL).unwrap();

    let told = daemon.served(&broken);
    assert_eq!((&told["undecided"], &told["models"]), (&1.into(), &1.into()));
    assert_eq!(json::codes(&told["reasons"]), ["process.failed"]);
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "next"))["passed"], 1);
    assert_eq!(spooled(&scene), 0, "what was copied is removed");
    daemon.stop();
}

#[test]
fn a_daemon_that_is_told_to_end_stops_reading_and_begins_anew() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let carrier = bring(&long, &hot, "long");
    daemon.until("reading", is_reading);
    daemon.stop();
    assert_eq!((scene.station.entries().len(), spooled(&scene)), (0, 0));
    // What was cut off is no model's end: its carrier comes again.
    fs::File::options()
        .write(true)
        .open(carrier.join("demo/model.safetensors"))
        .unwrap()
        .set_len(100_000)
        .unwrap();
    let daemon = Daemon::start(&scene);
    assert_eq!(daemon.served(&carrier)["refused"], 1);
    daemon.stop();
    let states = journal::column(&scene.station.state, "SELECT state FROM intake ORDER BY id");
    assert_eq!(states, ["failed", "decided"]);
}

#[test]
fn a_killed_daemon_leaves_nothing_behind_that_the_next_one_minds() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let carrier = bring(&long, &hot, "long");
    daemon.until("reading", is_reading);
    let children = daemon.processes();
    daemon.signal(Signal::KILL);
    assert_eq!(daemon.ended(), None);
    assert!(spooled(&scene) > 0 && scene.path("status.sock").exists());
    fs::remove_dir_all(&carrier).unwrap();

    let daemon = Daemon::start(&scene);
    for (pid, line) in children {
        let alive = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&alive).contains("role"), "{line} lives on");
    }
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "next"))["passed"], 1);
    assert_eq!(spooled(&scene), 0);
    daemon.stop();
    let states = journal::column(&scene.station.state, "SELECT state FROM carrier ORDER BY id");
    assert_eq!(states, ["interrupted", "released"]);
}

/// Bytes of zeros that take no room on the carrier, and longer to read than a test needs.
const LONG: u64 = 8 << 30;

/// A carrier with a signed model that became long, beside the scene's own.
pub(crate) fn long_model(scene: &Scene) -> PathBuf {
    let carrier = files::folder(scene.path("long"));
    let folder = model::write(carrier.join("demo"), 30_000);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    let weights = folder.join("model.safetensors");
    fs::File::options().write(true).open(weights).unwrap().set_len(LONG).unwrap();
    carrier
}

fn is_reading(status: &Value) -> bool {
    status["carriers"][0]["reading"]["progress"]["bytes"].as_u64() > Some(0)
}

pub(crate) fn spooled(scene: &Scene) -> usize {
    fs::read_dir(&scene.station.spool).unwrap().count()
}
