//! `cert verify`: every option and every exit code, on PKIs that are made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use oms_testkit::pki::{
    Authority, Certificate, CrlProfile, ExtendedKeyUsage, KeyType, Leaf, Profile, chain, date,
};
use oms_testkit::{files, roots, run};
use oms_tests::json::{CERT_VERIFY, codes, conforming};
use serde_json::Value;
use tempfile::TempDir;

/// A root, an authority below it, a leaf, and a folder with their files.
struct Pki {
    dir: TempDir,
    root: Authority,
    signing: Authority,
    leaf: Leaf,
}

impl Pki {
    fn new() -> Pki {
        Pki::with_leaf(Profile::code_signing("Build").email("build@corp.example"))
    }

    fn with_leaf(profile: Profile) -> Pki {
        let dir = tempfile::tempdir().unwrap();
        let root = Authority::root(Profile::ca("Corp Root"), KeyType::P256);
        let signing = root.intermediate(Profile::ca("Corp Signing"), KeyType::P256);
        let leaf = signing.issue(profile, KeyType::P256);
        let pki = Pki { dir, root, signing, leaf };
        pki.write("root.pem", &pki.root.certificate.pem);
        pki.write("chain.pem", chain([&pki.leaf.certificate, &pki.signing.certificate]));
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        files::folder(path.parent().unwrap());
        files::public(path, bytes).display().to_string()
    }

    /// Runs `cert verify` in the folder of the files.
    fn verify(&self, arguments: &[&str]) -> run::Outcome {
        verify_in(self.dir.path(), arguments)
    }

    /// The same with `chain.pem` and `root.pem`.
    fn judge(&self, arguments: &[&str]) -> run::Outcome {
        self.verify(&[&["chain.pem", "--roots", "root.pem"], arguments].concat())
    }

    fn accepts(&self, arguments: &[&str]) -> Value {
        accepted(&self.judge(&[arguments, &["--json"]].concat()))
    }

    fn refuses(&self, arguments: &[&str], code: &str) -> Value {
        refused(&self.judge(&[arguments, &["--json"]].concat()), code)
    }

    /// Writes a CRL of the root and one of the authority below it.
    fn crls(&self, root: CrlProfile, signing: CrlProfile) {
        self.write("crls/root.crl", self.root.crl(root).der);
        self.write("crls/signing.crl", self.signing.crl(signing).pem);
    }
}

fn verify_in(folder: &Path, arguments: &[&str]) -> run::Outcome {
    let mut command = run::command();
    run::outcome(command.current_dir(folder).args(["cert", "verify"]).args(arguments))
}

fn accepted(outcome: &run::Outcome) -> Value {
    let document = conforming(&CERT_VERIFY, outcome.clone().expect_status(0).json());
    assert_eq!(document["accepted"], true);
    assert_eq!(document["reasons"].as_array().unwrap().len(), 0);
    document
}

fn refused(outcome: &run::Outcome, code: &str) -> Value {
    let document = conforming(&CERT_VERIFY, outcome.clone().expect_status(1).json());
    assert_eq!(document["accepted"], false);
    assert_eq!(codes(&document["reasons"]), [code], "{document:#}");
    document
}

/// Says something, and not as a result.
fn wrong_usage(outcome: &run::Outcome) {
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{outcome:?}");
}

fn roles(document: &Value) -> Vec<&str> {
    let path = document["path"].as_array().unwrap();
    path.iter().map(|step| step["role"].as_str().unwrap()).collect()
}

fn skipped(document: &Value) -> Vec<(&str, &str)> {
    let skipped = document["skipped"].as_array().unwrap().iter();
    skipped.map(|s| (s["file"].as_str().unwrap(), s["what"].as_str().unwrap())).collect()
}

#[test]
fn help_says_what_a_folder_stands_for() {
    let text = run::appliance(["cert", "verify", "--help"]).expect_status(0).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Every FILE|DIR is a file, or a folder of files"), "{text}");
    assert!(text.contains("Exit codes:"), "{text}");
}

