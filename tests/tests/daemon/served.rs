//! Carriers that come while the daemon waits.

use std::fs;

use oms_testkit::{files, model, run};
use oms_tests::scene::Scene;
use oms_tests::{entry, journal, json};

use crate::station::{Daemon, bring, with_hot_folder};

#[test]
fn carriers_are_served_one_after_the_other_whatever_is_on_them() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let broken = files::folder(scene.path("broken"));
    let folder = model::write(broken.join("demo"), 30_000);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    model::flip_weight_bit(&folder);
    let empty = files::folder(scene.path("empty"));
    let daemon = Daemon::start(&scene);
    let status = daemon.until("waiting", |status| status["state"] == "waiting");
    assert_eq!(status["health"]["checks"].as_array().unwrap().len(), 14, "{status:#}");

    let good = daemon.served(&bring(&scene.carrier, &hot, "good"));
    assert_eq!((&good["passed"], &good["refused"]), (&1.into(), &0.into()));
    let bad = daemon.served(&bring(&broken, &hot, "bad\u{1b}[2J"));
    assert_eq!((&bad["passed"], &bad["refused"]), (&0.into(), &1.into()));
    let none = daemon.served(&bring(&empty, &hot, "empty"));
    assert_eq!(json::codes(&none["reasons"]), ["bundle.missing"]);

    let status = daemon.status();
    let sequences: Vec<u64> = status["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [2, 1]);
    assert_eq!(status["verdicts"][0]["codes"][0], "manifest.digest-mismatch");
    let [passed, refused] = scene.station.entries().try_into().unwrap();
    assert!(passed.ends_with("-passed") && refused.ends_with("-refused"));
    assert!(entry::files(&scene.station.outbound.join(&passed)).len() > 4);
    let states = journal::column(&scene.station.state, "SELECT state FROM carrier");
    assert_eq!(states, ["released"; 3]);

    // What people and other programs see.
    let text = run::appliance(["status", "--socket", scene.path("status.sock").to_str().unwrap()]);
    assert!(text.stdout.contains("MAY BE PULLED; 1 models: 1 passed"), "{}", text.stdout);
    assert!(!text.stdout.contains('\u{1b}'));
    assert_eq!(daemon.events("carrier-released").len(), 3);
    let published = daemon.events("published");
    assert_eq!(published[1]["codes"], "manifest.digest-mismatch");
    assert_eq!(published[1]["carrier"], hot.join("bad\\u{1b}[2J").to_str().unwrap());
    daemon.stop();
    let metrics = fs::read_to_string(scene.path("metrics.prom")).unwrap();
    for line in [
        "oms_appliance_models_total{result=\"passed\"} 1",
        "oms_appliance_models_total{result=\"refused\"} 1",
        "oms_appliance_reasons_total{code=\"manifest.digest-mismatch\"} 1",
        "oms_appliance_carriers_total 3",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert!(!scene.path("status.sock").exists(), "the socket is gone with the daemon");
}

#[test]
fn what_decides_is_read_anew_for_each_carrier() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let second = files::folder(scene.path("second"));
    let folder = model::write(second.join("demo"), 30_000);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    let daemon = Daemon::start(&scene);
    let first = daemon.served(&bring(&scene.carrier, &hot, "first"));
    assert_eq!(first["passed"], 1);
    let policy = fs::read_to_string(&scene.station.policy).unwrap();
    files::public(&scene.station.policy, policy.replace("*@vendor.example", "*@other.example"));
    let second = daemon.served(&bring(&second, &hot, "second"));
    assert_eq!((&second["passed"], &second["refused"]), (&0.into(), &1.into()));
    daemon.stop();
}
