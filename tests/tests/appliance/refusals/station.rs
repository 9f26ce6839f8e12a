//! A station whose own parts fail: its HSM, its spool, its outbound. Nothing is decided.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use oms_station::clock::system_time;
use oms_testkit::softhsm::{Curve, SoftHsm};
use oms_testkit::{files, run};
use oms_tests::root::{in_namespace, is_root, skipped};
use oms_tests::scene::Scene;
use oms_tests::{journal, json};

/// Puts another key into the configuration of the station.
fn set_verdict_key(scene: &Scene, key: &str) {
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let mut config: toml::Table = config.parse().unwrap();
    config["keys"]["verdict"]["key"] = key.into();
    files::public(&scene.station.config, config.to_string());
}

/// An ingest with this key ends undecided.
fn hsm_fails(hsm: &SoftHsm, key: &str, code: &str) {
    let scene = Scene::signed();
    set_verdict_key(&scene, key);
    scene.station.configure(&hsm.sandbox());
    let mut ingest = scene.ingest();
    let (name, value) = hsm.env();
    scene.ends_undecided(ingest.env(name, value), 3, code);
}

fn hsm(scene: &Path) -> SoftHsm {
    let hsm = SoftHsm::new(scene.join("hsm"));
    hsm.generate("verdict", "01", Curve::P256);
    hsm
}

#[test]
fn an_hsm_that_is_absent() {
    let dir = tempfile::tempdir().unwrap();
    let hsm = hsm(dir.path());
    hsm_fails(&hsm, &hsm.uri("verdict").replace("token=station", "token=absent"), "hsm.token");
    let module = hsm.module().to_str().unwrap();
    hsm_fails(&hsm, &hsm.uri("verdict").replace(module, "/nonexistent.so"), "hsm.module");
}

#[test]
fn an_hsm_that_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let hsm = hsm(dir.path());
    let wrong = files::secret(dir.path().join("wrong-pin"), "000000");
    hsm_fails(&hsm, &hsm.uri_with_pin_file("verdict", &wrong), "hsm.locked");
}

#[test]
fn an_hsm_without_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let hsm = hsm(dir.path());
    hsm_fails(&hsm, &hsm.uri("other"), "hsm.key");
}

#[test]
fn a_key_that_is_not_the_certificates() {
    let scene = Scene::signed();
    set_verdict_key(&scene, scene.path("vendor.key").to_str().unwrap());
    scene.undecided_at_ingest(2, "config.certificate");
}

#[test]
fn a_pin_on_the_command_line() {
    let scene = Scene::signed();
    set_verdict_key(&scene, "pkcs11:token=t;object=o?pin-value=1234");
    scene.undecided_at_ingest(2, "key.uri");
}

#[test]
fn a_configuration_with_an_unknown_key() {
    let scene = Scene::signed();
    let config = fs::read_to_string(&scene.station.config).unwrap();
    files::public(&scene.station.config, config.replace("[station]", "[station]\nnetwork = true"));
    scene.undecided_at_ingest(2, "config.syntax");
}

#[test]
fn a_spool_on_another_file_system_than_outbound() {
    let memory = Path::new("/dev/shm");
    let scene = Scene::signed();
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    if device(memory).is_none() || device(memory) == device(&scene.station.spool) {
        skipped("/dev/shm is no file system of its own");
        return;
    }
    let outbound = tempfile::tempdir_in(memory).unwrap();
    let mut ingest = scene.ingest();
    ingest.arg("--outbound").arg(outbound.path());
    scene.ends_undecided(&mut ingest, 2, "config.spool");
    assert_eq!(fs::read_dir(outbound.path()).unwrap().count(), 0);
}

#[test]
fn a_spool_in_outbound_and_outbound_in_the_spool() {
    let scene = Scene::signed();
    let (outer, inner) = (scene.path("outer"), files::folder(scene.path("outer/inner")));
    for (spool, outbound) in [(&outer, &inner), (&inner, &outer)] {
        let config = fs::read_to_string(&scene.station.config).unwrap();
        let mut config: toml::Table = config.parse().unwrap();
        config["station"]["spool"] = spool.to_str().unwrap().into();
        config["station"]["outbound"] = outbound.to_str().unwrap().into();
        files::public(&scene.station.config, config.to_string());
        scene.undecided_at_ingest(2, "config.spool");
    }
}

/// Runs an ingest in a mount namespace after `setup`; it ends with 3 and this code. What is in
/// spool and outbound afterwards is said on standard error.
fn ingest_after(scene: &Scene, setup: &str) -> (serde_json::Value, String) {
    let script = format!(
        r#"
        {setup}
        status=0
        "$APPLIANCE" ingest "$CARRIER" --config "$CONFIG" --json 2> /dev/null || status=$?
        find "$SPOOL" "$OUTBOUND" -mindepth 1 >&2
        exit $status"#
    );
    let outcome = in_namespace(
        &script,
        &[
            ("CARRIER", &scene.carrier),
            ("CONFIG", &scene.station.config),
            ("SPOOL", &scene.station.spool),
            ("OUTBOUND", &scene.station.outbound),
            ("STATE", &scene.station.state),
            ("STATION", scene.station.config.parent().unwrap()),
        ],
    );
    let outcome = outcome.expect_status(3);
    (json::conforming(&json::INGEST, outcome.json()), outcome.stderr)
}

