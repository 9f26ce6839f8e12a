//! What a bundle must say once it was signed or accepted, read without the appliance's own reader:
//! the suite asks the same.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oms_testkit::schemas::Schemas;
use oms_verify::hash::Sha256Digest;
use serde::Deserialize;

use super::case::Case;
use crate::process::read;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

#[derive(Deserialize)]
struct Digest {
    sha256: String,
}

#[derive(Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    digest: String,
}

/// Checks a bundle that the adapter wrote: the JSON Schemas, sorted resources, the root digest over
/// them, and no other files than the case expects, so neither the bundle itself.
pub(super) fn check_signed(
    bundle: &Path,
    case: &Case,
    schemas: Option<&Schemas>,
) -> Result<(), String> {
    let text = read(bundle).map_err(|error| error.to_string())?;
    let violations = schemas.map(|schemas| schemas.violations(text.as_bytes())).unwrap_or_default();
    if !violations.is_empty() {
        return Err(format!("the bundle breaks its schemas: {}", violations.join("; ")));
    }
    let statement = statement(bundle)?;
    let resources = &statement.predicate.resources;
    if !resources.is_sorted_by(|a, b| a.name < b.name) {
        return Err("the resources are not sorted by name".to_owned());
    }
    let mut digests = Vec::new();
    for resource in resources {
        digests.extend(bytes(&resource.digest).ok_or("a digest is not hexadecimal")?);
    }
    let root = Sha256Digest::of(&digests).to_hex();
    if !matches!(statement.subject.as_slice(), [subject] if subject.digest.sha256 == root) {
        return Err(format!("the statement has not one subject with the root digest {root}"));
    }
    compare(&statement, case)
}

/// Checks that a bundle that was accepted lists the files that the case expects.
pub(super) fn check_listed(bundle: &Path, case: &Case) -> Result<(), String> {
    if case.config.expected_signed_files.is_none() {
        return Ok(());
    }
    compare(&statement(bundle)?, case)
}

/// Checks that two bundles have signed the same bytes.
pub(super) fn check_same_payload(one: &Path, other: &Path) -> Result<(), String> {
    if payload(one)? == payload(other)? {
        Ok(())
    } else {
        Err("two signatures of one model have different payloads".to_owned())
    }
}

fn compare(statement: &Statement, case: &Case) -> Result<(), String> {
    let Some(expected) = &case.config.expected_signed_files else { return Ok(()) };
    let mut expected = expected.clone();
    expected.sort();
    let mut listed: Vec<_> =
        statement.predicate.resources.iter().map(|resource| resource.name.clone()).collect();
    listed.sort();
    if listed == expected {
        Ok(())
    } else {
        Err(format!("the bundle lists {listed:?} instead of {expected:?}"))
    }
}

fn statement(bundle: &Path) -> Result<Statement, String> {
    serde_json::from_slice(&payload(bundle)?).map_err(|error| format!("the payload: {error}"))
}

fn payload(bundle: &Path) -> Result<Vec<u8>, String> {
    let text = read(bundle).map_err(|error| error.to_string())?;
    let bundle: Bundle =
        serde_json::from_str(&text).map_err(|error| format!("the bundle: {error}"))?;
    BASE64.decode(&bundle.dsse_envelope.payload).map_err(|error| format!("the payload: {error}"))
}

/// The bytes of hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
