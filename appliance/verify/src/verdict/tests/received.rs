//! A verdict from its making to its receipt: whose word counts, and which words cannot be.

use serde_json::{Value, json};

use super::{BY_KEY, Scene, outcome};
use crate::budget::Budget;
use crate::bundle::tests::maker::{
    Authority, FILES, Key, NOW, bundle, digest_of, policy, sharded, statement, to_bytes, uri,
};
use crate::bundle::{Bundle, BundleError, NewMaterial, OpenError, assemble};
use crate::dsse::{PAYLOAD_TYPE_IN_TOTO, encode, pae};
use crate::hash::Sha256Digest;
use crate::observe::{Observed, ObservedFile};
use crate::pki::{Anchor, Certificate, CrlSet, Revocation, RevocationMode};
use crate::reason::Code;
use crate::statement::{Method, Pieces, Shard};
use crate::time::UnixTime;
use crate::verdict::{
    ClockStatus, Given, Ledger, Mode, Protection, ReceivedVerdict, Resigned, StationFacts, Verdict,
    VerdictError, VerdictTrust, compose, receive,
};

const STATION: &str = "https://corp.example/stations/diode-3";
const DETAIL: &str = super::super::VERDICT_EXTENSION;

/// A station: its verdict key, certified below an intermediate, with the station's URI.
struct Station {
    root: Authority,
    middle: Authority,
    key: Key,
    leaf: Certificate,
}

impl Station {
    fn new() -> Self {
        let (root, key) = (Authority::new("Verdict root"), Key::p384());
        let middle = root.delegate("Verdict CA");
        let leaf = middle.issue("Station", vec![uri(STATION)], &key);
        Station { root, middle, key, leaf }
    }

    /// The payload of a verdict as the station makes it.
    fn payload(&self, verdict: &Verdict) -> Vec<u8> {
        let resigned = verdict.manifest().filter(|_| verdict.passed()).map(|manifest| Resigned {
            digest: Sha256Digest::of(b"model.sig"),
            key: verdict.signers().next().map(|signer| &signer.key).unwrap(),
            certificate: None,
            protection: Protection::Pkcs11,
            manifest,
        });
        let ingest = verdict.mode() == Mode::Ingest;
        compose(
            &verdict.decision(&[Sha256Digest::of(b"crl")]),
            verdict.files(),
            &StationFacts {
                verifier: STATION,
                version: "0.1.0",
                ledger: ingest.then_some(Ledger { sequence: 7, previous: Sha256Digest::ZERO }),
                resigned: if ingest { resigned } else { None },
                protection: Protection::File,
                intermediates: std::slice::from_ref(&self.middle.certificate),
                sandbox: "none",
                clock: ClockStatus::System,
            },
        )
    }

    fn sign(&self, payload: &[u8]) -> Vec<u8> {
        signed(payload, &self.key, &self.leaf)
    }

    /// What the receiving side makes of `bytes`, with the root as anchor.
    fn receive(&self, bytes: &[u8]) -> Result<ReceivedVerdict, VerdictError> {
        receive_from(bytes, STATION, &[self.root.anchor("verdict")])
    }

    /// The code for a right verdict about a pass after `change`, signed again.
    #[track_caller]
    fn changed(&self, change: impl FnOnce(&mut Value)) -> Code {
        let payload = self.payload(&Scene::new("", &FILES).decide());
        let mut value = serde_json::from_slice(&payload).unwrap();
        change(&mut value);
        let received = self.receive(&self.sign(&to_bytes(&value)));
        received.expect_err("the verdict must be refused").code()
    }
}

fn signed(payload: &[u8], key: &Key, leaf: &Certificate) -> Vec<u8> {
    let signature = key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, payload));
    assemble(payload, &signature, &NewMaterial::Certificate(leaf))
}

