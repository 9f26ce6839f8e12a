//! Carriers with a bad spot: it is told, and it stops nothing but itself.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test by panicking"
)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use oms_testkit::{files, model, run};
use oms_tests::forge::statement;
use oms_tests::mounts::privately;
use oms_tests::scene::{POLICY, Scene, any_content, appliance};
use oms_tests::{entry, json};
use serde_json::Value;

/// A model's path and result, and the codes of its reasons.
type Told<'a> = (&'a str, &'a str, Vec<String>);

/// Every model, and the codes that are no model's.
fn told(document: &Value) -> (Vec<Told<'_>>, Vec<String>) {
    let models = document["models"].as_array().unwrap().iter().map(|model| {
        let text = |field: &str| model[field].as_str().unwrap();
        (text("path"), text("result"), json::codes(&model["reasons"]))
    });
    (models.collect(), json::codes(&document["reasons"]))
}

fn ingested(scene: &Scene, status: i32) -> Value {
    let document = run::outcome(&mut scene.ingest()).expect_status(status).json();
    json::conforming(&json::INGEST, document)
}

/// The entry of the only model of the carrier, which passes.
fn passed(scene: &Scene) -> PathBuf {
    let [entry] = scene.ingested().try_into().unwrap();
    let received = run::outcome(&mut scene.receive(&entry)).expect_status(0).json();
    assert_eq!(received["result"], "passed", "{received:#}");
    entry
}

#[test]
fn a_model_that_does_not_fit_into_the_spool_does_not_stop_the_next() {
    let scene = Scene::with_policy(&any_content());
    let told_free = rustix::fs::statvfs(&scene.station.spool).unwrap();
    let free = told_free.f_bavail * told_free.f_frsize;
    scene.forge(&statement(&[("huge.bin", "11".repeat(32))]));
    // A hole: no byte of it is on the disk.
    let huge = File::create(scene.model.join("huge.bin")).unwrap();
    huge.set_len((free * 2).min(2 << 40)).unwrap();
    let next = model::write(scene.carrier.join("next"), 20_000);
    scene.sign(&next, &next.join("model.sig"), &[]);
    let document = ingested(&scene, 3);
    let (models, others) = told(&document);
    let failed = ("demo", "undecided", vec!["outbound.write".to_owned()]);
    assert_eq!(models, [failed, ("next", "passed", vec![])]);
    assert!(others.is_empty());
    let detail = &document["models"][0]["reasons"][0];
    assert_eq!(detail["file"], scene.station.spool.to_str().unwrap());
    assert_eq!(scene.station.entries().len(), 1);
}

#[test]
fn a_carrier_that_is_not_there_does_not_stop_the_next() {
    let scene = Scene::signed();
    let mut ingest = appliance();
    ingest.arg("ingest").arg(scene.path("absent")).arg(&scene.carrier);
    ingest.arg("--config").arg(&scene.station.config).arg("--json");
    let document = run::outcome(&mut ingest).expect_status(2).json();
    let document = json::conforming(&json::INGEST, document);
    let (models, others) = told(&document);
    assert_eq!(models, [("demo", "passed", vec![])]);
    assert_eq!(others, ["media.not-found"]);
}

#[test]
fn a_verdict_that_was_begun_and_is_not_out_stops_what_follows() {
    let scene = Scene::signed();
    let next = model::write(scene.carrier.join("next"), 20_000);
    scene.sign(&next, &next.join("model.sig"), &[]);
    // The archive is written after the verdict was begun, and here nobody can make a folder.
    let archive = scene.station.state.join("archive");
    symlink("/proc/sys", &archive).unwrap();
    let document = ingested(&scene, 3);
    let (models, _) = told(&document);
    assert_eq!(models, [("demo", "undecided", vec!["outbound.write".to_owned()])], "{document:#}");
    fs::remove_file(archive).unwrap();
    let document = ingested(&scene, 0);
    assert_eq!(document["recovered"].as_array().unwrap().len(), 1);
}

#[test]
fn a_crowd_of_bundles_and_a_linked_one_do_not_stop_the_model_beside_them() {
    let scene = Scene::signed();
    let crowd = files::folder(scene.carrier.join("crowd"));
    for number in 0..100 {
        files::public(crowd.join(format!("{number}.sig")), "");
    }
    let linked = files::folder(scene.carrier.join("linked"));
    symlink("../demo/model.sig", linked.join("model.sig")).unwrap();
    let document = ingested(&scene, 1);
    let (models, others) = told(&document);
    assert_eq!(models, [("demo", "passed", vec![])]);
    assert_eq!(others, ["media.symlink", "media.too-many-entries"]);
}

