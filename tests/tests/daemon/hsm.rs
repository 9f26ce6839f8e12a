//! A station whose HSM goes away, hangs, or refuses the PIN: what was decided waits for it, and
//! nothing is lost or numbered twice.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use oms_testkit::softhsm::SoftHsm;
use oms_testkit::{files, model, run};
use oms_tests::hsm::{self, Faulty};
use oms_tests::scene::{STATION, Scene, appliance};
use oms_tests::{journal, json};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::station::{Daemon, bring, with_hot_folder};

/// Longer than a signer may take, and than an idle station takes to look at itself.
const LONG: Duration = Duration::from_secs(120);
/// Bytes of a model that is not read in a moment.
pub(crate) const WEIGHTS: u64 = 48 << 20;

/// A station with its keys in SoftHSM2 and a hot folder.
fn station() -> (Scene, SoftHsm, PathBuf) {
    let scene = Scene::signed();
    let hsm = hsm::softhsm(&scene);
    let hot = with_hot_folder(&scene);
    (scene, hsm, hot)
}

fn start(scene: &Scene, hsm: &SoftHsm) -> Daemon {
    Daemon::start_with(scene, hsm::with(run::command(), hsm))
}

/// A carrier beside the scene's own, with a model of this size.
pub(crate) fn carrier(scene: &Scene, name: &str, weights: u64) -> PathBuf {
    let carrier = files::folder(scene.path(name));
    let folder = model::write(carrier.join("demo"), weights);
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    carrier
}

fn waits(daemon: &Daemon) {
    daemon.until("waiting", |status| status["state"] == "waiting");
}

/// Waits until the station serves nobody for this reason.
fn unfit(daemon: &Daemon, code: &str) -> Value {
    let is_so =
        |status: &Value| status["state"] == "unfit" && json::codes(&status["why"]) == [code];
    daemon.until_within(LONG, code, is_so)
}

/// One decision was made, which waits: nothing is out.
fn one_waits(scene: &Scene) {
    assert_eq!(scene.station.entries().len(), 0);
    assert_eq!(decisions(scene), ["1 begun"]);
    let spooled = fs::read_dir(&scene.station.spool).unwrap().count();
    assert_eq!(spooled, 1, "the copies wait in the spool");
}

pub(crate) fn decisions(scene: &Scene) -> Vec<String> {
    let query = "SELECT sequence || ' ' || state FROM decision ORDER BY sequence";
    journal::column(&scene.station.state, query)
}

/// As many entries are out as this, one for each number, and the receiving side misses none.
pub(crate) fn complete(scene: &Scene, entries: usize) {
    assert_eq!(scene.station.entries().len(), entries);
    let expected: Vec<_> = (1..=entries).map(|number| format!("{number} published")).collect();
    assert_eq!(decisions(scene), expected);
    let mut command = appliance();
    command.args(["verdict", "verify", "--ledger"]).arg(&scene.station.outbound);
    command.args(["--verifier", STATION, "--json", "--roots"]).arg(&scene.station.roots);
    let ledger = run::outcome(&mut command).expect_status(0).json();
    assert_eq!((&ledger["first"], &ledger["last"]), (&1.into(), &entries.into()));
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0);
}