fn receive_from(
    bytes: &[u8],
    verifier: &str,
    anchors: &[Anchor],
) -> Result<ReceivedVerdict, VerdictError> {
    let revocation = Revocation { mode: RevocationMode::Off, max_crl_age: None };
    let trust = VerdictTrust::Anchors {
        anchors,
        crls: &CrlSet::default(),
        revocation: &revocation,
        time: NOW,
    };
    receive(bytes, verifier, &trust, &Budget::default())
}

fn refused() -> Verdict {
    let mut scene = Scene::new("", &FILES);
    scene.observed().files.clear();
    scene.decide()
}

#[test]
fn a_pass_is_received_as_it_was_decided() {
    let (station, verdict) = (Station::new(), Scene::new("", &FILES).decide());
    let payload = station.payload(&verdict);
    assert_eq!(payload, station.payload(&verdict), "the same input gives the same bytes");
    let received = station.receive(&station.sign(&payload)).unwrap();
    assert!(received.passed && received.reasons.is_empty());
    assert_eq!((received.subject_name.as_str(), received.sequence), ("model", 7));
    assert_eq!(received.subject_digest, verdict.manifest().unwrap().root());
    assert_eq!(received.files, verdict.files());
    assert_eq!((received.method, received.verifier.as_str()), (Method::Files, STATION));
    assert_eq!(UnixTime::parse_rfc3339(&received.time), Some(NOW));
    let key = verdict.signers().next().unwrap().key.fingerprint();
    assert_eq!(received.resigned, Some((Sha256Digest::of(b"model.sig"), key)));
}

#[test]
fn a_verdict_says_how_often_the_carrier_was_read_again() {
    let detail = |verdict: &Verdict| -> Value {
        let payload: Value = serde_json::from_slice(&Station::new().payload(verdict)).unwrap();
        payload["predicate"][DETAIL]["media"].clone()
    };
    let mut scene = Scene::new("", &FILES);
    assert_eq!(detail(&scene.decide()), json!({ "retries": 0 }));
    scene = Scene::new("", &FILES);
    scene.observed().retries = 3;
    let verdict = scene.decide();
    assert_eq!((detail(&verdict), verdict.retries()), (json!({ "retries": 3 }), Some(3)));
    let station = Station::new();
    assert!(station.receive(&station.sign(&station.payload(&verdict))).unwrap().passed);
}

#[test]
fn a_verdict_from_before_retries_were_counted_is_received() {
    let station = Station::new();
    let payload = station.payload(&Scene::new("", &FILES).decide());
    let mut value: Value = serde_json::from_slice(&payload).unwrap();
    let detail = value["predicate"][DETAIL].as_object_mut().unwrap();
    assert!(detail.remove("media").is_some());
    assert!(station.receive(&station.sign(&to_bytes(&value))).unwrap().passed);
}

#[test]
fn what_a_verdict_says_of_the_media_is_read_strictly() {
    for wrong in [
        json!({}),
        json!({ "retries": -1 }),
        json!({ "retries": "3" }),
        json!({ "retries": 4_294_967_296_u64 }),
        json!({ "retries": 0, "more": 1 }),
    ] {
        let station = Station::new();
        let code = station.changed(|value| {
            value["predicate"][DETAIL]["media"] = wrong;
        });
        assert_eq!(code, Code::VerdictSchema);
    }
}

