//! The sample bundles of the OMS specification. Their keys and their model are the ones of the public
//! suite.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::pki::{Authority, KeyType, Profile};
use oms_testkit::run::Outcome;
use oms_testkit::{files, vectors};
use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;

use crate::{Scene, adapter, assert_refused};

/// The samples in a folder; none where the test vectors are not there.
fn samples(folder: &str) -> Vec<PathBuf> {
    let Some(vectors) = vectors::dir() else { return Vec::new() };
    let folder = vectors.join("oms-spec/test-vectors-v1.0").join(folder);
    let samples: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!samples.is_empty());
    samples
}

/// Verifies a sample with the model and the keys of the public suite.
fn verify(sample: &Path, method: &str) -> Outcome {
    let assets = vectors::location().join("oms-conformance/assets");
    let model = assets.join("models/simple");
    let keys = assets.join("keys/certificate");
    let (option, file) = match method {
        "key" => ("--public-key", keys.join("signing-key-pub.pem")),
        _ => ("--cert-chain", keys.join("ca-cert.pem")),
    };
    let arguments = ["verify-model", "--method", method, option].map(PathBuf::from);
    let paths = ["--model-path".into(), model.clone(), "--bundle".into(), sample.to_owned()];
    let ignored = ["--ignore-paths".into(), model.join("ignore-me")];
    adapter([&arguments[..], &[file], &paths, &ignored].concat())
}

#[test]
fn valid_samples_are_accepted_under_their_method() {
    for sample in samples("valid") {
        let by = |method| verify(&sample, method);
        match sample.file_name().and_then(|name| name.to_str()).unwrap() {
            "key.bundle.json" => drop(by("key").expect_status(0)),
            "certificate.bundle.json" => drop(by("certificate").expect_status(0)),
            _ => assert_refused(by("key"), "signature.no-rule"),
        }
    }
}

/// Read as one of the method `certificate` with a single certificate, since a list of log entries
/// that is absent means the same as an empty one (OMS v1.0, section 11.1): trust decides about it.
const READ_AS_CERTIFICATE: &str = "missing-tlog-entries.bundle.json";

#[test]
fn invalid_samples_are_refused() {
    let scene = Scene::new(KeyType::P256);
    let anchor = Authority::root(Profile::ca("root"), KeyType::P256).certificate.pem;
    let anchor = files::public(scene.path("anchor.pem"), anchor);
    let (model, anchor) = (scene.model(), anchor.to_str().unwrap());
    for sample in samples("invalid") {
        let is_read = sample.ends_with(READ_AS_CERTIFICATE);
        let parsed = Bundle::parse(&fs::read(&sample).unwrap(), &Budget::default());
        assert_eq!(parsed.is_ok(), is_read, "{}: {parsed:?}", sample.display());

        let expected =
            |trust| if is_read { trust } else { parsed.as_ref().unwrap_err().code().id() };
        let outcome = scene.verify(&model, &sample, &[], &[]);
        assert_refused(outcome, expected("signature.no-rule"));
        let by_certificate = ["verify-model", "--method", "certificate", "--cert-chain", anchor];
        let paths = ["--model-path", model.to_str().unwrap(), "--bundle", sample.to_str().unwrap()];
        let outcome = adapter([&by_certificate[..], &paths].concat());
        assert_refused(outcome, expected("signature.no-path"));
    }
}

/// These payloads were changed after they were signed, and no payload is read before its signature
/// is verified: the fault that the sample is about is never reached.
#[test]
fn samples_with_an_invalid_payload_are_refused_for_the_signature() {
    for sample in samples("invalid-payload") {
        assert_refused(verify(&sample, "key"), "signature.invalid");
    }
}
