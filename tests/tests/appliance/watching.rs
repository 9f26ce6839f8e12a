//! Whoever waits: progress that programs can read, and signals that end a command in order.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use oms_testkit::run;
use oms_tests::json;
use oms_tests::scene::{Scene, appliance};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Bytes of zeros that take no room and more time to read than a test needs.
const LONG: u64 = 16 << 30;
/// What an ingest may copy of them before it is told to end.
const COPIED: u64 = 3 << 30;

/// The usual model, whose weights became long after they were signed.
fn long_model(bytes: u64) -> Scene {
    let scene = Scene::signed();
    lengthen(&scene.model.join("model.safetensors"), bytes);
    scene
}

fn lengthen(file: &Path, bytes: u64) {
    File::options().write(true).open(file).unwrap().set_len(bytes).unwrap();
}

/// A command of the appliance that runs and tells its progress in JSON.
struct Running {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Running {
    /// Starts this command without its time limit, so that signals reach it and no other.
    fn start(command: &Command, more: &[&str]) -> Running {
        let limited = command.get_program() == "timeout";
        let arguments: Vec<OsString> =
            command.get_args().skip(if limited { 3 } else { 0 }).map(OsString::from).collect();
        Running::start_as_it_is(run::command().args(arguments).args(more))
    }

    fn start_as_it_is(command: &mut Command) -> Running {
        let mut child = command
            .args(["--progress", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Running { child, said }
    }

    /// Waits until a line says that bytes were read, and gives it.
    fn reads(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it ended before it read");
            let Ok(now) = serde_json::from_str::<Value>(&line) else { continue };
            let now = json::conforming(&json::PROGRESS, now);
            assert_eq!(now["last"], false, "it was done before it could be told to end");
            if now["bytes"].as_u64().unwrap() > 0 {
                return now;
            }
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended and what else it said.
    fn outcome(mut self) -> run::Outcome {
        let mut stderr = String::new();
        self.said.read_to_string(&mut stderr).unwrap();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        let signal =
            || 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
        run::Outcome { status: status.code().unwrap_or_else(signal), stdout, stderr }
    }
}

#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let scene = Scene::signed();
    lengthen(&scene.model.join("model.safetensors"), 2 << 30);
    let mut command = Command::new("nohup");
    command.arg(run::command().get_program()).args(scene.verify().get_args().skip(3));
    let mut running = Running::start_as_it_is(&mut command);
    running.reads();
    running.send(Signal::HUP);
    // What became long after it was signed is refused, and not cancelled.
    let _ = running.outcome().expect_status(1);
}

/// The lines of progress in what a command said on standard error.
fn lines(stderr: &str) -> Vec<Value> {
    let parsed = stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.map(|value| json::conforming(&json::PROGRESS, value)).collect()
}

/// `digest` or `sign` of the usual model.
fn of_model(scene: &Scene, command: &str, more: &[&str]) -> Command {
    let mut made = appliance();
    made.arg(command).arg(&scene.model).args(more).arg("--json");
    made
}

#[test]
fn verify_ends_at_each_signal_with_either_reader() {
    let scene = long_model(LONG);
    for reader in ["threads", "auto"] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut running = Running::start(&scene.verify(), &["--reader", reader]);
            let now = running.reads();
            assert!(now["totalBytes"].as_u64().unwrap() > LONG && now["model"] == "demo", "{now}");
            running.send(signal);
            let outcome = running.outcome().expect_status(3);
            let document = json::conforming(&json::VERIFY, outcome.json());
            assert_eq!(json::codes(&document["reasons"]), ["intake.cancelled"]);
            let last = lines(&outcome.stderr).pop().unwrap();
            assert_eq!(last["last"], true, "{last}");
            assert!(last["bytes"].as_u64().unwrap() < LONG, "it ended early: {last}");
        }
    }
}

#[test]
fn ingest_ends_without_a_trace_and_the_next_one_finds_everything_in_order() {
    let scene = long_model(COPIED);
    for reader in ["threads", "auto"] {
        let mut running = Running::start(&scene.ingest(), &["--reader", reader]);
        running.reads();
        running.send(Signal::TERM);
        let document = json::conforming(&json::INGEST, running.outcome().expect_status(3).json());
        assert_eq!(json::codes(&document["models"][0]["reasons"]), ["intake.cancelled"]);
        assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0, "an empty spool");
        assert!(scene.station.entries().is_empty());
    }
    lengthen(&scene.model.join("model.safetensors"), 1);
    let document = run::outcome(&mut scene.ingest()).expect_status(1).json();
    assert_eq!(document["models"][0]["sequence"], 1, "no number was used: {document:#}");
}

#[test]
fn what_comes_after_the_model_that_was_cancelled_is_not_begun() {
    let scene = long_model(COPIED);
    let other = scene.carrier.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "text").unwrap();
    scene.sign(&other, &other.join("model.sig"), &[]);
    let mut running = Running::start(&scene.ingest(), &[]);
    running.reads();
    running.send(Signal::INT);
    let document = json::conforming(&json::INGEST, running.outcome().expect_status(3).json());
    assert_eq!(document["models"].as_array().unwrap().len(), 1, "{document:#}");
    assert_eq!(document["models"][0]["path"], "demo");
    assert!(scene.station.entries().is_empty());
}

