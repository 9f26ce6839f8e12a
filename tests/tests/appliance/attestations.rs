//! Attestations on the carrier: which let a model pass, what goes out with it, and what the
//! receiving side makes of that.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::{files, run};
use oms_tests::attest::{PROVENANCE, place, scene, statement, statement_about};
use oms_tests::forge::Forger;
use oms_tests::root::is_root;
use oms_tests::scene::Scene;
use oms_tests::{entry, json};
use serde_json::json;

/// A scene whose model has the attestation that the policy asks for, in its folder.
fn attested() -> (Scene, PathBuf) {
    let scene = scene();
    let file = scene.model.join("build.intoto.json");
    place(&file, &scene.forger(), &statement(&scene));
    (scene, file)
}

/// The attestations of an entry.
fn published(entry: &Path) -> Vec<PathBuf> {
    let folder = entry.join("attestations");
    let mut all: Vec<_> =
        fs::read_dir(folder).unwrap().map(|found| found.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn what_the_policy_asks_for_is_published_with_the_model_and_received() {
    let (scene, file) = attested();
    let bytes = fs::read(&file).unwrap();
    let document = run::outcome(&mut scene.verify()).expect_status(0).json();
    let document = json::conforming(&json::VERIFY, document);
    assert_eq!(document["warnings"], json!([]), "it is no unsigned file");
    assert_eq!(document["attestations"][0]["file"], "build.intoto.json");

    let [entry] = scene.ingested().try_into().unwrap();
    let [out] = published(&entry).try_into().unwrap();
    let digest = files::sha256_hex(&bytes);
    let name = format!("1-{}.sigstore.json", &digest[..16]);
    assert_eq!(out.file_name().unwrap().to_str(), Some(name.as_str()));
    assert_eq!(fs::read(&out).unwrap(), bytes, "as it was verified");
    assert!(!entry.join("model/build.intoto.json").exists());

    let payload = entry::payload(&entry);
    let found = payload["predicate"]["inputAttestations"].as_array().unwrap();
    assert!(found.contains(&json!({"digest": {"sha256": digest}})), "{payload:#}");
    let detail = &entry::detail(&payload)["attestations"][0];
    assert_eq!((&detail["predicateType"], &detail["sha256"]), (&json!(PROVENANCE), &json!(digest)));
    assert_eq!((&detail["published"], &detail["subject"]), (&json!(name), &json!("demo")));
    assert_eq!(detail["signers"][0]["rule"], "attestation[0].signer");
    let report = fs::read_to_string(entry.join("report.html")).unwrap();
    assert!(report.contains("attestation[0].signer"));

    let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
    let archived = scene.station.state.join("archive").join(entry.file_name().unwrap());
    assert_eq!(fs::read(archived.join("attestations").join(name)).unwrap(), bytes);
}

#[test]
fn beside_the_model_the_signed_subject_tells_whose_it_is() {
    let scene = scene();
    let other = oms_testkit::model::write(scene.carrier.join("other"), 30_000);
    scene.sign(&other, &scene.carrier.join("other.sig"), &[]);
    place(&scene.carrier.join("x.intoto.json"), &scene.forger(), &statement(&scene));
    let about_other = statement_about(&scene.carrier.join("other.sig"));
    place(&scene.carrier.join("y.sigstore.json"), &scene.forger(), &about_other);
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    let document = json::conforming(&json::INGEST, document);
    assert_eq!(document["unclaimed"], json!([]));
    for (model, file) in [(0, "x.intoto.json"), (1, "y.sigstore.json")] {
        let model = &document["models"][model];
        assert_eq!(model["warnings"], json!([]), "{document:#}");
        let [attestation] = model["attestations"].as_array().unwrap().as_slice() else {
            panic!("not one attestation: {document:#}")
        };
        assert_eq!(attestation["file"], file);
    }
}

#[test]
fn one_that_is_missing_or_another_s_or_about_something_else_or_changed() {
    scene().refused(&["attestation.missing"]);

    let scene_of = |spoil: &dyn Fn(&Scene, &Path)| {
        let scene = scene();
        // Beside the model, where it is no unsigned file.
        spoil(&scene, &scene.carrier.join("demo.intoto.json"));
        scene
    };
    let by_another =
        scene_of(&|scene, file| place(file, &Forger::new(&scene.verdict.key), &statement(scene)));
    by_another.refused(&["attestation.missing", "signature.wrong-key"]);
    let about_another = scene_of(&|scene, file| {
        let mut other = statement(scene);
        other["subject"][0]["digest"]["sha256"] = json!("ab".repeat(32));
        place(file, &scene.forger(), &other);
    });
    about_another.refused(&["attestation.subject"]);
    let changed = scene_of(&|scene, file| {
        place(file, &scene.forger(), &statement(scene));
        entry::edit_payload(file, |payload| payload["predicate"]["level"] = json!(4));
    });
    changed.refused(&["attestation.invalid", "attestation.missing"]);
}

#[test]
fn each_condition_counts() {
    for (field, value) in [
        ("/predicate/buildDefinition/buildType", json!("https://build.example/v2")),
        ("/predicate/runDetails/builder/id", json!("https://c.example")),
        ("/predicate/runDetails", json!({ "builder": { "id": "https://a.example" } })),
        ("/predicate/level", json!(2)),
    ] {
        let scene = scene();
        let mut other = statement(&scene);
        *other.pointer_mut(field).unwrap() = value;
        place(&scene.carrier.join("demo.intoto.json"), &scene.forger(), &other);
        scene.refused(&["attestation.condition"]);
    }
}

#[test]
fn what_nobody_asks_for_stays_behind() {
    // In the model's folder it is an unsigned file like any other.
    let scene = Scene::signed();
    let inside = scene.model.join("build.intoto.json");
    place(&inside, &scene.forger(), &statement(&scene));
    scene.refused(&["manifest.unsigned-file"]);

    let (scene, file) = attested();
    let mut other = statement(&scene);
    other["predicateType"] = json!("https://cyclonedx.org/bom");
    let beside = scene.carrier.join("demo.sigstore.json");
    place(&beside, &scene.forger(), &other);
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    let model = &json::conforming(&json::INGEST, document)["models"][0];
    assert_eq!(json::codes(&model["warnings"]), ["attestation.unasked"]);
    let entry = PathBuf::from(model["entry"].as_str().unwrap());
    let [out] = published(&entry).try_into().unwrap();
    assert_eq!(fs::read(out).unwrap(), fs::read(file).unwrap());
    let found = entry::payload(&entry)["predicate"]["inputAttestations"].clone();
    let digest = files::sha256_hex(&fs::read(beside).unwrap());
    assert!(found.as_array().unwrap().contains(&json!({"digest": {"sha256": digest}})));
}

#[test]
fn a_carrier_s_own_files_are_bounded() {
    type Make = fn(&Path);
    let hostile: [(&str, Make); 4] = [
        ("attestation.invalid", |path| drop(files::public(path, vec![b' '; 17 << 20]))),
        ("attestation.invalid", |path| drop(files::public(path, "[".repeat(100_000)))),
        ("attestation.invalid", |path| drop(files::public(path, ""))),
        ("media.symlink", |path| symlink("/dev/zero", path).unwrap()),
    ];
    for (code, make) in hostile {
        let scene = scene();
        make(&scene.carrier.join("demo.sigstore"));
        let mut codes = vec!["attestation.missing", code];
        codes.sort_unstable();
        scene.refused(&codes);
        // Where the right one is there too, it only is told.
        place(&scene.carrier.join("demo.intoto.json"), &scene.forger(), &statement(&scene));
        let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
        assert_eq!(json::codes(&document["models"][0]["warnings"]), [code]);
    }
}

#[test]
fn sixty_five_attestations() {
    let scene = scene();
    for number in 0..64 {
        files::public(scene.carrier.join(format!("a{number:02}.intoto.json")), "{}");
    }
    place(&scene.carrier.join("z.intoto.json"), &scene.forger(), &statement(&scene));
    scene.refused(&["attestation.invalid", "attestation.missing", "attestation.too-many"]);
    // The ones that are named after the model come first.
    let named = scene.carrier.join("demo.intoto.json");
    fs::rename(scene.carrier.join("z.intoto.json"), named).unwrap();
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    let codes = json::codes(&document["models"][0]["warnings"]);
    assert_eq!(codes, ["attestation.invalid", "attestation.too-many"]);
}

#[test]
fn a_model_s_own_attestation_is_looked_at_before_those_of_models_with_longer_names() {
    let scene = scene();
    for number in 0..64 {
        files::public(scene.carrier.join(format!("demo-{number:02}.intoto.json")), "{}");
    }
    place(&scene.carrier.join("demo.intoto.json"), &scene.forger(), &statement(&scene));
    let _ = run::outcome(&mut scene.verify()).expect_status(0);
    let _ = run::outcome(&mut scene.ingest()).expect_status(0);
}

#[test]
fn the_attestations_of_a_model_are_bounded_together() {
    let scene = scene();
    let bulk = vec![b' '; 16 << 20];
    for number in 0..5 {
        files::public(scene.carrier.join(format!("demo.{number}.intoto.json")), &bulk);
    }
    place(&scene.carrier.join("demo.9.intoto.json"), &scene.forger(), &statement(&scene));
    scene.refused(&["attestation.invalid", "attestation.missing", "attestation.too-many"]);
    // A byte less before it, and it is looked at.
    fs::write(scene.carrier.join("demo.4.intoto.json"), "").unwrap();
    fs::write(scene.carrier.join("demo.3.intoto.json"), &bulk[1..]).unwrap();
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    assert_eq!(json::codes(&document["models"][0]["warnings"]), ["attestation.invalid"]);
}

#[test]
fn in_place_the_operator_may_name_them() {
    let (scene, file) = attested();
    let elsewhere = scene.path("elsewhere");
    fs::rename(file, &elsewhere).unwrap();
    let _ = run::outcome(&mut scene.verify()).expect_status(1);
    let _ = run::outcome(scene.verify().arg("--attestation").arg(&elsewhere)).expect_status(0);
    let missing = scene.path("missing");
    let outcome = run::outcome(scene.verify().arg("--attestation").arg(missing)).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["media.not-found"]);
}

#[test]
fn a_folder_that_cannot_be_listed_matters_where_attestations_are_asked_for() {
    if !is_root("becoming another user") {
        return;
    }
    let as_nobody = |scene: &Scene, named: &[&Path]| {
        fs::set_permissions(scene.path("."), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&scene.carrier, Permissions::from_mode(0o711)).unwrap();
        let verify = scene.verify();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(verify.get_program()).args(verify.get_args());
        for file in named {
            command.arg("--attestation").arg(file);
        }
        run::outcome(&mut command)
    };
    let _ = as_nobody(&Scene::signed(), &[]).expect_status(0);
    let (scene, file) = attested();
    let document = as_nobody(&scene, &[]).expect_status(3).json();
    assert_eq!(json::codes(&document["reasons"]), ["media.unreadable"]);
    assert!(document["reasons"][0]["detail"].as_str().unwrap().contains("--attestation"));
    let _ = as_nobody(&scene, &[&file]).expect_status(0);
}

#[test]
fn the_receiving_side_takes_exactly_the_attestations_of_the_verdict() {
    let (scene, _) = attested();
    let [entry] = scene.ingested().try_into().unwrap();
    let [out] = published(&entry).try_into().unwrap();
    let bytes = fs::read(&out).unwrap();
    let refused = |what: &str| {
        let received = run::outcome(&mut scene.receive(&entry)).expect_status(1).json();
        assert_eq!(json::codes(&received["reasons"]), ["verdict.files"], "{what}: {received:#}");
    };
    let extra = files::public(out.with_file_name("2-0.sigstore.json"), &bytes);
    refused("another");
    fs::remove_file(extra).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&out, &changed).unwrap();
    refused("a changed byte");
    fs::write(&out, &bytes[1..]).unwrap();
    refused("a byte less");
    fs::remove_file(&out).unwrap();
    refused("none");
    // A link is told like everything else that is wrong, and hides nothing.
    symlink("../verdict.sigstore.json", &out).unwrap();
    let spare = files::public(out.with_file_name("spare"), "");
    let received = run::outcome(&mut scene.receive(&entry)).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["media.symlink", "verdict.files"]);
    fs::remove_file(spare).unwrap();
    fs::remove_file(&out).unwrap();
    fs::remove_dir(out.parent().unwrap()).unwrap();
    refused("no folder");
    // Another file of the verdict is not the source's bundle.
    files::folder(out.parent().unwrap());
    fs::write(&out, &bytes).unwrap();
    fs::write(entry.join("source.sig"), &bytes).unwrap();
    refused("an attestation in the place of the source's bundle");
}
