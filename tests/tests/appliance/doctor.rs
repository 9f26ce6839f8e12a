//! `doctor`: what it finds on this machine, and where something is amiss.

use std::fs;
use std::process::Command;

use oms_testkit::{files, run};
use oms_tests::hsm::softhsm;
use oms_tests::json;
use oms_tests::scene::{POLICY, Scene, appliance};
use serde_json::Value;

/// `doctor --json` ends with this status; the document is one of the schema.
fn examined(command: &mut Command, status: i32) -> Value {
    let outcome = run::outcome(command.arg("--json")).expect_status(status);
    json::conforming(&json::DOCTOR, outcome.json())
}

fn doctor() -> Command {
    let mut command = appliance();
    command.arg("doctor");
    command
}

fn of_station(scene: &Scene) -> Command {
    let mut command = doctor();
    command.arg("--config").arg(&scene.station.config);
    command
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_machine_is_examined_without_a_configuration() {
    let document = examined(&mut doctor(), 0);
    let names: Vec<_> = document["checks"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(
        names,
        ["sha256", "algorithms", "reader", "locked-memory", "huge-pages", "memory", "sandbox",]
    );
    let sha256 = check(&document, "sha256");
    assert_eq!(sha256["state"], "ok");
    assert!(sha256["found"].as_str().unwrap().contains("single"), "{sha256}");
    let text = run::outcome(&mut doctor()).expect_status(0).stdout;
    assert_eq!(text.lines().filter(|line| !line.starts_with(' ')).count(), names.len());
}

#[test]
fn a_station_is_examined_with_its_configuration() {
    let scene = Scene::signed();
    let document = examined(&mut of_station(&scene), 0);
    for (name, state) in
        [("configuration", "ok"), ("trust", "ok"), ("clock", "ok"), ("signer", "ok")]
    {
        assert_eq!(check(&document, name)["state"], state, "{document:#}");
    }
    assert!(
        check(&document, "trust")["found"].as_str().unwrap().contains("policy station version")
    );
    for name in ["free-space", "direct-io", "reflinks"] {
        assert_ne!(check(&document, name)["state"], "failed", "{document:#}");
    }
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "it left nothing");
    assert!(scene.station.entries().is_empty());
    scene.ingested();
    examined(&mut of_station(&scene), 0);
}

#[test]
fn a_policy_that_does_not_load_is_a_failed_check() {
    let scene = Scene::signed();
    files::public(&scene.station.policy, "[policy]\n");
    let document = examined(&mut of_station(&scene), 3);
    let trust = check(&document, "trust");
    assert_eq!((&document["result"], &trust["state"]), (&"failed".into(), &"failed".into()));
    assert!(trust["found"].as_str().unwrap().starts_with("policy.syntax: "), "{trust}");
    assert!(trust["remedy"].as_str().unwrap().contains("line"), "{trust}");
}

#[test]
fn certificates_and_a_sandbox_that_the_signer_cannot_use_are_failed_checks() {
    let scene = Scene::signed();
    let hsm = softhsm(&scene);
    let (name, value) = hsm.env();
    let signer = |text: &str| {
        fs::write(&scene.station.config, text).unwrap();
        check(&examined(of_station(&scene).env(name, value), 3), "signer").clone()
    };
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let unlisted = signer(&config.replace(&hsm.sandbox(), ""));
    assert!(unlisted["found"].as_str().unwrap().starts_with("hsm."), "{unlisted}");
    assert!(unlisted["remedy"].as_str().unwrap().contains("[hsm.sandbox]"), "{unlisted}");

    let mut table: toml::Table = config.parse().unwrap();
    table["keys"]["verdict"]["certificate"] = "gone.pem".into();
    let gone = signer(&table.to_string());
    let found = gone["found"].as_str().unwrap();
    assert!(found.starts_with("config.certificate: ") && found.contains("gone.pem"), "{gone}");
}

#[test]
fn a_policy_that_requires_crls_where_there_are_none_is_warned_of() {
    let scene = Scene::signed();
    let policy = POLICY.replace("mode = \"off\"", "mode = \"require\"");
    files::public(&scene.station.policy, &policy);
    let trust = check(&examined(&mut of_station(&scene), 0), "trust").clone();
    assert_eq!(trust["state"], "warning", "{trust}");
    assert!(trust["remedy"].as_str().unwrap().contains("CRLs"), "{trust}");
}

#[test]
fn a_clock_that_was_set_back_is_a_failed_check() {
    let scene = Scene::signed();
    scene.ingested();
    let ahead = "{\"highest\":9000000000}";
    files::secret(scene.station.state.join("clock.json"), ahead);
    let clock = check(&examined(&mut of_station(&scene), 3), "clock").clone();
    assert!(clock["found"].as_str().unwrap().starts_with("clock.rolled-back"), "{clock}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_one() {
    let scene = Scene::signed();
    fs::remove_dir(&scene.station.outbound).unwrap();
    let outcome = run::outcome(of_station(&scene).arg("--json")).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["config.path"]);
}

#[test]
fn a_spool_on_another_file_system_is_one() {
    let scene = Scene::signed();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let elsewhere = elsewhere.path().display().to_string();
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let spool = scene.station.spool.display().to_string();
    fs::write(&scene.station.config, config.replace(&spool, &elsewhere)).unwrap();
    let outcome = run::outcome(of_station(&scene).arg("--json")).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["config.spool"]);
}

/// Forbids io_uring to the program that it starts, as a system call filter of a container does.
const WITHOUT_URING: &str = r#"
import ctypes, os, struct, sys
number, denied, allowed = 425, 0x00050001, 0x7FFF0000
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, denied), (0x06, 0, 0, allowed)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(len(code), ctypes.addressof(filter))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"#;

fn without_uring() -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", WITHOUT_URING]).arg(run::command().get_program());
    command
}

#[test]
fn a_machine_that_cannot_confine_a_process_is_not_fit() {
    // Making rules of Landlock, on every processor of 64 bits.
    let without_landlock = WITHOUT_URING.replace("= 425,", "= 444,");
    let mut command = Command::new("python3");
    command.args(["-c", &without_landlock]).arg(run::command().get_program()).arg("doctor");
    let document = examined(&mut command, 3);
    let sandbox = check(&document, "sandbox");
    assert_eq!(sandbox["state"], "failed");
    let found = sandbox["found"].as_str().unwrap();
    assert!(found.starts_with("the copier did not begin"), "{found}");
}

#[test]
fn where_io_uring_is_forbidden_threads_read_and_the_doctor_says_why() {
    let document = examined(without_uring().arg("doctor"), 0);
    let reader = check(&document, "reader");
    assert_eq!(reader["state"], "warning");
    assert!(reader["found"].as_str().unwrap().starts_with("threads, since io_uring is forbidden"));
    let scene = Scene::signed();
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let wanted = format!("{config}\n[intake]\nreader = \"io-uring\"\n");
    fs::write(&scene.station.config, wanted).unwrap();
    let mut command = without_uring();
    command.arg("doctor").arg("--config").arg(&scene.station.config);
    assert_eq!(check(&examined(&mut command, 3), "reader")["state"], "failed");
    // A model is verified all the same.
    let mut verify = without_uring();
    verify.args(scene.verify().get_args().skip(3));
    let document =
        json::conforming(&json::VERIFY, run::outcome(&mut verify).expect_status(0).json());
    assert_eq!(document["intake"]["reader"], "threads");
}
