//! The command line: help, exit codes, and where results and messages go.

use std::fs;
use std::process::Command;

use oms_testkit::run::{self, Outcome};
use oms_testkit::softhsm::{Curve, SoftHsm};
use oms_testkit::{files, model};
use oms_tests::scene::{Scene, appliance};
use oms_tests::{entry, journal, json};

fn outcome(arguments: &[&str]) -> Outcome {
    run::outcome(appliance().args(arguments))
}

#[test]
fn nobody_but_the_station_starts_one_of_its_processes() {
    assert!(!outcome(&["--help"]).expect_status(0).stdout.contains("  role"));
    let refused = outcome(&["role", "copier", "--parent", "1", "--carrier", "/"]).expect_status(3);
    assert!(refused.stderr.contains("station.process: "), "{}", refused.stderr);
    let as_parent = |parent| ["role", "copier", "--carrier", "/", "--parent", parent];
    for wrong in [&["role", "kiosk", "--parent", "1"] as &[_], &as_parent("0"), &as_parent("x")] {
        let _ = outcome(wrong).expect_status(2);
    }
}

#[test]
fn every_command_has_a_help_text() {
    let top = outcome(&["--help"]).expect_status(0).stdout;
    assert!(top.contains("3 could not decide"), "the exit codes: {top}");
    for (command, options) in [
        ("verify", "[MODEL] --policy --bundle --roots --crls --at --verdict --signer --json"),
        ("ingest", "<CARRIERS>... --config --policy --outbound --json"),
        (
            "sign",
            "<MODEL> --bundle --key --certificate --chain --hash --shard-size --ignore --annotation --json",
        ),
        ("digest", "<MODEL> --hash --shard-size --ignore"),
        ("inspect", "<FILE>"),
        ("policy check", "<POLICIES>... --roots"),
        ("policy explain", "<POLICY> --roots"),
        ("verdict verify", "[PATH] --ledger --roots --key --verifier --json"),
        ("roots list", "--roots --json"),
        ("roots check", "--roots --policy --at --warn-before --json"),
        ("hsm list", "--module --json"),
        ("hsm check", "<KEY> --json"),
    ] {
        let first = command.split(' ').next().unwrap();
        assert!(top.contains(first), "{first} is in the list: {top}");
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = outcome(&arguments).expect_status(0);
        assert_eq!(help.stderr, "");
        for option in options.split(' ') {
            assert!(help.stdout.contains(option), "{command}: {option} in {}", help.stdout);
        }
    }
    let version = outcome(&["--version"]).expect_status(0).stdout;
    assert!(version.starts_with("oms-appliance 0."), "{version}");
}

#[test]
fn wrong_usage_ends_with_2_and_prints_no_result() {
    for arguments in [
        &[][..],
        &["unknown"],
        &["verify"],
        &["verify", "--policy"],
        &["verify", "--policy", "./p", "--json", "--unknown"],
        &["verify", "--policy", "./p", "--at", "yesterday"],
        &["verify", "--policy", "./p", "--verdict", "out"],
        &["ingest", "--config", "c"],
        &["ingest", "carrier"],
        &["sign", "model", "--bundle", "b", "--key", "k", "--hash", "md5"],
        &["sign", "model", "--bundle", "b", "--key", "k", "--shard-size", "0"],
        &["sign", "model", "--bundle", "b", "--key", "k", "--chain", "c"],
        &["verdict", "verify", "entry", "--verifier", "urn:x"],
        &["verdict", "verify", "entry", "--verifier", "urn:x", "--key", "k", "--roots", "r"],
    ] {
        let outcome = outcome(arguments).expect_status(2);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(!outcome.stderr.is_empty(), "{arguments:?}");
    }
}

/// The same command without `--json`.
fn for_people(command: Command) -> Command {
    let mut plain = Command::new(command.get_program());
    plain.args(command.get_args().filter(|argument| *argument != "--json"));
    plain
}

