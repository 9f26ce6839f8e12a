//! The ingest is killed at any moment, again and again, and its disk fills up at every step. What is
//! in outbound is complete, no number is lost or used twice, and the next run ends what was begun.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oms_station::clock::system_time;
use oms_station::intake::Reading;
use oms_station::progress::Progress;
use oms_station::receive::{Checked, ReceiverTrust, check_entry};
use oms_station::trust::{Anchors, Guard};
use oms_sys::durable::Lock;
use oms_testkit::pki::CrlProfile;
use oms_testkit::{files, model, run};
use oms_tests::attest::{self, place};
use oms_tests::root::{in_namespace, is_root};
use oms_tests::scene::{STATION, Scene};
use oms_tests::{entry, journal, json};
use oms_verify::time::UnixTime;
use serde_json::Value;

/// How often the program is killed.
const ROUNDS: usize = 60;

#[test]
fn killed_at_any_moment() {
    let scene = attest::scene();
    let policy = fs::read_to_string(&scene.station.policy).unwrap();
    let policy = policy.replace("mode = \"off\"", "mode = \"if-available\"");
    files::public(&scene.station.policy, policy);
    let mut imports = Imports::default();
    for name in ["second", "broken"] {
        let folder = model::write(scene.carrier.join(name), 30_000);
        scene.sign(&folder, &scene.carrier.join(format!("{name}.sig")), &[]);
    }
    for (name, bundle) in [("a", scene.bundle()), ("b", scene.carrier.join("second.sig"))] {
        let file = scene.carrier.join(format!("{name}.intoto.json"));
        place(&file, &scene.forger(), &attest::statement_about(&bundle));
    }
    model::flip_weight_bit(scene.carrier.join("broken"));
    let trust = trust(&scene);

    imports.next(&scene);
    let start = Instant::now();
    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    // Moments are drawn from the time that a whole run takes, so that every step is hit.
    let whole = start.elapsed();
    let mut numbers = Numbers::new();
    let mut killed = 0;
    let mut seen = 0;
    for _ in 0..ROUNDS {
        imports.next(&scene);
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
            let entry = scene.station.outbound.join(name);
            complete(&entry, &trust);
            imports.remembered(&scene, &entry);
        }
        seen = entries.len();
    }
    eprintln!("{killed} of {ROUNDS} runs of {whole:?} were killed, {seen} entries came out");
    assert!(killed > ROUNDS / 4, "the runs end before they are killed");

    let _ = run::outcome(&mut scene.ingest()).expect_status(1);
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
    let state = &scene.station.state;
    assert!(!journal::is_unfinished(state), "nothing is begun");
    assert_eq!(fs::read_dir(state.join("open")).unwrap().count(), 0, "nothing waits");
    for table in ["carrier", "intake"] {
        let query = format!("SELECT state FROM {table} WHERE ended IS NULL");
        assert!(journal::column(state, &query).is_empty(), "every {table} has its end");
    }
    unbroken(&scene, &trust);
    imports
        .remembered(&scene, &scene.station.outbound.join(scene.station.entries().last().unwrap()));
    assert_eq!(imports.newest(&scene), imports.0.len() as u64);
}

/// The CRLs that were imported one after the other: SHA-256 of each, from number 1.
#[derive(Default)]
struct Imports(Vec<String>);

impl Imports {
    /// Imports the next CRL of the vendor's issuer.
    fn next(&mut self, scene: &Scene) {
        let crl = scene.issuer.crl(CrlProfile::new(self.0.len() as u64 + 1)).pem;
        scene.station.install_crl("issuer", &crl);
        self.0.push(files::sha256_hex(crl.as_bytes()));
    }

    /// The number that the station remembers.
    fn newest(&self, scene: &Scene) -> u64 {
        let memory = fs::read(scene.station.state.join("crl-floors.json")).unwrap();
        let memory: Value = serde_json::from_slice(&memory).unwrap();
        let number = memory["floors"][0]["number"].as_str().unwrap();
        u64::from_str_radix(number, 16).unwrap()
    }

