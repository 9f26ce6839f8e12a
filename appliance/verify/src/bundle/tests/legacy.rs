//! Bundles of version 0.2, which a policy may still admit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::maker::{self, Key, to_bytes};
use crate::budget::Budget;
use crate::bundle::{KeyIdentifier, NewMaterial, OpenError, TrustedKey, TrustedSigner, assemble};
use crate::dsse::{PAYLOAD_TYPE_IN_TOTO, pae, pae_legacy};
use crate::key::PublicKey;
use crate::reason::{Code, Reason};
use crate::statement::{Legacy, PREDICATE_TYPE_LEGACY, STATEMENT_TYPE};

/// A payload, a P-384 key in DER, and its signatures with SHA-256: over the encoding of version
/// 0.2 as Python makes it, and over today's.
const P384_PAYLOAD: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"it's","digest":{"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}}],"predicateType":"https://model_signing/Digests/v0.1","predicate":{"unused":"v0.2"}}"#;
const P384_KEY: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEW9aRCxsWP9FHUbr0ymDGpRuPYNrQ0rZuPKEh1kiUsMr7Klvg\
     0F3ftbiAhYvpUl0sMhrzbicTDNrCmtLK/R3Qa4lACIjAEHzKnjCZQtaO5XUsYqBOtDf9Xy4KdeEPQV3Q";
const P384_OLD: &str = "MGUCMQD4L8DOEh4ltTCLs8PmzkkIsSKqgijNJocPd9eF3BTqOre8Llc4ChlmNScqqLY2qEMCMBmZ8YzD\
     YDZJUbHI1qzQ62sCYWb4dsjUZlle7Ykzr04oH2+oMeLLRwPUw9AzuVow8g==";
const P384_NEW: &str = "MGQCMF14VBmIDPjREt40dviA94biB+NcxyhY0Kk8CaLLjELlwzRoIOqg+OC3sSXn2k0NZgIwO+MJ9gMo\
     9KP/5eRhdfXC6oaEcxe9to74Q+jf+3XgoRUiaf599iK+aI2KnvszbkpU";

#[test]
fn a_signature_of_version_0_2_with_p384_verifies_only_as_legacy() {
    let decode = |text: &str| STANDARD.decode(text).unwrap();
    let key = PublicKey::from_spki_der(&decode(P384_KEY)).unwrap();
    let signer =
        TrustedSigner::Key(TrustedKey::new(key.clone(), &KeyIdentifier::default()).unwrap());
    let open = |payload: &str, signature: &str, legacy| {
        let material = NewMaterial::Key(&key);
        let bytes = assemble(payload.as_bytes(), &decode(signature), &material);
        maker::parse(&bytes).open(&signer, legacy, &Budget::default())
    };
    let code = |result: Result<_, OpenError>| Reason::from(&result.unwrap_err()).code;
    assert!(open(P384_PAYLOAD, P384_OLD, Legacy::Allow).unwrap().is_legacy());
    assert_eq!(code(open(P384_PAYLOAD, P384_OLD, Legacy::Refuse)), Code::SignatureInvalid);
    assert_eq!(code(open(P384_PAYLOAD, P384_NEW, Legacy::Allow)), Code::SignatureInvalid);
    let other = P384_PAYLOAD.replace("it's", "its ");
    assert_eq!(code(open(&other, P384_OLD, Legacy::Allow)), Code::SignatureInvalid);
}

#[test]
fn the_old_encoding_with_sha_256_verifies_only_as_legacy() {
    let key = Key::p521();
    let payload = json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "it's", "digest": {"sha256": maker::digest_of("x").to_hex()}}],
        "predicateType": PREDICATE_TYPE_LEGACY,
        "predicate": {"unused": "v0.2"},
    });
    let payload = to_bytes(&payload);
    let read = |signature: &[u8], legacy| {
        let bytes = assemble(&payload, signature, &NewMaterial::Key(&key.public()));
        maker::parse(&bytes).open(&key.trusted(), legacy, &Budget::default())
    };
    let old = key.sign_p521_with_sha256(&pae_legacy(&payload));
    let statement = read(&old, Legacy::Allow).unwrap();
    assert!(statement.is_legacy());
    assert_eq!(statement.subject_name(), None);
    assert_eq!(statement.manifest().files()[0].path.as_str(), "it's");
    let code = |result: Result<_, OpenError>| Reason::from(&result.unwrap_err()).code;
    assert_eq!(code(read(&old, Legacy::Refuse)), Code::SignatureInvalid);
    assert!(read(&key.sign(&pae_legacy(&payload)), Legacy::Allow).is_ok());

    // With today's signature the format alone is refused.
    let new = key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    assert_eq!(code(read(&new, Legacy::Refuse)), Code::StatementLegacy);
    assert!(read(&new, Legacy::Allow).is_ok());

    let other = Key::p521().sign_p521_with_sha256(&pae_legacy(&payload));
    assert_eq!(code(read(&other, Legacy::Allow)), Code::SignatureInvalid);
    let today_with_sha256 = key.sign_p521_with_sha256(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    assert_eq!(code(read(&today_with_sha256, Legacy::Allow)), Code::SignatureInvalid);
}

#[test]
fn the_old_encoding_is_only_for_old_statements() {
    let key = Key::p256();
    let payload = to_bytes(&maker::statement(&maker::FILES));
    let read = |signature: &[u8]| {
        let bytes = assemble(&payload, signature, &NewMaterial::Key(&key.public()));
        maker::parse(&bytes).open(&key.trusted(), Legacy::Allow, &Budget::default())
    };
    assert!(read(&key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload))).is_ok());
    let error = read(&key.sign(&pae_legacy(&payload))).unwrap_err();
    assert!(matches!(error, OpenError::Signature(_)), "{error}");
}

#[test]
fn legacy_names_and_digests_obey_the_same_rules() {
    let code = |subject: serde_json::Value| {
        let payload = json!({
            "_type": STATEMENT_TYPE,
            "subject": subject,
            "predicateType": PREDICATE_TYPE_LEGACY,
            "predicate": {},
        });
        let result = maker::open_bytes(&to_bytes(&payload), Legacy::Allow);
        result.err().map(|error| Reason::from(&error).code)
    };
    let digest = json!({"sha256": maker::digest_of("x").to_hex()});
    let file = |name: &str| json!({"name": name, "digest": digest});
    assert_eq!(code(json!([file("a"), file("b")])), None);
    assert_eq!(code(json!([])), Some(Code::ManifestNoResources));
    assert_eq!(code(json!([file("a"), file("a")])), Some(Code::ManifestDuplicateName));
    assert_eq!(code(json!([file("a"), file("a/b")])), Some(Code::ManifestNameConflict));
    for name in ["../a", ".", "/a", ""] {
        assert_eq!(code(json!([file(name)])), Some(Code::ManifestUnsafeName), "{name:?}");
    }
    let without = json!([{"name": "a", "digest": {"sha512": "00"}}]);
    assert_eq!(code(without), Some(Code::StatementSchema));
}
