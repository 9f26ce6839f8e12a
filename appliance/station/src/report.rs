//! The report of an entry for people: one HTML page without scripts, fonts or links to load.
//!
//! It is rendered from the verdict's payload, so it says what the verdict says and nothing else.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing a serde_json::Value gives Null where there is nothing"
)]

use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.6rem}.passed{color:#116329}\
.refused{color:#a40e26}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d0d7de;vertical-align:top;\
overflow-wrap:anywhere}code{font-family:ui-monospace,monospace;font-size:.9em}\
th{font-weight:600}";

/// Most rows of a table that are shown; the verdict lists all.
const MAX_ROWS: usize = 1000;

/// What the page tells of a payload. A verdict lists every file of a model, so its files are not
/// kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Statement {
    subject: Value,
    predicate: Predicate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Predicate {
    #[serde(rename = "verificationResult")]
    result: Value,
    #[serde(rename = "timeVerified")]
    time: Value,
    verifier: Value,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    detail: Detail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    policy: Value,
    sequence: Value,
    #[serde(rename = "resendOf")]
    resend_of: Value,
    revocation: Value,
    protection: Value,
    sandbox: Value,
    reasons: Value,
    warnings: Value,
    signers: Value,
    attestations: Value,
    files: Files,
}

/// How many files there are, and those that are shown.
#[derive(Default)]
struct Files {
    count: usize,
    first: Vec<ShownFile>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ShownFile {
    name: Value,
    size: Value,
    digest: Value,
    /// Counted only, which takes no memory.
    shards: Vec<IgnoredAny>,
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of files")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Files, A::Error> {
                let mut files = Files::default();
                while files.first.len() < MAX_ROWS {
                    let Some(file) = seq.next_element()? else { break };
                    files.first.push(file);
                }
                files.count = files.first.len();
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    files.count = files.count.saturating_add(1);
                }
                Ok(files)
            }
        }
        deserializer.deserialize_seq(First)
    }
}

/// Renders the page for a verdict's payload.
pub fn render(payload: &str) -> String {
    let Statement { subject, predicate } = serde_json::from_str(payload).unwrap_or_default();
    let Predicate { result, time, verifier, detail } = &predicate;
    let passed = result == "PASSED";
    let (name, digest) = (text(&subject[0]["name"]), code(&subject[0]["digest"]["sha256"]));
    let (word, class) = if passed { ("Passed", "passed") } else { ("Refused", "refused") };

    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{word}: {name}</title><style>{STYLE}</style></head><body>\
         <h1><span class=\"{class}\">{word}</span>: {name}</h1>"
    );
    let policy = &detail.policy;
    let number = match &detail.resend_of {
        Value::Null => format!("number {}", text(&detail.sequence)),
        first => format!(
            "number {}, the model of verdict {} sent again by the decision of that time",
            text(&detail.sequence),
            text(first)
        ),
    };
    let facts = [
        ("Verdict", number),
        ("Time", text(time)),
        ("Station", text(&verifier["id"])),
        ("Policy", format!("{} version {}", text(&policy["id"]), text(&policy["version"]))),
        ("SHA-256 of the policy", code(&policy["sha256"])),
        ("Root digest", digest),
        ("Revocation", text(&detail.revocation)),
        ("Key of this verdict", text(&detail.protection)),
        ("Sandbox", text(&detail.sandbox)),
    ];
    page.push_str("<table>");
    for (name, value) in facts {
        let _ = write!(page, "<tr><th>{name}</th><td>{value}</td></tr>");
    }
    page.push_str("</table>");
    reasons(&mut page, "Why it was refused", &detail.reasons);
    reasons(&mut page, "To be known", &detail.warnings);
    signers(&mut page, &detail.signers);
    attestations(&mut page, &detail.attestations);
    files(&mut page, &detail.files);
    page.push_str(
        "<p>This page is for people and nobody has signed it. What counts is the signed verdict \
         beside it, <code>verdict.sigstore.json</code>, checked with \
         <code>oms-appliance verdict verify</code>.</p></body></html>\n",
    );
    page
}

fn reasons(page: &mut String, title: &str, reasons: &Value) {
    let Some(reasons) = reasons.as_array().filter(|reasons| !reasons.is_empty()) else { return };
    let _ = write!(
        page,
        "<h2>{title}</h2><table><tr><th>Code</th><th>File</th><th>Where</th><th>What</th><th>What to do</th></tr>"
    );
    for reason in reasons.iter().take(MAX_ROWS) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            code(&reason["code"]),
            text(&reason["file"]),
            text(&reason["place"]),
            text(&reason["detail"]),
            text(&reason["remedy"])
        );
    }
    page.push_str("</table>");
    if reasons.len() > MAX_ROWS {
        let _ = write!(page, "<p>{} more are in the verdict.</p>", reasons.len() - MAX_ROWS);
    }
}

