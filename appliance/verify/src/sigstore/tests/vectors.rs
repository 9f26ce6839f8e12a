//! The public bundles of the method `sigstore`, against the trusted root that is shipped.

use oms_testkit::vectors;
use serde_json::{Value, json};

use super::public_good;
use crate::appraise::{TrustContext, appraise};
use crate::budget::Budget;
use crate::bundle::tests::maker::policy;
use crate::bundle::{Bundle, TrustedSigner};
use crate::pki::{CrlSet, Profile};
use crate::reason::Code;
use crate::sigstore::{Identity, SigstoreError, SigstoreSigner, TimeSource, verify};
use crate::statement::Legacy;
use crate::time::UnixTime;

/// 2026-01-01T00:00:00Z, after all of them.
const LATER: UnixTime = UnixTime(1_767_225_600);

const HISTORICAL: [&str; 4] = ["v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0"];

/// The bundle of a historical case, unless there are no vectors.
fn historical(version: &str) -> Option<Vec<u8>> {
    let case = format!("historical-{version}-sigstore");
    vectors::read(&format!("oms-conformance/test-cases/verify/historical/{case}/bundle.sig"))
}

fn judge(bytes: &[u8], time: UnixTime) -> Result<(Bundle, SigstoreSigner), SigstoreError> {
    let budget = Budget::default();
    let bundle = Bundle::parse(bytes, &budget).unwrap();
    let signer = verify(&bundle, &public_good("public"), time, &budget)?;
    Ok((bundle, signer))
}

#[test]
fn the_historical_bundles_verify() {
    for version in HISTORICAL {
        let Some(bytes) = historical(version) else { return };
        let (bundle, signer) = judge(&bytes, LATER).unwrap();
        assert_eq!(signer.identity(), &Identity::Email("stefanb@us.ibm.com".to_owned()));
        assert_eq!(signer.issuer(), "https://sigstore.verify.ibm.com/oauth2");
        assert!(signer.times().iter().any(|trusted| trusted.source == TimeSource::Log));
        let trusted = TrustedSigner::Sigstore(Box::new(signer));
        bundle.open(&trusted, Legacy::Refuse, &Budget::default()).unwrap();
    }
}

#[test]
fn a_time_of_validation_before_the_signature_refuses() {
    let Some(bytes) = historical("v1.0.1") else { return };
    let (_, signer) = judge(&bytes, LATER).unwrap();
    let signed_at = signer.signed_at();
    assert!(judge(&bytes, signed_at).is_ok());
    let error = judge(&bytes, UnixTime(signed_at.0 - 1)).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);
}

#[test]
fn a_signer_of_one_bundle_does_not_open_another_one() {
    let (Some(one), Some(other)) = (historical("v1.0.0"), historical("v1.0.1")) else { return };
    let (_, signer) = judge(&one, LATER).unwrap();
    let (bundle, _) = judge(&other, LATER).unwrap();
    let trusted = TrustedSigner::Sigstore(Box::new(signer));
    assert!(bundle.open(&trusted, Legacy::Refuse, &Budget::default()).is_err());
}

#[test]
fn a_rule_admits_the_identity_by_the_word_of_the_issuer_only() {
    let Some(bytes) = historical("v1.1.0") else { return };
    let bundle = Bundle::parse(&bytes, &Budget::default()).unwrap();
    let crls = CrlSet::default();
    let context = TrustContext { crls: &crls, time: LATER, profile: Profile::CODE_SIGNING };
    let ask = |identity: &str, issuer: &str| {
        let rule = format!(
            "[[signer]]\nmethod = \"sigstore\"\ntrusted-root = \"public-good\"\n\
             identity = \"{identity}\"\nissuer = \"{issuer}\"\n"
        );
        appraise(&policy(&rule, &[], &[]), &bundle, "model.sig", &context)
            .map(|admitted| admitted.signer().identity.clone())
            .map_err(|reasons| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>())
    };
    let issuer = "https://sigstore.verify.ibm.com/oauth2";
    let admitted = format!("identity:stefanb@us.ibm.com, issuer:{issuer}");
    assert_eq!(ask("stefanb@us.ibm.com", issuer), Ok(admitted.clone()));
    assert_eq!(ask("*@us.ibm.com", issuer), Ok(admitted));
    assert_eq!(ask("other@us.ibm.com", issuer), Err(vec![Code::SigstoreIdentity]));
    assert_eq!(
        ask("stefanb@us.ibm.com", "https://accounts.vendor.example"),
        Err(vec![Code::SigstoreIssuer])
    );
}

/// The code of a public bundle that is changed.
#[track_caller]
fn changed(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Code {
    let mut bundle: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut bundle);
    judge(&serde_json::to_vec(&bundle).unwrap(), LATER).expect_err("refused").code()
}

#[test]
fn public_bundles_that_are_changed_are_refused() {
    let (Some(bytes), Some(other)) = (historical("v1.1.0"), historical("v1.0.1")) else { return };
    let other: Value = serde_json::from_slice(&other).unwrap();
    let material = |name: &'static str| {
        let from = other["verificationMaterial"][name].clone();
        move |bundle: &mut Value| bundle["verificationMaterial"][name] = from
    };
    // Everything of another signature is genuine, and is not about this one.
    assert_eq!(changed(&bytes, material("certificate")), Code::SignatureInvalid);
    assert_eq!(changed(&bytes, material("tlogEntries")), Code::SigstoreTime);
    let entry = |change: fn(&mut Value)| {
        changed(&bytes, |bundle| change(&mut bundle["verificationMaterial"]["tlogEntries"][0]))
    };
    let time = entry(|entry| entry["integratedTime"] = json!("1760062341"));
    assert_eq!(time, Code::SigstoreTime);
    let proof = entry(|entry| drop(entry.as_object_mut().unwrap().remove("inclusionProof")));
    assert_eq!(proof, Code::SigstoreNoInclusionProof);
    let hashes = entry(|entry| entry["inclusionProof"]["hashes"].as_array_mut().unwrap().reverse());
    assert_eq!(hashes, Code::SigstoreNoInclusionProof);
    let log = entry(|entry| entry["logId"]["keyId"] = json!("A".repeat(43) + "="));
    assert_eq!(log, Code::SigstoreLogKey);
    let another = entry(|entry| {
        let log_2025 = "zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=";
        entry["logId"]["keyId"] = json!(log_2025);
    });
    assert_eq!(another, Code::SigstoreNoInclusionProof);
    let stamp = changed(&bytes, |bundle| {
        let signature = &mut bundle["dsseEnvelope"]["signatures"][0]["sig"];
        *signature = other["dsseEnvelope"]["signatures"][0]["sig"].clone();
    });
    assert_eq!(stamp, Code::SignatureInvalid);
}