#[test]
fn a_pass_of_shards_is_received_with_their_sizes() {
    let key = Key::p256();
    let policy = policy(BY_KEY, &[], &[("vendor.pem", &key)]);
    // Listed so that the order of names is not the one of numbers.
    let names = ["a:0:9", "a:18:20", "a:9:18"];
    let bytes = bundle(&to_bytes(&sharded(&names, json!(9))), &key);
    let shard = |start, end, name| Shard { start, end, digest: digest_of(name) };
    let pieces = Pieces::Shards(vec![
        shard(0, 9, names[0]),
        shard(9, 18, names[2]),
        shard(18, 20, names[1]),
    ]);
    let files = [(super::path("a"), ObservedFile { size: 20, pieces })].into();
    let scene = Scene {
        bundles: vec![outcome(&policy, &bytes, "model.sig")],
        policy,
        observed: Some(Observed { files, ..Observed::default() }),
        findings: vec![],
        mode: Mode::Ingest,
    };
    let (station, verdict) = (Station::new(), scene.decide());
    let received = station.receive(&station.sign(&station.payload(&verdict))).unwrap();
    assert!(received.passed);
    assert_eq!(received.method, Method::Shards { size: 9 });
    assert_eq!(received.files, verdict.files());

    let mut value: Value = serde_json::from_slice(&station.payload(&verdict)).unwrap();
    let file = |value: &mut Value, size: u64| {
        value["predicate"][DETAIL]["files"][0]["size"] = json!(size);
        station.receive(&station.sign(&to_bytes(value))).map(|received| received.files[0].1)
    };
    // Another size in the same number of shards says other ranges, and other counts are none.
    assert_eq!(file(&mut value, 20), Ok(20));
    for size in [0, 18, 28, u64::MAX] {
        assert_eq!(file(&mut value, size).unwrap_err().code(), Code::VerdictSchema, "{size}");
    }
    // A file without bytes has no shard, and so nothing that the root covers.
    value["predicate"][DETAIL]["files"] = json!([{"name": "a", "size": 20, "shards": value["predicate"][DETAIL]["files"][0]["shards"]},
               {"name": "b", "size": 0}]);
    let received = station.receive(&station.sign(&to_bytes(&value)));
    assert_eq!(received.unwrap_err().code(), Code::VerdictSchema);
}

#[test]
fn a_refusal_is_received_with_its_reasons() {
    let (station, verdict) = (Station::new(), refused());
    let received = station.receive(&station.sign(&station.payload(&verdict))).unwrap();
    assert!(!received.passed && received.files.is_empty() && received.resigned.is_none());
    assert_eq!(received.reasons.len(), 2);
    assert!(received.reasons[0].starts_with("manifest.missing-file: a.txt: "));
    assert_eq!(received.subject_digest, verdict.manifest().unwrap().root());

    assert_eq!(received.payload(), station.payload(&verdict));
    // A refusal that does not say why is none.
    let mut value: Value = serde_json::from_slice(&station.payload(&verdict)).unwrap();
    value["predicate"][DETAIL]["reasons"] = json!([]);
    let error = station.receive(&station.sign(&to_bytes(&value))).unwrap_err();
    assert_eq!(error, VerdictError::Field("verificationResult"));

    // A bundle that was never opened is named by its file and its bytes.
    let mut scene = Scene::new("", &FILES);
    scene.bundles[0].result = Err(vec![]);
    let verdict = scene.decide();
    let received = station.receive(&station.sign(&station.payload(&verdict))).unwrap();
    assert_eq!(received.subject_name, "model.sig");
    assert_eq!(Some(received.subject_digest), scene.bundles[0].digest);
}

#[test]
fn another_verifier_or_mode_is_refused() {
    let station = Station::new();
    let bytes = station.sign(&station.payload(&refused()));
    let anchors = [station.root.anchor("verdict")];
    let error = receive_from(&bytes, "https://corp.example/stations/other", &anchors).unwrap_err();
    assert!(matches!(error, VerdictError::NotAVerifier { .. }));
    assert_eq!(error.code(), Code::VerdictVerifier);
    assert!(error.to_string().ends_with(&format!("which holds {STATION}")), "{error}");

    let id = |value: &mut Value| value["predicate"]["verifier"]["id"] = json!("urn:other");
    assert_eq!(station.changed(id), Code::VerdictVerifier);
    let mut scene = Scene::new("", &FILES);
    scene.mode = Mode::InPlace;
    let bytes = station.sign(&station.payload(&scene.decide()));
    assert_eq!(station.receive(&bytes).unwrap_err().code(), Code::VerdictMode);
    let mode = |value: &mut Value| value["predicate"][DETAIL]["mode"] = json!("Ingest");
    assert_eq!(station.changed(mode), Code::VerdictMode);
}

