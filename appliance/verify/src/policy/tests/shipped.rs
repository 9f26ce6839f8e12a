//! The policies that are shipped, and what their explanations say.

use super::*;
use crate::key::KeyType;
use crate::pki::RevocationMode;
use crate::policy::{Method, RemoteCode, UnsignedFiles, explain};
use crate::reason::Code;

const PROD: &str = include_str!("../../../../../policies/prod.toml");
const SIGSTORE: &str = include_str!("../../../../../policies/sigstore.toml");
const LAB: &str = include_str!("../../../../../policies/lab.toml");

fn prod() -> Policy {
    resolve(PROD, &[anchor("corp-root", &[Purpose::CodeSigning])]).unwrap()
}

fn lab(pem: &[u8]) -> Policy {
    let raw = parse(LAB).unwrap();
    assert_eq!(raw.key_files().collect::<Vec<_>>(), ["lab.pem"]);
    let keys = BTreeMap::from([("lab.pem".to_owned(), pem.to_vec())]);
    raw.resolve(&Inputs { anchors: &[], keys: &keys, trusted_roots: &[] }).unwrap()
}

#[track_caller]
fn says(text: &str, sentence: &str) {
    assert!(text.contains(sentence), "\n{text}\nlacks: {sentence}");
}

#[test]
fn prod_is_strict() {
    let policy = prod();
    assert_eq!(policy.id, "prod");
    assert_eq!(policy.revocation.mode, RevocationMode::Require);
    assert!(policy.revocation.max_crl_age.is_some());
    assert_eq!(policy.manifest.unsigned_files, UnsignedFiles::Reject);
    assert!(!policy.manifest.legacy);
    assert_eq!(policy.media.retries, 0);
    assert_eq!(policy.content.remote_code, RemoteCode::Reject);
    let allowed = policy.content.allow.unwrap();
    assert_eq!(allowed, ["safetensors", "gguf", "onnx", "json", "text", "tokenizer"]);
    for rule in &policy.signers {
        let Method::Certificate { identity, .. } = &rule.method else { panic!() };
        assert!(!identity.is_empty());
        assert!(!rule.keys.admits(KeyType::Rsa(4096)));
        assert!(rule.max_signature_age.is_some());
    }
}

#[test]
fn prod_refuses_a_station_that_is_not_set_up_for_it() {
    let code = |anchors: &[Anchor]| resolve(PROD, anchors).unwrap_err().code();
    assert_eq!(code(&[]), Code::PolicyUnknownAnchor);
    assert_eq!(code(&[anchor("corp-root", &[Purpose::Verdict])]), Code::PolicyAnchorPurpose);
    assert_eq!(code(&[anchor("corp-root", &[])]), Code::PolicyAnchorPurpose);
    let twice =
        [anchor("corp-root", &[Purpose::CodeSigning]), anchor("corp-root", &[Purpose::Verdict])];
    assert_eq!(code(&twice), Code::PolicyDuplicateAnchor);
}

#[test]
fn prod_admits_its_own_mailboxes_only() {
    use rcgen::string::Ia5String;
    let policy = prod();
    let Method::Certificate { identity, .. } = &policy.signers[0].method else { panic!() };
    let of = |address: &str| {
        let name = SanType::Rfc822Name(Ia5String::try_from(address).unwrap());
        identity.admits(&certificate(&[(DnType::CommonName, "x")], vec![name]))
    };
    assert!(of("build@ml.corp.example").is_ok());
    assert!(of("build@corp.example").is_err());
    assert!(of("build@ml.corp.example.evil.example").is_err());
}

#[test]
fn lab_takes_a_key_and_no_pki() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let policy = lab(&public_key_pem(algorithm));
        assert_eq!(policy.id, "lab");
        assert_eq!(policy.revocation.mode, RevocationMode::Off);
        assert_eq!(policy.manifest.unsigned_files, UnsignedFiles::LeaveBehind);
        assert!(policy.manifest.legacy);
        assert_eq!(policy.content.remote_code, RemoteCode::Reject);
        let allowed = policy.content.allow.unwrap();
        assert!(allowed.len() > prod().content.allow.unwrap().len());
        assert!(prod().content.pickle_globals.is_empty());
        let names = policy.content.pickle_globals;
        assert!(names.contains("torch._utils._rebuild_tensor_v2"));
        // By these a name that is listed would reach any other, or another pickle.
        for reach in ["attr", "partial", "call", "load", "eval", "exec", "open", "import", "*"] {
            assert!(!names.iter().any(|name| name.contains(reach)), "{reach}");
        }
    }
}

