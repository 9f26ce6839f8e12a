//! Validly signed statements: which are accepted, which are refused, and as what.

mod names;
mod properties;
mod shards;
mod written;

use serde_json::{Value, json};

use super::{DEFAULT_IGNORED, Legacy, Method, PREDICATE_TYPE_LEGACY};
use crate::budget::Budget;
use crate::bundle::tests::maker::{
    FILES, KEY, bundle, open, open_bytes, parse, refusal, sealed, statement, to_bytes,
};
use crate::reason::{Code, Reason};

/// The refusal of a right statement about two files after `change`.
#[track_caller]
fn changed(change: impl FnOnce(&mut Value)) -> Code {
    let mut value = statement(&FILES);
    change(&mut value);
    refusal(&value)
}

#[test]
fn a_right_statement_is_read() {
    let statement = open(&statement(&FILES)).unwrap();
    assert_eq!(statement.subject_name(), Some("model"));
    assert!(!statement.is_legacy());
    let manifest = statement.manifest();
    assert_eq!((manifest.method(), manifest.resources()), (Method::Files, 2));
    assert!(!manifest.allow_symlinks() && !manifest.is_dot());
    assert_eq!(statement.root(), manifest.root());
    let paths: Vec<_> = manifest.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.txt", "b/c.bin"]);
}

