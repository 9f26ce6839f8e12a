//! Loading trust from folders that the test makes.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

use oms_verify::pki::{Purpose, RevocationMode};

const PROD: &str = include_str!("../../../../policies/prod.toml");
const LAB: &str = include_str!("../../../../policies/lab.toml");
const SIGSTORE: &str = include_str!("../../../../policies/sigstore.toml");
const FRAMEWORKS: &str = include_str!("../../../../policies/frameworks.toml");

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Site(tempfile::tempdir().unwrap())
    }

    fn folder(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        path
    }
}

#[test]
fn the_shipped_policies_name_formats_that_exist() {
    let site = Site::new();
    for (name, text) in [
        ("prod.toml", PROD),
        ("lab.toml", LAB),
        ("sigstore.toml", SIGSTORE),
        ("frameworks.toml", FRAMEWORKS),
    ] {
        read_policy(&site.file(name, text), &Guard::default()).unwrap();
        let wrong = text.replace("\"safetensors\"", "\"safetensor\"");
        assert_ne!(wrong, text);
        let reason = read_policy(&site.file(name, &wrong), &Guard::default()).unwrap_err();
        assert_eq!(reason.code, Code::PolicySyntax);
    }
}

#[test]
fn a_laboratory_lists_no_name_that_the_widest_rules_lack() {
    let names = |text: &str| {
        let document: toml::Table = text.parse().unwrap();
        let list = document["content"]["pickle"]["globals"].as_array().unwrap();
        list.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let widest = names(FRAMEWORKS);
    assert!(names(LAB).iter().all(|name| widest.contains(name)));
}

#[test]
fn the_shipped_laboratory_policy_loads_with_its_key() {
    let site = Site::new();
    let made = std::process::Command::new("openssl")
        .args(["ecparam", "-genkey", "-noout", "-name", "prime256v1"])
        .output()
        .expect("openssl is installed (cargo xtask setup)");
    let key = crate::keys::SigningKey::from_pem(&made.stdout, Path::new("key")).unwrap();
    let policy = site.file("lab.toml", LAB);
    assert_eq!(
        load_policy(&policy, &Anchors::default(), &Guard::default()).unwrap_err().code,
        Code::PolicyKey
    );
    site.file("lab.pem", &key.public_key().to_pem());
    let loaded = load_policy(&policy, &Anchors::default(), &Guard::default()).unwrap();
    assert_eq!((loaded.id.as_str(), loaded.revocation.mode), ("lab", RevocationMode::Off));
}

#[test]
fn an_error_of_a_policy_names_file_place_and_rule() {
    let site = Site::new();
    let text = PROD.replace("require = 1", "require = \"one\"");
    let path = site.file("prod.toml", &text);
    let reason = read_policy(&path, &Guard::default()).unwrap_err();
    assert_eq!(reason.file, Some(path.display().to_string()));
    assert_eq!(reason.rule.as_deref(), Some("signatures.require"));
    assert!(reason.detail.starts_with("line ") && reason.detail.contains("\"one\""), "{reason}");
}

#[test]
fn nobody_else_may_add_anchors_or_crls() {
    let site = Site::new();
    let guard = Guard::default();
    for (mode, refused) in [(0o755, false), (0o1777, true), (0o1775, true)] {
        let folder = site.folder("trust", mode);
        site.file("trust/roots.toml", "");
        let anchors = Anchors::load(Some(&folder), &guard);
        std::fs::remove_file(folder.join("roots.toml")).unwrap();
        let crls = load_crls(Some(&folder), &Budget::default(), &guard);
        for found in [anchors.err(), crls.err()] {
            let code = refused.then_some(Code::TrustLocation);
            assert_eq!(found.map(|reason| reason.code), code, "{mode:o}");
        }
    }
}

#[test]
fn an_absent_folder_is_named_for_what_it_should_hold() {
    let site = Site::new();
    let absent = site.0.path().join("absent");
    let guard = Guard::default();
    let reason = Anchors::load(Some(&absent), &guard).unwrap_err();
    assert_eq!(reason.code, Code::TrustAnchor);
    let reason = load_crls(Some(&absent), &Budget::default(), &guard).unwrap_err();
    assert_eq!(reason.code, Code::TrustCrl);
}

#[test]
fn only_what_does_not_exist_is_absent() {
    let site = Site::new();
    let file = site.file("file", "");
    assert_eq!(is_installed(&file, Code::TrustCrl), Ok(true));
    assert_eq!(is_installed(&site.0.path().join("none"), Code::TrustCrl), Ok(false));
    // Whoever may not look gets an error too; this one comes even to root.
    let reason = is_installed(&file.join("inside"), Code::TrustCrl).unwrap_err();
    assert_eq!(reason.code, Code::TrustCrl);
}

#[test]
fn anchors_name_their_file_in_errors() {
    let site = Site::new();
    let folder = site.folder("roots", 0o755);
    let anchor = |purpose: &str, sha256: &str| {
        format!(
            "[[anchor]]\nname = \"corp\"\nfile = \"corp.pem\"\nsha256 = \"{sha256}\"\n\
             purpose = [\"{purpose}\"]\nprovenance = \"\"\n"
        )
    };
    site.file("roots/corp.pem", "no certificate");
    let digest = Sha256Digest::of(b"no certificate").to_hex();
    for (text, file) in [
        ("[[anchor]", "roots.toml".to_owned()),
        (&anchor("signing", &digest), "roots.toml".to_owned()),
        (&anchor(Purpose::CodeSigning.name(), &"00".repeat(32)), "corp.pem".to_owned()),
        (&anchor(Purpose::CodeSigning.name(), &digest), "corp.pem".to_owned()),
    ] {
        site.file("roots/roots.toml", text);
        let reason = Anchors::load(Some(&folder), &Guard::default()).unwrap_err();
        assert_eq!(reason.code, Code::TrustAnchor);
        assert_eq!(reason.file, Some(folder.join(file).display().to_string()), "{reason}");
    }
}

#[test]
fn an_absent_folder_of_roots_or_crls_is_named_as_that() {
    let site = Site::new();
    let absent = site.0.path().join("absent");
    let guard = Guard::default();
    let roots = Anchors::load(Some(&absent), &guard).unwrap_err();
    assert_eq!(
        (roots.code, roots.detail.as_str()),
        (Code::TrustAnchor, "the folder does not exist")
    );
    let crls = load_crls(Some(&absent), &Budget::default(), &guard).unwrap_err();
    assert_eq!((crls.code, crls.detail.as_str()), (Code::TrustCrl, "the folder does not exist"));
}

#[test]
fn a_fault_in_roots_toml_is_told_in_one_line_with_its_place() {
    let site = Site::new();
    let roots = site.folder("roots", 0o755);
    site.file("roots/roots.toml", "[[anchor]]\nname = 1\n");
    let reason = Anchors::load(Some(&roots), &Guard::default()).unwrap_err();
    assert!(reason.detail.starts_with("line 2, column 8: "), "{}", reason.detail);
}

#[test]
fn an_unknown_anchor_without_any_roots_says_that_there_are_none() {
    if Path::new(ROOTS).exists() {
        eprintln!("skipped: this machine has anchors in {ROOTS}");
        return;
    }
    let site = Site::new();
    let policy = site.file("prod.toml", PROD);
    let paths = TrustPaths { policy, roots: None, crls: None };
    let reason = Trust::load(&paths, &Guard::default()).unwrap_err();
    assert_eq!(reason.code, Code::PolicyUnknownAnchor);
    assert!(reason.detail.contains("no roots folder was given"), "{}", reason.detail);
}
