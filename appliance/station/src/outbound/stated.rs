//! The place in the record that a payload states, for one that was written down before a crash.

use serde::Deserialize;

/// Where a payload says that it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StatedPlace {
    pub(super) sequence: u64,
    pub(super) previous: String,
    pub(super) verifier: String,
}

/// Of a verdict's payload, what tells its place.
#[derive(Deserialize)]
struct RawPayload {
    predicate: RawPredicate,
}

#[derive(Deserialize)]
struct RawPredicate {
    verifier: RawVerifier,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    detail: RawDetail,
}

#[derive(Deserialize)]
struct RawVerifier {
    id: String,
}

#[derive(Deserialize)]
struct RawDetail {
    sequence: u64,
    previous: String,
}

impl StatedPlace {
    /// Reads it.
    pub(super) fn of(payload: &str) -> Option<Self> {
        let RawPredicate { verifier, detail } =
            serde_json::from_str::<RawPayload>(payload).ok()?.predicate;
        let RawDetail { sequence, previous } = detail;
        Some(StatedPlace { sequence, previous, verifier: verifier.id })
    }
}
