//! `--ignore-paths` and `--ignore-unsigned-files`: what they let pass, and what not.

use std::fs;
use std::os::unix::fs::symlink;

use oms_testkit::pki::KeyType;

use crate::{Scene, assert_refused};

#[test]
fn an_unsigned_file_passes_at_an_ignored_path_only() {
    let scene = Scene::signed(KeyType::P256);
    let (model, bundle) = (scene.model(), scene.bundle());
    scene.write("later", "x");
    scene.write("extra/deep/later", "x");
    assert_refused(scene.verify(&model, &bundle, &["later"], &[]), "manifest.unsigned-file");
    let _ = scene.verify(&model, &bundle, &["later", "extra"], &[]).expect_status(0);
    // A path is ignored with what is in it, not with what begins like it.
    scene.write("extra.bin", "x");
    assert_refused(
        scene.verify(&model, &bundle, &["later", "extra"], &[]),
        "manifest.unsigned-file",
    );
    let _ = scene.verify(&model, &bundle, &[], &["--ignore-unsigned-files"]).expect_status(0);
}

#[test]
fn what_is_signed_is_checked_at_an_ignored_path_too() {
    let scene = Scene::signed(KeyType::P256);
    let (model, bundle) = (scene.model(), scene.bundle());
    let flags = ["--ignore-unsigned-files"];
    scene.write("sub/config.json", "[]");
    for ignored in [["sub"], ["sub/config.json"]] {
        let outcome = scene.verify(&model, &bundle, &ignored, &flags);
        assert_refused(outcome, "manifest.digest-mismatch");
    }
    fs::remove_file(model.join("sub/config.json")).unwrap();
    assert_refused(scene.verify(&model, &bundle, &["sub"], &flags), "manifest.missing-file");
}

#[test]
fn a_link_passes_at_an_ignored_path_only() {
    let scene = Scene::signed(KeyType::P256);
    let (model, bundle) = (scene.model(), scene.bundle());
    symlink("weights", model.join("link")).unwrap();
    let flags = ["--ignore-unsigned-files"];
    assert_refused(scene.verify(&model, &bundle, &[], &flags), "media.symlink");
    let _ = scene.verify(&model, &bundle, &["link"], &[]).expect_status(0);
}

#[test]
fn a_bundle_in_the_model_is_no_unsigned_file() {
    let scene = Scene::new(KeyType::P256);
    let model = scene.model();
    let bundle = model.join("sub/bundle.sig");
    let _ = scene.sign(&model, &bundle).expect_status(0);
    let _ = scene.verify(&model, &bundle, &[], &[]).expect_status(0);
    // Another file is, even with the same content.
    fs::copy(&bundle, model.join("other.sig")).unwrap();
    assert_refused(scene.verify(&model, &bundle, &[], &[]), "manifest.unsigned-file");
}
