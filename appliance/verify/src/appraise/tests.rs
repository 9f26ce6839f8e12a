//! What each rule of a policy makes of a bundle that is signed as it should be.

use serde_json::{Value, json};

use super::{Admitted, TrustContext, appraise};
use crate::budget::Budget;
use crate::bundle::Bundle;
use crate::bundle::tests::maker::{
    Authority, FILES, KEY, Key, NOW, bundle, chain_bundle, email, parse, policy, sharded,
    statement, to_bytes,
};
use crate::dsse::{PAYLOAD_TYPE_IN_TOTO, encode, pae};
use crate::pki::{CrlSet, Profile};
use crate::policy::Policy;
use crate::reason::{Code, Reason};
use crate::sigstore::tests::hollow_entry;
use crate::time::UnixTime;

const DAY: i64 = 86_400;

pub(crate) fn ask(policy: &Policy, bundle: &Bundle, file: &str) -> Result<Admitted, Vec<Reason>> {
    ask_at(policy, bundle, file, NOW)
}

fn ask_at(
    policy: &Policy,
    bundle: &Bundle,
    file: &str,
    time: UnixTime,
) -> Result<Admitted, Vec<Reason>> {
    appraise(
        policy,
        bundle,
        file,
        &TrustContext { crls: &CrlSet::default(), time, profile: Profile::CODE_SIGNING },
    )
}

/// The codes and rules of the refusal; every reason says what it is about.
#[track_caller]
fn refusal(policy: &Policy, bundle: &Bundle) -> Vec<(Code, String)> {
    let reasons = ask(policy, bundle, "model.sig").expect_err("the bundle must be refused");
    assert!(reasons.iter().all(|reason| reason.file.is_some()), "{reasons:?}");
    reasons.into_iter().map(|r| (r.code, r.rule.unwrap_or_default())).collect()
}

fn one(code: Code, rule: &str) -> Vec<(Code, String)> {
    vec![(code, rule.to_owned())]
}

const BY_KEY: &str = "[[signer]]\nmethod = \"key\"\nkey = \"vendor.pem\"\n";
const BY_ROOT: &str = "[[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n";

fn by_key(payload: &Value, key: &Key) -> Bundle {
    parse(&bundle(&to_bytes(payload), key))
}

/// A root, a leaf with an e-mail address, and a bundle that the leaf signed.
struct Certified {
    root: Authority,
    bytes: Vec<u8>,
    bundle: Bundle,
}

impl Certified {
    fn new() -> Self {
        let (root, key) = (Authority::new("Root"), Key::p256());
        let chain = [root.issue("Signer", vec![email("build@corp.example")], &key)];
        let bytes = chain_bundle(&to_bytes(&statement(&FILES)), &key, &chain);
        Certified { root, bundle: parse(&bytes), bytes }
    }

    fn policy(&self, tables: &str) -> Policy {
        policy(tables, &[self.root.anchor("root")], &[])
    }
}

#[test]
fn a_pinned_key_admits_what_it_signed() {
    let (key, other) = (Key::p256(), Key::p256());
    let policy = policy(BY_KEY, &[], &[("vendor.pem", &key)]);
    let admitted = ask(&policy, &by_key(&statement(&FILES), &key), "model.sig").unwrap();
    assert_eq!((admitted.file(), admitted.signer().rule.as_str()), ("model.sig", "signer[0]"));
    assert_eq!((admitted.signer().method, admitted.signer().path.is_none()), ("key", true));
    assert_eq!(admitted.signer().identity, "key:vendor.pem");
    assert_eq!(admitted.statement().manifest().files().len(), 2);

    let named = by_key(&statement(&FILES), &other);
    assert_eq!(refusal(&policy, &named), one(Code::SignatureWrongKey, "signer[0]"));
    // Without a hint the bundle names no key, and the signature tells.
    let mut value: Value = serde_json::from_slice(&bundle(b"{}", &other)).unwrap();
    value["verificationMaterial"]["publicKey"] = json!({});
    let unnamed = parse(&to_bytes(&value));
    assert_eq!(refusal(&policy, &unnamed), one(Code::SignatureInvalid, ""));
}

