//! What a policy makes of attestations: which are accepted, and what the others fall short of.

use serde_json::{Value, json};

use super::{AttestationOutcome, AttestationSource, STATEMENT_TYPES};
use crate::appraise::TrustContext;
use crate::appraise::tests::ask;
use crate::bundle::tests::maker::{
    Authority, FILES, Key, NOW, bundle, chain_bundle, digest_of, email, parse, policy, statement,
    to_bytes,
};
use crate::hash::Sha256Digest;
use crate::name::ResourcePath;
use crate::observe::{Observed, ObservedFile, Unlisted};
use crate::pki::{CrlSet, Profile};
use crate::policy::{AttestationRule, Condition, FieldPath, Policy, Scalar, Test};
use crate::reason::Code;
use crate::statement::{PREDICATE_TYPE, PREDICATE_TYPE_LEGACY, Pieces};
use crate::verdict::{BundleOutcome, Case, Mode, Verdict, decide};

const TYPE: &str = "https://slsa.dev/provenance/v1";
const VENDOR: &str = "[[signer]]\nmethod = \"key\"\nkey = \"vendor.pem\"\n";

/// A signed model, and a policy that asks for an attestation of [`TYPE`] by the key `ci`.
struct Scene {
    policy: Policy,
    vendor: Key,
    ci: Key,
    found: Vec<AttestationOutcome>,
    left: usize,
}

impl Scene {
    fn new(conditions: Vec<Condition>) -> Self {
        let mut scene = Scene::without_rules();
        scene.require(TYPE, conditions);
        scene
    }

    fn without_rules() -> Self {
        let (vendor, ci) = (Key::p256(), Key::p256());
        let policy = policy(VENDOR, &[], &[("vendor.pem", &vendor)]);
        Scene { policy, vendor, ci, found: Vec::new(), left: 0 }
    }

    fn require(&mut self, predicate_type: &str, conditions: Vec<Condition>) {
        let rules = "[[signer]]\nmethod = \"key\"\nkey = \"ci.pem\"\n";
        let name = format!("attestation[{}]", self.policy.attestations.len());
        let mut signer = policy(rules, &[], &[("ci.pem", &self.ci)]).signers.remove(0);
        signer.name = format!("{name}.signer");
        let predicate_type = predicate_type.to_owned();
        self.policy.attestations.push(AttestationRule { name, predicate_type, signer, conditions });
    }

    fn root(&self) -> Sha256Digest {
        let hex = statement(&FILES)["subject"][0]["digest"]["sha256"].clone();
        Sha256Digest::from_hex(hex.as_str().unwrap()).unwrap()
    }

    /// An attestation about the model.
    fn right(&self) -> Value {
        json!({
            "_type": STATEMENT_TYPES[0],
            "subject": [
                {"name": "other", "digest": {"sha256": "ab".repeat(32)}},
                {"name": "llm", "digest": {"sha512": "00", "sha256": self.root().to_hex()}},
            ],
            "predicateType": TYPE,
            "predicate": {"level": 3},
        })
    }

    /// What the policy makes of these bytes in this file beside the model.
    fn of(&self, bytes: &[u8], file: &str, in_model: Option<&str>) -> AttestationOutcome {
        let context =
            TrustContext { crls: &CrlSet::default(), time: NOW, profile: Profile::CODE_SIGNING };
        let source =
            AttestationSource { file: file.to_owned(), in_model: in_model.map(str::to_owned) };
        AttestationOutcome::of(&self.policy, self.root(), bytes, source, &context)
    }

    fn place(&mut self, bytes: &[u8], file: &str) {
        self.found.push(self.of(bytes, file, None));
    }

    /// Signed by the key `ci`.
    fn attest(&mut self, statement: &Value, file: &str) {
        let bytes = bundle(&to_bytes(statement), &self.ci);
        self.place(&bytes, file);
    }

    fn decide(&self) -> Verdict {
        self.decide_with(Vec::new())
    }

