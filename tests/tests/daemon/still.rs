//! A copier that stands still is given up after a while: its carrier has an end, and the next one is
//! served. A decider is given half an hour, as `chain::heartbeat` tests.

use std::time::Duration;

use oms_tests::json;
use oms_tests::scene::Scene;
use rustix::process::{Pid, Signal, kill_process};

use crate::station::{Daemon, bring, with_hot_folder};
use crate::stopped::{long_model, spooled};

/// How long it may take until it is given up, which is two minutes; a slow machine is no fault.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn a_copier_that_stands_still() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let long = long_model(&scene);
    let daemon = Daemon::start(&scene);
    let held = bring(&long, &hot, "held");
    let _ = daemon.until("reading", |status| {
        status["carriers"][0]["reading"]["progress"]["bytes"].as_u64() > Some(0)
    });
    let processes = daemon.processes();
    let found = processes.iter().find(|(_, line)| line.contains("role copier ")).unwrap();
    kill_process(Pid::from_raw(found.0).unwrap(), Signal::STOP).unwrap();
    let _ = daemon.until_within(PATIENCE, "given up", |status| status["state"] == "waiting");
    let told = daemon.served(&held);
    assert_eq!(json::codes(&told["reasons"]), ["process.failed"], "{told:#}");
    assert_eq!((&told["undecided"], &told["models"]), (&1.into(), &1.into()), "{told:#}");
    let left = daemon.processes();
    assert!(left.iter().all(|(_, line)| line.contains("role signer ")), "{left:?}");
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "next"))["passed"], 1);
    assert_eq!(spooled(&scene), 0);
    daemon.stop();
}
