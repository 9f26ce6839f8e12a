//! `roots list` and `roots check` before folders of anchors that are good, and wrong in each way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::pki::{Authority, KeyType, KeyUsage, Leaf, Profile};
use oms_testkit::roots::{self, Anchor};
use oms_testkit::{files, run};
use oms_tests::json::{self, ROOTS_CHECK, ROOTS_LIST};
use oms_tests::scene::appliance;
use serde_json::Value;
use tempfile::TempDir;

/// When every anchor is looked at that says nothing else.
const AT: &str = "2030-01-01T00:00:00Z";

/// A folder of anchors.
struct Site(TempDir);

impl Site {
    fn of(anchors: &[Anchor]) -> Site {
        let dir = tempfile::Builder::new().prefix("oms-roots-").tempdir().unwrap();
        roots::write(dir.path().join("roots"), anchors);
        Site(dir)
    }

    /// A folder with one anchor for verdicts, `root`.
    fn with(certificate: &str) -> Site {
        Site::of(&[Anchor::new("root", certificate, &["verdict"])])
    }

    fn roots(&self) -> PathBuf {
        self.0.path().join("roots")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = appliance();
        command.args(["roots", name, "--roots"]).arg(self.roots());
        command
    }

    /// The document of `roots check`, which must end with this status.
    fn checked(&self, status: i32, arguments: &[&str]) -> Value {
        let mut check = self.command("check");
        check.args(["--json", "--at", AT]).args(arguments);
        let document = run::outcome(&mut check).expect_status(status).json();
        json::conforming(&ROOTS_CHECK, document)
    }

    /// Severity and name of everything that is found, but for what is noted.
    fn found(&self, status: i32, arguments: &[&str]) -> Vec<(String, String)> {
        let document = self.checked(status, arguments);
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = document["findings"].as_array().unwrap().iter();
        let graver = findings.filter(|finding| finding["severity"] != "note");
        graver.map(|finding| (word(&finding["severity"]), word(&finding["finding"]))).collect()
    }

    fn assert_error(&self, finding: &str) {
        assert_eq!(self.found(1, &[]), [("error".to_owned(), finding.to_owned())]);
    }

    fn assert_warning(&self, finding: &str, arguments: &[&str]) {
        assert_eq!(self.found(0, arguments), [("warning".to_owned(), finding.to_owned())]);
    }
}

fn root(profile: Profile) -> String {
    Authority::root(profile, KeyType::P384).certificate.pem
}

fn good() -> String {
    root(Profile::ca("Corp Root"))
}

/// A CA that the openssl command made with these arguments.
fn openssl(arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=Odd"]);
    command.args(["-days", "3650", "-addext", "keyUsage=keyCertSign,cRLSign"]);
    run::outcome(command.args(arguments)).expect_status(0).stdout
}