    fn decide_with(&self, unlisted: Vec<Unlisted>) -> Verdict {
        let signed = parse(&bundle(&to_bytes(&statement(&FILES)), &self.vendor));
        let files = FILES.iter().map(|(name, content)| {
            let path = ResourcePath::parse(name, &Default::default()).unwrap();
            let pieces = Pieces::Whole(digest_of(content));
            (path, ObservedFile { size: content.len() as u64, pieces })
        });
        decide(Case {
            policy: &self.policy,
            time: NOW,
            mode: Mode::InPlace,
            alleged_name: "alleged".to_owned(),
            bundles: vec![BundleOutcome {
                file: "model.sig".to_owned(),
                in_model: None,
                digest: Some(signed.digest()),
                result: ask(&self.policy, &signed, "model.sig"),
            }],
            attestations: self.found.clone(),
            attestations_left: self.left,
            observed: Some(Observed { files: files.collect(), unlisted, ..Observed::default() }),
            findings: Vec::new(),
            checks: Vec::new(),
            scanner: None,
        })
    }

    /// The codes and rules of the refusal.
    #[track_caller]
    fn refusal(&self) -> Vec<(Code, String)> {
        let verdict = self.decide();
        assert!(!verdict.passed(), "the model must be refused");
        let told = |r: &crate::reason::Reason| (r.code, r.rule.clone().unwrap_or_default());
        verdict.reasons().iter().map(told).collect()
    }

    /// The codes of the warnings when the model passes.
    #[track_caller]
    fn warnings(&self) -> Vec<Code> {
        let verdict = self.decide();
        assert_eq!(verdict.reasons(), []);
        verdict.warnings().iter().map(|warning| warning.code).collect()
    }
}

fn one(code: Code, rule: &str) -> Vec<(Code, String)> {
    vec![(code, rule.to_owned())]
}