    /// What is out is never newer than what the station remembers: neither its CRL nor its time.
    fn remembered(&self, scene: &Scene, entry: &Path) {
        let payload = entry::payload(entry);
        let used = &entry::detail(&payload)["policy"]["crls"][0];
        let number = self.0.iter().position(|digest| used == digest).unwrap() as u64 + 1;
        assert!(self.newest(scene) >= number, "{entry:?} used CRL {number}");
        let clock = fs::read(scene.station.state.join("clock.json")).unwrap();
        let clock: Value = serde_json::from_slice(&clock).unwrap();
        let time = payload["predicate"]["timeVerified"].as_str().unwrap();
        let time = UnixTime::parse_rfc3339(time).unwrap();
        assert!(clock["highest"].as_i64().unwrap() >= time.0, "{entry:?} is of {time}");
    }
}

fn trust(scene: &Scene) -> ReceiverTrust {
    let anchors = Anchors::load(Some(&scene.station.roots), &Guard::default()).unwrap();
    ReceiverTrust::Anchors { anchors: anchors.certificates, crls: Default::default() }
}

/// Ingests the scene's model until its verdict is signed and staged, and no further: the archive
/// takes nothing. Gives the entry, which is not there, or nothing where no folder can be shut.
fn until_it_is_staged(scene: &Scene) -> Option<PathBuf> {
    if !is_root("a folder that takes nothing") {
        return None;
    }
    let archive = files::folder(scene.station.state.join("archive"));
    let shut =
        |flag: &str| run::outcome(Command::new("chattr").arg(flag).arg(&archive)).status == 0;
    if !shut("+i") {
        oms_tests::root::skipped("this file system cannot shut a folder");
        return None;
    }
    let outcome = run::outcome(&mut scene.ingest()).expect_status(3);
    assert!(outcome.stdout.contains("outbound.write"), "{}", outcome.stdout);
    assert!(shut("-i"));
    assert!(scene.station.entries().is_empty());
    let entry = &journal::column(&scene.station.state, "SELECT entry FROM decision")[0];
    Some(PathBuf::from(entry))
}

/// The folder in the spool of the first model.
fn staged(scene: &Scene) -> PathBuf {
    scene.station.spool.join("ingest-1")
}

/// Changes the record of what was begun: the columns that `change` gives have these values, and the
/// payload is what it makes of it.
fn forge(scene: &Scene, change: impl FnOnce(&mut String) -> Vec<(&'static str, String)>) {
    let verdict = entry::verdict(&staged(scene));
    let mut payload = String::from_utf8(entry::signed_bytes(&verdict)).unwrap();
    let changes = change(&mut payload);
    let digest = files::sha256_hex(payload.as_bytes());
    files::secret(scene.station.state.join("open/000000000001.payload"), payload);
    let mut statements = format!(
        "UPDATE decision SET state = 'composed', verdict_sha256 = NULL,
         payload_sha256 = '{digest}' WHERE sequence = 1;"
    );
    for (column, value) in changes {
        statements += &format!("UPDATE decision SET {column} = '{value}' WHERE sequence = 1;");
    }
    journal::change(&scene.station.state, &statements);
}

#[test]
fn what_a_sender_took_before_the_record_knew_is_not_sent_again() {
    let scene = Scene::signed();
    let Some(entry) = until_it_is_staged(&scene) else { return };
    // Killed after the entry became visible and before the record was written.
    let archived = scene.station.state.join("archive").join(entry.file_name().unwrap());
    fs::copy(entry::verdict(&staged(&scene)), entry::verdict(&files::folder(archived))).unwrap();
    fs::remove_dir_all(staged(&scene)).unwrap();
    let [second] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&second);
    assert_eq!(entry::detail(&payload)["sequence"], 2);
    assert_eq!(scene.station.entries().len(), 1, "the first is not there again");
}

