//! Log entries as JSON: what is missing, malformed or too much.

use serde_json::{Value, json};

use super::instance::{Entry, Instance, Recipe, b64};
use crate::budget::Budget;
use crate::bundle::{Bundle, BundleError};
use crate::reason::Code;
use crate::sigstore::EvidenceError;

fn parse(bundle: &Value) -> Result<Bundle, BundleError> {
    Bundle::parse(&serde_json::to_vec(bundle).unwrap(), &Budget::default())
}

/// Why a good bundle is not read when its entry is changed.
#[track_caller]
fn refusal(change: impl FnOnce(&mut Value)) -> EvidenceError {
    let mut bundle = Instance::new().bundle(&Recipe::new(Entry::Dsse));
    change(&mut bundle["verificationMaterial"]["tlogEntries"][0]);
    let error = parse(&bundle).expect_err("the entry must be refused");
    assert_eq!(error.code(), Code::SigstoreMalformed);
    let BundleError::Evidence(error) = error else { panic!("{error}") };
    error
}

#[test]
fn every_field_that_is_needed_is_named_when_it_is_missing() {
    for (field, named) in [
        ("logId", "logId"),
        ("kindVersion", "kindVersion"),
        ("canonicalizedBody", "canonicalizedBody"),
    ] {
        let error = refusal(|entry| drop(entry.as_object_mut().unwrap().remove(field)));
        assert_eq!(error, EvidenceError::Missing(named));
    }
    for (field, named) in [("rootHash", "rootHash"), ("checkpoint", "checkpoint")] {
        let remove = |entry: &mut Value| {
            drop(entry["inclusionProof"].as_object_mut().unwrap().remove(field));
        };
        assert_eq!(refusal(remove), EvidenceError::Missing(named));
    }
    let error = refusal(|entry| entry["inclusionPromise"] = json!({}));
    assert_eq!(error, EvidenceError::Missing("inclusionPromise"));
}

#[test]
fn malformed_fields_are_refused() {
    let error = refusal(|entry| entry["logIndex"] = json!("-1"));
    assert_eq!(error, EvidenceError::Malformed("logIndex"));
    let error = refusal(|entry| entry["logId"]["keyId"] = json!(b64([7; 31])));
    assert_eq!(error, EvidenceError::Malformed("logId"));
    let error = refusal(|entry| entry["canonicalizedBody"] = json!("%"));
    assert_eq!(error, EvidenceError::Malformed("canonicalizedBody"));
    let error = refusal(|entry| entry["kindVersion"]["kind"] = json!("rekord"));
    assert!(matches!(error, EvidenceError::Kind { .. }));
}

#[test]
fn numbers_may_be_strings_or_numbers() {
    let mut bundle = Instance::new().bundle(&Recipe::new(Entry::Dsse));
    let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
    entry["integratedTime"] =
        json!(entry["integratedTime"].as_str().unwrap().parse::<i64>().unwrap());
    assert!(parse(&bundle).is_ok());
    for bad in [json!("x"), json!(1.5), json!(u64::MAX), json!(true), json!("9223372036854775808")]
    {
        bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = bad;
        assert_eq!(parse(&bundle).unwrap_err().code(), Code::BundleSchema);
    }
}

#[test]
fn sizes_and_counts_are_bounded() {
    let error = refusal(|entry| entry["canonicalizedBody"] = json!(b64(vec![7; (256 << 10) + 8])));
    assert!(matches!(error, EvidenceError::TooLarge { field: "canonicalizedBody", .. }));
    let error = refusal(|entry| {
        entry["inclusionProof"]["checkpoint"]["envelope"] = json!("x".repeat((16 << 10) + 1));
    });
    assert!(matches!(error, EvidenceError::TooLarge { field: "checkpoint", .. }));

    let mut bundle = Instance::new().bundle(&Recipe::new(Entry::Dsse));
    let entries = &mut bundle["verificationMaterial"]["tlogEntries"];
    *entries = Value::Array(vec![entries[0].clone(); 9]);
    let error = parse(&bundle).unwrap_err();
    let too_many = EvidenceError::TooManyEntries { found: 9, limit: 8 };
    assert_eq!(error, BundleError::Evidence(too_many));
    let entries = &mut bundle["verificationMaterial"]["tlogEntries"];
    *entries = Value::Array(vec![json!({}); 1025]);
    assert_eq!(parse(&bundle).unwrap_err().code(), Code::BundleSchema);
}