fn sigstore() -> Policy {
    let anchors = [
        anchor("corp-root", &[Purpose::CodeSigning]),
        anchor("corp-tsa", &[Purpose::Timestamping]),
    ];
    let keys = BTreeMap::new();
    let trusted_roots = &[trusted_root("sigstore-public-good")];
    parse(SIGSTORE)
        .unwrap()
        .resolve(&Inputs { anchors: &anchors, keys: &keys, trusted_roots })
        .unwrap()
}

#[test]
fn sigstore_asks_everybody_for_a_trusted_time() {
    let policy = sigstore();
    assert_eq!(policy.id, "sigstore");
    assert_eq!(policy.revocation.mode, RevocationMode::Require);
    assert_eq!(policy.manifest.unsigned_files, UnsignedFiles::Reject);
    assert!(policy.time.require_timestamp && policy.time.max_signature_age.is_some());
    assert!(policy.time.expired_certificates.is_excused());
    assert!(!policy.time.revoked_certificates.is_excused());
    let names: Vec<_> =
        policy.inputs.iter().map(|input| (input.kind, input.name.as_str())).collect();
    let expected =
        [("anchor", "corp-root"), ("anchor", "corp-tsa"), ("trusted-root", "sigstore-public-good")];
    assert_eq!(names, expected);
    let Method::Certificate { identity, .. } = &policy.signers[1].method else { panic!() };
    let of = |uri: &str| {
        let name = SanType::URI(rcgen::string::Ia5String::try_from(uri).unwrap());
        identity.admits(&certificate(&[(DnType::CommonName, "x")], vec![name]))
    };
    assert!(of("https://ml.build.corp.example/release").is_ok());
    assert!(of("https://build.corp.example/release").is_err());
    assert!(of("https://ml.build.corp.example/debug").is_err());
}

#[test]
fn sigstore_explains_itself() {
    let text = explain(&sigstore());
    says(&text, "A Sigstore bundle of https://github.com/vendor-example/models/");
    says(&text, "under the trusted root sigstore-public-good (SHA-256 ");
    says(&text, "Its san-uri must be https://*.build.corp.example/release.");
    says(
        &text,
        "A timestamp (RFC 3161) counts when its authority's path leads to the anchor corp-tsa.",
    );
    says(
        &text,
        "A signature by certificate without one is refused, of the model and of attestations.",
    );
    says(&text, "Certificates of Sigstore have no CRLs");
    says(&text, "A Sigstore certificate counts at the trusted times of its bundle");
    says(
        &text,
        "A certificate that has expired passes when a timestamp shows that it signed before",
    );
    says(&text, "One that is revoked is refused, whenever it signed.");
    says(&text, "Whoever signed, a signature older than 800d is refused.");
    says(&text, "Attestations. None is required.");
}

#[test]
fn prod_explains_itself() {
    let text = explain(&prod());
    says(&text, "Policy prod, version 1 (SHA-256 ");
    says(&text, "What it does not admit is refused.");
    says(
        &text,
        "- signer[0]: A certificate whose path leads to the anchor corp-root. Its san-email must be *@ml.corp.example.",
    );
    says(
        &text,
        "Types of keys admitted: P-256, P-384, P-521. A signature older than 400d is refused, \
         counted from a trusted timestamp, or else from the first moment of the certificate's \
         validity. A timestamp may have been added long after the signature.",
    );
    says(&text, "It may sign any model.");
    says(&text, "One admitted signer is enough.");
    says(&text, "without one, the signature is refused. A CRL older than 7d does not count.");
    says(&text, "Hashes admitted: sha256. A file that is not signed refuses the whole model.");
    says(
        &text,
        "What the signer chose to ignore stays behind and is listed. Symbolic links are refused. Bundles of version 0.2 are refused.",
    );
    says(&text, "Limits: 100000 files, 2 TiB a file, 4 TiB a model, 64 MiB a bundle.");
    says(
        &text,
        "safetensors, gguf, onnx, json, text, tokenizer. A file that is two formats at once",
    );
    says(&text, "The new bundle carries no annotations.");
    says(&text, "No time stamping authority counts. A certificate that has expired is refused.");
    assert!(!text.contains("Sigstore"), "not admitted: {text}");
    assert_eq!(text.matches("\n\n").count(), 9, "one paragraph a section");
    assert!(text.ends_with(".\n"));
}