#[test]
fn another_certificate_of_the_same_pki_cannot_make_a_verdict() {
    let station = Station::new();
    let payload = station.payload(&refused());
    let key = Key::p256();
    for (names, code) in [
        (vec![], Code::VerdictUntrusted),
        (vec![uri("https://corp.example/stations/diode-30")], Code::VerdictVerifier),
        (vec![uri("https://corp.example/stations/DIODE-3")], Code::VerdictVerifier),
        (
            vec![rcgen::SanType::DnsName("corp.example".to_owned().try_into().unwrap())],
            Code::VerdictUntrusted,
        ),
    ] {
        let leaf = station.middle.issue("Developer", names, &key);
        let error = station.receive(&signed(&payload, &key, &leaf)).unwrap_err();
        assert!(matches!(error, VerdictError::NotAVerifier { .. }), "{error}");
        assert_eq!(error.code(), code);
    }
    // The URI under another root, and the station's own certificate with another key.
    let stranger = Authority::new("Verdict root").issue("Station", vec![uri(STATION)], &key);
    let error = station.receive(&signed(&payload, &key, &stranger)).unwrap_err();
    assert!(matches!(error, VerdictError::Path(_)), "{error}");
    let error = station.receive(&signed(&payload, &key, &station.leaf)).unwrap_err();
    assert_eq!(error, VerdictError::Signature);
}

#[test]
fn a_tampered_payload_is_refused() {
    let station = Station::new();
    let payload = String::from_utf8(station.payload(&refused())).unwrap();
    let signature = station.key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, payload.as_bytes()));
    let material = NewMaterial::Certificate(&station.leaf);
    for (from, to) in
        [("FAILED", "PASSED"), ("\"sequence\":7", "\"sequence\":8"), ("model", "mode1")]
    {
        let bad = payload.replace(from, to);
        assert_ne!(bad, payload);
        let bytes = assemble(bad.as_bytes(), &signature, &material);
        assert_eq!(station.receive(&bytes).unwrap_err(), VerdictError::Signature, "{to}");
    }
}

#[test]
fn a_pass_that_cannot_be_is_refused_though_it_is_signed() {
    let station = Station::new();
    let detail =
        |change: fn(&mut Value)| station.changed(|value| change(&mut value["predicate"][DETAIL]));
    for code in [
        detail(|d| drop(d.as_object_mut().unwrap().remove("resigned"))),
        detail(|d| {
            d["reasons"] = json!([{"code": "signature.invalid", "detail": "x", "remedy": "y"}]);
        }),
        detail(|d| d["files"] = json!([])),
        detail(|d| drop(d["files"].as_array_mut().unwrap().pop())),
        detail(|d| d["files"][0]["digest"] = json!(digest_of("other").to_string())),
        detail(|d| d["files"][0]["digest"] = json!(digest_of("first").to_hex())),
        detail(|d| d["files"][0]["digest"] = json!("blake3:00")),
        detail(|d| d["files"][0]["shards"] = json!([digest_of("first").to_string()])),
        detail(|d| d["files"][0]["name"] = json!("../a.txt")),
        detail(|d| d["files"][0]["name"] = d["files"][1]["name"].clone()),
        detail(|d| d["files"][0]["name"] = json!("b")),
        detail(|d| d["files"] = json!([d["files"][0], d["files"][0], d["files"][1]])),
        detail(|d| d["serialization"]["hash"] = json!("blake3")),
        detail(|d| d["serialization"]["method"] = json!("shards")),
        detail(|d| d["serialization"]["shardSize"] = json!(10)),
        detail(|d| d["resigned"]["sha256"] = json!("x")),
        station.changed(|v| v["subject"][0]["digest"]["sha256"] = json!("00".repeat(32))),
    ] {
        assert_eq!(code, Code::VerdictSchema);
    }
    // A refusal has no re-signed bundle.
    let failed = |v: &mut Value| v["predicate"]["verificationResult"] = json!("FAILED");
    assert_eq!(station.changed(failed), Code::VerdictSchema);
}

