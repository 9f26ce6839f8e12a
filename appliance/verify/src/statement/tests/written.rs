//! What is written for signing: the same bytes each time, in the order of OMS, and read back as
//! it was; and what must not be written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Legacy, Manifest, ManifestError, ManifestFile, Method, Pieces, Shard, compose};
use crate::budget::Budget;
use crate::bundle::tests::maker::{digest_of, open, open_bytes, sharded};
use crate::hash::{Digest, HashAlgorithm};
use crate::name::ResourcePath;

fn path(name: &str) -> ResourcePath {
    ResourcePath::parse(name, &Budget::default()).unwrap()
}

fn whole(name: &str) -> ManifestFile {
    ManifestFile { path: path(name), pieces: Pieces::Whole(digest_of(name)) }
}

fn shards(name: &str, ranges: &[(u64, u64)]) -> ManifestFile {
    let shard = |&(start, end): &(u64, u64)| Shard { start, end, digest: digest_of(name) };
    ManifestFile { path: path(name), pieces: Pieces::Shards(ranges.iter().map(shard).collect()) }
}

fn manifest(method: Method, files: Vec<ManifestFile>) -> Result<Manifest, ManifestError> {
    Manifest::new(HashAlgorithm::Sha256, method, vec![], files, &Budget::default())
}

fn names(payload: &[u8]) -> Vec<String> {
    let value: Value = serde_json::from_slice(payload).unwrap();
    let resources = value["predicate"]["resources"].as_array().unwrap();
    resources.iter().map(|resource| resource["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_files_in_any_order_give_the_same_bytes() {
    let files = ["b", "a/b", "a-", "a.txt", "模", "\u{10000}", "\u{ffee}"];
    let one = manifest(Method::Files, files.iter().map(|name| whole(name)).collect()).unwrap();
    let other =
        manifest(Method::Files, files.iter().rev().map(|name| whole(name)).collect()).unwrap();
    let annotations = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let payload = compose("model", &annotations, &one);
    assert_eq!(payload, compose("model", &annotations, &other));
    assert_eq!(names(&payload), ["a-", "a.txt", "a/b", "b", "模", "\u{ffee}", "\u{10000}"]);
    let read = open_bytes(&payload, Legacy::Refuse).unwrap();
    assert_eq!(**read.manifest(), one);
    assert_eq!((read.root(), read.subject_name()), (one.root(), Some("model")));
}

#[test]
fn every_field_is_as_oms_has_it() {
    let ignored = vec!["cache".to_owned()];
    let files = vec![whole("a")];
    let budget = Budget::default();
    let one = Manifest::new(HashAlgorithm::Sha256, Method::Files, ignored, files, &budget).unwrap();
    let digest = digest_of("a");
    let written: Value = serde_json::from_slice(&compose("m", &BTreeMap::new(), &one)).unwrap();
    let expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": one.root().to_hex()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": [{"name": "a", "algorithm": "sha256", "digest": digest.to_hex()}],
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": false,
                "ignore_paths": ["cache"],
            },
        },
    });
    assert_eq!(written, expected);
}

#[test]
fn shards_stand_in_the_order_of_their_names_and_not_of_their_numbers() {
    let files = vec![shards("a", &[(0, 9), (9, 18), (18, 20)]), shards("a:0", &[(0, 9)])];
    let one = manifest(Method::Shards { size: 9 }, files).unwrap();
    let payload = compose("model", &BTreeMap::new(), &one);
    assert_eq!(names(&payload), ["a:0:0:9", "a:0:9", "a:18:20", "a:9:18"]);
    let read = open_bytes(&payload, Legacy::Refuse).unwrap();
    assert_eq!(**read.manifest(), one);
    assert_eq!(read.root(), one.root());
    let value: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(value["predicate"]["serialization"]["shard_size"], json!(9));
}

#[test]
fn a_manifest_that_came_in_another_order_is_written_in_the_right_one() {
    let read = open(&sharded(&["b:0:5", "a:10:12", "a:0:10"], json!(10))).unwrap();
    let payload = compose("model", &BTreeMap::new(), read.manifest());
    assert_eq!(names(&payload), ["a:0:10", "a:10:12", "b:0:5"]);
    assert_ne!(read.root(), read.manifest().root());
    assert_eq!(open_bytes(&payload, Legacy::Refuse).unwrap().root(), read.manifest().root());
}

#[test]
fn a_manifest_that_could_not_be_read_back_is_not_made() {
    let sharding = Method::Shards { size: 10 };
    assert_eq!(manifest(Method::Files, vec![]), Err(ManifestError::Empty));
    let duplicate = manifest(Method::Files, vec![whole("a"), whole("a")]);
    assert!(matches!(duplicate, Err(ManifestError::Duplicate { .. })));
    let conflict = manifest(Method::Files, vec![whole("a"), whole("a/b")]);
    assert!(matches!(conflict, Err(ManifestError::Conflict { .. })));
    let mixed = manifest(sharding, vec![whole("a")]);
    assert!(matches!(mixed, Err(ManifestError::ShardName { .. })));
    let mixed = manifest(Method::Files, vec![shards("a", &[(0, 10)])]);
    assert!(matches!(mixed, Err(ManifestError::ShardName { .. })));
    // A file without bytes has no shard, so that no digest would cover it.
    let empty = manifest(sharding, vec![shards("a", &[])]);
    assert!(matches!(empty, Err(ManifestError::Tiling { .. })));
    let zero = manifest(Method::Shards { size: 0 }, vec![shards("a", &[(0, 0)])]);
    assert_eq!(zero, Err(ManifestError::ShardSize));
    let blake3 = Digest::new(HashAlgorithm::Blake3, &[0; 32]).unwrap();
    let other = ManifestFile { path: path("b"), pieces: Pieces::Whole(blake3) };
    let mixed = manifest(Method::Files, vec![whole("a"), other]);
    assert!(matches!(mixed, Err(ManifestError::Hash { name, .. }) if name == "b"));
}