#[test]
fn sign_and_digest_end_at_a_signal_and_write_nothing() {
    let scene = long_model(LONG);
    let out: PathBuf = scene.path("new.sig");
    let key = scene.path("vendor.key");
    let texts = [&out, &key].map(|path| path.to_str().unwrap().to_owned());
    let sign = of_model(&scene, "sign", &["--bundle", &texts[0], "--key", &texts[1]]);
    for command in [sign, of_model(&scene, "digest", &[])] {
        let mut running = Running::start(&command, &[]);
        running.reads();
        running.send(Signal::INT);
        let document = running.outcome().expect_status(3).json();
        assert_eq!(json::codes(&document["reasons"]), ["intake.cancelled"]);
        assert_eq!(document["reasons"].as_array().unwrap().len(), 1, "one reason is enough");
    }
    assert!(!out.exists());
}

#[test]
fn the_receiving_side_ends_at_a_signal() {
    let scene = Scene::signed();
    let entry = scene.ingested().remove(0);
    lengthen(&entry.join("model/model.safetensors"), LONG);
    let mut running = Running::start(&scene.receive(&entry), &[]);
    running.reads();
    running.send(Signal::TERM);
    let document = running.outcome().expect_status(3).json();
    assert_eq!(json::codes(&document["reasons"]), ["intake.cancelled"]);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let scene = long_model(LONG);
    let mut running = Running::start(&scene.verify(), &[]);
    running.reads();
    // Both arrive before it does anything more.
    for signal in [Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT] {
        running.send(signal);
    }
    let outcome = running.outcome();
    assert!([128 + 2, 128 + 15].contains(&outcome.status), "{outcome:?}");
    assert_eq!(outcome.stdout, "", "no document");
}

#[test]
fn progress_in_json_is_told_on_standard_error_and_the_document_on_standard_output() {
    let scene = Scene::signed();
    let outcome = run::outcome(scene.verify().args(["--progress", "json"])).expect_status(0);
    let document = json::conforming(&json::VERIFY, outcome.json());
    let lines = lines(&outcome.stderr);
    assert_eq!(lines.len(), outcome.stderr.lines().count(), "nothing else: {outcome:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["last"], &last["model"]), (&true.into(), &"demo".into()));
    assert_eq!(last["bytes"], last["totalBytes"]);
    assert_eq!((&last["files"], &last["totalFiles"]), (&document["files"], &document["files"]));
    assert_eq!(last["secondsLeft"], 0);
    let intake = &document["intake"];
    assert_eq!((&intake["bytes"], &intake["files"]), (&document["bytes"], &document["files"]));
    assert_eq!(intake["retries"], 0);
}

#[test]
fn an_ingest_tells_each_model_and_how_it_was_read() {
    let scene = Scene::signed();
    let ingest = run::outcome(scene.ingest().args(["--progress", "json", "--reader", "threads"]));
    let outcome = ingest.expect_status(0);
    let document = json::conforming(&json::INGEST, outcome.json());
    let intake = &document["models"][0]["intake"];
    assert_eq!(intake["reader"], "threads", "{document:#}");
    assert_eq!(intake["bytes"], document["models"][0]["bytes"]);
    let told = lines(&outcome.stderr);
    assert!(told.iter().any(|line| line["model"] == "demo" && line["last"] == true), "{told:?}");
}

#[test]
fn nothing_is_shown_where_nobody_looks() {
    let scene = Scene::signed();
    for more in [&[][..], &["--progress", "auto"], &["--progress", "none"]] {
        let outcome = run::outcome(scene.verify().args(more)).expect_status(0);
        assert_eq!(outcome.stderr, "");
    }
    // Asked for, a bar is text where there is no terminal.
    let outcome = run::outcome(scene.verify().args(["--progress", "bar"])).expect_status(0);
    assert!(outcome.stderr.starts_with("demo: "), "{outcome:?}");
    assert!(!outcome.stderr.contains(['\r', '\u{1b}']), "{outcome:?}");
}

#[test]
fn a_name_from_the_carrier_is_not_shown_raw() {
    let scene = Scene::signed();
    let name = "de\u{1b}[31mmo\u{202e}";
    let model = scene.carrier.join(name);
    fs::rename(&scene.model, &model).unwrap();
    for progress in ["json", "bar"] {
        let verify = run::outcome(scene.verify_at(&model).args(["--progress", progress]));
        let said = verify.expect_status(0).stderr;
        assert!(said.contains("de") && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        assert!(!said.contains("\\u001b"), "nor for the terminal of whoever prints it: {said}");
    }
}

#[test]
fn means_of_reading_are_checked_before_anything_is_read() {
    let scene = Scene::signed();
    for (option, value, expected) in [
        ("--reader", "uring", "expected auto, io-uring or threads"),
        ("--memory", "1MiB", "expected a size from 4MiB to 16GiB"),
        ("--progress", "yes", "expected auto, bar, json or none"),
    ] {
        for mut command in [
            scene.verify(),
            scene.ingest(),
            of_model(&scene, "digest", &[]),
            scene.receive(&scene.model),
        ] {
            let outcome = run::outcome(command.args([option, value])).expect_status(2);
            assert!(outcome.stderr.contains(expected), "{outcome:?}");
        }
    }
    let _ = run::outcome(scene.verify().args(["--memory", "4MiB", "--reader", "threads"]))
        .expect_status(0);
}

#[test]
fn the_configuration_sets_the_means_of_reading() {
    let scene = Scene::signed();
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let with = |intake: &str| fs::write(&scene.station.config, format!("{config}\n{intake}"));
    with("[intake]\nreader = \"threads\"\nmemory = \"8MiB\"\n").unwrap();
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    assert_eq!(document["models"][0]["intake"]["reader"], "threads");
    with("[intake]\nreaders = \"threads\"\n").unwrap();
    scene.undecided_at_ingest(2, "config.syntax");
}