fn condition(field: &str, test: Test) -> Condition {
    Condition { field: FieldPath::parse(field).unwrap(), test }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

#[test]
fn a_required_attestation_by_its_signer_about_the_model_is_accepted() {
    let mut scene = Scene::new(vec![]);
    scene.attest(&scene.right(), "build.intoto.json");
    assert_eq!(scene.warnings(), []);
    let verdict = scene.decide();
    let [accepted] = verdict.attestations() else { panic!("not one attestation") };
    assert_eq!((accepted.file(), accepted.predicate_type()), ("build.intoto.json", TYPE));
    assert_eq!(accepted.subject_name(), Some("llm"));
    assert_eq!(accepted.signers()[0].rule, "attestation[0].signer");
    assert_eq!(accepted.signers()[0].identity, "key:ci.pem");
}

#[test]
fn an_attestation_that_is_not_there_refuses_the_model() {
    let mut scene = Scene::new(vec![]);
    assert_eq!(scene.refusal(), one(Code::AttestationMissing, "attestation[0]"));
    // One is no other.
    scene.require("https://cyclonedx.org/bom", vec![]);
    scene.attest(&scene.right(), "build.intoto.json");
    assert_eq!(scene.refusal(), one(Code::AttestationMissing, "attestation[1]"));
    let verdict = scene.decide();
    assert!(verdict.reasons()[0].detail.contains("https://cyclonedx.org/bom"));
}

#[test]
fn another_s_attestation_does_not_count() {
    let mut scene = Scene::new(vec![]);
    let bytes = bundle(&to_bytes(&scene.right()), &scene.vendor);
    scene.place(&bytes, "a.intoto.json");
    let expected = [
        (Code::SignatureWrongKey, "attestation[0].signer".to_owned()),
        (Code::AttestationMissing, "attestation[0]".to_owned()),
    ];
    assert_eq!(scene.refusal(), expected);
    // Beside one that counts it only stays behind.
    scene.attest(&scene.right(), "b.intoto.json");
    assert_eq!(scene.warnings(), [Code::SignatureWrongKey]);

    // Nor one of a method that the rule does not admit, whoever vouches for it.
    let (root, key) = (Authority::new("Root"), Key::p256());
    let chain = [root.issue("CI", vec![email("ci@corp.example")], &key)];
    let mut scene = Scene::new(vec![]);
    let bytes = chain_bundle(&to_bytes(&scene.right()), &key, &chain);
    scene.place(&bytes, "a.intoto.json");
    assert_eq!(scene.refusal()[0].0, Code::SignatureNoRule);
}

#[test]
fn a_subject_of_the_attestation_is_the_model() {
    for (at, change) in [
        (0, json!([])),
        (1, json!([{"name": "m", "digest": {"sha256": "ab".repeat(32)}}])),
        // The right digest under another algorithm, in capitals, or nowhere.
        (2, json!([{"digest": {"sha512": "ROOT"}}])),
        (3, json!([{"digest": {"sha256": "CAPITALS"}}])),
        (4, json!([{"name": "ROOT", "digest": {}}])),
    ] {
        let mut scene = Scene::new(vec![]);
        let root = scene.root().to_hex();
        let text = change.to_string().replace("ROOT", &root);
        let text = text.replace("CAPITALS", &root.to_uppercase());
        let mut wrong = scene.right();
        wrong["subject"] = serde_json::from_str(&text).unwrap();
        scene.attest(&wrong, "a.intoto.json");
        assert_eq!(scene.refusal(), one(Code::AttestationSubject, "attestation[0]"), "{at}");
    }
}

#[test]
fn one_about_another_model_belongs_to_that_one_unless_it_lies_in_this() {
    let mut scene = Scene::new(vec![]);
    scene.attest(&scene.right(), "a.intoto.json");
    let mut other = scene.right();
    other["subject"] = json!([{"digest": {"sha256": "ab".repeat(32)}}]);
    scene.attest(&other, "b.intoto.json");
    assert_eq!(scene.warnings(), []);
    let bytes = bundle(&to_bytes(&other), &scene.ci);
    scene.found.push(scene.of(&bytes, "c.intoto.json", Some("c.intoto.json")));
    assert_eq!(scene.warnings(), [Code::AttestationSubject]);
}

#[test]
fn what_is_no_attestation_is_refused_as_invalid() {
    let mut scene = Scene::new(vec![]);
    let right = to_bytes(&scene.right());
    let mut tampered: Value = serde_json::from_slice(&bundle(&right, &scene.ci)).unwrap();
    let mut payload = scene.right();
    payload["predicate"]["level"] = json!(4);
    let payload = crate::dsse::encode(&to_bytes(&payload));
    tampered["dsseEnvelope"]["payload"] = json!(payload);
    let changed = |key: &str, value: Value| {
        let mut statement = scene.right();
        statement[key] = value;
        bundle(&to_bytes(&statement), &scene.ci)
    };
    let twice = String::from_utf8(right.clone()).unwrap();
    let twice = twice.replacen("\"level\":3", "\"level\":3,\"level\":3", 1);
    let deep = format!("{{\"_type\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let cases = [
        ("tampered", to_bytes(&tampered)),
        ("no bundle", right.clone()),
        ("empty", vec![]),
        ("deep bundle", "[".repeat(100_000).into_bytes()),
        ("deep payload", bundle(deep.as_bytes(), &scene.ci)),
        ("repeated key", bundle(twice.as_bytes(), &scene.ci)),
        ("no JSON", bundle(b"no", &scene.ci)),
        ("no statement", bundle(b"{}", &scene.ci)),
        ("other type", changed("_type", json!("https://in-toto.io/Statement/v2"))),
        ("no predicate type", changed("predicateType", json!(3))),
        ("no subject", changed("subject", json!({}))),
        ("a signature", changed("predicateType", json!(PREDICATE_TYPE))),
        ("an old signature", changed("predicateType", json!(PREDICATE_TYPE_LEGACY))),
        ("the model's signature", bundle(&to_bytes(&statement(&FILES)), &scene.ci)),
    ];
    for (name, bytes) in cases {
        scene.found.clear();
        scene.place(&bytes, "a.intoto.json");
        let codes: Vec<_> = scene.refusal().into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, [Code::AttestationMissing, Code::AttestationInvalid], "{name}");
    }
}

#[test]
fn a_name_of_megabytes_does_not_go_into_the_verdict() {
    let mut scene = Scene::new(vec![]);
    let mut statement = scene.right();
    for subject in statement["subject"].as_array_mut().unwrap() {
        subject["name"] = json!("n".repeat(1 << 20));
    }
    scene.attest(&statement, "a.intoto.json");
    let verdict = scene.decide();
    let name = verdict.attestations()[0].subject_name().unwrap();
    assert!(name.starts_with("nnn") && name.len() < 10_000, "{} bytes", name.len());
}

#[test]
fn an_attestation_is_as_large_as_the_budget_of_attestations() {
    let mut scene = Scene::new(vec![]);
    let bytes = bundle(&to_bytes(&scene.right()), &scene.ci);
    scene.policy.budget.attestation_bytes = bytes.len() as u64;
    scene.policy.budget.bundle_bytes = bytes.len() as u64 - 1;
    assert!(scene.of(&bytes, "a", None).accepted().is_some());
    scene.policy.budget.attestation_bytes -= 1;
    assert!(scene.of(&bytes, "a", None).accepted().is_none());
}

