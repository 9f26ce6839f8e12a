//! Attestations, and the conditions of a policy on them.

use oms_verify::appraise::TrustContext;
use oms_verify::attestation::{AttestationOutcome, AttestationSource};
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{CrlSet, Profile};
use oms_verify::time::UnixTime;

use crate::bundle::signed;
use crate::pieces::split;
use crate::policy::resolve;

/// SHA-256 that an attestation must be about.
pub const ABOUT: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// Conditions as they stand in a policy between `where = [` and `]`, and a payload that is signed
/// by the key of the rule, in pieces.
pub fn attestation(data: &[u8]) {
    let mut pieces = split(data).into_iter();
    let conditions = pieces.next().and_then(|piece| std::str::from_utf8(piece).ok());
    let payload = pieces.next().unwrap_or_default();
    let Some(outcome) = conditions.and_then(|conditions| judge(conditions, payload)) else {
        return;
    };
    if let Some(accepted) = outcome.accepted() {
        assert!(!accepted.signers().is_empty());
        let payload = String::from_utf8_lossy(payload);
        // Any character may be written as an escape.
        assert!(payload.contains(ABOUT) || payload.contains('\\'), "{payload}");
    }
}

/// What a policy with these conditions makes of the payload; `None` when there is no such policy.
pub(crate) fn judge(conditions: &str, payload: &[u8]) -> Option<AttestationOutcome> {
    let (bytes, key) = signed(payload)?;
    let rules = RULE.replace("CONDITIONS", conditions);
    let policy = resolve(&[LAB, &rules].concat(), key.to_pem().as_bytes()).ok()?;
    let source = AttestationSource { file: "attestation.sig".to_owned(), in_model: None };
    let time = UnixTime(1_893_456_000);
    let context = TrustContext { crls: &CrlSet::default(), time, profile: Profile::CODE_SIGNING };
    let about = Sha256Digest::from_hex(ABOUT)?;
    Some(AttestationOutcome::of(&policy, about, &bytes, source, &context))
}

const LAB: &str = include_str!("../../../policies/lab.toml");

const RULE: &str = r#"
[[attestation]]
predicate-type = "https://slsa.dev/provenance/v1"
where = [CONDITIONS]
[attestation.signer]
method = "key"
key = "ci.pem"
keys = ["Ed25519"]
"#;
