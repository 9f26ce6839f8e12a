//! The groups of x509-limbo that are about the standard alone, straight from its file.

use oms_testkit::vectors;
use serde::Deserialize;

use super::maker::{Question, anchor};
use crate::pki::{Certificate, Profile};
use crate::time::UnixTime;

const GROUPS: [&str; 5] = ["rfc5280", "pathlen", "pathological", "cve", "invalid"];

/// What is not as the file expects, and why that is right.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("rfc5280::pc::ica-noncritical-pc", "policyConstraints is processed, critical or not"),
    ("rfc5280::eku::ee-wrong-eku", "any purpose is asked for, so that none can be wrong"),
];

#[derive(Deserialize)]
struct Limbo {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: String,
    expected_peer_name: Option<Name>,
    expected_peer_names: Vec<Name>,
    max_chain_depth: Option<usize>,
}

#[derive(Deserialize)]
struct Name {
    value: String,
}

fn cases() -> Option<Vec<Case>> {
    let text = vectors::read("x509-limbo/limbo.json")?;
    Some(serde_json::from_slice::<Limbo>(&text).unwrap().testcases)
}

fn certificates<'a>(pem: impl IntoIterator<Item = &'a String>) -> Vec<Certificate> {
    let read = |text: &String| Certificate::many_from_pem(text.as_bytes()).ok();
    pem.into_iter().filter_map(read).flatten().collect()
}

fn outcome(case: &Case) -> Result<(), String> {
    let leaf = Certificate::many_from_pem(case.peer_certificate.as_bytes())
        .map_err(|error| format!("leaf: {error}"))?
        .remove(0);
    let anchors = certificates(&case.trusted_certs).iter().map(anchor).collect();
    let mut question = Question::about(vec![leaf.clone()], anchors);
    question.intermediates = certificates(&case.untrusted_intermediates);
    question.profile = Profile::ANY;
    let time = case.validation_time.as_deref().unwrap_or("2026-11-21T00:00:00Z");
    question.time = UnixTime::parse_rfc3339(time).unwrap();
    if let Some(depth) = case.max_chain_depth {
        // The suite counts neither end of the path, nor CAs that are self-issued.
        let others = question.intermediates.iter().filter(|ca| ca.is_self_issued()).count() + 2;
        question.budget.path_depth = question.budget.path_depth.min(depth + others);
    }
    question.ask().map_err(|error| error.to_string())?;
    for name in case.expected_peer_name.iter().chain(&case.expected_peer_names) {
        if !leaf.has_name(&name.value) {
            return Err(format!("it is not {}", name.value));
        }
    }
    Ok(())
}

#[test]
fn the_groups_about_the_standard_come_out_as_expected() {
    let Some(cases) = cases() else { return };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in &cases {
        if !GROUPS.iter().any(|group| case.id.starts_with(&format!("{group}::"))) {
            continue;
        }
        seen += 1;
        let outcome = outcome(case);
        let as_expected = outcome.is_ok() == (case.expected_result == "SUCCESS");
        let excepted = EXCEPTIONS.iter().any(|(id, _)| *id == case.id);
        if as_expected == excepted {
            let outcome = outcome.map_or_else(|error| error, |()| "accepted".to_owned());
            wrong.push(format!("{}: {outcome}", case.id));
        }
    }
    assert!(seen > 100, "{seen} cases");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}
