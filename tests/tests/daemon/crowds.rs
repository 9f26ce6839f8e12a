//! A carrier with many models: each gets its verdict, and the next carrier is served.

use std::fs;
use std::time::{Duration, Instant};

use oms_testkit::{files, model, run};
use oms_tests::journal;
use oms_tests::scene::{STATION, Scene};

use crate::station::{Daemon, bring, with_hot_folder};

/// Models on one disk.
const MODELS: usize = 500;
/// How long they may take; a slow machine is no fault.
const LIMIT: Duration = Duration::from_secs(900);

#[test]
fn each_of_500_models_gets_its_verdict() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let crowd = files::folder(scene.path("crowd"));
    for number in 0..MODELS {
        let folder = files::folder(crowd.join(format!("{number:03}")));
        for file in fs::read_dir(&scene.model).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        // Every second one is not as it was signed.
        if number % 2 == 1 {
            model::flip_weight_bit(&folder);
        }
    }
    let daemon = Daemon::start(&scene);
    let place = bring(&crowd, &hot, "crowd");
    let start = Instant::now();
    while daemon.status()["carriers"][0]["mayBePulled"] != true {
        assert!(start.elapsed() < LIMIT, "{:#}", daemon.status());
        std::thread::sleep(Duration::from_millis(500));
    }
    let told = daemon.served(&place);
    assert_eq!((&told["passed"], &told["refused"]), (&250.into(), &250.into()), "{told:#}");
    assert_eq!(daemon.served(&bring(&scene.carrier, &hot, "next"))["passed"], 1);
    daemon.stop();
    let query = "SELECT model || ' ' || result FROM decision JOIN intake ON intake.id = intake
                 ORDER BY sequence";
    let decided = journal::column(&scene.station.state, query);
    for (number, line) in decided.iter().take(MODELS).enumerate() {
        let result = if number % 2 == 1 { "refused" } else { "passed" };
        assert_eq!(*line, format!("{number:03} {result}"));
    }
    assert_eq!(decided.len(), MODELS + 1);
    assert_eq!(scene.station.entries().len(), MODELS + 1);
    let mut ledger = run::command();
    ledger.args(["verdict", "verify", "--ledger"]).arg(&scene.station.outbound);
    ledger.args(["--verifier", STATION, "--roots"]).arg(&scene.station.roots);
    let _ = run::outcome(&mut ledger).expect_status(0);
}