#[test]
fn a_chain_to_an_anchor_admits_what_its_leaf_signed() {
    let certified = Certified::new();
    let rule = format!("{BY_ROOT}san-email = \"*@corp.example\"\n");
    let admitted = ask(&certified.policy(&rule), &certified.bundle, "model.sig").unwrap();
    assert_eq!(admitted.signer().identity, "san-email:build@corp.example");
    assert_eq!(admitted.signer().path.as_ref().unwrap().anchor().name, "root");

    let elsewhere = policy(BY_ROOT, &[Authority::new("Root").anchor("root")], &[]);
    let reasons = refusal(&elsewhere, &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureUntrustedAnchor, "signer[0]"));

    let other = certified.policy(&format!("{BY_ROOT}san-email = \"release@corp.example\"\n"));
    let reasons = refusal(&other, &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureIdentity, "signer[0]"));
}

#[test]
fn a_chain_of_another_key_than_the_one_that_signed_is_refused() {
    let certified = Certified::new();
    let leaf = certified.root.issue("Signer", vec![], &Key::p256());
    let bytes = chain_bundle(&to_bytes(&statement(&FILES)), &Key::p256(), &[leaf]);
    let reasons = refusal(&certified.policy(BY_ROOT), &parse(&bytes));
    assert_eq!(reasons, one(Code::SignatureInvalid, ""));
}

#[test]
fn the_type_of_key_must_be_admitted() {
    let certified = Certified::new();
    let strict = certified.policy(&format!("{BY_ROOT}keys = [\"P-384\", \"P-521\"]\n"));
    let reasons = refusal(&strict, &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureKeyType, "signer[0].keys"));

    let key = Key::p384();
    let chain = [certified.root.issue("Signer", vec![], &key)];
    let bytes = chain_bundle(&to_bytes(&statement(&FILES)), &key, &chain);
    assert!(ask(&strict, &parse(&bytes), "model.sig").is_ok());
}

#[test]
fn a_rule_for_some_models_admits_no_others() {
    let key = Key::p256();
    let policy = |models: &str| {
        policy(&format!("{BY_KEY}models = {models}\n"), &[], &[("vendor.pem", &key)])
    };
    let bundle = by_key(&statement(&FILES), &key);
    assert!(ask(&policy("[\"llm-*\", \"mod*\"]"), &bundle, "model.sig").is_ok());
    let reasons = refusal(&policy("[\"llm-*\"]"), &bundle);
    assert_eq!(reasons, one(Code::SignatureModelName, "signer[0].models"));
}

#[test]
fn a_signature_is_at_most_as_old_as_its_certificate() {
    let certified = Certified::new();
    let policy = certified.policy(&format!("{BY_ROOT}max-signature-age = \"400d\"\n"));
    let begin = UnixTime::parse_rfc3339("2029-01-01T00:00:00Z").unwrap().0;
    let at = |time: i64| ask_at(&policy, &certified.bundle, "model.sig", UnixTime(time));
    assert!(at(begin + 400 * DAY).is_ok());
    let reasons = at(begin + 400 * DAY + 1).unwrap_err();
    assert_eq!(reasons[0].code, Code::SignatureTooOld);
    assert_eq!(reasons[0].rule.as_deref(), Some("signer[0].max-signature-age"));
}

#[test]
fn what_the_policy_says_of_the_manifest_holds_whoever_signed() {
    let key = Key::p256();
    let with = |tables: &str| policy(&format!("{tables}{BY_KEY}"), &[], &[("vendor.pem", &key)]);

    let mut blake3 = statement(&FILES);
    blake3["predicate"]["serialization"]["hash_type"] = json!("blake3");
    for at in 0..2 {
        blake3["predicate"]["resources"][at]["algorithm"] = json!("blake3");
    }
    let blake3 = by_key(&blake3, &key);
    assert_eq!(refusal(&with(""), &blake3), one(Code::ManifestHash, "manifest.hashes"));
    assert!(ask(&with("[manifest]\nhashes = [\"blake3\"]\n"), &blake3, "model.sig").is_ok());

    let mut links = statement(&FILES);
    links["predicate"]["serialization"]["allow_symlinks"] = json!(true);
    let reasons = refusal(&with(""), &by_key(&links, &key));
    assert_eq!(reasons, one(Code::ManifestSymlinksAllowed, "manifest.symlinks"));

    let shards = by_key(&sharded(&["a:0:10", "a:10:15", "b:0:9"], json!(10)), &key);
    let limits = |file: u64, total: u64| {
        with(&format!("[manifest]\nmax-file-bytes = {file}\nmax-total-bytes = {total}\n"))
    };
    assert!(ask(&limits(15, 24), &shards, "model.sig").is_ok());
    let reasons = refusal(&limits(14, 24), &shards);
    assert_eq!(reasons, one(Code::ManifestFileTooLarge, "manifest.max-file-bytes"));
    let reasons = refusal(&limits(15, 23), &shards);
    assert_eq!(reasons, one(Code::ManifestTotalTooLarge, "manifest.max-total-bytes"));

    let mut several = links;
    several["predicate"]["serialization"]["hash_type"] = json!("blake3");
    for at in 0..2 {
        several["predicate"]["resources"][at]["algorithm"] = json!("blake3");
    }
    let codes: Vec<_> = refusal(&with(""), &by_key(&several, &key));
    assert_eq!(codes.len(), 2, "{codes:?}");
}