#[test]
fn what_was_begun_is_published_before_anything_else() {
    for step in ["signed", "composed", "begun"] {
        let scene = Scene::signed();
        let Some(first) = until_it_is_staged(&scene) else { return };
        let verdict = entry::verdict(&staged(&scene));
        let payload = entry::signed_bytes(&verdict);
        // Killed at an earlier step.
        if step != "signed" {
            fs::remove_file(verdict).unwrap();
            fs::remove_file(staged(&scene).join("model.sig")).unwrap();
            let forgotten = match step {
                "composed" => "verdict_sha256 = NULL",
                _ => "verdict_sha256 = NULL, previous = NULL, payload_sha256 = NULL",
            };
            let statement = format!("UPDATE decision SET state = '{step}', {forgotten}");
            journal::change(&scene.station.state, &statement);
        }
        files::folder(scene.station.spool.join("ingest-7"));
        let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
        let document = json::conforming(&json::INGEST, document);
        assert_eq!(document["recovered"], serde_json::json!([first]), "{step}");
        let again = entry::signed_bytes(&entry::verdict(&first));
        assert_eq!(again, payload, "{step}: the same bytes again");
        assert_eq!(scene.station.entries().len(), 2);
        assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
        unbroken(&scene, &trust(&scene));
    }
}

#[test]
fn what_was_begun_elsewhere_is_not_ended_here() {
    for setting in ["folder", "entry", "verdict_key", "verifier"] {
        let scene = Scene::signed();
        let Some(first) = until_it_is_staged(&scene) else { return };
        forge(&scene, |payload| {
            let other = match setting {
                "folder" => "/srv/other/spool/ingest-1".to_owned(),
                "entry" => format!("/srv/other/{}", first.file_name().unwrap().display()),
                "verdict_key" => "0".repeat(64),
                _ => {
                    *payload = payload.replace(STATION, "urn:other");
                    "urn:other".to_owned()
                }
            };
            vec![(setting, other)]
        });
        scene.undecided_at_ingest(2, "state.unfinished");
        assert!(staged(&scene).is_dir(), "{setting}: it is kept");
    }
}

