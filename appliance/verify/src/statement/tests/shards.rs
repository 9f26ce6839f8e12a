//! Shards: their sizes, their names, and that they tile a file.

use serde_json::{Value, json};

use super::super::{Method, Pieces};
use crate::bundle::tests::maker::{open, refusal, sealed, sharded, statement};
use crate::reason::Code;

#[test]
fn the_shard_size_is_a_positive_whole_number() {
    for (right, size) in [
        (json!(1), 1),
        (json!(10), 10),
        (json!(10.0), 10),
        (json!(1_000_000_000.0), 1_000_000_000),
        (json!(u64::MAX), u64::MAX),
    ] {
        let read = open(&sharded(&["a:0:1"], right)).unwrap();
        assert_eq!(read.manifest().method(), Method::Shards { size });
    }
    for wrong in
        [json!(0), json!(0.0), json!(-1), json!(-1.0), json!(1.5), json!(1e17), json!(1e300)]
    {
        let code = refusal(&sharded(&["a:0:1"], wrong.clone()));
        assert_eq!(code, Code::ManifestShards, "{wrong}");
    }
    assert_eq!(refusal(&sharded(&["a:0:1"], Value::Null)), Code::ManifestShards);
    assert_eq!(refusal(&sharded(&["a:0:1"], json!("10"))), Code::StatementSchema);
    let mut files = statement(&[("a", "x")]);
    files["predicate"]["serialization"]["shard_size"] = json!(10);
    assert_eq!(refusal(&files), Code::ManifestShards);
}

#[test]
fn the_algorithm_may_name_the_right_shard_size_and_no_other() {
    let with = |algorithm: &str, size: Value| {
        let mut value = sharded(&["a:0:10"], size);
        value["predicate"]["resources"][0]["algorithm"] = json!(algorithm);
        value
    };
    assert!(open(&with("sha256-sharded-10", json!(10))).is_ok());
    assert!(open(&with("sha256-sharded-10", json!(10.0))).is_ok());
    for wrong in [
        "sha256-sharded-11",
        "sha256-sharded-010",
        "sha256-sharded-",
        "sha256-sharded-10 ",
        "sha256-sharded-10.0",
        "blake3-sharded-10",
        "sharded-10",
    ] {
        assert_eq!(refusal(&with(wrong, json!(10))), Code::ManifestHash, "{wrong}");
    }
}

#[test]
fn shards_tile_each_file_in_whatever_order_they_are_listed() {
    let right = ["a:10:20", "b:0:10", "a:20:25", "a:0:10"];
    let read = open(&sharded(&right, json!(10))).unwrap();
    let manifest = read.manifest();
    assert_eq!(manifest.resources(), 4);
    assert_eq!(manifest.file("a").unwrap().pieces.size(), Some(25));
    assert_eq!(manifest.file("b").unwrap().pieces.size(), Some(10));
    let Pieces::Shards(shards) = &manifest.file("a").unwrap().pieces else {
        unreachable!("the method is shards")
    };
    assert!(shards.windows(2).all(|pair| pair[0].end == pair[1].start));

    for wrong in [
        &["a:0:10", "a:5:15"][..],
        &["a:0:10", "a:0:5"],
        &["a:0:10", "a:20:30"],
        &["a:1:10"],
        &["a:10:20"],
        &["a:0:5", "a:5:15"],
        &["a:0:5", "a:5:8"],
        &["a:0:11"],
        &["a:0:0"],
        &["a:0:10", "a:10:10"],
        &["a:10:0"],
        &["a:0:10", "a:20:10"],
        &["a:18446744073709551615:0"],
        &["a:0:18446744073709551615"],
    ] {
        assert_eq!(refusal(&sharded(wrong, json!(10))), Code::ManifestShards, "{wrong:?}");
    }
}

#[test]
fn a_shard_is_named_in_one_way_only() {
    for wrong in [
        "a",
        "a:0",
        "a:",
        "a::",
        "a:0:",
        "a::10",
        "a:00:10",
        "a:0:010",
        "a:+0:10",
        "a:-0:10",
        "a: 0:10",
        "a:0:10 ",
        "a:0x0:10",
        "a:0:1e1",
        "a:0:10:",
        "0:10",
        "a:0:18446744073709551616",
        "a:\u{660}:10",
    ] {
        assert_eq!(refusal(&sharded(&[wrong], json!(10))), Code::ManifestShards, "{wrong:?}");
    }
    assert_eq!(refusal(&sharded(&[":0:10"], json!(10))), Code::ManifestUnsafeName);
    let read = open(&sharded(&["a:0:10:0:10", "a:0:10"], json!(10))).unwrap();
    let paths: Vec<_> = read.manifest().files().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["a", "a:0:10"]);
}

#[test]
fn shards_of_one_file_share_its_hash() {
    let mut value = sharded(&["a:0:10", "a:10:20"], json!(10));
    value["predicate"]["resources"][1]["algorithm"] = json!("blake3");
    assert_eq!(refusal(&sealed(value)), Code::ManifestHash);
}