#[test]
fn exit_codes_and_text_for_people() {
    let scene = Scene::signed();
    let passed = run::outcome(&mut for_people(scene.verify())).expect_status(0);
    assert!(passed.stdout.starts_with("PASSED: demo\n"), "{}", passed.stdout);
    assert_eq!(passed.stderr, "");
    let passed = run::outcome(&mut for_people(scene.ingest())).expect_status(0);
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    assert!(passed.stdout.contains(entry.to_str().unwrap()), "{}", passed.stdout);

    model::flip_weight_bit(&scene.model);
    for command in [scene.verify(), scene.ingest()] {
        let refused = run::outcome(&mut for_people(command)).expect_status(1);
        assert!(refused.stdout.starts_with("REFUSED: demo\n"), "{}", refused.stdout);
        for part in ["manifest.digest-mismatch", model::WEIGHTS, "Treat the model as manipulated"] {
            assert!(refused.stdout.contains(part), "{part}: {}", refused.stdout);
        }
    }

    files::secret(journal::file(&scene.station.state), "{");
    let undecided = run::outcome(&mut for_people(scene.ingest())).expect_status(3);
    assert!(undecided.stderr.contains("state.damaged"), "{}", undecided.stderr);
    assert_eq!(undecided.stdout, "");

    files::public(&scene.station.policy, "[policy]");
    for command in [scene.verify(), scene.ingest()] {
        let error = run::outcome(&mut for_people(command)).expect_status(2);
        assert!(error.stderr.contains("policy.syntax"), "{}", error.stderr);
        assert_eq!(error.stdout, "");
    }
}

#[test]
fn people_are_told_where_on_the_carrier_a_model_is_unless_its_name_says_so() {
    let scene = Scene::signed();
    let home = run::outcome(&mut for_people(scene.ingest())).expect_status(0);
    assert!(!home.stdout.contains("  carrier  "), "{}", home.stdout);
    let moved = files::folder(scene.carrier.join("sub")).join("demo");
    fs::rename(&scene.model, moved).unwrap();
    let deeper = run::outcome(&mut for_people(scene.ingest())).expect_status(0);
    assert!(deeper.stdout.contains("\n  carrier  sub/demo\n"), "{}", deeper.stdout);
}

#[test]
fn every_json_is_one_document_and_nothing_else() {
    let scene = Scene::signed();
    let [entry] = scene.ingested().try_into().unwrap();
    let hsm = SoftHsm::new(scene.path("hsm"));
    hsm.generate("key", "01", Curve::P256);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (policy, roots) = (text(&scene.station.policy), text(&scene.station.roots));
    let (model, key) = (text(&scene.model), text(&scene.path("vendor.key")));
    let (uri, module) = (hsm.uri("key"), text(hsm.module()));
    let absent = uri.replace("token=station", "token=absent");
    let out = text(&scene.path("out.sig"));
    for (status, arguments) in [
        (0, &["verify", &model, "--policy", &policy, "--roots", &roots][..]),
        (2, &["verify", "/nonexistent", "--policy", &policy, "--roots", &roots]),
        (0, &["sign", &model, "--bundle", &out, "--key", &key]),
        (2, &["sign", "/nonexistent", "--bundle", &out, "--key", &key]),
        (2, &["digest", "/nonexistent"]),
        (3, &["inspect", "/nonexistent"]),
        (3, &["hsm", "list", "--module", "/nonexistent.so"]),
        (0, &["policy", "check", &policy, "--roots", &roots]),
        (2, &["policy", "check", "/nonexistent", "--roots", &roots]),
        (
            0,
            &[
                "verdict",
                "verify",
                &text(&entry),
                "--roots",
                &roots,
                "--verifier",
                &scene.station.id,
            ],
        ),
        (2, &["verdict", "verify", "/nonexistent", "--roots", &roots, "--verifier", "urn:x"]),
        (0, &["hsm", "list", "--module", &module]),
        (0, &["hsm", "check", &uri]),
        (3, &["hsm", "check", &absent]),
        (0, &["digest", &model]),
        (0, &["inspect", &text(&scene.bundle())]),
    ] {
        let (name, value) = hsm.env();
        let mut command = appliance();
        command.args(arguments).arg("--json").env(name, value);
        let outcome = run::outcome(&mut command).expect_status(status);
        assert!(!outcome.stdout.is_empty(), "no document: {arguments:?}: {}", outcome.stderr);
        assert!(outcome.json().is_object(), "{arguments:?}");
    }
}