#[test]
fn an_outbound_that_is_full() {
    if !is_root("mounting") {
        return;
    }
    let scene = Scene::signed();
    // The copies do not fit: 40 kB of weights into 16 kB. The record has its own disk.
    let setup = r#"
        cp -r "$STATION" "$STATION.copy"
        mount -t tmpfs -o size=128k tmpfs "$STATION"
        cp -rp "$STATION.copy/." "$STATION"
        mount --bind "$STATION.copy/$(basename "$STATE")" "$STATE"
        dd if=/dev/zero of="$STATION/filler" bs=4k count=1000 2> /dev/null || true
        truncate -s -16k "$STATION/filler""#;
    let (document, left) = ingest_after(&scene, setup);
    assert_eq!(json::codes(&document["models"][0]["reasons"]), ["outbound.write"]);
    assert_eq!(left, "", "nothing is out, nothing is left");
}

#[test]
fn an_outbound_that_may_not_be_written() {
    if !is_root("mounting") {
        return;
    }
    let scene = Scene::signed();
    for folder in ["OUTBOUND", "SPOOL", "STATE"] {
        let setup = format!(
            "mount --bind \"${folder}\" \"${folder}\"\nmount -o remount,bind,ro \"${folder}\""
        );
        let (document, left) = ingest_after(&scene, &setup);
        assert_eq!(json::codes(&document["reasons"]), ["outbound.write"], "{folder}");
        assert_eq!(left, "");
    }
    assert_eq!(scene.ingested().len(), 1, "and once it may be written, the model passes");
}

#[test]
fn two_runs_at_a_time() {
    let scene = Scene::signed();
    let lock = fs::File::create(scene.station.state.join("lock")).unwrap();
    lock.lock().unwrap();
    scene.undecided_at_ingest(3, "state.locked");
    drop(lock);
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn a_damaged_record() {
    let scene = Scene::signed();
    files::secret(journal::file(&scene.station.state), "{");
    scene.undecided_at_ingest(3, "state.damaged");
}

#[test]
fn a_record_that_was_put_back_from_a_copy() {
    let scene = Scene::signed();
    let [_] = scene.ingested().try_into().unwrap();
    fs::remove_file(journal::file(&scene.station.state)).unwrap();
    scene.undecided_at_ingest(3, "state.damaged");
}

#[test]
fn a_number_that_is_out_already_whatever_the_model() {
    let scene = Scene::signed();
    let [first] = scene.ingested().try_into().unwrap();
    // A new record beside the old outbound, and another model: the number would be used twice.
    fs::remove_dir_all(&scene.station.state).unwrap();
    files::folder(&scene.station.state);
    oms_testkit::model::write(&scene.model, 40_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    // A new record beside the old outbound: the number would be used twice.
    fs::remove_dir_all(&scene.station.state).unwrap();
    files::folder(&scene.station.state);
    let before = oms_tests::entry::files(&first);
    let document = run::outcome(&mut scene.ingest()).expect_status(3).json();
    let document = json::conforming(&json::INGEST, document);
    assert_eq!(json::codes(&document["models"][0]["reasons"]), ["outbound.conflict"]);
    assert_eq!(scene.station.entries().len(), 1);
    assert_eq!(oms_tests::entry::files(&first), before);
}

#[test]
fn a_clock_that_was_set_back() {
    let scene = Scene::signed();
    let [_] = scene.ingested().try_into().unwrap();
    let clock = scene.station.state.join("clock.json");
    let ahead = system_time().0 + 3600;
    files::secret(&clock, format!("{{\"highest\":{ahead}}}"));
    scene.undecided_at_ingest(3, "clock.rolled-back");
    // Without the file the record still knows that the station has decided.
    fs::remove_file(&clock).unwrap();
    scene.undecided_at_ingest(3, "state.damaged");
    files::secret(&clock, "{\"highest\":0}");
    assert_eq!(scene.ingested().len(), 1, "with both, it goes on");
}

#[test]
fn a_clock_that_is_behind_the_last_verdict() {
    let scene = Scene::signed();
    let [_] = scene.ingested().try_into().unwrap();
    let ahead = system_time().0 + 3600;
    journal::change(&scene.station.state, &format!("UPDATE station SET latest = {ahead}"));
    scene.undecided_at_ingest(3, "clock.rolled-back");
}

#[test]
fn an_outbound_whose_quota_is_used_up() {
    let scene = Scene::signed();
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let with = |quota: &str| {
        let profile = "profile = \"tree\"";
        assert!(config.contains(profile), "{config}");
        let config = config.replace(profile, &format!("{profile}\nquota = \"{quota}\""));
        files::public(&scene.station.config, config);
    };
    let refused = || {
        let document = run::outcome(&mut scene.ingest()).expect_status(3).json();
        let document = json::conforming(&json::INGEST, document);
        assert_eq!(json::codes(&document["models"][0]["reasons"]), ["outbound.quota"]);
        assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
    };
    // The weights alone have 40 kB.
    with("30KiB");
    refused();
    with("100KiB");
    let [first] = scene.ingested().try_into().unwrap();
    with("40KiB");
    refused();
    fs::remove_dir_all(first).unwrap();
    with("100KiB");
    assert_eq!(scene.ingested().len(), 1, "the sender has made room");
    let reasons = "SELECT reason FROM intake WHERE state = 'failed'";
    let reasons = journal::column(&scene.station.state, reasons);
    assert_eq!(reasons, ["outbound.quota", "outbound.quota"]);
}
