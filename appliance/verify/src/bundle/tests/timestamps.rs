//! The time stamps that a bundle carries.

use serde_json::{Value, json};

use super::{changed, read};
use crate::budget::Budget;
use crate::bundle::tests::maker::{bundle_json, to_bytes};
use crate::bundle::{Bundle, BundleError};
use crate::dsse::encode;
use crate::reason::Code;

/// A bundle with this timestampVerificationData.
fn with(data: Value) -> Result<Bundle, BundleError> {
    let mut bundle = bundle_json();
    bundle["verificationMaterial"]["timestampVerificationData"] = data;
    read(&to_bytes(&bundle))
}

fn tokens(tokens: &[&[u8]]) -> Value {
    let tokens: Vec<_> =
        tokens.iter().map(|token| json!({"signedTimestamp": encode(token)})).collect();
    json!({"rfc3161Timestamps": tokens})
}

#[test]
fn time_stamps_are_given_as_they_stand_with_what_they_must_be_over() {
    let mut document = bundle_json();
    document["verificationMaterial"]["timestampVerificationData"] = tokens(&[b"first", b"second"]);
    let bundle = read(&to_bytes(&document)).unwrap();
    assert_eq!(bundle.timestamps(), [b"first".to_vec(), b"second".to_vec()]);
    let signature = &document["dsseEnvelope"]["signatures"][0]["sig"];
    assert_eq!(encode(bundle.signature_bytes()), signature.as_str().unwrap());
    for none in [Value::Null, json!({}), json!({"rfc3161Timestamps": []})] {
        assert!(with(none).unwrap().timestamps().is_empty());
    }
}

#[test]
fn time_stamps_are_bounded() {
    let budget = Budget::default();
    assert!(with(tokens(&[b"t".as_slice(); 8])).is_ok());
    let error = with(tokens(&[b"t".as_slice(); 9])).unwrap_err();
    assert_eq!(error, BundleError::TooManyTimestamps { found: 9, limit: budget.timestamps });
    let limit = budget.timestamp_bytes;
    assert!(with(tokens(&[&vec![0; limit]])).is_ok());
    let error = with(tokens(&[&vec![0; limit + 1]])).unwrap_err();
    assert_eq!(error, BundleError::TimestampTooLarge { size: limit + 1, limit });
    assert_eq!(error.code(), Code::BundleMaterial);
}

#[test]
fn a_time_stamp_that_is_malformed_is_the_bundle_s_fault() {
    let code = |data: Value| {
        changed(|b| b["verificationMaterial"]["timestampVerificationData"] = data).unwrap()
    };
    for text in ["", "?", "dG9rZW4"] {
        let data = json!({"rfc3161Timestamps": [{"signedTimestamp": text}]});
        assert_eq!(code(data), Code::BundleMaterial, "{text:?}");
    }
    for data in [json!([]), json!({"rfc3161Timestamps": [{}]}), json!({"rfc3161Timestamps": 1})] {
        assert_eq!(code(data.clone()), Code::BundleSchema, "{data}");
    }
}