#[test]
fn statements_of_the_version_before_are_read_too() {
    for kind in STATEMENT_TYPES {
        let mut scene = Scene::new(vec![]);
        let mut statement = scene.right();
        statement["_type"] = json!(kind);
        scene.attest(&statement, "a.intoto.json");
        assert_eq!(scene.warnings(), [], "{kind}");
    }
}

#[test]
fn what_no_rule_asks_for_stays_behind_and_is_told() {
    let mut scene = Scene::without_rules();
    scene.attest(&scene.right(), "a.intoto.json");
    scene.place(b"not even a bundle", "b.sigstore");
    assert_eq!(scene.warnings(), [Code::AttestationUnasked; 2]);
    assert_eq!(scene.decide().attestations().len(), 0);

    // Of the right signer and of another type.
    let mut scene = Scene::new(vec![]);
    scene.attest(&scene.right(), "a.intoto.json");
    let mut other = scene.right();
    other["predicateType"] = json!("https://spdx.dev/Document");
    scene.attest(&other, "b.intoto.json");
    assert_eq!(scene.warnings(), [Code::AttestationUnasked]);
    assert_eq!(scene.decide().attestations().len(), 1);
}

#[test]
fn an_accepted_attestation_is_no_unsigned_file_and_others_are() {
    let mut scene = Scene::new(vec![]);
    let bytes = bundle(&to_bytes(&scene.right()), &scene.ci);
    scene.found.push(scene.of(&bytes, "a.intoto.json", Some("a.intoto.json")));
    scene.found.push(scene.of(b"x", "b.intoto.json", Some("b.intoto.json")));
    let unlisted = |name: &str| Unlisted { path: name.to_owned(), ignored: false };
    assert!(scene.decide_with(vec![unlisted("a.intoto.json")]).passed());
    let verdict = scene.decide_with(vec![unlisted("a.intoto.json"), unlisted("b.intoto.json")]);
    let [reason] = verdict.reasons() else { panic!("not one reason") };
    assert_eq!(reason.code, Code::ManifestUnsignedFile);
    assert_eq!(reason.file.as_deref(), Some("b.intoto.json"));
}

#[test]
fn more_than_the_budget_refuse_when_one_is_missing() {
    let mut scene = Scene::new(vec![]);
    scene.left = 1;
    let codes: Vec<_> = scene.refusal().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::AttestationMissing, Code::AttestationTooMany]);
    scene.attest(&scene.right(), "a.intoto.json");
    assert_eq!(scene.warnings(), [Code::AttestationTooMany]);
}

#[test]
fn every_rule_counts_for_itself_and_one_attestation_may_do_for_several() {
    let least = |least| vec![condition("predicate.level", Test::AtLeast(least))];
    let mut scene = Scene::new(least(2));
    scene.require(TYPE, least(3));
    scene.attest(&scene.right(), "a.intoto.json");
    assert_eq!(scene.warnings(), []);
    let verdict = scene.decide();
    let rules: Vec<_> = verdict.attestations()[0].signers().iter().map(|s| &s.rule).collect();
    assert_eq!(rules, ["attestation[0].signer", "attestation[1].signer"]);

    scene.require(TYPE, least(4));
    scene.found.clear();
    scene.attest(&scene.right(), "a.intoto.json");
    assert_eq!(scene.refusal(), one(Code::AttestationCondition, "attestation[2].where[0]"));
    // Another may do what this one does not.
    let mut better = scene.right();
    better["predicate"]["level"] = json!(5);
    scene.attest(&better, "b.intoto.json");
    assert_eq!(scene.warnings(), []);
}

/// Whether a condition on `predicate.x` holds where the predicate is this.
fn holds(predicate: &str, field: &str, test: Test) -> bool {
    let mut scene = Scene::new(vec![condition(field, test)]);
    let mut statement = scene.right();
    statement["predicate"] = serde_json::from_str(predicate).unwrap();
    scene.attest(&statement, "a.intoto.json");
    let verdict = scene.decide();
    let reasons: Vec<_> = verdict.reasons().iter().map(|reason| reason.code).collect();
    assert!(reasons.is_empty() || reasons == [Code::AttestationCondition], "{reasons:?}");
    verdict.passed()
}