#[test]
fn a_payload_that_is_not_of_its_place_is_never_signed() {
    for (field, forged) in [
        (r#""sequence":1,"#, r#""sequence":2,"#),
        (r#""previous":"00"#, r#""previous":"11"#),
        (r#""verifier":{"id":""#, r#""verifier":{"id":"x"#),
        // Of its place, and not what the signer has under this number.
        (r#""sandbox":""#, r#""sandbox":"x"#),
    ] {
        let scene = Scene::signed();
        let Some(_) = until_it_is_staged(&scene) else { return };
        forge(&scene, |payload| {
            assert!(payload.contains(field), "{field} in {payload}");
            *payload = payload.replace(field, forged);
            Vec::new()
        });
        scene.undecided_at_ingest(3, "state.damaged");
        assert_eq!(scene.station.entries().len(), 0);
    }
}

#[test]
fn a_second_decision_is_never_signed_under_one_number() {
    let scene = Scene::signed();
    let Some(_) = until_it_is_staged(&scene) else { return };
    // Whoever has the journal and the spool hands the signer another decision.
    let path = scene.station.state.join("open/000000000001.decision");
    let made = fs::read_to_string(&path).unwrap();
    assert!(made.contains(r#""retries":0"#));
    let made = made.replace(r#""retries":0"#, r#""retries":1"#);
    journal::change(
        &scene.station.state,
        &format!(
            "UPDATE decision SET state = 'begun', previous = NULL, payload_sha256 = NULL,
             verdict_sha256 = NULL, decision_sha256 = '{}'",
            files::sha256_hex(made.as_bytes())
        ),
    );
    files::secret(path, made);
    let outcome = run::outcome(&mut scene.ingest()).expect_status(3);
    assert!(outcome.stdout.contains("another decision was signed"), "{}", outcome.stdout);
    assert_eq!(scene.station.entries().len(), 0);
}

#[test]
fn a_copy_that_changed_between_the_crash_and_the_next_start() {
    let scene = Scene::signed();
    let Some(_) = until_it_is_staged(&scene) else { return };
    let offset = model::flip_weight_bit(staged(&scene).join("model"));
    scene.undecided_at_ingest(3, "state.damaged");
    assert_eq!(scene.station.entries().len(), 0, "byte {offset}");
}

#[test]
fn two_stations_on_one_spool() {
    let scene = Scene::signed();
    let _other = Lock::try_take_folder(&scene.station.spool).unwrap().unwrap();
    scene.undecided_at_ingest(3, "state.locked");
}

#[test]
fn a_disk_that_fills_up_at_any_step() {
    if !is_root("mounting") {
        return;
    }
    let scene = attest::scene();
    let file = scene.carrier.join("demo.intoto.json");
    place(&file, &scene.forger(), &attest::statement(&scene));
    // Each round leaves 4 kB more on the disk, so that the run fails one step later each time.
    let script = r#"
        cp -a "$STATION" "$STATION.copy"
        mount -t tmpfs -o size=1m tmpfs "$STATION"
        cp -a "$STATION.copy/." "$STATION"
        failed=0
        for free in $(seq 4 4 160); do
            dd if=/dev/zero of="$STATION/filler" bs=4k count=1000 2> /dev/null || true
            truncate -s "-${free}k" "$STATION/filler"
            status=0
            "$APPLIANCE" ingest "$CARRIER" --config "$CONFIG" --json > "$OUT" 2> /dev/null || status=$?
            rm "$STATION/filler"
            case $status in
                0) break ;;
                3) failed=$((failed + 1)); grep -q '"code": "outbound.write"' "$OUT" ;;
                *) exit "$status" ;;
            esac
        done
        "$APPLIANCE" ingest "$CARRIER" --config "$CONFIG" --json > "$OUT"
        cp -a "$STATION/." "$STATION.after"
        echo "$failed""#;
    let folder = scene.station.config.parent().unwrap();
    let outcome = in_namespace(
        script,
        &[
            ("STATION", folder),
            ("CARRIER", &scene.carrier),
            ("CONFIG", &scene.station.config),
            ("OUT", &scene.path("out.json")),
        ],
    );
    let failed: u32 = outcome.expect_status(0).stdout.trim().parse().unwrap();
    assert!(failed > 10, "only {failed} runs had too little space");
    // What the namespace left, in the place of the station that was covered by it.
    fs::remove_dir_all(folder).unwrap();
    fs::rename(folder.with_file_name("station.after"), folder).unwrap();
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
    assert!(scene.station.entries().len() >= 2);
    unbroken(&scene, &trust(&scene));
}

/// An entry is one that the receiving side takes, or a refusal without anything of the carrier.
fn complete(entry: &Path, trust: &ReceiverTrust) {
    let Checked { verdict, reasons, .. } =
        check_entry(entry, STATION, trust, system_time(), &Reading::plain(&Progress::hidden()))
            .unwrap();
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
        assert_eq!(
            (&detail["sequence"], &detail["previous"]),
            (&(at + 1).into(), &previous.into())
        );
        previous = files::sha256_hex(&entry::signed_bytes(&entry::verdict(&entry)));
        let archived = scene.station.state.join("archive").join(name);
        let verdict = fs::read(entry::verdict(&archived)).unwrap();
        assert_eq!(verdict, fs::read(entry::verdict(&entry)).unwrap(), "{name}");
        for file in entry::files(&entry).iter().filter(|file| file.starts_with("attestations/")) {
            let archived = fs::read(archived.join(file)).unwrap();
            assert_eq!(archived, fs::read(entry.join(file)).unwrap(), "{name}: {file}");
        }
    }
}

/// Random numbers (xorshift64) whose seed is printed: set OMS_TEST_SEED to try the same again.
struct Numbers(u64);

impl Numbers {
    fn new() -> Numbers {
        let given = std::env::var("OMS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or(time | 1);
        eprintln!("OMS_TEST_SEED={seed}");
        Numbers(seed)
    }

    fn moment(&mut self, within: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        within.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}
