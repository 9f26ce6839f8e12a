//! Places that are refused, each made by the test.

use super::*;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn write(path: PathBuf) {
    std::fs::write(&path, "12345").unwrap();
    chmod(&path, 0o644);
}

fn folder(path: PathBuf, mode: u32) {
    std::fs::create_dir(&path).unwrap();
    chmod(&path, mode);
}

#[test]
fn trust_is_not_read_from_inside_a_model_nor_through_a_link_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    folder(model.clone(), 0o755);
    write(model.join("policy.toml"));
    write(dir.path().join("policy.toml"));
    symlink(model.join("policy.toml"), dir.path().join("link.toml")).unwrap();
    let guard = Guard::default().against(&model);
    for outside in ["policy.toml", "model/../policy.toml"] {
        guard.check(&dir.path().join(outside)).unwrap();
    }
    for inside in ["model/policy.toml", "link.toml", "model/../model/policy.toml"] {
        let reason = guard.check(&dir.path().join(inside)).unwrap_err();
        assert_eq!(reason.code, Code::TrustLocation, "{inside}");
    }
}

#[test]
fn a_model_does_not_choose_which_policy_applies() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    folder(model.clone(), 0o755);
    folder(model.join("sub"), 0o755);
    write(dir.path().join("policy.toml"));
    symlink("../policy.toml", model.join("link.toml")).unwrap();
    symlink("..", model.join("out")).unwrap();
    symlink("model/link.toml", dir.path().join("through.toml")).unwrap();
    let guard = Guard::default().against(&model);
    for chosen in
        ["model/link.toml", "model/out/policy.toml", "model/sub/../../policy.toml", "through.toml"]
    {
        let reason = guard.check(&dir.path().join(chosen)).unwrap_err();
        assert_eq!(reason.code, Code::TrustLocation, "{chosen}");
    }
}

#[test]
fn others_do_not_choose_which_policy_applies() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    folder(at("open"), 0o777);
    folder(at("sticky"), 0o1777);
    write(at("policy.toml"));
    symlink("../policy.toml", at("open/link.toml")).unwrap();
    symlink("open/link.toml", at("through.toml")).unwrap();
    symlink("../policy.toml", at("sticky/link.toml")).unwrap();
    let guard = Guard::default();
    for chosen in ["open/link.toml", "through.toml"] {
        let reason = guard.check(&at(chosen)).unwrap_err();
        assert_eq!(reason.code, Code::TrustLocation, "{chosen}");
    }
    guard.check(&at("sticky/link.toml")).unwrap();
    if rustix::process::geteuid().is_root() {
        // Only root can give a link away; the check itself is the same for everybody.
        lchown(at("sticky/link.toml"), Some(12345), None).unwrap();
        assert_eq!(guard.check(&at("sticky/link.toml")).unwrap_err().code, Code::TrustLocation);
    }
}

#[test]
fn trust_is_not_read_from_what_others_may_write() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    write(file.clone());
    let guard = Guard::default();
    for (mode, allowed) in
        [(0o644, true), (0o600, true), (0o664, false), (0o646, false), (0o1646, false)]
    {
        chmod(&file, mode);
        assert_eq!(guard.check(&file).is_ok(), allowed, "{mode:o}");
    }
    chmod(&file, 0o644);
    chmod(dir.path(), 0o777);
    assert!(guard.check(&file).is_err(), "others could replace the file");
    chmod(dir.path(), 0o1777);
    assert!(guard.check(&file).is_ok(), "the sticky bit keeps others from replacing it");
    if rustix::process::geteuid().is_root() {
        lchown(&file, Some(12345), None).unwrap();
        assert!(guard.check(&file).is_err(), "its owner could change it");
    }
}

#[test]
fn the_sticky_bit_does_not_excuse_a_folder_that_is_checked_itself() {
    let dir = tempfile::tempdir().unwrap();
    chmod(dir.path(), 0o1777);
    let state = dir.path().join("state");
    for (mode, allowed) in [(0o755, true), (0o777, false), (0o1777, false), (0o1775, false)] {
        let _ = std::fs::remove_dir(&state);
        folder(state.clone(), mode);
        assert_eq!(Guard::default().check(&state).is_ok(), allowed, "{mode:o}");
    }
}

#[test]
fn an_error_says_what_is_wrong_with_what() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    folder(open.clone(), 0o777);
    write(open.join("policy.toml"));
    let read = |name: &str| {
        let path = open.join(name);
        guarded_read(&path, 9, &Guard::default(), Code::PolicyUnreadable).unwrap_err()
    };
    let reason = read("policy.toml");
    assert_eq!(reason.file, Some(open.join("policy.toml").display().to_string()));
    let detail = format!("{} has mode 0777, so that others may write to it", open.display());
    assert!(reason.detail.contains(&detail), "{reason}");
    assert_eq!(read("absent.toml").code, Code::PolicyUnreadable);
}

#[test]
fn a_read_is_bounded_and_of_regular_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    write(file.clone());
    let read = |path, limit| guarded_read(path, limit, &Guard::default(), Code::TrustCrl);
    assert_eq!(read(&file, 5).unwrap(), b"12345");
    assert_eq!(read(&file, 4).unwrap_err().code, Code::TrustCrl);
    assert_eq!(read(dir.path(), 9).unwrap_err().code, Code::TrustCrl);
}
