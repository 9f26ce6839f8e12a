//! Names of resources that a signer may choose.

use serde_json::json;

use super::super::Pieces;
use crate::bundle::tests::maker::{open, refusal, sharded, statement};
use crate::reason::Code;

#[test]
fn unsafe_names_are_refused_with_both_methods() {
    let long = "n".repeat(256);
    let long_path = vec!["n".repeat(200); 6].join("/");
    let deep = vec!["d"; 65].join("/");
    for name in [
        "",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "/a",
        "/",
        "//a",
        "./a",
        "a/.",
        "a/./b",
        "a//b",
        "a/",
        "a\0",
        "a\nb",
        "a\u{7f}",
        "a\u{85}",
        "a\\b",
        "\\\\server\\share",
        "c:\\x",
        &long,
        &long_path,
        &deep,
    ] {
        assert_eq!(refusal(&statement(&[(name, "x")])), Code::ManifestUnsafeName, "{name:?}");
        let shard = format!("{name}:0:4");
        let code = refusal(&sharded(&[&shard], json!(10)));
        assert_eq!(code, Code::ManifestUnsafeName, "{shard:?}");
    }
}

#[test]
fn odd_and_safe_names_are_accepted_as_they_are() {
    let edge = "n".repeat(255);
    let deep = vec!["d"; 64].join("/");
    for name in
        ["...", "..a", ".hidden", "a b", "模型/重み.bin", "a:0:10", "~", "-rf", &edge, &deep]
    {
        let statement = open(&statement(&[(name, "x")])).unwrap();
        assert_eq!(statement.manifest().files()[0].path.as_str(), name);
    }
}

#[test]
fn no_name_stands_twice_and_none_is_the_folder_of_another() {
    let code = |names: &[&str]| {
        refusal(&statement(&names.iter().map(|name| (*name, "x")).collect::<Vec<_>>()))
    };
    assert_eq!(code(&["a", "b", "a"]), Code::ManifestDuplicateName);
    assert_eq!(code(&["a", "a/b"]), Code::ManifestNameConflict);
    assert_eq!(code(&["a/b/c/d", "z", "a-", "a/b"]), Code::ManifestNameConflict);
    let shards = sharded(&["a:0:4", "a/b:0:4"], json!(10));
    assert_eq!(refusal(&shards), Code::ManifestNameConflict);
    let twice = sharded(&["a:0:4", "a:0:4"], json!(10));
    assert_eq!(refusal(&twice), Code::ManifestShards);
    // Between a folder's name and its files other names may sort.
    assert!(open(&statement(&[("a-", "x"), ("a/b", "x"), ("a0", "x")])).is_ok());
}

#[test]
fn a_dot_alone_is_the_file_that_the_subject_names() {
    let single = |subject: &str| {
        let mut value = statement(&[(".", "x")]);
        value["subject"][0]["name"] = json!(subject);
        value
    };
    let read = open(&single("model.gguf")).unwrap();
    assert!(read.manifest().is_dot());
    assert_eq!(read.manifest().files()[0].path.as_str(), "model.gguf");
    for name in ["..", ".", "a/b", "/a", "../a", "a\\b", "a\n"] {
        assert_eq!(refusal(&single(name)), Code::ManifestUnsafeName, "{name:?}");
    }
    let beside = statement(&[(".", "x"), ("a", "y")]);
    assert_eq!(refusal(&beside), Code::ManifestUnsafeName);
    let twice = statement(&[(".", "x"), (".", "x")]);
    assert_eq!(refusal(&twice), Code::ManifestDuplicateName);
}

#[test]
fn a_dot_in_shards_is_the_whole_name_before_the_range() {
    let read = open(&sharded(&[".:0:10", ".:10:15"], json!(10))).unwrap();
    assert!(read.manifest().is_dot());
    let [file] = read.manifest().files() else { unreachable!("there is one file") };
    assert_eq!((file.path.as_str(), file.pieces.size()), ("model", Some(15)));
    assert!(matches!(&file.pieces, Pieces::Shards(shards) if shards.len() == 2));

    // A file whose name begins with `.:` is itself, and not the file that the subject names.
    let read = open(&sharded(&[".:a:0:10"], json!(10))).unwrap();
    assert!(!read.manifest().is_dot());
    assert_eq!(read.manifest().files()[0].path.as_str(), ".:a");
    let two = open(&sharded(&[".:a:0:10", ".:b:0:5"], json!(10))).unwrap();
    assert_eq!(two.manifest().files().len(), 2);
    let beside = sharded(&[".:0:10", ".:a:0:5"], json!(10));
    assert_eq!(refusal(&beside), Code::ManifestUnsafeName);
}