#[test]
fn every_field_has_the_value_of_a_verdict() {
    let station = Station::new();
    for code in [
        station.changed(|v| v["_type"] = json!("https://in-toto.io/Statement/v0.1")),
        station.changed(|v| v["predicateType"] = json!(crate::statement::PREDICATE_TYPE)),
        station.changed(|v| v["predicate"]["verificationResult"] = json!("passed")),
        station.changed(|v| v["predicate"]["timeVerified"] = json!("yesterday")),
        station.changed(|v| v["subject"] = json!([])),
        station.changed(|v| v["subject"] = json!([v["subject"][0], v["subject"][0]])),
        station.changed(|v| v["subject"][0]["digest"] = json!({})),
        station.changed(|v| v["extra"] = json!(1)),
        station.changed(|v| v["subject"][0]["extra"] = json!(1)),
        station.changed(|v| v["predicate"]["extra"] = json!(1)),
        station.changed(|v| v["predicate"][DETAIL]["extra"] = json!(1)),
        station.changed(|v| v["predicate"][DETAIL]["files"][0]["extra"] = json!(1)),
        station.changed(|v| v["predicate"][DETAIL]["sequence"] = json!(0)),
        station.changed(|v| v["predicate"][DETAIL]["sequence"] = json!(null)),
        station.changed(|v| {
            v["predicate"][DETAIL].as_object_mut().unwrap().remove("sequence").unwrap();
        }),
        station.changed(|v| v["predicate"][DETAIL]["protection"] = json!("paper")),
        station.changed(|v| v["predicate"][DETAIL]["intermediates"] = json!(["%"])),
        station.changed(|v| {
            let large = encode(&vec![0x30; (64 << 10) + 1]);
            v["predicate"][DETAIL]["intermediates"] = json!([large]);
        }),
    ] {
        assert_eq!(code, Code::VerdictSchema);
    }
    // A model's statement by the station's key is no verdict, whatever it says.
    let bytes = station.sign(&to_bytes(&statement(&FILES)));
    assert_eq!(station.receive(&bytes).unwrap_err().code(), Code::VerdictSchema);
    assert_eq!(station.receive(b"{}").unwrap_err().code(), Code::VerdictSchema);
}

#[test]
fn a_pinned_key_is_believed_alone_and_only_that_key() {
    let station = Station::new();
    let payload = station.payload(&refused());
    let with = |bytes: &[u8], key: &Key, verifier: &str| {
        let key = key.public();
        receive(bytes, verifier, &VerdictTrust::Key(&key), &Budget::default()).map(|_| ())
    };
    let certified = station.sign(&payload);
    let by_key = bundle(&payload, &station.key);
    for bytes in [&certified, &by_key] {
        assert_eq!(with(bytes, &station.key, STATION), Ok(()));
        assert_eq!(with(bytes, &Key::p384(), STATION), Err(VerdictError::Key));
        let error = with(bytes, &station.key, "urn:other").unwrap_err();
        assert_eq!(error.code(), Code::VerdictVerifier);
    }
    // Roots cannot vouch for a bare key.
    assert_eq!(station.receive(&by_key).unwrap_err(), VerdictError::NoCertificate);
    // The right key's name over another's signature.
    let signature = Key::p384().sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    let bytes = assemble(&payload, &signature, &NewMaterial::Key(&station.key.public()));
    assert_eq!(with(&bytes, &station.key, STATION), Err(VerdictError::Signature));
}