#[test]
fn the_payload_is_one_json_object() {
    let code = |payload: &[u8]| {
        Reason::from(&open_bytes(payload, Legacy::Refuse).expect_err("refused")).code
    };
    for bad in [&b"x"[..], b"\0", b"{", b"{}{}", b"{\"a\":NaN}", b"\xef\xbb\xbf{}", b"\"\xff\""] {
        assert_eq!(code(bad), Code::StatementJson, "{bad:?}");
    }
    for bad in ["[]", "null", "1", "{}", "\"statement\""] {
        assert_eq!(code(bad.as_bytes()), Code::StatementSchema, "{bad}");
    }
    assert_eq!(code("[".repeat(100_000).as_bytes()), Code::BundleTooDeep);
    assert_eq!(code(br#"{"_type":1,"\u005ftype":2}"#), Code::BundleDuplicateKey);
    let right = String::from_utf8(to_bytes(&statement(&FILES))).unwrap();
    for (at, twice) in [
        ("\"allow_symlinks\":false", "\"allow_symlinks\":true,\"allow_symlinks\":false"),
        ("\"name\":\"model\"", "\"name\":\"model\",\"n\\u0061me\":\"model\""),
        ("\"name\":\"a.txt\"", "\"x\":{\"y\":1,\"y\":1},\"name\":\"a.txt\""),
    ] {
        let bad = right.replacen(at, twice, 1);
        assert_ne!(bad, right);
        assert_eq!(code(bad.as_bytes()), Code::BundleDuplicateKey, "{twice}");
    }
}

#[test]
fn arrays_do_not_stand_for_objects() {
    let array = |value: &mut Value, fields: &[&str]| {
        *value = Value::Array(fields.iter().map(|field| value[*field].clone()).collect());
    };
    for code in [
        changed(|s| array(&mut s["subject"][0], &["name", "digest"])),
        changed(|s| array(&mut s["predicate"], &["resources", "serialization"])),
        changed(|s| {
            array(&mut s["predicate"]["resources"][0], &["name", "digest", "algorithm"]);
        }),
        changed(|s| array(s, &["_type", "predicateType", "subject", "predicate"])),
    ] {
        assert_eq!(code, Code::StatementSchema);
    }
}

#[test]
fn types_are_exact() {
    for bad in ["", "https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1/"] {
        assert_eq!(changed(|s| s["_type"] = json!(bad)), Code::StatementType, "{bad}");
    }
    for bad in ["", "https://model_signing/signature/v1.1", "https://slsa.dev/provenance/v1"] {
        let code = changed(|s| s["predicateType"] = json!(bad));
        assert_eq!(code, Code::StatementPredicateType, "{bad}");
    }
    let code = changed(|s| s["predicateType"] = json!(PREDICATE_TYPE_LEGACY));
    assert_eq!(code, Code::StatementLegacy);
    assert_eq!(changed(|s| s["_type"] = json!(1)), Code::StatementSchema);
}

#[test]
fn unknown_fields_are_refused_where_the_schema_forbids_them() {
    assert_eq!(changed(|s| s["extra"] = json!(1)), Code::StatementSchema);
    assert_eq!(changed(|s| s["predicate"]["extra"] = json!(1)), Code::StatementSchema);
    let serialization = |s: &mut Value| s["predicate"]["serialization"]["extra"] = json!(1);
    assert_eq!(changed(serialization), Code::StatementSchema);

    let mut allowed = statement(&FILES);
    allowed["subject"][0]["annotations"] = json!({"a": {"b": [1]}});
    allowed["subject"][0]["digest"]["sha512"] = json!("unread");
    allowed["predicate"]["resources"][0]["mediaType"] = json!("x/y");
    assert!(open(&allowed).is_ok());
}

#[test]
fn there_is_one_subject_with_a_name_and_a_digest() {
    assert_eq!(changed(|s| s["subject"] = json!([])), Code::StatementSubject);
    let twice = |s: &mut Value| s["subject"] = json!([s["subject"][0], s["subject"][0]]);
    assert_eq!(changed(twice), Code::StatementSubject);
    for name in [String::new(), "n".repeat(1025)] {
        assert_eq!(changed(|s| s["subject"][0]["name"] = json!(name)), Code::StatementSubject);
    }
    let upper = |s: &mut Value| {
        let hex = s["subject"][0]["digest"]["sha256"].as_str().unwrap().to_uppercase();
        s["subject"][0]["digest"]["sha256"] = json!(hex);
    };
    assert_eq!(changed(upper), Code::StatementSubject);
    for digest in [json!({}), json!({"sha256": ""}), json!({"sha512": "00"})] {
        let code = changed(|s| s["subject"][0]["digest"] = digest.clone());
        assert_eq!(code, Code::StatementSubject, "{digest}");
    }
    let remove = |s: &mut Value| drop(s["subject"][0].as_object_mut().unwrap().remove("digest"));
    assert_eq!(changed(remove), Code::StatementSchema);
}

#[test]
fn the_root_is_over_the_resources_in_their_listed_order() {
    let zeros = json!("00".repeat(32));
    let code = changed(|s| s["subject"][0]["digest"]["sha256"] = zeros.clone());
    assert_eq!(code, Code::StatementRootDigest);
    let reverse = |s: &mut Value| s["predicate"]["resources"].as_array_mut().unwrap().reverse();
    assert_eq!(changed(reverse), Code::StatementRootDigest);
    let mut reversed = statement(&FILES);
    reverse(&mut reversed);
    let reversed = open(&sealed(reversed)).unwrap();
    let sorted = open(&statement(&FILES)).unwrap();
    assert_eq!(reversed.manifest(), sorted.manifest());
    assert_ne!(reversed.root(), sorted.root());
}

#[test]
fn resources_are_there_and_within_the_budget() {
    assert_eq!(refusal(&statement(&[])), Code::ManifestNoResources);
    let bytes = bundle(&to_bytes(&statement(&FILES)), &KEY);
    let budget = |resources| Budget { resources, ..Budget::default() };
    let open = |resources| parse(&bytes).open(&KEY.trusted(), Legacy::Refuse, &budget(resources));
    assert!(open(2).is_ok());
    assert_eq!(Reason::from(&open(1).unwrap_err()).code, Code::ManifestTooManyFiles);
}

#[test]
fn serialization_is_complete_and_known() {
    let set = |field: &'static str, value: Value| {
        changed(|s| s["predicate"]["serialization"][field] = value)
    };
    for method in ["", "file", "Files", "shards "] {
        assert_eq!(set("method", json!(method)), Code::StatementSchema, "{method:?}");
    }
    for hash in ["", "md5", "SHA256", "sha-256"] {
        assert_eq!(set("hash_type", json!(hash)), Code::ManifestHash, "{hash:?}");
    }
    assert_eq!(set("allow_symlinks", json!("false")), Code::StatementSchema);
    assert_eq!(set("ignore_paths", json!("x")), Code::StatementSchema);
    for field in ["method", "hash_type", "allow_symlinks"] {
        let remove = |s: &mut Value| {
            drop(s["predicate"]["serialization"].as_object_mut().unwrap().remove(field));
        };
        assert_eq!(changed(remove), Code::StatementSchema, "{field}");
    }
}

#[test]
fn every_digest_is_of_the_one_hash_and_of_its_length() {
    let resource = |field: &'static str, value: Value| {
        changed(|s| s["predicate"]["resources"][1][field] = value)
    };
    for algorithm in ["blake3", "blake2b", "sha512", "", "sha256-sharded-10", "SHA256"] {
        assert_eq!(resource("algorithm", json!(algorithm)), Code::ManifestHash, "{algorithm}");
    }
    for digest in ["ab".repeat(31), "ab".repeat(33), "AB".repeat(32), "zz".repeat(32), "".into()] {
        assert_eq!(resource("digest", json!(digest)), Code::StatementSchema, "{digest}");
    }
    for (hash, bytes) in [("sha256", 32), ("blake3", 32), ("blake2b", 64)] {
        for wrong in [31, 32, 33, 64] {
            let mut value = statement(&FILES[..1]);
            value["predicate"]["serialization"]["hash_type"] = json!(hash);
            value["predicate"]["resources"][0]["algorithm"] = json!(hash);
            value["predicate"]["resources"][0]["digest"] = json!("ab".repeat(wrong));
            assert_eq!(open(&sealed(value)).is_ok(), wrong == bytes, "{hash} {wrong}");
        }
    }
}

#[test]
fn ignored_paths_are_exact_paths_and_what_lies_below_them() {
    let mut value = statement(&FILES);
    let entries = ["cache", "a/b", "x/", "..", "../up", "/etc", "", ".", "./dot", "*", "a//c"];
    value["predicate"]["serialization"]["ignore_paths"] = json!(entries);
    let statement = open(&value).unwrap();
    let manifest = statement.manifest();
    assert_eq!(manifest.ignore_paths(), entries);
    for ignored in ["cache", "cache/x", "cache/x/y", "a/b", "a/b/c", ".git", ".git/config"] {
        assert!(manifest.ignores(ignored), "{ignored}");
    }
    for default in DEFAULT_IGNORED {
        assert!(manifest.ignores(default), "{default}");
    }
    for seen in [
        "cached",
        "cache.bin",
        "a",
        "a/bc",
        "b/cache",
        "x",
        "x/y",
        "up",
        "etc",
        "etc/passwd",
        "dot",
        "a.txt",
        ".gitx",
        "sub/.git",
        ".gitignore2",
        "a/c",
        "",
    ] {
        assert!(!manifest.ignores(seen), "{seen}");
    }
}
