//! What the station remembers over time, and how officers correct it as SECURITY.md tells.

use oms_station::clock::system_time;
use oms_testkit::files;
use oms_testkit::pki::{KeyType, Profile};
use oms_testkit::vectors::workspace;
use oms_tests::journal;
use oms_tests::scene::{STATION, Scene};

use crate::opening::install_verdict;

/// Corrects the memory of the clock.
fn correct_clock(scene: &Scene, seconds: i64) {
    files::secret(scene.station.state.join("clock.json"), format!("{{\"highest\":{seconds}}}"));
}

/// Corrects the journal, by what SECURITY.md tells.
fn correct_journal(scene: &Scene, seconds: i64) {
    let security = std::fs::read_to_string(workspace().join("SECURITY.md")).unwrap();
    let statement = "UPDATE station SET latest = SECONDS";
    assert!(security.contains(statement), "{statement}");
    let statement = statement.replace("SECONDS", &seconds.to_string());
    journal::change(&scene.station.state, &statement);
}

#[test]
fn a_clock_that_ran_ahead_is_forgiven_by_officers_only() {
    let scene = Scene::signed();
    assert_eq!(scene.ingested().len(), 1);
    let ahead = system_time().0 + 10 * 365 * 86_400;
    correct_clock(&scene, ahead);
    correct_journal(&scene, ahead);
    scene.undecided_at_ingest(3, "clock.rolled-back");
    // Neither file alone makes it forget.
    correct_clock(&scene, system_time().0);
    scene.undecided_at_ingest(3, "clock.rolled-back");
    correct_clock(&scene, ahead);
    correct_journal(&scene, system_time().0);
    scene.undecided_at_ingest(3, "clock.rolled-back");
    correct_clock(&scene, system_time().0);
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn memories_that_were_lost_are_begun_again_by_officers() {
    let scene = Scene::signed();
    assert_eq!(scene.ingested().len(), 1);
    let clock = format!("{{\"highest\":{}}}", system_time().0);
    for (file, fresh) in [("clock.json", clock.as_str()), ("crl-floors.json", "{\"floors\":[]}")] {
        let path = scene.station.state.join(file);
        std::fs::remove_file(&path).unwrap();
        scene.undecided_at_ingest(3, "state.damaged");
        files::secret(&path, fresh);
        assert_eq!(scene.ingested().len(), 1, "{file}");
    }
}

#[test]
fn a_time_at_which_the_station_s_own_certificates_are_not_valid_is_not_remembered() {
    let scene = Scene::signed();
    let expired = Profile::code_signing("Station").uri(STATION).expired();
    let good = std::fs::read(scene.station.config.with_file_name("verdict.key")).unwrap();
    let chain = std::fs::read(scene.station.config.with_file_name("verdict-chain.pem")).unwrap();
    install_verdict(&scene, &scene.issuer.issue(expired, KeyType::P256));
    scene.undecided_at_ingest(2, "config.certificate");
    assert!(!scene.station.state.join("clock.json").exists());
    files::secret(scene.station.config.with_file_name("verdict.key"), good);
    files::public(scene.station.config.with_file_name("verdict-chain.pem"), chain);
    assert_eq!(scene.ingested().len(), 1);
    assert!(scene.station.state.join("clock.json").exists());
}