#[test]
fn the_list_tells_what_each_anchor_is() {
    let corp = Authority::root(Profile::ca("Corp Root"), KeyType::P384).certificate;
    let site = Site::of(&[
        Anchor::new("corp-root", &corp.pem, &["code-signing", "verdict"]),
        Anchor::new("tsa", &good(), &["timestamping"]).in_file("tsa/root.pem"),
    ]);
    let list = run::outcome(site.command("list").arg("--json")).expect_status(0).json();
    let list = json::conforming(&ROOTS_LIST, list);
    let anchors: Vec<&Value> = list["anchors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|anchor| anchor["origin"] == "site")
        .collect();
    assert_eq!(anchors.len(), 2);
    assert_eq!(anchors[0]["name"], "corp-root");
    assert_eq!(anchors[0]["purposes"], serde_json::json!(["code-signing", "verdict"]));
    assert_eq!(anchors[0]["sha256"], files::sha256_hex(corp.pem.as_bytes()));
    assert_eq!(anchors[0]["provenance"], "made by the test kit");
    let certificate = &anchors[0]["certificate"];
    assert_eq!(certificate["subject"], "CN=Corp Root");
    assert_eq!(certificate["sha256"], corp.fingerprint());
    assert_eq!(certificate["keyType"], "P-384");
    assert_eq!(certificate["notAfter"], "2049-12-31T00:00:00Z");
    assert!(anchors[1]["file"].as_str().unwrap().ends_with("roots/tsa/root.pem"));

    let text = run::outcome(&mut site.command("list")).expect_status(0).stdout;
    for words in ["corp-root", "code-signing, verdict", "CN=Corp Root", &corp.fingerprint()] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn what_is_built_in_is_listed_and_its_names_are_taken() {
    const NAME: &str = "sigstore-public-good";
    let site = Site::of(&[]);
    let list = run::outcome(site.command("list").arg("--json")).expect_status(0).json();
    let list = json::conforming(&ROOTS_LIST, list);
    let anchors = list["anchors"].as_array().unwrap();
    let public_good = anchors.iter().find(|anchor| anchor["name"] == NAME).unwrap();
    assert_eq!(public_good["origin"], "built-in");
    assert!(!public_good["trustedRoot"]["logs"].as_array().unwrap().is_empty(), "{public_good}");
    let text = run::outcome(&mut site.command("list")).expect_status(0).stdout;
    assert!(text.contains("authority    ") && text.contains("log          "), "{text}");
    let doubled = Site::of(&[Anchor::new(NAME, &good(), &["verdict"])]);
    assert!(refused(&doubled, "policy.duplicate-anchor").contains("it is built in"));
}

#[test]
fn the_list_names_what_cannot_be_used_and_shows_the_rest() {
    let changed = Anchor::new("changed", &good(), &["verdict"]).with_sha256(&"0".repeat(64));
    let site = Site::of(&[Anchor::new("good", &good(), &["verdict"]), changed]);
    let list = run::outcome(site.command("list").arg("--json")).expect_status(2).json();
    let list = json::conforming(&ROOTS_LIST, list);
    assert_eq!(json::codes(&list["reasons"]), ["trust.anchor"]);
    let names: Vec<&Value> =
        list["anchors"].as_array().unwrap().iter().map(|anchor| &anchor["name"]).collect();
    assert!(names.contains(&&"good".into()) && !names.contains(&&"changed".into()), "{names:?}");
}

#[test]
fn good_anchors_leave_nothing_to_say() {
    let site = Site::with(&good());
    assert_eq!(site.found(0, &[]), []);
    let text = run::outcome(site.command("check").args(["--at", AT])).expect_status(0).stdout;
    assert!(text.starts_with("GOOD: "), "{text}");
}

#[test]
fn the_end_of_an_anchor_is_seen_ahead() {
    let day = 24 * 60 * 60;
    // AT in seconds since 1970.
    let now = 1_893_456_000;
    let ends = |end: u64| Site::with(&root(Profile::ca("Root").validity(now - 2 * day, end)));
    ends(now - 1).assert_error("expired");
    let soon = ends(now + 30 * day);
    soon.assert_warning("expires-soon", &[]);
    assert_eq!(soon.found(0, &["--warn-before", "29d"]), []);
    soon.assert_warning("expires-soon", &["--warn-before", "31d"]);
    let text = run::outcome(soon.command("check").args(["--at", AT])).expect_status(0).stdout;
    assert!(text.contains("warning") && text.contains("2030-01-31"), "{text}");
    Site::with(&root(Profile::ca("Root").not_yet_valid())).assert_error("not-yet-valid");
}

#[test]
fn the_end_of_a_trusted_root_is_seen_ahead() {
    let site = Site::of(&[]);
    let at = |time: &str| {
        let check = run::outcome(site.command("check").args(["--json", "--at", time]));
        let document = json::conforming(&ROOTS_CHECK, check.expect_status(0).json());
        document["findings"].as_array().unwrap().iter().map(|f| f["finding"].clone()).collect()
    };
    // The authority of the public-good instance ends in October 2031.
    let (before, after): (Vec<Value>, Vec<Value>) =
        (at("2031-01-01T00:00:00Z"), at("2031-09-01T00:00:00Z"));
    assert_eq!((before, after), (vec![], vec!["authorities-end".into()]));
}

#[test]
fn weak_keys_are_found() {
    Site::with(&openssl(&["-newkey", "rsa:1024", "-sha256"])).assert_error("weak-key");
    let secp256k1 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"];
    Site::with(&openssl(&secp256k1)).assert_error("unusable-key");
    let short = Authority::root(Profile::ca("Root"), KeyType::Rsa2048).certificate.pem;
    Site::with(&short).assert_warning("short-key", &[]);
}

#[test]
fn a_root_that_signed_itself_with_sha_1_is_only_noted() {
    let site = Site::with(&openssl(&["-newkey", "rsa:3072", "-sha1"]));
    let document = site.checked(0, &[]);
    assert_eq!(document["findings"][0]["severity"], "note", "{document}");
    assert_eq!(document["findings"][0]["finding"], "weak-signature");
}

#[test]
fn an_anchor_is_a_ca_that_may_sign_certificates_and_crls() {
    let may = |usages: &[KeyUsage]| Site::with(&root(Profile::ca("R").key_usages(usages.to_vec())));
    may(&[KeyUsage::CrlSign]).assert_error("no-cert-sign");
    may(&[KeyUsage::KeyCertSign]).assert_warning("no-crl-sign", &[]);
    let pinned = Leaf::self_signed(Profile::code_signing("Pinned"), KeyType::P256);
    Site::with(&pinned.certificate.pem).assert_warning("not-a-ca", &[]);
}

#[test]
fn a_file_that_nothing_pins_is_found_wherever_it_lies() {
    for extra in ["forgotten.pem", "old/forgotten.pem"] {
        let site = Site::with(&good());
        files::folder(site.roots().join("old"));
        files::public(site.roots().join(extra), good());
        site.assert_error("unpinned");
        let document = site.checked(1, &[]);
        assert!(document["findings"][0]["file"].as_str().unwrap().ends_with(extra), "{document}");
    }
}

#[test]
fn a_file_that_is_not_the_one_that_is_pinned_is_found() {
    let site = Site::with(&good());
    files::public(site.roots().join("root.pem"), good());
    site.assert_error("wrong-digest");
    fs::remove_file(site.roots().join("root.pem")).unwrap();
    site.assert_error("unreadable");
    Site::with("no certificate").assert_error("not-one-certificate");
    Site::with(&[good(), good()].concat()).assert_error("not-one-certificate");
}

#[test]
fn one_certificate_under_two_names_is_found() {
    let certificate = good();
    let twice = ["first", "second"].map(|name| Anchor::new(name, &certificate, &["verdict"]));
    let site = Site::of(&twice);
    site.assert_warning("duplicate-certificate", &[]);
    let detail = &site.checked(0, &[])["findings"][0];
    assert_eq!(detail["anchor"], "second");
    assert!(detail["detail"].as_str().unwrap().contains("\"first\""), "{detail}");
}

#[test]
fn an_anchor_without_provenance_is_found() {
    let site = Site::of(&[Anchor::new("root", &good(), &["verdict"]).with_provenance("")]);
    site.assert_warning("no-provenance", &[]);
}

/// A policy beside the roots that names these anchors.
fn policy(site: &Site, anchors: &str) -> String {
    let text = format!(
        "[policy]\nid = \"p\"\nversion = 1\n\n[[signer]]\nmethod = \"certificate\"\n\
         anchors = [{anchors}]\nsan-email = [\"*@vendor.example\"]\n\n\
         [revocation]\nmode = \"off\"\n\n[manifest]\nhashes = [\"sha256\"]\n\n\
         [content]\nallow = [\"json\"]\n"
    );
    files::public(site.0.path().join("policy.toml"), text).display().to_string()
}

#[test]
fn anchors_that_no_policy_names_are_told_when_policies_are_given() {
    let site = Site::of(&[
        Anchor::new("used", &good(), &["code-signing"]),
        Anchor::new("unused", &good(), &["code-signing"]),
        // No policy could name it.
        Anchor::new("station", &good(), &["verdict"]),
    ]);
    assert_eq!(site.found(0, &[]), []);
    let one = policy(&site, "\"used\"");
    site.assert_warning("unreferenced", &["--policy", &one]);
    let document = site.checked(0, &["--policy", &one]);
    let names: Vec<_> = document["findings"].as_array().unwrap().iter().collect();
    assert!(names.iter().any(|finding| finding["anchor"] == "unused"), "{document}");
    let both = policy(&site, "\"used\", \"unused\"");
    assert_eq!(site.found(0, &["--policy", &both]), []);
}

#[test]
fn a_policy_that_names_what_is_not_there_ends_with_2() {
    let site = Site::with(&good());
    let policy = policy(&site, "\"absent\"");
    let mut check = site.command("check");
    let outcome = run::outcome(check.args(["--json", "--policy", &policy])).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["policy.unknown-anchor"]);
}

/// What both commands say when they can say nothing about the anchors.
fn refused(site: &Site, code: &str) -> String {
    let mut detail = String::new();
    for command in ["list", "check"] {
        let outcome = run::outcome(site.command(command).arg("--json")).expect_status(2);
        let document = outcome.json();
        assert_eq!(document["schema"], "urn:oms-appliance:failure:1");
        assert_eq!(json::codes(&document["reasons"]), [code]);
        detail = document["reasons"][0]["detail"].as_str().unwrap().to_owned();
    }
    detail
}

fn rewrite(site: &Site, change: impl FnOnce(String) -> String) {
    let manifest = site.roots().join("roots.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text);
    fs::write(manifest, changed).unwrap();
}

#[test]
fn a_manifest_with_a_fault_ends_with_2_and_the_place() {
    for (from, to, words) in [
        ("provenance", "provenence", "line 6, column 1: unknown field"),
        ("root.pem", "../root.pem", "line 3, column 8: "),
        ("\"verdict\"", "\"verdicts\"", "code-signing, verdict, timestamping"),
        ("\"verdict\"", "\"verdict\", \"sigstore\"", "goes with no other"),
    ] {
        let site = Site::with(&good());
        rewrite(&site, |text| text.replacen(from, to, 1));
        let detail = refused(&site, "trust.anchor");
        assert!(detail.contains(words), "{words} in {detail}");
    }
    let site = Site::with(&good());
    rewrite(&site, |text| format!("{text}\n{text}"));
    assert!(refused(&site, "trust.anchor").contains("the name \"root\" is there twice"));
}

#[test]
fn anchors_where_others_may_write_are_not_looked_at() {
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let site = Site::with(&good());
    mode(&site.roots(), 0o777);
    refused(&site, "trust.location");
    mode(&site.roots(), 0o755);
    mode(&site.roots().join("roots.toml"), 0o666);
    refused(&site, "trust.location");
    mode(&site.roots().join("roots.toml"), 0o644);
    mode(&site.roots().join("root.pem"), 0o666);
    let outcome = run::outcome(site.command("check").arg("--json")).expect_status(2);
    assert_eq!(json::codes(&outcome.json()["reasons"]), ["trust.location"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let site = Site::with(&good());
    for arguments in [&["--warn-before", "soon"][..], &["--at", "tomorrow"], &["extra"]] {
        let outcome = run::outcome(site.command("check").args(arguments)).expect_status(2);
        assert_eq!(outcome.stdout, "");
    }
}
