//! How many signers a model has.

use super::{Scene, observed, one, outcome};
use crate::bundle::tests::maker::{
    Authority, FILES, Key, chain_bundle, email, policy, statement, to_bytes,
};
use crate::reason::Code;
use crate::verdict::Mode;

const TWO: &str = "[signatures]\nrequire = 2\n\
                   [[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n";

/// One signer of a model: the common name, an e-mail address, the key, and the files it signed.
type Signed<'a> = (&'a str, &'a str, &'a Key, &'a [(&'a str, &'a str)]);

fn scene(signers: &[Signed<'_>]) -> Scene {
    let root = Authority::new("Root");
    let policy = policy(TWO, &[root.anchor("root")], &[]);
    let bundles = signers
        .iter()
        .enumerate()
        .map(|(at, (name, address, key, files))| {
            let leaf = root.issue(name, vec![email(address)], key);
            let bytes = chain_bundle(&to_bytes(&statement(files)), key, &[leaf]);
            outcome(&policy, &bytes, &format!("{at}.sig"))
        })
        .collect();
    let (observed, findings) = (Some(observed(&FILES)), Vec::new());
    Scene { policy, bundles, observed, findings, mode: Mode::Ingest }
}

#[test]
fn two_signers_differ_in_key_and_in_every_name() {
    let (k1, k2) = (Key::p256(), Key::p256());
    let verdict = scene(&[("A", "a@x.example", &k1, &FILES), ("B", "b@x.example", &k2, &FILES)]);
    assert!(verdict.decide().passed());

    let threshold = one(Code::SignatureThreshold, "");
    for (why, signers) in [
        ("one signer", vec![("A", "a@x.example", &k1, &FILES[..])]),
        ("the same twice", vec![("A", "a@x.example", &k1, &FILES[..]); 2]),
        ("one key", vec![("A", "a@x.example", &k1, &FILES[..]), ("B", "b@x.example", &k1, &FILES)]),
        (
            "one subject",
            vec![("A", "a@x.example", &k1, &FILES[..]), ("A", "b@x.example", &k2, &FILES)],
        ),
        (
            "one address",
            vec![("A", "a@x.example", &k1, &FILES[..]), ("B", "a@x.example", &k2, &FILES)],
        ),
        (
            "one address in another case",
            vec![("A", "a@x.example", &k1, &FILES[..]), ("B", "A@X.example", &k2, &FILES)],
        ),
    ] {
        assert_eq!(scene(&signers).refusal(), threshold, "{why}");
    }
}

#[test]
fn signers_sign_the_same_files() {
    let (k1, k2) = (Key::p256(), Key::p256());
    let other = [("a.txt", "first"), ("b/c.bin", "third")];
    for files in [&other[..], &FILES[..1]] {
        let scene = scene(&[("A", "a@x.example", &k1, &FILES), ("B", "b@x.example", &k2, files)]);
        assert_eq!(scene.refusal(), one(Code::SignatureFilesDiffer, "1.sig"));
    }
}

#[test]
fn a_refused_bundle_tells_why_there_are_too_few() {
    let (k1, k2) = (Key::p256(), Key::p256());
    let mut scene = scene(&[("A", "a@x.example", &k1, &FILES), ("B", "b@x.example", &k2, &FILES)]);
    let stranger = Authority::new("Root").issue("B", vec![], &k2);
    let bytes = chain_bundle(&to_bytes(&statement(&FILES)), &k2, &[stranger]);
    scene.bundles[1] = outcome(&scene.policy, &bytes, "1.sig");
    let codes: Vec<_> = scene.refusal().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::SignatureUntrustedAnchor, Code::SignatureThreshold]);
}

#[test]
fn a_pinned_key_and_a_certificate_of_that_key_are_one_signer() {
    let (root, key) = (Authority::new("Root"), Key::p256());
    let tables = format!("{TWO}{}", super::BY_KEY);
    let policy = policy(&tables, &[root.anchor("root")], &[("vendor.pem", &key)]);
    let payload = to_bytes(&statement(&FILES));
    let leaf = root.issue("A", vec![], &key);
    let bundles = vec![
        outcome(&policy, &crate::bundle::tests::maker::bundle(&payload, &key), "0.sig"),
        outcome(&policy, &chain_bundle(&payload, &key, &[leaf]), "1.sig"),
    ];
    let observed = Some(observed(&FILES));
    let scene = Scene { policy, bundles, observed, findings: vec![], mode: Mode::Ingest };
    assert_eq!(scene.refusal(), one(Code::SignatureThreshold, ""));
}
