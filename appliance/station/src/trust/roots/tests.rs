//! Anchors in the binary and in a folder, each way to be wrong.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

use oms_verify::hash::Sha256Digest;

/// A certificate for the tests, made by the openssl command.
fn certificate() -> &'static [u8] {
    static MADE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-keyout", "/dev/null", "-subj", "/CN=Root", "-days", "10"])
            .output()
            .expect("openssl is installed (cargo xtask setup)");
        assert!(made.status.success(), "{made:?}");
        made.stdout
    });
    &MADE
}

fn entry(name: &str, file: &str, bytes: &[u8]) -> String {
    format!(
        "[[anchor]]\nname = {name:?}\nfile = {file:?}\nsha256 = \"{}\"\n\
         purpose = [\"verdict\"]\nprovenance = \"minutes\"\n",
        Sha256Digest::of(bytes)
    )
}

/// A binary with these anchors.
fn firmware(manifest: String, files: Vec<(&'static str, &'static [u8])>) -> Firmware {
    Firmware { manifest: manifest.leak(), files: files.leak() }
}

fn fault(firmware: &Firmware) -> Reason {
    match built_in(firmware) {
        Ok(installed) => {
            let fault = |found: Installed| {
                let path = found.origin.path_of(&found.entry.file);
                found.content.err().map(|fault| fault.into_reason(path))
            };
            installed.into_iter().find_map(fault).unwrap()
        }
        Err(reason) => reason,
    }
}

#[test]
fn what_is_built_into_this_binary_is_good() {
    for found in built_in(&FIRMWARE).unwrap() {
        assert!(found.content.is_ok(), "{found:?}");
    }
}

#[test]
fn what_is_built_in_is_checked_again() {
    let manifest = || entry("root", "ca/root.pem", certificate());
    let good = firmware(manifest(), vec![("ca/root.pem", certificate())]);
    let [found] = built_in(&good).unwrap().try_into().unwrap();
    assert!(matches!(found.content, Ok(Content::Certificate(anchor)) if anchor.name == "root"));
    for (manifest, files, words) in [
        (manifest(), vec![("ca/root.pem", &b"other"[..])], "its SHA-256 is"),
        (manifest(), vec![("root.pem", certificate())], "not in the binary"),
        (entry("root", "ca/root.pem", b"text"), vec![("ca/root.pem", &b"text"[..])], "CERTIFICATE"),
        ("[[anchor]".to_owned(), vec![], "line 1"),
    ] {
        let reason = fault(&firmware(manifest, files));
        assert_eq!(reason.code, Code::TrustAnchor);
        assert!(reason.detail.contains(words), "{reason}");
        let file = reason.file.unwrap();
        assert!(file.starts_with("built-in firmware-roots/"), "{file}");
    }
}

#[test]
fn a_site_may_keep_anchors_in_folders_below_its_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = dir.path().join("tsa");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.join("root.pem");
    std::fs::write(&file, certificate()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let manifest = dir.path().join(FILE_NAME);
    std::fs::write(&manifest, entry("tsa", "tsa/root.pem", certificate())).unwrap();
    std::fs::set_permissions(&manifest, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = Anchors::load(Some(dir.path()), &Guard::default()).unwrap();
    assert!(loaded.certificates.iter().any(|anchor| anchor.name == "tsa"));
    // Whoever may write to that folder could put another file there.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let reason = Anchors::load(Some(dir.path()), &Guard::default()).unwrap_err();
    assert_eq!(reason.code, Code::TrustLocation);
}
