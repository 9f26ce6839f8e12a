//! How many signers a model has, and whether they say the same of it.

use serde_json::json;

use super::{BY_KEY, Scene, observed, one, outcome, told};
use crate::bundle::tests::maker::{
    Authority, FILES, Key, bundle, chain_bundle, digest_of, email, policy, sharded, statement,
    to_bytes,
};
use crate::reason::Code;
use crate::statement::{PREDICATE_TYPE_LEGACY, STATEMENT_TYPE};
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
fn signers_give_the_model_one_name() {
    let (k1, k2) = (Key::p256(), Key::p256());
    let again = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut statement = statement(&FILES);
        change(&mut statement);
        to_bytes(&statement)
    };
    let tables = format!(
        "[signatures]\nrequire = 2\n[manifest]\nlegacy = true\n{BY_KEY}[[signer]]\nmethod = \"key\"\nkey = \"b.pem\"\n"
    );
    let policy = policy(&tables, &[], &[("vendor.pem", &k1), ("b.pem", &k2)]);
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let bundles = vec![
            outcome(&policy, &bundle(&again(&|_| ()), &k1), "0.sig"),
            outcome(&policy, &bundle(&again(change), &k2), "1.sig"),
        ];
        let (observed, findings) = (Some(observed(&FILES)), Vec::new());
        let policy = policy.clone();
        Scene { policy, bundles, observed, findings, mode: Mode::Ingest }.decide()
    };
    assert!(with(&|_| ()).passed());
    let renamed = with(&|statement| statement["subject"][0]["name"] = "b-1".into());
    assert_eq!(told(renamed.reasons()), one(Code::SignatureNamesDiffer, "1.sig"));
    assert!(renamed.reasons()[0].detail.contains("\"b-1\""));

    // Version 0.2 signs no name, which is another name than any.
    let digest = |content| json!({"sha256": digest_of(content).to_hex()});
    let legacy = json!({
        "_type": STATEMENT_TYPE,
        "subject": FILES.map(|(name, content)| json!({"name": name, "digest": digest(content)})),
        "predicateType": PREDICATE_TYPE_LEGACY,
        "predicate": {},
    });
    let unnamed = with(&|statement| *statement = legacy.clone());
    assert_eq!(told(unnamed.reasons()), one(Code::SignatureNamesDiffer, "1.sig"));
}

#[test]
fn signers_hash_the_files_in_one_way() {
    let (k1, k2) = (Key::p256(), Key::p256());
    let files = [("a", "a")];
    let tables = format!(
        "[signatures]\nrequire = 2\n{BY_KEY}[[signer]]\nmethod = \"key\"\nkey = \"b.pem\"\n"
    );
    let policy = policy(&tables, &[], &[("vendor.pem", &k1), ("b.pem", &k2)]);
    let bundles = vec![
        outcome(&policy, &bundle(&to_bytes(&sharded(&["a:0:1"], json!(9))), &k1), "0.sig"),
        outcome(&policy, &bundle(&to_bytes(&sharded(&["a:0:1"], json!(8))), &k2), "1.sig"),
    ];
    let observed = Some(observed(&files));
    let scene = Scene { policy, bundles, observed, findings: vec![], mode: Mode::Ingest };
    assert!(scene.refusal().contains(&(Code::SignatureFilesDiffer, "1.sig".to_owned())));
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
    let tables = format!("{TWO}{}", BY_KEY);
    let policy = policy(&tables, &[root.anchor("root")], &[("vendor.pem", &key)]);
    let payload = to_bytes(&statement(&FILES));
    let leaf = root.issue("A", vec![], &key);
    let bundles = vec![
        outcome(&policy, &bundle(&payload, &key), "0.sig"),
        outcome(&policy, &chain_bundle(&payload, &key, &[leaf]), "1.sig"),
    ];
    let observed = Some(observed(&FILES));
    let scene = Scene { policy, bundles, observed, findings: vec![], mode: Mode::Ingest };
    assert_eq!(scene.refusal(), one(Code::SignatureThreshold, ""));
}

#[test]
fn signers_are_counted_in_the_best_order() {
    let [k1, k2, k3] = [Key::p256(), Key::p256(), Key::p256()];
    let middle = ("C", "c@x.example", &k1, &FILES[..]);
    let (left, right) =
        (("A", "a@x.example", &k1, &FILES[..]), ("C", "b@x.example", &k2, &FILES[..]));
    // The first one shares a key with one and a subject with the other, who have nothing in common.
    for signers in [[middle, left, right], [left, middle, right], [right, left, middle]] {
        assert!(scene(&signers).decide().passed());
    }
    let third = ("A", "z@x.example", &k3, &FILES[..]);
    // Each is like the next one.
    assert_eq!(
        scene(&[left, third, ("B", "z@x.example", &k1, &FILES)]).refusal(),
        one(Code::SignatureThreshold, "")
    );
}