#[test]
fn a_bundle_of_a_method_that_no_rule_has_is_refused() {
    let certified = Certified::new();
    let by_key = by_key(&statement(&FILES), &Key::p256());
    let reasons = refusal(&certified.policy(BY_ROOT), &by_key);
    assert_eq!(reasons, one(Code::SignatureNoRule, "signer"));
    let key = Key::p256();
    let policy = policy(BY_KEY, &[], &[("vendor.pem", &key)]);
    let reasons = refusal(&policy, &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureNoRule, "signer"));
}

#[test]
fn a_sigstore_bundle_needs_a_rule_of_its_method() {
    let certified = Certified::new();
    let key = Key::p256();
    let leaf = certified.root.issue("Signer", vec![], &key);
    let payload = to_bytes(&statement(&FILES));
    let mut value: Value = serde_json::from_slice(&bundle(&payload, &key)).unwrap();
    let signature = encode(&key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload)));
    value["dsseEnvelope"]["signatures"][0]["sig"] = json!(signature);
    value["verificationMaterial"] =
        json!({"certificate": {"rawBytes": encode(leaf.der())}, "tlogEntries": [hollow_entry()]});
    let bundle = parse(&to_bytes(&value));
    let reasons = refusal(&certified.policy(BY_ROOT), &bundle);
    assert_eq!(reasons, one(Code::SignatureNoRule, "signer"));
    let rule = "[[signer]]\nmethod = \"sigstore\"\ntrusted-root = \"public-good\"\n\
                identity = \"a@i.example\"\nissuer = \"https://i.example\"\n";
    let reasons = refusal(&policy(rule, &[], &[]), &bundle);
    assert_eq!(reasons, one(Code::SigstoreIdentity, "signer[0].trusted-root"));
}

#[test]
fn any_rule_may_admit_and_otherwise_the_closest_one_speaks() {
    let certified = Certified::new();
    let admits =
        format!("{BY_ROOT}models = [\"other\"]\n{BY_ROOT}san-email = \"*@corp.example\"\n");
    let admitted = ask(&certified.policy(&admits), &certified.bundle, "model.sig").unwrap();
    assert_eq!(admitted.signer().rule, "signer[1]");

    // The first rule does not know the anchor, the second not the identity, the third not the
    // model: the third came furthest.
    let rules = format!(
        "[[signer]]\nmethod = \"certificate\"\nanchors = [\"elsewhere\"]\n\
         {BY_ROOT}san-email = \"*@other.example\"\n{BY_ROOT}models = [\"other\"]\n"
    );
    let anchors = [certified.root.anchor("root"), Authority::new("E").anchor("elsewhere")];
    let reasons = refusal(&policy(&rules, &anchors, &[]), &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureModelName, "signer[2].models"));

    let two = format!("{BY_ROOT}models = [\"x\"]\n{BY_ROOT}models = [\"y\"]\n");
    let reasons = refusal(&certified.policy(&two), &certified.bundle);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}

#[test]
fn what_is_wrong_with_the_statement_is_said_once_and_about_its_file() {
    let certified = Certified::new();
    let key = Key::p256();
    let chain = [certified.root.issue("Signer", vec![], &key)];
    let payload = to_bytes(&statement(&[("../a", "x")]));
    let bundle = parse(&chain_bundle(&payload, &key, &chain));
    let policy = certified.policy(&format!("{BY_ROOT}{BY_ROOT}"));
    let reasons = ask(&policy, &bundle, "model.sig").unwrap_err();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(
        (reasons[0].code, reasons[0].file.as_deref()),
        (Code::ManifestUnsafeName, Some("../a"))
    );
}