fn signers(page: &mut String, signers: &Value) {
    let Some(signers) = signers.as_array().filter(|signers| !signers.is_empty()) else { return };
    page.push_str(
        "<h2>Signers</h2><table><tr><th>Identity</th><th>Rule</th><th>Anchor</th><th>Signed</th>\
         <th>Key</th></tr>",
    );
    for signer in signers {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{} {}</td></tr>",
            text(&signer["identity"]),
            text(&signer["rule"]),
            text(&signer["anchor"]),
            text(&signer["signed"]["time"]),
            text(&signer["keyType"]),
            code(&signer["key"])
        );
    }
    page.push_str("</table>");
}

fn attestations(page: &mut String, attestations: &Value) {
    let Some(attestations) = attestations.as_array().filter(|all| !all.is_empty()) else { return };
    page.push_str(
        "<h2>Attestations</h2><table><tr><th>Predicate type</th><th>Identity</th><th>Rule</th>\
         <th>SHA-256</th></tr>",
    );
    for attestation in attestations {
        for signer in attestation["signers"].as_array().into_iter().flatten() {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&attestation["predicateType"]),
                text(&signer["identity"]),
                text(&signer["rule"]),
                code(&attestation["sha256"])
            );
        }
    }
    page.push_str("</table>");
}

fn files(page: &mut String, files: &Files) {
    if files.count == 0 {
        return;
    }
    let _ = write!(
        page,
        "<h2>Files ({})</h2><table><tr><th>Name</th><th>Bytes</th><th>Digest</th></tr>",
        files.count
    );
    for file in &files.first {
        let digest = match &file.digest {
            Value::Null => format!("{} shards", file.shards.len()),
            digest => code(digest),
        };
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{digest}</td></tr>",
            text(&file.name),
            text(&file.size)
        );
    }
    page.push_str("</table>");
    let more = files.count.saturating_sub(files.first.len());
    if more > 0 {
        let _ = write!(page, "<p>{more} more are in the verdict.</p>");
    }
}

fn code(value: &Value) -> String {
    format!("<code>{}</code>", text(value))
}

/// A value as text that cannot be anything but text: a carrier chose some of it.
fn text(value: &Value) -> String {
    let plain = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown = oms_verify::reason::Printable(&plain).to_string();
    shown
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_verify::verdict::VERDICT_EXTENSION as EXTENSION;

    #[test]
    fn what_a_carrier_chose_stays_text() {
        let hostile = "<script>alert(1)</script>\u{202e}&\"'";
        let payload = serde_json::json!({
            "subject": [{"name": hostile, "digest": {"sha256": hostile}}],
            "predicate": {
                "verificationResult": "FAILED",
                EXTENSION: {
                    "reasons": [{"code": "x", "file": hostile, "detail": hostile, "remedy": "r"}],
                    "files": [{"name": hostile, "size": 1, "digest": hostile}],
                    "signers": [{"identity": hostile}],
                    "attestations": [{"predicateType": hostile, "signers": [{"identity": hostile}]}],
                },
            },
        });
        let page = render(&payload.to_string());
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains('\u{202e}'));
        assert!(page.contains("&lt;script&gt;"));
        assert!(page.contains("Refused"));
    }

    #[test]
    fn the_first_files_are_shown_and_the_others_counted() {
        let page = |count: usize| {
            let file = |at: usize| match at {
                0 => serde_json::json!({"name": "sharded", "size": 9, "shards": ["a", "b", "c"]}),
                at => serde_json::json!({"name": format!("file-{at}"), "size": at, "digest": "d"}),
            };
            let files: Vec<Value> = (0..count).map(file).collect();
            let payload = serde_json::json!({"predicate": {EXTENSION: {"files": files}}});
            render(&payload.to_string())
        };
        assert!(!page(0).contains("Files ("));
        let one = page(1);
        assert!(
            one.contains("Files (1)") && one.contains("3 shards") && !one.contains(" more are")
        );
        assert!(!page(MAX_ROWS).contains(" more are"));
        let many = page(MAX_ROWS + 7);
        assert!(many.contains(&format!("Files ({})", MAX_ROWS + 7)));
        assert!(many.contains("<p>7 more are in the verdict.</p>"));
        assert!(many.contains(&format!(">file-{}<", MAX_ROWS - 1)));
        assert!(!many.contains(&format!(">file-{MAX_ROWS}<")));
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = render("{}");
        assert!(page.contains("default-src 'none'"));
        for loader in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(loader), "{loader}");
        }
    }
}