fn signal(pid: Pid, signal: Signal) {
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Stops the process that reads the model of a carrier.
pub(crate) fn stop_the_copier(daemon: &Daemon) -> Pid {
    let start = Instant::now();
    loop {
        let reads =
            |(_, line): &&(i32, String)| line.contains("role copier") && line.contains("--into");
        if let Some((pid, _)) = daemon.processes().iter().find(reads) {
            let pid = Pid::from_raw(*pid).unwrap();
            signal(pid, Signal::STOP);
            return pid;
        }
        assert!(start.elapsed() < LONG, "nothing is read");
    }
}

fn the_signer(daemon: &Daemon) -> Pid {
    let [signer] = daemon.role("signer").try_into().unwrap();
    signer
}

#[test]
fn a_token_that_is_taken_away_while_a_carrier_is_read() {
    let (scene, hsm, hot) = station();
    let first = carrier(&scene, "first", WEIGHTS);
    let daemon = start(&scene, &hsm);
    waits(&daemon);
    let first = bring(&first, &hot, "first");
    let copier = stop_the_copier(&daemon);
    hsm.take_away();
    signal(copier, Signal::CONT);
    let status = unfit(&daemon, "hsm.token");
    assert!(status["againIn"].is_u64(), "{status:#}");
    one_waits(&scene);
    let second = bring(&scene.carrier, &hot, "second");
    let status = daemon.until("waiting for it", |status| {
        status["queue"].as_array().unwrap().len() == 2 && daemon.events("unfit").len() > 2
    });
    assert_eq!(status["queue"][0], first.to_str().unwrap(), "{status:#}");
    one_waits(&scene);

    hsm.bring_back();
    assert_eq!(daemon.served(&first)["undecided"], 0);
    assert_eq!(daemon.served(&second)["passed"], 1);
    let status = daemon.status();
    assert_eq!(status["why"].as_array().unwrap().len(), 0);
    let sequences: Vec<_> =
        status["verdicts"].as_array().unwrap().iter().map(|one| &one["sequence"]).collect();
    assert_eq!(sequences, [2, 1]);
    complete(&scene, 2);
    daemon.stop();
}

#[test]
fn a_token_that_is_taken_away_while_two_carriers_are_read() {
    let (scene, hsm, hot) = station();
    scene.configure("settle = \"1s\"", "settle = \"1s\"\nat-once = 2");
    let carriers = ["first", "second"].map(|name| carrier(&scene, name, WEIGHTS));
    let daemon = start(&scene, &hsm);
    waits(&daemon);
    let places = [0, 1].map(|at| bring(&carriers[at], &hot, ["first", "second"][at]));
    let copier = stop_the_copier(&daemon);
    hsm.take_away();
    signal(copier, Signal::CONT);
    unfit(&daemon, "hsm.token");
    assert_eq!(scene.station.entries().len(), 0);
    hsm.bring_back();
    for place in &places {
        assert_eq!(daemon.served(place)["undecided"], 0);
    }
    complete(&scene, 2);
    daemon.stop();
}

#[test]
fn a_token_that_is_away_at_the_start() {
    let (scene, hsm, hot) = station();
    hsm.take_away();
    let carrier = bring(&scene.carrier, &hot, "carrier");
    let daemon = start(&scene, &hsm);
    unfit(&daemon, "hsm.token");
    daemon.until("queued", |status| status["queue"].as_array().unwrap().len() == 1);
    assert_eq!(decisions(&scene).len(), 0);
    // Where the module looks for it is gone, too.
    fs::rename(hsm.tokens(), scene.path("gone")).unwrap();
    let status = daemon
        .until("no folder", |status| status["why"][0]["file"] == hsm.tokens().to_str().unwrap());
    assert_eq!(json::codes(&status["why"]), ["hsm.token"], "{status:#}");
    fs::rename(scene.path("gone"), hsm.tokens()).unwrap();
    hsm.bring_back();
    assert_eq!(daemon.served(&carrier)["passed"], 1);
    complete(&scene, 1);
    daemon.stop();
}

#[test]
fn a_pin_that_became_wrong_is_tried_once_until_the_next_start() {
    let (scene, hsm, hot) = station();
    let faulty = Faulty::between(&scene, &hsm);
    let daemon = start(&scene, &hsm);
    waits(&daemon);
    assert_eq!(faulty.calls("C_Login"), 1);
    let right = fs::read(hsm.pin_file()).unwrap();
    files::secret(hsm.pin_file(), "000000");
    signal(the_signer(&daemon), Signal::KILL);
    let carrier = bring(&scene.carrier, &hot, "carrier");
    let status = unfit(&daemon, "hsm.locked");
    assert!(status["againIn"].is_null(), "{status:#}");
    one_waits(&scene);
    // Neither time nor the right PIN nor a person who logs in has it tried again.
    files::secret(hsm.pin_file(), right);
    hsm.log_in();
    sleep(Duration::from_secs(5));
    let status = daemon.status();
    assert_eq!(json::codes(&status["why"]), ["hsm.locked"], "{status:#}");
    assert!(status["why"][0]["detail"].as_str().unwrap().contains("is wrong"), "{status:#}");
    assert_eq!((faulty.calls("C_Login"), daemon.role("signer").len()), (2, 0));
    one_waits(&scene);
    daemon.stop();

    let daemon = start(&scene, &hsm);
    daemon.served(&carrier);
    let sequences = scene.station.entries();
    assert!(sequences[0].starts_with("000000000001-"), "{sequences:?}");
    assert_eq!(faulty.calls("C_Login"), 3);
    daemon.stop();
}

#[test]
fn a_signer_that_is_killed_at_any_moment() {
    let (scene, hsm, hot) = station();
    let rounds = 6;
    let carriers: Vec<_> =
        (0..rounds).map(|round| carrier(&scene, &format!("carrier-{round}"), 20_000)).collect();
    let daemon = start(&scene, &hsm);
    for (round, carrier) in carriers.iter().enumerate() {
        waits(&daemon);
        // SoftHSM2 may lose its token when it is killed in a login: this one has logged in.
        // One that was killed after it had signed is missed by nobody yet.
        let signer = daemon.role("signer").first().copied();
        let place = bring(carrier, &hot, &format!("carrier-{round}"));
        // From before the survey until after the publication, which takes a second or two.
        let moment = u64::try_from(round).unwrap() * 350;
        sleep(Duration::from_millis(1_000 + moment));
        signer.into_iter().for_each(|signer| signal(signer, Signal::KILL));
        daemon.served(&place);
    }
    let status = daemon.status();
    let carriers = status["carriers"].as_array().unwrap();
    assert!(carriers.iter().all(|one| one["undecided"] == 0), "{status:#}");
    complete(&scene, rounds);
    daemon.stop();
}

/// What nobody asks for is noticed all the same: the token that is away, and the model whose time is
/// over.
#[test]
fn an_idle_station_looks_at_itself() {
    let (scene, hsm, hot) = station();
    scene.configure("[outbound]", "[outbound]\nkeep = \"10s\"");
    let daemon = start(&scene, &hsm);
    let place = bring(&scene.carrier, &hot, "carrier");
    daemon.served(&place);
    let kept = scene.station.spool.join("kept");
    let count = || fs::read_dir(&kept).unwrap().count();
    assert_eq!(count(), 1);
    sleep(Duration::from_secs(11));
    assert_eq!(count(), 1);
    daemon.until_within(LONG, "gone", |_| count() == 0);
    assert_eq!(daemon.status()["state"], "waiting");
    hsm.take_away();
    unfit(&daemon, "hsm.token");
    hsm.bring_back();
    waits(&daemon);
    daemon.stop();
}

#[test]
fn a_call_to_the_hsm_that_hangs_is_ended_and_repeated() {
    let (scene, hsm, hot) = station();
    let faulty = Faulty::between(&scene, &hsm);
    let daemon = start(&scene, &hsm);
    waits(&daemon);
    faulty.fault("hang");
    let carrier = bring(&scene.carrier, &hot, "carrier");
    let status = unfit(&daemon, "hsm.operation");
    let detail = status["why"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("did not answer within 30 s"), "{status:#}");
    one_waits(&scene);
    // A module that takes the process down is no better.
    faulty.fault("die");
    let seen = daemon.events("unfit").len();
    let died = || {
        let events = daemon.events("unfit");
        events.iter().skip(seen).any(|event| event["reason"].to_string().contains("signal 6"))
    };
    daemon.until_within(LONG, "dead", |_| died());
    one_waits(&scene);
    faulty.fault("");
    assert_eq!(daemon.served(&carrier)["undecided"], 0);
    complete(&scene, 1);
    daemon.stop();
}

#[test]
fn a_login_that_hangs_is_not_tried_again() {
    let (scene, hsm, hot) = station();
    let faulty = Faulty::between(&scene, &hsm);
    faulty.fault("hanglog");
    let carrier = bring(&scene.carrier, &hot, "carrier");
    let daemon = start(&scene, &hsm);
    let status = unfit(&daemon, "hsm.locked");
    assert!(status["why"][0]["detail"].as_str().unwrap().contains("is not known"), "{status:#}");
    faulty.fault("");
    sleep(Duration::from_secs(3));
    assert_eq!((faulty.calls("C_Login"), daemon.role("signer").len()), (1, 0));
    assert_eq!(json::codes(&daemon.status()["why"]), ["hsm.locked"]);
    daemon.stop();
    let daemon = start(&scene, &hsm);
    assert_eq!(daemon.served(&carrier)["passed"], 1);
    complete(&scene, 1);
    daemon.stop();
}
