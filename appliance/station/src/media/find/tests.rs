//! Tests of the search for models.

use super::*;
use crate::intake::tests::as_nobody;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

/// A carrier with these files, which everybody may read.
pub(in crate::media) fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    dir
}

fn searched(dir: &Path, budget: &Budget, go_on: &GoOn<'_>) -> Result<Found, Reason> {
    search(&Root::open(dir).unwrap(), dir, budget, go_on)
}

pub(in crate::media) fn candidates(dir: &Path) -> Vec<Candidate> {
    searched(dir, &Budget::default(), &|| Ok(())).unwrap().candidates
}

fn pairs(candidates: &[Candidate]) -> Vec<(&str, Vec<&str>)> {
    candidates
        .iter()
        .map(|c| (c.model.as_str(), c.bundles.iter().map(String::as_str).collect()))
        .collect()
}

/// The models that were found, and the code and the path of every reason.
fn outcome(dir: &Path) -> (Vec<String>, Vec<(Code, String)>) {
    let found = searched(dir, &Budget::default(), &|| Ok(())).unwrap();
    let models = found.candidates.into_iter().map(|candidate| candidate.model).collect();
    let relative = |reason: &Reason| {
        let path = reason.file.as_deref().unwrap();
        Path::new(path).strip_prefix(dir).unwrap().display().to_string()
    };
    let reasons = found.reasons.iter().map(|reason| (reason.code, relative(reason))).collect();
    (models, reasons)
}

#[test]
fn a_bundle_belongs_to_its_namesake_or_to_its_folder() {
    let dir = tree(&[
        "a/weights",
        "a/model.sig",
        "a/qa.sig",
        "b/weights",
        "b.sig",
        "c.gguf",
        "c.gguf.sig",
    ]);
    let found = candidates(dir.path());
    let expected = [
        ("a", vec!["a/model.sig", "a/qa.sig"]),
        ("b", vec!["b.sig"]),
        ("c.gguf", vec!["c.gguf.sig"]),
    ];
    assert_eq!(pairs(&found), expected);
    let inside: Vec<_> = found.iter().map(|c| c.inside(&c.bundles[0]).is_some()).collect();
    assert_eq!(inside, [true, false, false]);
    assert_eq!(found[0].inside("a/model.sig"), Some("model.sig"));
}

#[test]
fn a_model_alone_beside_model_sig_is_considered() {
    let others = |files: &[&str]| candidates(tree(files).path())[0].others.clone();
    let llama = || vec![Beside { path: "llama".to_owned(), is_folder: true }];
    assert_eq!(others(&["llama/weights", "model.sig"]), llama());
    let stick = ["llama/weights", "model.sig", "lost+found/x", "System Volume Information/y"];
    assert_eq!(others(&stick), llama(), "what file systems put there does not count");
    assert_eq!(others(&["llama/weights", "other/weights", "model.sig"]), [], "two things");
    assert_eq!(others(&["llama/weights", "odd.sig"]), [], "only model.sig is left beside");
    assert_eq!(others(&["d/lost+found/x", "d/llama/y", "d/model.sig"]), [], "not at the top");
}

#[test]
fn a_namesake_of_model_sig_is_considered_whatever_else_is_there() {
    let dir = tree(&["d/model/weights", "d/readme", "d/model.sig", "d/qa.sig"]);
    let found = candidates(dir.path());
    assert_eq!(pairs(&found), [("d", vec!["d/model.sig", "d/qa.sig"])]);
    let model = Beside { path: "d/model".to_owned(), is_folder: true };
    assert_eq!(found[0].others, std::slice::from_ref(&model));
    let alone = tree(&["d/model/weights", "d/model.sig"]);
    assert_eq!(candidates(alone.path())[0].others, [model], "and only once");
}

#[test]
fn a_file_whose_name_is_only_the_suffix_belongs_to_its_folder() {
    let dir = tree(&["d/.sig", "d/weights"]);
    assert_eq!(pairs(&candidates(dir.path())), [("d", vec!["d/.sig"])]);
}

#[test]
fn what_no_bundle_names_at_the_top_is_told() {
    let unclaimed = |dir: &tempfile::TempDir| {
        searched(dir.path(), &Budget::default(), &|| Ok(())).unwrap().unclaimed
    };
    let dir = tree(&[
        "llama/weights",
        "llama/model.sig",
        "deep/er/weights.sig",
        "one.gguf",
        "one.gguf.sig",
        "mistral/weights",
        "loose.safetensors",
        "lost+found/x",
    ]);
    symlink("llama", dir.path().join("linked")).unwrap();
    assert_eq!(unclaimed(&dir), ["linked", "loose.safetensors", "mistral"]);
    let dir = tree(&["model.sig", "model/weights", "mistral/weights", "MODEL.SIG"]);
    assert!(unclaimed(&dir).is_empty(), "all of it is the carrier's own model");
}

#[test]
fn a_bundle_with_a_suffix_in_large_letters_is_told_and_not_used() {
    let dir = tree(&["MODEL.SIG", "a/Model.Sig", "b/MODEL.SIG", "b/model.sig", "c/b/x.SIG"]);
    let found = searched(dir.path(), &Budget::default(), &|| Ok(())).unwrap();
    assert_eq!(pairs(&found.candidates), [("b", vec!["b/model.sig"])]);
    assert_eq!(found.unclaimed, ["MODEL.SIG", "a", "a/Model.Sig", "c", "c/b/x.SIG"]);
}

