//! The order of resources: by code points here, by path components there. Each side accepts the
//! other's, which the matrix tries with the same files.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oms_testkit::peer::Peer;
use serde_json::Value;
use tempfile::TempDir;

use super::cases::{CASES, ORDER};
use super::credentials::Credentials;
use super::models::Models;
use super::{Prepared, here, there};

#[test]
fn the_two_sides_list_resources_in_different_orders() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let case = CASES.iter().find(|case| case.name == ORDER).expect("the case");
    let signer = Credentials::new(&dir.path().join("signer"), case.credential);
    let models = Models::write(dir.path(), case);
    let one = Prepared { case, models, signer: &signer };

    let _ = here::sign(&one).expect_status(0);
    assert_eq!(names(&one.models.bundle), ["a-b", "a.txt", "a/B", "a/b"]);

    let answers = peer.run(&[there::sign(&one)]);
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    assert_eq!(names(&one.models.bundle), ["a/B", "a/b", "a-b", "a.txt"]);
}

/// The names of a bundle's resources as they are listed.
fn names(bundle: &Path) -> Vec<String> {
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    let bundle = json(&fs::read(bundle).expect("a bundle"));
    let payload = bundle["dsseEnvelope"]["payload"].as_str().expect("a payload");
    let statement = json(&STANDARD.decode(payload).expect("base64"));
    let resources = statement["predicate"]["resources"].as_array().expect("resources");
    resources.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}
