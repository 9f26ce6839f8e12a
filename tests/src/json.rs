//! The documents that `--json` prints, and their schemas.

use std::path::PathBuf;
use std::sync::LazyLock;

use jsonschema::Validator;
use oms_testkit::vectors::workspace;
use serde_json::Value;

/// The schema of `verify --json`.
pub static VERIFY: LazyLock<Validator> = LazyLock::new(|| validator("verify"));
/// The schema of `ingest --json`.
pub static INGEST: LazyLock<Validator> = LazyLock::new(|| validator("ingest"));
/// The schema of `doctor --json`.
pub static DOCTOR: LazyLock<Validator> = LazyLock::new(|| validator("doctor"));
/// The schema of a line of `--progress json`.
pub static PROGRESS: LazyLock<Validator> = LazyLock::new(|| validator("progress"));
/// The schema of `roots list --json`.
pub static ROOTS_LIST: LazyLock<Validator> = LazyLock::new(|| validator("roots-list"));
/// The schema of `roots check --json`.
pub static ROOTS_CHECK: LazyLock<Validator> = LazyLock::new(|| validator("roots-check"));
/// The schema of `cert verify --json`.
pub static CERT_VERIFY: LazyLock<Validator> = LazyLock::new(|| validator("cert-verify"));

/// The schema of `status --json`.
pub static STATUS: LazyLock<Validator> = LazyLock::new(|| validator("status"));
/// The schema of `verdict verify --ledger --json`.
pub static VERDICT_LEDGER: LazyLock<Validator> = LazyLock::new(|| validator("verdict-ledger"));
/// The schema of `resend --json`.
pub static RESEND: LazyLock<Validator> = LazyLock::new(|| validator("resend"));
/// The schema of `inspect --json` about a model file.
pub static INSPECT_FILE: LazyLock<Validator> = LazyLock::new(|| validator("inspect-file"));
/// The schema of a line of `ledger export`.
pub static LEDGER: LazyLock<Validator> = LazyLock::new(|| validator("ledger"));

/// Where the schema of a command's document is.
pub fn schema_path(command: &str) -> PathBuf {
    workspace().join(format!("appliance/station/schemas/{command}.schema.json"))
}

fn validator(command: &str) -> Validator {
    let text = std::fs::read(schema_path(command)).expect("a schema");
    let schema: Value = serde_json::from_slice(&text).expect("a schema in JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of JSON Schema 2020-12");
    jsonschema::draft202012::new(&schema).expect("a schema")
}

/// Asserts that a document is one of the schema, and gives it back.
///
/// # Panics
/// When it is not.
pub fn conforming(validator: &Validator, document: Value) -> Value {
    let errors: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| format!("{} at {}", error, error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
    document
}

/// The codes of a document's `reasons`, each once, in order.
///
/// # Panics
/// When there are none.
pub fn codes(reasons: &Value) -> Vec<String> {
    let reasons = reasons.as_array().expect("a list of reasons");
    let mut codes: Vec<String> =
        reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    codes.dedup();
    codes
}
