//! The ingest is killed at any moment, again and again. What is in outbound is complete, no number
//! is lost or used twice, and the next run ends what was begun.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oms_station::pipeline::now;
use oms_station::progress::Progress;
use oms_station::receive::{ReceiverTrust, check_entry};
use oms_station::trust::{Guard, load_anchors};
use oms_testkit::{files, model, run};
use oms_tests::entry;
use oms_tests::scene::{STATION, Scene};

/// How often the program is killed.
const ROUNDS: usize = 60;

#[test]
fn killed_at_any_moment() {
    let scene = Scene::signed();
    for name in ["second", "broken"] {
        let folder = model::write(scene.carrier.join(name), 30_000);
        scene.sign(&folder, &scene.carrier.join(format!("{name}.sig")), &[]);
    }
    model::flip_weight_bit(scene.carrier.join("broken"));
    let trust = ReceiverTrust::Anchors {
        anchors: load_anchors(&scene.station.roots, &Guard::default()).unwrap(),
        crls: Vec::new(),
    };

    let start = Instant::now();
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    // Moments are drawn from the time that a whole run takes, so that every step is hit.
    let whole = start.elapsed();
    let mut numbers = Numbers::new();
    let mut killed = 0;
    let mut seen = 0;
    for _ in 0..ROUNDS {
        // Without `timeout`, which would be killed in its place.
        let mut command = run::command();
        command.args(scene.ingest().get_args().skip(3));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(numbers.moment(whole));
        let _ = child.kill();
        killed += usize::from(child.wait().unwrap().code().is_none());
        // What has become visible is complete at once, not only after the next run.
        let entries = scene.station.entries();
        assert!(entries.len() >= seen, "an entry went away");
        for name in entries.iter().skip(seen) {
            complete(&scene.station.outbound.join(name), &trust);
        }
        seen = entries.len();
    }
    println!("{killed} of {ROUNDS} runs of {whole:?} were killed, {seen} entries came out");
    assert!(killed > ROUNDS / 4, "the runs end before they are killed");

    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
    assert!(!scene.station.state.join("pending.json").exists(), "nothing is begun");
    unbroken(&scene, &trust);
}

/// An entry is one that the receiving side takes, or a refusal without anything of the carrier.
fn complete(entry: &Path, trust: &ReceiverTrust) {
    let (verdict, reasons) =
        check_entry(entry, STATION, trust, now(), &Progress::hidden()).unwrap();
    if entry.to_string_lossy().ends_with("-passed") {
        assert!(verdict.passed && reasons.is_empty(), "{entry:?}: {reasons:?}");
    } else {
        let names = entry::files(entry);
        assert_eq!(names, ["report.html", "verdict.sigstore.json"], "{entry:?}");
        assert!(!verdict.passed, "{entry:?}");
    }
}

/// The numbers of all entries are 1, 2, 3 and so on, and each payload names the one before. What
/// the station archived is what went out.
fn unbroken(scene: &Scene, trust: &ReceiverTrust) {
    let mut previous = "0".repeat(64);
    for (at, name) in scene.station.entries().iter().enumerate() {
        let entry = scene.station.outbound.join(name);
        complete(&entry, trust);
        assert!(name.starts_with(&format!("{:012}-", at + 1)), "number {} is {name}", at + 1);
        let payload = entry::payload(&entry);
        let detail = entry::detail(&payload);
        assert_eq!((&detail["sequence"], &detail["previous"]), (&(at + 1).into(), &previous.into()));
        previous = files::sha256_hex(&entry::signed_bytes(&entry::verdict(&entry)));
        let archived = scene.station.state.join("archive").join(name);
        let verdict = fs::read(entry::verdict(&archived)).unwrap();
        assert_eq!(verdict, fs::read(entry::verdict(&entry)).unwrap(), "{name}");
    }
}

/// Random numbers (xorshift64) whose seed is printed: set OMS_TEST_SEED to try the same again.
struct Numbers(u64);

impl Numbers {
    fn new() -> Numbers {
        let given = std::env::var("OMS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or(time | 1);
        println!("OMS_TEST_SEED={seed}");
        Numbers(seed)
    }

    fn moment(&mut self, within: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        within.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}