#[test]
fn an_accepted_path_is_explained_certificate_by_certificate() {
    let pki = Pki::new();
    let text = pki.judge(&[]).expect_status(0).stdout;
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in\n{text}"));
    assert!(at("leaf CN=Build") < at("intermediate CN=Corp Signing"), "{text}");
    assert!(at("intermediate CN=Corp Signing") < at("anchor CN=Corp Root"), "{text}");
    assert!(at("ACCEPTED: purpose code-signing, revocation off") > at("anchor"), "{text}");
    assert!(!text.contains("FAILED"), "{text}");

    let document = pki.accepts(&[]);
    assert_eq!(roles(&document), ["leaf", "intermediate", "anchor"]);
    assert_eq!(document["path"][2]["anchor"], "root.pem");
    assert_eq!(document["path"][0]["sha256"], pki.leaf.certificate.fingerprint());
    let checks = document["path"][0]["checks"].as_array().unwrap();
    for name in ["signature", "validity", "extended-key-usage", "name-constraints"] {
        let check = checks.iter().find(|check| check["name"] == name);
        assert_eq!(check.unwrap()["outcome"], "passed", "{name}");
    }
}

#[test]
fn a_refused_path_names_the_check_that_failed() {
    let pki = Pki::with_leaf(Profile::code_signing("Build").expired());
    let text = pki.judge(&[]).expect_status(1).stdout;
    assert!(text.contains("REFUSED") && text.contains("FAILED   validity"), "{text}");
    // What was not reached takes one line of each certificate, not one for each check.
    assert_eq!(text.matches("an earlier check ended the validation").count(), 3, "{text}");
    pki.write("alone.pem", &pki.leaf.certificate.pem);
    let alone = pki.verify(&["alone.pem", "--roots", "root.pem"]).expect_status(1).stdout;
    assert_eq!(alone.matches("not run  all checks").count(), 1, "{alone}");
    assert!(text.contains("signature.certificate-expired"), "{text}");
    let document = pki.refuses(&[], "signature.certificate-expired");
    let checks = document["path"][0]["checks"].as_array().unwrap();
    assert!(checks.iter().any(|c| c["name"] == "validity" && c["outcome"] == "failed"));
    assert!(document["reasons"][0]["file"].as_str().unwrap().ends_with("chain.pem"));
}

#[test]
fn files_and_folders_may_be_pem_or_der() {
    let pki = Pki::new();
    pki.write("leaf.der", &pki.leaf.certificate.der);
    pki.write("roots/a.der", &pki.root.certificate.der);
    pki.write("more/b.cer", &pki.signing.certificate.der);
    let document = accepted(&pki.verify(&[
        "leaf.der",
        "--roots",
        "roots",
        "--intermediates",
        "more",
        "--json",
    ]));
    assert_eq!(roles(&document), ["leaf", "intermediate", "anchor"]);

    let all = chain([&pki.root.certificate, &pki.signing.certificate]);
    pki.write("all.pem", format!("a remark\n{all}"));
    accepted(&pki.verify(&["leaf.der", "--roots", "all.pem", "--json"]));
    // Each may be there several times.
    pki.write("other.pem", &Authority::root(Profile::ca("Other"), KeyType::P256).certificate.pem);
    let arguments = ["--roots", "other.pem", "--intermediates", "other.pem"];
    let more = ["--intermediates", "more/b.cer", "--json"];
    let first = ["leaf.der", "--roots", "root.pem"];
    accepted(&pki.verify(&[&first[..], &arguments, &more].concat()));
}

