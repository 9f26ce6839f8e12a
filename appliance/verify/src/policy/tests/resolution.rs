//! Names that stand for nothing, or for the wrong thing.

use super::*;
use crate::policy::{Method, PolicyInput};
use crate::reason::Code;

const WITH_KEY: &str = "\
[policy]
id = \"t\"
version = 1
[[signer]]
method = \"key\"
key = \"vendor.pem\"
[content]
allow = []
";

fn resolve_key(text: &str, file: &str, bytes: &[u8]) -> Result<Policy, PolicyError> {
    let keys = BTreeMap::from([(file.to_owned(), bytes.to_vec())]);
    parse(text)?.resolve(&Inputs { anchors: &[], keys: &keys, trusted_roots: &[] })
}

#[test]
fn anchors_are_found_by_name() {
    let anchors =
        [anchor("other", &[Purpose::CodeSigning]), anchor("root", &[Purpose::CodeSigning])];
    let policy = resolve(SMALLEST, &anchors).unwrap();
    assert_eq!(policy.signers[0].name, "signer[0]");
    let Method::Certificate { anchors: found, .. } = &policy.signers[0].method else { panic!() };
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].certificate.fingerprint(), anchors[1].certificate.fingerprint());
    let sha256 = Sha256Digest::of(b"root");
    assert_eq!(policy.inputs, [PolicyInput { kind: "anchor", name: "root".to_owned(), sha256 }]);
}

#[test]
fn an_anchor_that_is_not_installed_is_named_with_its_place() {
    let anchors =
        [anchor("corp", &[Purpose::CodeSigning]), anchor("stamps", &[Purpose::Timestamping])];
    let error = resolve(SMALLEST, &anchors).unwrap_err();
    assert_eq!(error.code(), Code::PolicyUnknownAnchor);
    assert_eq!(
        error.to_string(),
        "line 6, column 12: signer[0].anchors[0]: no anchor \"root\" is installed, expected one \
         of: corp"
    );
    let error = resolve(SMALLEST, &[]).unwrap_err();
    assert!(error.to_string().ends_with("expected one of: (none)"), "{error}");
}

#[test]
fn an_anchor_for_another_purpose_is_refused() {
    let error = resolve(SMALLEST, &[anchor("root", &[Purpose::Verdict, Purpose::Timestamping])])
        .unwrap_err();
    assert_eq!(error.code(), Code::PolicyAnchorPurpose);
    assert_eq!(
        error.to_string(),
        "line 6, column 12: signer[0].anchors[0]: the anchor \"root\" is installed for verdict, \
         timestamping, expected the purpose code-signing"
    );
}

#[test]
fn two_anchors_of_one_name_are_an_error_even_when_no_rule_names_them() {
    let twice = [
        anchor("corp", &[Purpose::CodeSigning]),
        anchor("root", &[Purpose::CodeSigning]),
        anchor("root", &[Purpose::CodeSigning]),
    ];
    let error = resolve(SMALLEST, &twice).unwrap_err();
    assert_eq!(error.code(), Code::PolicyDuplicateAnchor);
    assert_eq!((error.line, error.column), (6, 12));
    let unnamed = SMALLEST.replace("\"root\"", "\"corp\"");
    let error = resolve(&unnamed, &twice).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 1: more than one installed anchor is named \"root\", expected one"
    );
}

#[test]
fn a_key_file_is_read_and_named_among_the_inputs() {
    let pem = public_key_pem(&rcgen::PKCS_ECDSA_P384_SHA384);
    let policy = resolve_key(WITH_KEY, "vendor.pem", &pem).unwrap();
    let Method::Key { file, key } = &policy.signers[0].method else { panic!() };
    assert_eq!((file.as_str(), key.key_type()), ("vendor.pem", crate::key::KeyType::P384));
    let input =
        PolicyInput { kind: "key", name: "vendor.pem".to_owned(), sha256: Sha256Digest::of(&pem) };
    assert_eq!(policy.inputs, [input]);
}

#[test]
fn a_key_file_of_no_use_is_named_with_its_place() {
    let error = resolve_key(WITH_KEY, "other.pem", b"").unwrap_err();
    assert_eq!(error.code(), Code::PolicyKey);
    assert_eq!(
        error.to_string(),
        "line 6, column 7: signer[0].key: the key file vendor.pem was not read, expected a PEM \
         file of one public key"
    );
    for bytes in
        [&b""[..], b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
    {
        let error = resolve_key(WITH_KEY, "vendor.pem", bytes).unwrap_err();
        assert_eq!((error.code(), error.line, error.column), (Code::PolicyKey, 6, 7));
    }
}

#[test]
fn a_pinned_key_must_be_of_a_type_that_its_rule_admits() {
    let pem = public_key_pem(&rcgen::PKCS_ED25519);
    let error = resolve_key(WITH_KEY, "vendor.pem", &pem).unwrap_err();
    assert_eq!(error.code(), Code::PolicyKey);
    assert_eq!(
        error.to_string(),
        "line 6, column 7: signer[0].key: the key file vendor.pem holds a key of type Ed25519, \
         expected one of: P-256, P-384, P-521"
    );
    let named = WITH_KEY.replace("[content]", "keys = \"Ed25519\"\n[content]");
    assert!(resolve_key(&named, "vendor.pem", &pem).is_ok());
}

#[test]
fn inputs_are_each_named_once() {
    let twice = SMALLEST.replace(
        "[content]",
        "[[signer]]\nmethod = \"certificate\"\nanchors = [\"other\", \"root\"]\n[content]",
    );
    let anchors =
        [anchor("root", &[Purpose::CodeSigning]), anchor("other", &[Purpose::CodeSigning])];
    let policy = resolve(&twice, &anchors).unwrap();
    let names: Vec<_> = policy.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["other", "root"]);
    assert_eq!(policy.signers[1].name, "signer[1]");
}

#[test]
fn a_rule_admits_the_models_that_it_names() {
    let root = [anchor("root", &[Purpose::CodeSigning])];
    let policy = resolve(SMALLEST, &root).unwrap();
    assert!(policy.signers[0].admits_model("anything"));
    let named = SMALLEST.replace("[content]", "models = [\"llm-*\", \"tiny\"]\n[content]");
    let rule = &resolve(&named, &root).unwrap().signers[0];
    assert!(rule.admits_model("llm-7b") && rule.admits_model("tiny"));
    assert!(!rule.admits_model("tiny-2") && !rule.admits_model("my-llm-7b"));
}
