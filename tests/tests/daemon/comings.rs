//! How carriers come: in tar files, again after a restart, and several at once.

use std::fs;
use std::process::Command;

use oms_testkit::{files, model, run};
use oms_tests::scene::Scene;
use oms_tests::{journal, json};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::station::{Daemon, bring, with_hot_folder};
use crate::stopped::{long_model, spooled};

#[test]
fn a_tar_file_is_a_carrier() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let (good, cut) = (scene.path("good.tar"), scene.path("cut.tar"));
    let mut pack = Command::new("tar");
    pack.arg("-C").arg(&scene.carrier).arg("-cf").arg(&good).arg(".");
    let _ = run::outcome(&mut pack).expect_status(0);
    let bytes = fs::read(&good).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let daemon = Daemon::start(&scene);
    for (tar, codes, passed) in [(&cut, vec!["carrier.archive"], 0), (&good, vec![], 1)] {
        let there = hot.join(tar.file_name().unwrap());
        fs::rename(tar, &there).unwrap();
        let told = daemon.served(&there);
        assert_eq!(json::codes(&told["reasons"]), codes, "{told:#}");
        assert_eq!(told["passed"], passed, "{told:#}");
    }
    assert_eq!(spooled(&scene), 0, "what was unpacked is removed");
    let kinds = journal::column(&scene.station.state, "SELECT kind FROM carrier");
    assert_eq!(kinds, ["stream"; 2]);
    daemon.stop();
}

#[test]
fn what_was_served_is_not_served_again_after_a_restart() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let second = files::folder(scene.path("second"));
    let folder = model::write(second.join("demo"), 30_000);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    let daemon = Daemon::start(&scene);
    let _ = daemon.served(&bring(&scene.carrier, &hot, "first"));
    daemon.stop();
    let daemon = Daemon::start(&scene);
    let _ = daemon.served(&bring(&second, &hot, "second"));
    let _ = daemon.until("told of the first", |_| daemon.events("carrier-known").len() == 1);
    assert_eq!(scene.station.entries().len(), 2);
    daemon.stop();
}

#[test]
fn of_an_interrupted_carrier_the_rest_is_served() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let carrier = long_model(&scene);
    // In the order of their paths: this one has its verdict when the long one is read.
    let first = model::write(carrier.join("a-first"), 30_000);
    scene.sign(&first, &first.join("model.sig"), &[]);
    let daemon = Daemon::start(&scene);
    let there = bring(&carrier, &hot, "both");
    let _ = daemon
        .until("reading the second", |status| status["carriers"][0]["reading"]["path"] == "demo");
    daemon.stop();
    assert_eq!(scene.station.entries().len(), 1);
    fs::File::options()
        .write(true)
        .open(there.join("demo/model.safetensors"))
        .unwrap()
        .set_len(100_000)
        .unwrap();
    let daemon = Daemon::start(&scene);
    let told = daemon.served(&there);
    assert_eq!((&told["models"], &told["refused"]), (&1.into(), &1.into()), "{told:#}");
    daemon.stop();
    let models = journal::column(
        &scene.station.state,
        "SELECT model FROM decision JOIN intake ON intake.id = intake ORDER BY sequence",
    );
    assert_eq!(models, ["a-first", "demo"], "one verdict for each");
}

#[test]
fn carriers_are_read_side_by_side() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    scene.configure("[carriers]\n", "[carriers]\nat-once = 2\n");
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let held = bring(&long, &hot, "held");
    let _ = daemon.until("reading", |status| reads(status, "held"));
    // The copier of the first one stands still, and the second one is served all the same.
    let copier = stopped_copier(&daemon);
    let told = daemon.served(&bring(&scene.carrier, &hot, "quick"));
    assert_eq!(told["passed"], 1, "{told:#}");
    let status = daemon.status();
    assert!(reads(&status, "held") && status["state"] == "serving", "{status:#}");
    kill_process(copier, Signal::KILL).unwrap();
    let told = daemon.served(&held);
    assert_eq!(json::codes(&told["reasons"]), ["process.failed"]);
    assert_eq!(
        daemon.until("waiting", |status| status["state"] == "waiting")["why"],
        Value::Array(vec![])
    );
    daemon.stop();
}