#[test]
fn a_field_equals_a_value_of_its_own_type() {
    let equals = |json: &str, value: Scalar| {
        holds(&format!("{{\"x\":{json}}}"), "predicate.x", Test::Equals(value))
    };
    for (json, right, wrong) in [
        ("\"a\"", text("a"), text("A")),
        ("\"3\"", text("3"), Scalar::Integer(3)),
        ("3", Scalar::Integer(3), text("3")),
        ("-3", Scalar::Integer(-3), Scalar::Integer(3)),
        ("3.0", Scalar::Integer(3), Scalar::Integer(4)),
        ("true", Scalar::Boolean(true), Scalar::Boolean(false)),
        ("1", Scalar::Integer(1), Scalar::Boolean(true)),
    ] {
        assert!(equals(json, right.clone()), "{json}");
        assert!(!equals(json, wrong), "{json}");
    }
    for json in ["null", "[\"a\"]", "{\"a\":\"a\"}", "3.5", "1e300", "18446744073709551615"] {
        assert!(!equals(json, text("a")), "{json}");
        assert!(!equals(json, Scalar::Integer(3)), "{json}");
    }
    assert!(!holds("{}", "predicate.x", Test::Equals(text("a"))));
}

#[test]
fn a_field_is_one_of_some_values() {
    let test = || Test::OneOf(vec![text("a"), Scalar::Integer(2)]);
    for (json, expected) in [("\"a\"", true), ("2", true), ("\"b\"", false), ("\"2\"", false)] {
        assert_eq!(holds(&format!("{{\"x\":{json}}}"), "predicate.x", test()), expected, "{json}");
    }
}

#[test]
fn a_field_is_there_or_not() {
    for (json, there) in
        [("{\"x\":1}", true), ("{\"x\":null}", true), ("{\"x\":{}}", true), ("{\"y\":1}", false)]
    {
        assert_eq!(holds(json, "predicate.x", Test::Present(true)), there, "{json}");
        assert_eq!(holds(json, "predicate.x", Test::Present(false)), !there, "{json}");
    }
}

#[test]
fn a_number_is_not_less_than_asked_and_nothing_rounds() {
    let at_least = |json: &str, least: i64| {
        holds(&format!("{{\"x\":{json}}}"), "predicate.x", Test::AtLeast(least))
    };
    for (json, least, expected) in [
        ("3", 3, true),
        ("2", 3, false),
        ("3.0", 3, true),
        ("2.999", 3, false),
        ("-1", 0, false),
        ("-0.5", 0, false),
        ("-0.5", -1, true),
        ("18446744073709551615", i64::MAX, true),
        ("1e300", i64::MAX, true),
        ("9007199254740992.0", 9_007_199_254_740_993, false),
        ("\"3\"", 3, false),
        ("true", 1, false),
        ("null", 0, false),
        ("[5]", 3, false),
    ] {
        assert_eq!(at_least(json, least), expected, "{json} at least {least}");
    }
}

#[test]
fn a_path_leads_through_members_and_entries() {
    let json = r#"{"list":[{"type":"a"},{"type":"b"}],"0":{"x":7},"[]":1}"#;
    let equals = |field: &str, value: Scalar| holds(json, field, Test::Equals(value));
    assert!(equals("predicate.list.0.type", text("a")));
    assert!(equals("predicate.list.1.type", text("b")));
    assert!(!equals("predicate.list.2.type", text("b")));
    assert!(equals("predicate.0.x", Scalar::Integer(7)));
    assert!(equals("predicate.list.[].type", text("b")), "any entry");
    assert!(!equals("predicate.list.[].type", text("c")));
    assert!(!equals("predicate.list.type", text("a")), "a list has no members");
    assert!(equals("predicateType", text(TYPE)), "from the top of the statement");
    assert!(!holds(json, "predicate.list.[].type", Test::Present(false)));
    assert!(holds(json, "predicate.list.[].name", Test::Present(false)));
}

#[test]
fn a_reason_says_what_was_found_and_what_was_wanted() {
    let mut scene = Scene::new(vec![condition("predicate.x", Test::Equals(text("wanted")))]);
    let mut statement = scene.right();
    statement["predicate"] = json!({"x": format!("\u{202e}{}", "f".repeat(100_000))});
    scene.attest(&statement, "a.intoto.json");
    let verdict = scene.decide();
    let [reason] = verdict.reasons() else { panic!("not one reason") };
    assert!(reason.detail.starts_with("predicate.x must be \"wanted\": it is \"\\u{202e}fff"));
    assert!(reason.detail.chars().count() < 200 && !reason.detail.contains('\u{202e}'));
    assert_eq!(reason.file.as_deref(), Some("a.intoto.json"));
}