#[test]
fn a_carrier_that_is_mounted_in_itself() {
    privately(&[], || {
        let scene = Scene::signed();
        let inner = files::folder(scene.carrier.join("folder/loop"));
        rustix::mount::mount_bind(&scene.carrier, &inner).unwrap();
        let document = ingested(&scene, 1);
        let (models, others) = told(&document);
        assert_eq!(models, [("demo", "passed", vec![])]);
        assert_eq!(others, ["media.mount-crossing"], "{document:#}");
        oms_tests::mounts::detach(&inner);
    });
}

#[test]
fn a_listed_file_in_a_folder_that_signers_ignore() {
    let scene = Scene::with_policy(&any_content());
    let listed = [(".git/config", "signed"), ("weights.bin", "too")].map(|(name, text)| {
        let path = scene.model.join(name);
        files::folder(path.parent().unwrap());
        files::public(path, text);
        (name, files::sha256_hex(text.as_bytes()))
    });
    files::public(scene.model.join(".git/HEAD"), "not signed");
    files::public(scene.model.join(".gitignore"), "not signed");
    scene.forge(&statement(&listed));
    let entry = passed(&scene);
    let payload = entry::payload(&entry);
    let warnings = entry::detail(&payload)["warnings"].as_array().unwrap();
    let behind: Vec<_> = warnings.iter().map(|warning| &warning["file"]).collect();
    assert_eq!(behind, [".git/HEAD", ".gitignore"]);
    let model = entry::files(&entry.join("model"));
    assert_eq!(model, [".git/config", "weights.bin"]);
}

#[test]
fn a_folder_named_model_beside_model_sig() {
    let scene = Scene::with_policy(&any_content());
    let folder = files::folder(scene.carrier.join("vendor"));
    files::public(files::folder(folder.join("model")).join("weights.bin"), "weights");
    files::public(folder.join("README.md"), "About the folder.");
    let bundle = folder.join("model.sig");
    // The bundle of the folder in the folder, and then of the folder around it.
    scene.sign(&folder.join("model"), &bundle, &[]);
    assert_eq!(entry::files(&passed(&scene).join("model")), ["weights.bin"]);
    assert_eq!(told(&ingested(&scene, 0)).0, [("vendor/model", "passed", vec![])]);
    scene.sign(&folder, &bundle, &[]);
    let entry = passed(&scene);
    assert_eq!(entry::files(&entry.join("model")), ["README.md", "model/weights.bin"]);
    fs::remove_file(folder.join("README.md")).unwrap();
    fs::remove_file(bundle).unwrap();
    scene.sign(&folder, &folder.join("model.sig"), &[]);
    assert_eq!(entry::files(&passed(&scene).join("model")), ["model/weights.bin"]);
}

#[test]
fn a_file_that_grew_past_its_shards_is_refused_before_it_is_read() {
    let scene = Scene::unsigned();
    scene.sign(&scene.model, &scene.bundle(), &["--shard-size", "10000"]);
    let weights = File::options().write(true).open(scene.model.join(model::WEIGHTS)).unwrap();
    // Reading a TiB takes longer than a test may.
    weights.set_len(1 << 40).unwrap();
    scene.refused(&["manifest.size-mismatch"]);
}

/// A policy in which four bundles of 8 KiB are all that is read.
fn small_bundles(more: &str) -> String {
    POLICY.replace("[manifest]", &format!("[manifest]\nmax-bundle-bytes = \"8KiB\"\n{more}"))
}

#[test]
fn all_bundles_of_a_model_together_are_bounded() {
    let scene = Scene::with_policy(&small_bundles(""));
    model::write(&scene.model, 20_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    for number in 0..3 {
        files::public(scene.model.join(format!("{number}.sig")), "x".repeat(8 << 10));
    }
    scene.refused_at_ingest(&["manifest.unsigned-file"]);
    files::public(scene.model.join("3.sig"), "x".repeat(8 << 10));
    scene.refused_at_ingest(&["bundle.json", "bundle.too-large"]);
}

#[test]
fn the_source_in_an_entry_is_the_first_admitted_bundle() {
    let scene = Scene::with_policy(&small_bundles("unsigned-files = \"leave-behind\"\n"));
    model::write(&scene.model, 20_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    files::public(scene.model.join("first.sig"), "not a bundle");
    let entry = passed(&scene);
    let (there, here) = (entry.join("source.sig"), scene.bundle());
    assert_eq!(fs::read(there).unwrap(), fs::read(here).unwrap());
}