#[test]
fn a_verdict_vouches_for_the_one_bundle_that_it_names() {
    let (station, verdict) = (Station::new(), Scene::new("", &FILES).decide());
    let resigned = bundle(&to_bytes(&statement(&FILES)), &Key::p256());
    let mut value: Value = serde_json::from_slice(&station.payload(&verdict)).unwrap();
    value["predicate"][DETAIL]["resigned"]["sha256"] = json!(Sha256Digest::of(&resigned).to_hex());
    let received = station.receive(&station.sign(&to_bytes(&value))).unwrap();
    let budget = Budget::default();
    let vouched = |bytes: &[u8], verdict: &ReceivedVerdict| {
        let statement = Bundle::parse(bytes, &budget)?.statement_vouched_for(verdict, &budget);
        Ok::<_, BundleError>(statement.map(|s| s.manifest().files().to_vec()))
    };
    let files: Vec<_> = received.files.iter().map(|(file, _)| file.clone()).collect();
    assert_eq!(vouched(&resigned, &received), Ok(Ok(files)));

    let other = bundle(&to_bytes(&statement(&FILES)), &Key::p256());
    assert_eq!(vouched(&other, &received), Ok(Err(OpenError::NotVouchedFor)));
    let refusal = station.receive(&station.sign(&station.payload(&refused()))).unwrap();
    assert_eq!(vouched(&resigned, &refusal), Ok(Err(OpenError::NotVouchedFor)));

    // What it vouches for is still no statement when it is none.
    let odd = bundle(b"{}", &Key::p256());
    value["predicate"][DETAIL]["resigned"]["sha256"] = json!(Sha256Digest::of(&odd).to_hex());
    let received = station.receive(&station.sign(&to_bytes(&value))).unwrap();
    assert!(matches!(vouched(&odd, &received), Ok(Err(OpenError::Statement(_)))));
}

#[test]
fn a_model_that_is_sent_again_names_an_earlier_verdict_that_passed() {
    let station = Station::new();
    let verdict = Scene::new("", &FILES).decide();
    let payload = station.payload(&verdict);
    let mut value: Value = serde_json::from_slice(&payload).unwrap();
    value["predicate"][DETAIL]["resendOf"] = json!(6);
    let received = station.receive(&station.sign(&to_bytes(&value))).unwrap();
    assert_eq!(received.resend_of, Some(6));
    assert_eq!(station.receive(&station.sign(&payload)).unwrap().resend_of, None);
    for wrong in [json!(0), json!(7), json!(8), json!("6"), json!(-1)] {
        let code = station.changed(|value| value["predicate"][DETAIL]["resendOf"] = wrong);
        assert_eq!(code, Code::VerdictSchema);
    }
    let mut value: Value = serde_json::from_slice(&station.payload(&refused())).unwrap();
    value["predicate"][DETAIL]["resendOf"] = json!(6);
    let received = station.receive(&station.sign(&to_bytes(&value)));
    assert_eq!(received.unwrap_err().code(), Code::VerdictSchema, "a refusal");
}

#[test]
fn a_verdict_is_read_back_as_the_decision_that_it_was_made_from() {
    let station = Station::new();
    let verdict = Scene::new("", &FILES).decide();
    let decision = verdict.decision(&[Sha256Digest::of(b"crl")]);
    let payload = station.payload(&verdict);
    let admitted = decision.admitted_bundle.unwrap();
    let read = |payload: &[u8], admitted| Given::read(payload, admitted, Default::default());
    let given = read(&payload, admitted).unwrap();
    assert_eq!((&given.decision, &given.files[..]), (&decision, verdict.files()));
    assert_eq!((given.sandbox.as_str(), given.highest), ("none", decision.time));
    assert_eq!(
        read(&payload, Sha256Digest::ZERO).unwrap_err(),
        VerdictError::Field("bundles"),
        "another bundle than the verdict names"
    );
    let refusal = station.payload(&refused());
    assert_eq!(read(&refusal, admitted).unwrap_err(), VerdictError::Field("verificationResult"));
    let mut value: Value = serde_json::from_slice(&payload).unwrap();
    value["predicate"][DETAIL]["unknown"] = json!(1);
    assert!(read(&to_bytes(&value), admitted).is_err());
}