#[test]
fn the_names_without_a_bundle_are_bounded() {
    let dir = tree(&["good/model.sig"]);
    for number in 0..=limits::UNCLAIMED {
        fs::write(dir.path().join(format!("{number}")), "").unwrap();
    }
    let found = searched(dir.path(), &Budget::default(), &|| Ok(())).unwrap();
    assert_eq!(found.unclaimed.len(), limits::UNCLAIMED);
}

#[test]
fn a_link_or_a_special_file_in_the_place_of_a_bundle_is_reported() {
    let dir = tree(&["a/weights", "b/model.sig"]);
    symlink("weights", dir.path().join("a/model.sig")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("a/qa.sig")).unwrap();
    symlink("nowhere", dir.path().join("a/other")).unwrap();
    let (models, mut reasons) = outcome(dir.path());
    reasons.sort();
    let expected = [
        (Code::MediaSymlink, "a/model.sig".to_owned()),
        (Code::MediaNotRegular, "a/qa.sig".to_owned()),
    ];
    assert_eq!((models, reasons), (vec!["b".to_owned()], expected.to_vec()));
}

#[test]
fn too_many_bundles_are_the_matter_of_their_folder() {
    let dir = tree(&["good/model.sig"]);
    for number in 0..=limits::BUNDLES {
        fs::create_dir_all(dir.path().join("crowd")).unwrap();
        fs::write(dir.path().join(format!("crowd/{number}.sig")), "").unwrap();
    }
    let expected = (Code::MediaTooManyEntries, "crowd".to_owned());
    assert_eq!(outcome(dir.path()), (vec!["good".to_owned()], vec![expected]));
}

#[test]
fn a_folder_with_too_many_entries_does_not_hide_the_others() {
    let dir = tree(&["good/model.sig"]);
    fs::create_dir(dir.path().join("crowd")).unwrap();
    let budget = Budget { resources: 0, ..Budget::default() };
    for number in 0..=entries_of_a_folder(&budget) {
        fs::write(dir.path().join(format!("crowd/{number}")), "").unwrap();
    }
    let found = searched(dir.path(), &budget, &|| Ok(())).unwrap();
    assert_eq!(pairs(&found.candidates), [("good", vec!["good/model.sig"])]);
    let codes: Vec<_> = found.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::MediaTooManyEntries]);
}

#[test]
fn an_unreadable_folder_does_not_hide_the_others() {
    // What ext4 makes for itself is root's alone on each disk, and nothing to tell.
    let closed = ["closed", "lost+found", "good/lost+found"];
    let dir =
        tree(&["good/model.sig", "closed/x", "lost+found/x", "good/lost+found/x", "zoo/model.sig"]);
    for name in closed {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let path = dir.path().to_owned();
    let expected = ["closed", "good/lost+found"];
    let expected = expected.map(|name| (Code::MediaUnreadable, name.to_owned())).to_vec();
    let models = vec!["good".to_owned(), "zoo".to_owned()];
    assert_eq!(as_nobody(move || outcome(&path)), (models, expected));
}

#[test]
fn what_a_bundle_is_named_after_must_be_known_to_be_absent() {
    let dir = tree(&["sub/weights", "sub/weights.sig", "sub/model/x", "sub/model.sig"]);
    let root = Root::open(dir.path()).unwrap();
    fs::set_permissions(dir.path().join("sub"), fs::Permissions::from_mode(0o444)).unwrap();
    let (model, others) = as_nobody(move || {
        let bundles = ["sub/model.sig".to_owned()];
        (model_of(&root, "sub/weights.sig"), others(&root, "sub", true, &bundles))
    });
    assert_eq!(model.unwrap_err().code, Code::MediaUnreadable);
    assert_eq!(others.unwrap_err().code, Code::MediaUnreadable);
}

#[test]
fn a_folder_that_is_nested_too_deep_is_reported_and_not_walked() {
    let dir = tree(&["good/model.sig"]);
    let deepest = Budget::default().path_components;
    let mut path = dir.path().to_owned();
    for _ in 0..=deepest + 8 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    fs::write(path.join("model.sig"), "").unwrap();
    let (models, reasons) = outcome(dir.path());
    let spot = vec!["d"; deepest + 1].join("/");
    assert_eq!((models, reasons), (vec!["good".to_owned()], vec![(Code::MediaName, spot)]));
}

#[test]
fn a_name_that_is_not_utf_8_is_reported_where_a_bundle_may_be() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tree(&["good/model.sig"]);
    let at = |name: &[u8]| dir.path().join(std::ffi::OsStr::from_bytes(name));
    fs::create_dir(at(b"folder\xff")).unwrap();
    fs::write(at(b"bundle\xff.sig"), "").unwrap();
    fs::write(at(b"weights\xff"), "").unwrap();
    let (models, reasons) = outcome(dir.path());
    let codes: Vec<_> = reasons.iter().map(|(code, _)| *code).collect();
    assert_eq!((models, codes), (vec!["good".to_owned()], vec![Code::MediaName; 2]));
}

#[test]
fn many_bad_spots_do_not_end_the_walk() {
    let dir = tree(&["good/model.sig"]);
    for number in 0..5_000 {
        symlink("x", dir.path().join(format!("{number}.sig"))).unwrap();
    }
    let found = searched(dir.path(), &Budget::default(), &|| Ok(())).unwrap();
    assert_eq!(found.candidates.len(), 1);
    assert!(found.reasons.len() < 2_000);
    assert!(found.reasons.last().unwrap().detail.contains("more"));
}