#[test]
fn legacy_bundles_need_the_policy() {
    let key = Key::p256();
    let payload = json!({
        "_type": crate::statement::STATEMENT_TYPE,
        "subject": [{"name": "a", "digest": {"sha256": "ab".repeat(32)}}],
        "predicateType": crate::statement::PREDICATE_TYPE_LEGACY,
        "predicate": {},
    });
    let bundle = by_key(&payload, &key);
    let keys = [("vendor.pem", &key)];
    let reasons = refusal(&policy(BY_KEY, &[], &keys), &bundle);
    assert_eq!(reasons, one(Code::StatementLegacy, "manifest.legacy"));
    let tables = format!("[manifest]\nlegacy = true\n{BY_KEY}");
    assert!(ask(&policy(&tables, &[], &keys), &bundle, "model.sig").is_ok());
    // It has no name, so a rule for named models does not admit it.
    let named = policy(&format!("{tables}models = [\"a*\"]\n"), &[], &keys);
    assert_eq!(refusal(&named, &bundle), one(Code::SignatureModelName, "signer[0].models"));
}

#[test]
fn the_policy_s_budget_is_the_one_that_counts() {
    let key = Key::p256();
    let tables = format!("[manifest]\nmax-files = 1\n{BY_KEY}");
    let policy = policy(&tables, &[], &[("vendor.pem", &key)]);
    assert_eq!(policy.budget, Budget { resources: 1, ..Budget::default() });
    let reasons = refusal(&policy, &by_key(&statement(&FILES), &key));
    assert_eq!(reasons[0].0, Code::ManifestTooManyFiles);
}

/// A real token is tried in `tests/appliance/time.rs`; here what a policy makes of none.
#[test]
fn without_a_trusted_time_a_policy_that_requires_one_refuses() {
    let certified = Certified::new();
    let mut tsa = Authority::new("TSA").anchor("tsa");
    tsa.purposes.insert(crate::pki::Purpose::Timestamping);
    let anchors = [certified.root.anchor("root"), tsa];
    let with = |time: &str, signer: &str| {
        let time = format!("[time]\ntimestamp-anchors = \"tsa\"\n{time}");
        policy(&format!("{time}{signer}"), &anchors, &[("vendor.pem", &KEY)])
    };
    let required = with("require-timestamp = true\n", BY_ROOT);
    let reasons = refusal(&required, &certified.bundle);
    assert_eq!(reasons, one(Code::TimestampMissing, "time.require-timestamp"));

    // A token that is none: told where a time was needed, and no obstacle where it was not.
    let mut value: Value = serde_json::from_slice(&certified.bytes).unwrap();
    value["verificationMaterial"]["timestampVerificationData"] =
        json!({"rfc3161Timestamps": [{"signedTimestamp": encode(b"no token")}]});
    let spoiled = parse(&to_bytes(&value));
    let reasons = refusal(&required, &spoiled);
    assert_eq!(reasons, one(Code::TimestampMalformed, "time.timestamp-anchors"));
    let admitted = ask(&with("", BY_ROOT), &spoiled, "model.sig").unwrap();
    assert_eq!(admitted.signer().time, None);
    let old = refusal(&with("max-signature-age = \"1d\"\n", BY_ROOT), &spoiled);
    assert_eq!(
        old,
        [
            (Code::SignatureTooOld, "time.max-signature-age".to_owned()),
            (Code::TimestampMalformed, "time.timestamp-anchors".to_owned())
        ]
    );

    // A bare key needs no time, unless its age is limited.
    let keyed = by_key(&statement(&FILES), &KEY);
    assert!(ask(&with("require-timestamp = true\n", BY_KEY), &keyed, "model.sig").is_ok());
    let aged = format!("{BY_KEY}max-signature-age = \"400d\"\n");
    let reasons = refusal(&with("", &aged), &keyed);
    assert_eq!(reasons, one(Code::SignatureTooOld, "signer[0].max-signature-age"));
}

#[test]
fn the_shorter_age_counts() {
    let certified = Certified::new();
    let both = |signer: u32, all: u32| {
        certified.policy(&format!(
            "[time]\nmax-signature-age = \"{all}d\"\n{BY_ROOT}max-signature-age = \"{signer}d\"\n"
        ))
    };
    assert!(ask(&both(400, 500), &certified.bundle, "model.sig").is_ok());
    let reasons = refusal(&both(400, 30), &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureTooOld, "time.max-signature-age"));
    let reasons = refusal(&both(30, 400), &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureTooOld, "signer[0].max-signature-age"));
}

#[test]
fn a_certificate_policy_that_the_path_does_not_have_refuses() {
    let certified = Certified::new();
    let rule = format!("{BY_ROOT}certificate-policies = \"1.3.6.1.4.1.99999.1\"\n");
    let reasons = refusal(&certified.policy(&rule), &certified.bundle);
    assert_eq!(reasons, one(Code::SignatureCertificatePolicies, "signer[0]"));
}