#[test]
fn without_its_issuer_or_its_root_nothing_is_accepted() {
    let pki = Pki::new();
    pki.write("leaf.pem", &pki.leaf.certificate.pem);
    refused(&pki.verify(&["leaf.pem", "--roots", "root.pem", "--json"]), "signature.no-path");
    let other = Authority::root(Profile::ca("Corp Root"), KeyType::P256);
    pki.write("other.pem", &other.certificate.pem);
    let outcome = pki.verify(&["chain.pem", "--roots", "other.pem", "--json"]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
}

#[test]
fn the_time_takes_offsets_and_fractions() {
    let validity = (date(2025, 1, 1), date(2030, 1, 1));
    let pki = Pki::with_leaf(Profile::code_signing("Build").validity(validity.0, validity.1));
    let document = pki.accepts(&["--at", "2030-01-01T00:59:59.999+01:00"]);
    assert_eq!(document["time"], "2029-12-31T23:59:59Z");
    pki.refuses(&["--at", "2030-01-01T00:00:01Z"], "signature.certificate-expired");
    pki.refuses(&["--at", "2024-12-31T23:59:59Z"], "signature.certificate-not-yet-valid");
    for bad in ["2030-01-01", "now", "2030-01-01T00:00:00"] {
        wrong_usage(&pki.judge(&["--at", bad]));
    }
}

#[test]
fn the_purpose_any_judges_any_pki() {
    let usages = [ExtendedKeyUsage::ServerAuth];
    let pki = Pki::with_leaf(
        Profile::code_signing("Web").dns("www.corp.example").extended_key_usages(usages),
    );
    pki.refuses(&[], "signature.certificate-purpose");
    pki.accepts(&["--purpose", "any"]);
    wrong_usage(&pki.judge(&["--purpose", "web"]));

    let pki = Pki::with_leaf(Profile::code_signing("Build").key_usages([]));
    pki.refuses(&[], "signature.certificate-key-usage");
    pki.accepts(&["--purpose", "any"]);
}

#[test]
fn crls_are_required_where_they_are_given() {
    let pki = Pki::new();
    assert_eq!(pki.accepts(&[])["revocation"], "off");
    pki.refuses(&["--revocation", "require"], "revocation.crl-missing");
    pki.crls(CrlProfile::new(1), CrlProfile::new(1));
    assert_eq!(pki.accepts(&["--crls", "crls"])["revocation"], "require");

    pki.crls(CrlProfile::new(2), CrlProfile::new(2).revoke(&pki.leaf.certificate));
    let document = pki.refuses(&["--crls", "crls"], "revocation.revoked");
    let detail = document["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("2021-01-01"), "{detail}");
    pki.refuses(&["--crls", "crls", "--revocation", "if-available"], "revocation.revoked");
    pki.accepts(&["--crls", "crls", "--revocation", "off"]);

    // One of two is missing.
    let one = ["--crls", "crls/root.crl"];
    pki.refuses(&one, "revocation.crl-missing");
    pki.accepts(&[&one[..], &["--revocation", "if-available"]].concat());
    pki.crls(CrlProfile::new(3).revoke(&pki.signing.certificate), CrlProfile::new(3));
    pki.refuses(&["--crls", "crls/root.crl", "--crls", "crls/signing.crl"], "revocation.revoked");
}

#[test]
fn a_name_that_is_expected_must_be_there() {
    let pki = Pki::with_leaf(
        Profile::code_signing("Build").email("build@corp.example").dns("*.build.corp.example"),
    );
    pki.accepts(&["--name", "build@corp.example"]);
    pki.accepts(&["--name", "n1.build.corp.example", "--name", "build@CORP.example"]);
    for other in ["other@corp.example", "build.corp.example", "192.0.2.1", "Build"] {
        let document = pki.refuses(&["--name", other], "signature.certificate-name");
        assert_eq!(roles(&document).len(), 3, "the path itself is explained");
    }
    let both = ["--name", "build@corp.example", "--name", "x.example"];
    pki.refuses(&both, "signature.certificate-name");
    wrong_usage(&pki.judge(&["--name", ""]));
}

#[test]
fn the_length_of_a_path_can_be_limited() {
    let pki = Pki::new();
    pki.accepts(&["--max-path-length", "1"]);
    let document = pki.refuses(&["--max-path-length", "0"], "signature.path-length");
    assert!(document["reasons"].to_string().contains("--max-path-length"), "{document}");
    wrong_usage(&pki.judge(&["--max-path-length", "-1"]));
}

#[test]
fn a_malformed_certificate_or_crl_is_refused_or_skipped_never_wrong_usage() {
    let pki = Pki::new();
    pki.crls(CrlProfile::new(1), CrlProfile::new(1));
    let cut = &pki.root.certificate.der[..100];
    pki.write("cut.der", cut);
    pki.write("bad.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    pki.write("empty", "");

    for leaf in ["cut.der", "bad.pem", "empty", "crls/root.crl"] {
        let outcome = pki.verify(&[leaf, "--roots", "root.pem", "--json"]);
        let document = refused(&outcome, "signature.certificate-malformed");
        assert_eq!(document["path"].as_array().unwrap().len(), 0);
    }
    let outcome = pki.verify(&["chain.pem", "--roots", "cut.der", "--json"]).expect_status(1);
    let document = conforming(&CERT_VERIFY, outcome.json());
    assert_eq!(skipped(&document), [("cut.der", "root")]);
    let document = pki.accepts(&["--roots", "bad.pem", "--intermediates", "cut.der"]);
    assert_eq!(skipped(&document), [("bad.pem", "root"), ("cut.der", "intermediate")]);
    let text = pki.judge(&["--roots", "bad.pem"]).expect_status(0).stdout;
    assert!(text.contains("skipped root: bad.pem: "), "{text}");

    pki.write("crls/signing.crl", cut);
    let document = pki.refuses(&["--crls", "crls"], "revocation.crl-missing");
    assert_eq!(skipped(&document), [("crls/signing.crl", "crl")]);

    // One that is malformed spoils no other in its file.
    let texts =
        [fs::read_to_string(pki.path("bad.pem")).unwrap(), pki.root.certificate.pem.clone()];
    pki.write("both.pem", texts.concat());
    let document = accepted(&pki.verify(&["chain.pem", "--roots", "both.pem", "--json"]));
    assert_eq!(skipped(&document), [("both.pem", "root")]);
    let texts =
        [pki.leaf.certificate.pem.clone(), texts[0].clone(), pki.signing.certificate.pem.clone()];
    pki.write("holed.pem", texts.concat());
    let document = accepted(&pki.verify(&["holed.pem", "--roots", "root.pem", "--json"]));
    assert_eq!(skipped(&document), [("holed.pem", "intermediate")]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let pki = Pki::new();
    for arguments in [
        &["chain.pem"][..],
        &["--roots", "root.pem"],
        &["absent.pem", "--roots", "root.pem"],
        &["chain.pem", "--roots", "absent.pem"],
        &["chain.pem", "--roots", "root.pem", "--intermediates", "absent"],
        &["chain.pem", "--roots", "root.pem", "--crls", "absent"],
        &["chain.pem", "--roots", "root.pem", "--certificate-policy", "1.2.x"],
        &["chain.pem", "--roots", "root.pem", "--revocation", "maybe"],
        &[".", "--roots", "root.pem"],
    ] {
        wrong_usage(&pki.verify(arguments));
    }
    let outcome = pki.verify(&["absent.pem", "--roots", "root.pem", "--json"]).expect_status(2);
    let document = conforming(&CERT_VERIFY, outcome.json());
    assert_eq!(codes(&document["reasons"]), ["config.usage"]);
    assert_eq!(document["result"], "error");
}

#[test]
fn only_regular_files_are_opened_and_only_some() {
    let pki = Pki::new();
    pki.write("roots/root.pem", &pki.root.certificate.pem);
    pki.write("roots/.hidden", "x");
    let fifo = pki.path("roots/fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::create_dir(pki.path("roots/folder")).unwrap();
    let document = accepted(&pki.verify(&["chain.pem", "--roots", "roots", "--json"]));
    assert_eq!(skipped(&document), [("roots/fifo", "root"), ("roots/folder", "root")]);
    wrong_usage(&pki.verify(&["roots/fifo", "--roots", "root.pem"]));
    wrong_usage(&pki.verify(&["chain.pem", "--roots", "/dev/zero"]));

    pki.write("large.pem", vec![b'\n'; 5 << 20]);
    refused(&pki.verify(&["large.pem", "--roots", "root.pem", "--json"]), "signature.path-budget");
    let document = pki.accepts(&["--intermediates", "large.pem"]);
    assert_eq!(skipped(&document), [("large.pem", "intermediate")]);
    for number in 0..=1024 {
        pki.write(&format!("many/{number}"), "");
    }
    wrong_usage(&pki.judge(&["--crls", "many"]));
}

#[test]
fn a_folder_with_a_manifest_is_read_by_it() {
    let pki = Pki::new();
    let folder = pki.path("station-roots");
    let anchor =
        |purpose: &str| roots::Anchor::new("corp-root", &pki.root.certificate.pem, &[purpose]);
    let verify = |more: &[&str]| {
        pki.verify(&[&["chain.pem", "--roots", "station-roots", "--json"], more].concat())
    };
    roots::write(&folder, &[anchor("code-signing")]);
    assert_eq!(accepted(&verify(&[]))["path"][2]["anchor"], "corp-root");

    roots::write(&folder, &[anchor("timestamping")]);
    assert_eq!(verify(&[]).status, 1);
    accepted(&verify(&["--purpose", "any"]));

    roots::write(&folder, &[anchor("code-signing").with_sha256(&"0".repeat(64))]);
    let document = verify(&[]).expect_status(1).json();
    assert_eq!(skipped(&document), [("station-roots/corp-root.pem", "root")]);
    files::public(folder.join("roots.toml"), "[[anchor]]\n");
    let document = verify(&[]).expect_status(1).json();
    assert_eq!(skipped(&document), [("station-roots/roots.toml", "root")]);
}

#[test]
fn the_initial_policies_of_rfc_5280_are_taken() {
    let pki = Pki::new();
    pki.refuses(&["--require-explicit-policy"], "signature.certificate-policies");
    // Without any policy in the path, an acceptable one that is not required does not matter.
    pki.accepts(&["--certificate-policy", "1.3.6.1.4.1.99999.1"]);

    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("sh").args(["-e", "-c", POLICIES]).current_dir(dir.path()).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let verify = |leaf: &str, more: &[&str]| {
        let path = [leaf, "--roots", "root.pem", "--intermediates", "ca.pem", "--json"];
        let any = ["--purpose", "any", "--require-explicit-policy"];
        verify_in(dir.path(), &[&path[..], &any, more].concat())
    };
    let refused = |outcome| refused(&outcome, "signature.certificate-policies");
    accepted(&verify("mapped.pem", &["--certificate-policy", "1.3.6.1.4.1.99999.1"]));
    refused(verify("mapped.pem", &["--certificate-policy", "1.3.6.1.4.1.99999.9"]));
    let two = ["--certificate-policy", "1.2.3", "--certificate-policy", "1.3.6.1.4.1.99999.1"];
    accepted(&verify("mapped.pem", &two));
    refused(verify("mapped.pem", &["--inhibit-policy-mapping"]));
    accepted(&verify("any.pem", &[]));
    refused(verify("any.pem", &["--inhibit-any-policy"]));
}

/// A root, an authority that maps the policy `.1` to `.2`, a leaf with `.2`, and one with anyPolicy.
const POLICIES: &str = r#"
exec 2>&1
cat > openssl.cnf <<'END'
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 1.3.6.1.4.1.99999.1, 1.3.6.1.4.1.99999.3
policyMappings = 1.3.6.1.4.1.99999.1:1.3.6.1.4.1.99999.2
[mapped]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 1.3.6.1.4.1.99999.2
[any]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 2.5.29.32.0
END
issue() { # name subject issuer
  openssl req -config openssl.cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$1.key" -subj "/CN=$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -days 30 -extfile openssl.cnf \
    -extensions "$1" -out "$1.pem"
}
openssl req -config openssl.cnf -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -keyout root.key -subj "/CN=Policy Root" -days 30 -extensions root -out root.pem
issue ca "Policy CA" root
issue mapped "Mapped" ca
issue any "Any" ca
"#;

#[test]
fn hostile_chains_are_refused_quickly() {
    let pki = Pki::new();
    // Authorities of one name that could all have issued each other.
    let issuers: Vec<Authority> =
        (0..40).map(|_| Authority::root(Profile::ca("Loop"), KeyType::P256)).collect();
    let crossed: Vec<Certificate> = issuers
        .iter()
        .zip(issuers.iter().skip(1))
        .flat_map(|(a, b)| [a, b].map(|i| i.intermediate(Profile::ca("Loop"), KeyType::P256)))
        .map(|authority| authority.certificate)
        .collect();
    let leaf = issuers[0].issue(Profile::code_signing("Leaf"), KeyType::P256);
    pki.write("loop.pem", chain([&leaf.certificate].into_iter().chain(&crossed).take(16)));
    pki.write("more.pem", chain(&crossed));
    pki.write("long.pem", chain(std::iter::repeat_n(&leaf.certificate, 3000)));

    for arguments in [
        &["loop.pem", "--roots", "root.pem", "--intermediates", "more.pem"][..],
        &["long.pem", "--roots", "root.pem"],
        &["loop.pem", "--roots", "more.pem"],
    ] {
        let start = Instant::now();
        let outcome = pki.verify(&[arguments, &["--json"]].concat()).expect_status(1);
        // Without optimisation, on a machine that does other work besides.
        assert!(start.elapsed() < Duration::from_secs(5), "{arguments:?}");
        conforming(&CERT_VERIFY, outcome.json());
    }
}