#[test]
fn lab_explains_itself() {
    let pem = public_key_pem(&rcgen::PKCS_ECDSA_P256_SHA256);
    let text = explain(&lab(&pem));
    let key = crate::key::PublicKey::from_pem(&pem).unwrap();
    says(
        &text,
        &format!(
            "- signer[0]: The public key in lab.pem (P-256, SHA-256 {}). It may sign any model.",
            key.fingerprint()
        ),
    );
    says(&text, "Not checked: a certificate that was revoked still passes until it expires");
    says(
        &text,
        "Hashes admitted: sha256, blake2b, blake3. A file that is not signed stays behind and is listed.",
    );
    says(&text, "Bundles of version 0.2 are admitted.");
    says(&text, "onnx");
}

#[test]
fn an_explanation_does_not_hide_what_is_open() {
    let text = "\
[policy]
id = \"open\"
version = 3
[[signer]]
method = \"certificate\"
anchors = [\"a\", \"b\"]
keys = [\"RSA\"]
models = [\"llm-*\", \"tiny\"]
certificate-policies = [\"1.2.3.4\", \"1.2.3.5\"]
extended-key-usage = \"1.2.3.6\"
[[signer]]
method = \"sigstore\"
trusted-root = \"public\"
identity = \"release@vendor.example\"
issuer = \"https://accounts.vendor.example\"
[signatures]
require = 2
[revocation]
mode = \"if-available\"
[manifest]
ignored-paths = \"reject\"
[[attestation]]
predicate-type = \"https://slsa.dev/provenance/v1\"
where = [{ field = \"predicate.level\", at-least = 3 }, { field = \"predicate.kind\", one-of = [\"a\", true] }]
[attestation.signer]
method = \"certificate\"
anchors = \"b\"
san-dns = \"ci.corp.example\"
[content]
allow = \"any\"
remote-code = \"allow\"
[resign]
annotations = { \"com.example.station\" = \"diode-3\" }
";
    let anchors = [anchor("a", &[Purpose::CodeSigning]), anchor("b", &[Purpose::CodeSigning])];
    let text = explain(&resolve(text, &anchors).unwrap());
    says(
        &text,
        "leads to one of the anchors a, b. Whoever the certificate names is admitted: no identity is asked for.",
    );
    says(
        &text,
        "Types of keys admitted: RSA of at least 3072 bits. It may sign only models named llm-* or tiny.",
    );
    says(
        &text,
        "A Sigstore bundle of release@vendor.example, vouched for by https://accounts.vendor.example, under the trusted root public (SHA-256 ",
    );
    says(
        &text,
        "At least 2 admitted signers, who differ in key and in identity, must have signed identical files.",
    );
    says(&text, "where there is no CRL, the certificate passes unchecked");
    says(&text, "Beside code signing, it must have the extended key usages 1.2.3.6.");
    says(&text, "Its whole path must be valid for the certificate policy 1.2.3.4 or 1.2.3.5.");
    says(
        &text,
        "- attestation[0]: https://slsa.dev/provenance/v1, signed by this: A certificate whose path leads to the anchor b. Its san-dns must be ci.corp.example.",
    );
    says(&text, "predicate.level must be at least 3. predicate.kind must be \"a\" or true.");
    says(&text, "A signer who chose to ignore anything is refused.");
    says(
        &text,
        "Content. Not restricted: files of any format pass. A model that brings code to be run may pass.",
    );
    says(&text, "carries the annotations com.example.station = diode-3.");
    let none = explain(&resolve(SMALLEST, &[anchor("root", &[Purpose::CodeSigning])]).unwrap());
    says(&none, "No format is allowed, so that no model passes.");
}

#[test]
fn media_rules_are_told() {
    let told = |media: &str| {
        let text = format!("{SMALLEST}{media}");
        explain(&resolve(&text, &[anchor("root", &[Purpose::CodeSigning])]).unwrap())
    };
    says(
        &told(""),
        "Media. A read that fails is not repeated. A carrier that gives no answer for 2m leaves \
         the model undecided.",
    );
    says(&told("[media]\nretries = 1\n"), "One read that fails may be repeated, and the verdict");
    let text = told("[media]\nretries = 3\nstall = \"90s\"\n");
    says(
        &text,
        "Up to 3 reads that fail may be repeated for one model, and the verdict counts them",
    );
    says(&text, "no answer for 90s leaves");
}
