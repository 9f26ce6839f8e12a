//! Files that are not the signed ones.

use std::fs::{self, OpenOptions};

use oms_testkit::{files, model};
use oms_tests::scene::Scene;

#[test]
fn the_model_that_the_others_are_changed_from_passes() {
    let scene = Scene::signed();
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn a_tampered_file() {
    let scene = Scene::signed();
    model::flip_weight_bit(&scene.model);
    scene.refused(&["manifest.digest-mismatch"]);
}

#[test]
fn a_missing_file() {
    let scene = Scene::signed();
    fs::remove_file(scene.model.join("config.json")).unwrap();
    scene.refused(&["manifest.missing-file"]);
}

#[test]
fn an_extra_file() {
    let scene = Scene::signed();
    files::public(scene.model.join("extra.json"), "{}");
    scene.refused(&["manifest.unsigned-file"]);
}

#[test]
fn a_truncated_file() {
    let scene = Scene::signed();
    truncate(&scene);
    scene.refused(&["manifest.digest-mismatch"]);
}

#[test]
fn a_truncated_file_in_shards() {
    let scene = Scene::unsigned();
    let shards = ["--shard-size", "10000"];
    scene.sign(&scene.model, &scene.bundle(), &shards);
    truncate(&scene);
    scene.refused(&["manifest.size-mismatch"]);
}

#[test]
fn every_reason_is_reported_not_only_the_first() {
    let scene = Scene::signed();
    model::flip_weight_bit(&scene.model);
    fs::remove_file(scene.model.join("config.json")).unwrap();
    files::public(scene.model.join("extra.json"), "{}");
    scene.refused(&["manifest.digest-mismatch", "manifest.missing-file", "manifest.unsigned-file"]);
}

#[test]
fn a_folder_in_the_place_of_a_file() {
    let scene = Scene::signed();
    fs::remove_file(scene.model.join("config.json")).unwrap();
    files::folder(scene.model.join("config.json"));
    scene.refused(&["media.not-regular"]);
}

fn truncate(scene: &Scene) {
    let weights = OpenOptions::new().write(true).open(scene.model.join(model::WEIGHTS)).unwrap();
    let length = weights.metadata().unwrap().len();
    weights.set_len(length - 1).unwrap();
}