#[test]
fn the_public_key_of_a_token_is_printed_for_a_ca() {
    let dir = tempfile::tempdir().unwrap();
    let hsm = SoftHsm::new(dir.path().join("hsm"));
    let spki = hsm.generate("station", "01", Curve::P384);
    let (name, value) = hsm.env();
    let mut command = appliance();
    command.args(["hsm", "check", "--public-key", &hsm.uri("station")]).env(name, value);
    let printed = run::outcome(&mut command).expect_status(0).stdout;
    let key = oms_verify::key::PublicKey::from_pem(printed.as_bytes()).unwrap();
    assert_eq!(key.spki_der(), spki);
}

#[test]
fn the_schemas_are_strict() {
    let scene = Scene::signed();
    let good = run::outcome(&mut scene.verify()).expect_status(0).json();
    assert!(json::VERIFY.is_valid(&good));
    assert!(!json::INGEST.is_valid(&good));
    for (pointer, value) in [
        ("/exitCode", 1.into()),
        ("/result", "refused".into()),
        ("/mode", "ingest".into()),
        ("/schema", "urn:oms-appliance:verify:2".into()),
        ("/rootDigest", "00".into()),
        ("/policy/id", serde_json::Value::Null),
        ("/signers", serde_json::json!([])),
        ("/signers/0/method", "sigstore".into()),
        ("/signers/0/rule", "rule".into()),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(!json::VERIFY.is_valid(&other), "{pointer}");
    }
    for object in ["", "/policy", "/signers/0", "/signers/0/path/0"] {
        let mut other = good.clone();
        other.pointer_mut(object).unwrap()["more"] = 1.into();
        assert!(!json::VERIFY.is_valid(&other), "another field in {object:?}");
    }
    let good = run::outcome(&mut scene.ingest()).expect_status(0).json();
    assert!(json::INGEST.is_valid(&good));
    for object in ["", "/models/0"] {
        for field in ["more", "entry", "sequence"] {
            let mut other = good.clone();
            other.pointer_mut(object).unwrap()[field] = true.into();
            assert!(!json::INGEST.is_valid(&other), "{field} in {object:?}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_of_the_appliance() {
    let scene = Scene::signed();
    let verify = scene.verify();
    let line: Vec<_> = verify.get_args().map(|a| a.to_str().unwrap().to_owned()).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", "timeout \"$@\" | true", "sh"]).args(line);
    let outcome = run::outcome(&mut shell).expect_status(0);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[test]
fn what_inspect_shows_of_a_bundle_is_an_allegation_even_when_it_is_forged() {
    let scene = Scene::signed();
    entry::edit_payload(&scene.bundle(), |payload| {
        payload["subject"][0]["name"] = "\u{1b}[31mred\u{202e}".into();
    });
    let mut inspect = appliance();
    let outcome = run::outcome(inspect.arg("inspect").arg(scene.bundle()));
    assert!(outcome.status <= 1, "{outcome:?}");
    assert!(!outcome.stdout.contains('\u{1b}') && !outcome.stdout.contains('\u{202e}'));
}

#[test]
fn a_result_that_nobody_can_read_is_no_success() {
    let scene = Scene::signed();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut verify = scene.verify();
    let status = verify.stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}
