//! Models with attestations: a policy that asks for one, and statements that a signer may make.

use std::path::Path;

use oms_testkit::files;
use serde_json::{Value, json};

use crate::entry;
use crate::forge::Forger;
use crate::scene::{POLICY, Scene};

/// The predicate type that the policy asks for.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A rule that asks for an attestation by the key of the vendor.
pub const RULE: &str = r#"
[[attestation]]
predicate-type = "https://slsa.dev/provenance/v1"
where = [
  { field = "predicate.buildDefinition.buildType", equals = "https://build.example/v1" },
  { field = "predicate.runDetails.builder.id", one-of = ["https://a.example", "https://b.example"] },
  { field = "predicate.runDetails.metadata", present = true },
  { field = "predicate.level", at-least = 3 },
]
[attestation.signer]
method = "key"
key = "vendor.pem"
"#;

/// A signed model under a policy with [`RULE`], and no attestation yet.
pub fn scene() -> Scene {
    let scene = Scene::with_policy(&format!("{POLICY}{RULE}"));
    oms_testkit::model::write(&scene.model, 40_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

/// A statement about the usual model that fulfils [`RULE`].
///
/// # Panics
/// When the model is not signed.
pub fn statement(scene: &Scene) -> Value {
    statement_about(&scene.bundle())
}

/// The same about the model of this bundle.
///
/// # Panics
/// When there is no such bundle.
pub fn statement_about(bundle: &Path) -> Value {
    let signed: Value = serde_json::from_slice(&entry::signed_bytes(bundle)).unwrap();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "demo", "digest": signed["subject"][0]["digest"] }],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": { "buildType": "https://build.example/v1" },
            "runDetails": { "builder": { "id": "https://b.example" }, "metadata": {} },
            "level": 3
        }
    })
}

/// Puts a statement there, signed by this forger.
pub fn place(path: &Path, forger: &Forger, statement: &Value) {
    files::public(path, forger.bundle(statement.to_string().as_bytes()).to_string());
}
