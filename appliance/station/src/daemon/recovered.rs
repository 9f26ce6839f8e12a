//! What the status shows of a verdict that was begun before, and that the recovery has published:
//! its payload is all that there is of it.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::board::shown;
use super::status::VerdictStatus;
use crate::outbound::Published;

/// What a payload says of itself. The files that it lists are passed over.
#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    time_verified: String,
    verification_result: String,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    reasons: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    code: String,
}

/// The verdict as the status has it; nothing when its payload is none, which the recovery would not
/// have published.
pub(super) fn verdict(published: &Published) -> Option<VerdictStatus> {
    let Statement { subject, predicate } = serde_json::from_str(published.payload.as_str()).ok()?;
    let name = subject.into_iter().next().and_then(|subject| subject.name).unwrap_or_default();
    let codes: BTreeSet<String> =
        predicate.detail.reasons.into_iter().map(|reason| reason.code).collect();
    let entry = published.entry.file_name().unwrap_or_default().to_string_lossy();
    Some(VerdictStatus {
        sequence: published.sequence,
        model: shown(&name),
        passed: predicate.verification_result == "PASSED",
        time: predicate.time_verified,
        codes: codes.into_iter().collect(),
        entry: shown(&entry),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Payload;

    #[test]
    fn a_payload_tells_what_the_status_shows() {
        let text = r#"{"subject":[{"name":"a\u001b[2J","digest":{}}],"predicate":{
            "timeVerified":"2027-01-01T00:00:00Z","verificationResult":"FAILED","other":1,
            "urn:oms-appliance:verdict:1":{"reasons":[
                {"code":"b.b"},{"code":"a.a"},{"code":"b.b"}],"files":[]}}}"#;
        let mut published = Published {
            sequence: 7,
            entry: "/out/000000000007-ab-refused".into(),
            payload: Payload::from(text.to_owned()),
        };
        let shown = verdict(&published).unwrap();
        assert_eq!((shown.sequence, shown.passed), (7, false));
        assert_eq!(shown.model, "a\\u{1b}[2J");
        assert_eq!(shown.codes, ["a.a", "b.b"]);
        assert_eq!(shown.entry, "000000000007-ab-refused");
        published.payload = Payload::from(text.replace("FAILED", "PASSED"));
        assert!(verdict(&published).unwrap().passed);
        published.payload = Payload::from("{}".to_owned());
        assert!(verdict(&published).is_none());
    }
}