#[test]
fn a_carrier_that_goes_and_comes_again_while_it_is_read_is_served_once() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    scene.configure("[carriers]\n", "[carriers]\nat-once = 2\n");
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let held = bring(&long, &hot, "held");
    let _ = daemon.until("reading", |status| reads(status, "held"));
    let copier = stopped_copier(&daemon);
    let away = scene.path("away");
    fs::rename(&held, &away).unwrap();
    let _ = daemon.until("gone", |status| status["carriers"][0]["isGone"] == true);
    fs::rename(&away, &held).unwrap();
    let waits = |status: &Value| status["queue"].as_array().unwrap().len() == 1;
    let _ = daemon.until("waiting", waits);
    // The other lane is free, and leaves it to the one that has it.
    let told = daemon.served(&bring(&scene.carrier, &hot, "quick"));
    assert_eq!(told["passed"], 1, "{told:#}");
    let status = daemon.status();
    assert!(waits(&status) && reads(&status, "held"), "{status:#}");
    kill_process(copier, Signal::KILL).unwrap();
    let _ = daemon.until("known", |_| daemon.events("carrier-known").len() == 1);
    daemon.stop();
    assert_eq!(journal::column(&scene.station.state, "SELECT result FROM decision").len(), 1);
}

#[test]
fn a_number_that_is_out_already_is_not_used_by_a_carrier_that_began_before_another() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    scene.configure("[carriers]\n", "[carriers]\nat-once = 2\n");
    let long = long_model(&scene);
    // It is read to its end here, also by a machine that is busy.
    let weights = fs::File::options().write(true).open(long.join("demo/model.safetensors"));
    weights.unwrap().set_len(2 << 30).unwrap();
    let daemon = Daemon::start(&scene);
    let held = bring(&long, &hot, "held");
    let _ = daemon.until("reading", |status| reads(status, "held"));
    let copier = stopped_copier(&daemon);
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "quick"))["passed"], 1);
    // As after a record that was put back from a copy, whose first entry is sent already.
    files::folder(scene.station.outbound.join("000000000002-0123456789abcdef-passed"));
    kill_process(copier, Signal::CONT).unwrap();
    let told = daemon.served(&held);
    assert_eq!(json::codes(&told["reasons"]), ["outbound.conflict"], "{told:#}");
    daemon.stop();
    assert_eq!(journal::column(&scene.station.state, "SELECT result FROM decision").len(), 1);
}

#[test]
fn what_goes_out_meanwhile_counts_against_the_quota() {
    const LARGE: u64 = 256 << 20;
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let large = files::folder(scene.path("large"));
    let folder = model::write(large.join("demo"), LARGE);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    // Room for the large model when it begins, and not when the other one is out.
    let quota = (LARGE >> 10) + 44;
    scene.configure("[outbound]", &format!("[outbound]\nquota = \"{quota}KiB\""));
    scene.configure("[carriers]\n", "[carriers]\nat-once = 2\n");
    let daemon = Daemon::start(&scene);
    let held = bring(&large, &hot, "held");
    let copier = std::iter::repeat_with(|| daemon.processes()).find_map(|all| {
        let writes = |line: &str| line.contains("role copier") && line.contains("--into");
        all.into_iter().find(|(_, line)| writes(line))
    });
    let copier = Pid::from_raw(copier.unwrap().0).unwrap();
    kill_process(copier, Signal::STOP).unwrap();
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "quick"))["passed"], 1);
    kill_process(copier, Signal::CONT).unwrap();
    let told = daemon.served(&held);
    assert_eq!(json::codes(&told["reasons"]), ["outbound.quota"], "{told:#}");
    let detail = told["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("the quota leaves"), "{detail}");
    daemon.stop();
    assert_eq!((scene.station.entries().len(), spooled(&scene)), (1, 0));
}

/// Whether a model of the carrier of this name is being read.
fn reads(status: &Value, name: &str) -> bool {
    let carriers = status["carriers"].as_array().unwrap();
    let mut carriers =
        carriers.iter().filter(|one| one["source"].as_str().unwrap().ends_with(name));
    carriers.any(|one| one["reading"]["progress"]["bytes"].as_u64() > Some(0))
}

/// The daemon's one copier, which stands still from now on.
fn stopped_copier(daemon: &Daemon) -> Pid {
    let [copier] = daemon.role("copier").try_into().unwrap();
    kill_process(copier, Signal::STOP).unwrap();
    copier
}
