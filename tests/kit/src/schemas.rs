//! The JSON Schemas of OMS v1.0, for every bundle that this project emits.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonschema::{Resource, Validator};
use serde_json::Value;

use crate::vectors;

/// The four schemas as the specification publishes them.
#[derive(Debug)]
pub struct Schemas {
    bundle: Validator,
    envelope: Validator,
    statement: Validator,
    predicate: Validator,
}

impl Schemas {
    /// Reads the schemas from the public test vectors; none where these are not there (see
    /// [`vectors::dir`]).
    ///
    /// # Panics
    /// When a schema cannot be read.
    pub fn load() -> Option<Schemas> {
        let dir = vectors::dir()?.join("oms-spec/schemas-v1.0");
        let names = ["bundle", "envelope", "statement", "predicate"];
        let all = names.map(|name| read(&dir.join(format!("{name}.schema.json"))));
        let [bundle, envelope, statement, predicate] =
            all.each_ref().map(|schema| validator(schema, &all));
        Some(Schemas { bundle, envelope, statement, predicate })
    }

    /// Every way in which a bundle breaks a schema: the bundle, its envelope, and the statement and
    /// predicate in the payload. None for a good one.
    #[expect(clippy::indexing_slicing, reason = "what a JSON value does not have reads as null")]
    pub fn violations(&self, bundle: &[u8]) -> Vec<String> {
        let Ok(bundle) = serde_json::from_slice::<Value>(bundle) else {
            return vec!["the bundle is not JSON".to_owned()];
        };
        let envelope = &bundle["dsseEnvelope"];
        let payload = envelope["payload"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let statement = payload.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(statement) = statement else {
            return vec!["the payload is not JSON in base64".to_owned()];
        };
        [
            ("bundle", &self.bundle, &bundle),
            ("envelope", &self.envelope, envelope),
            ("statement", &self.statement, &statement),
            ("predicate", &self.predicate, &statement["predicate"]),
        ]
        .into_iter()
        .flat_map(|(name, validator, value)| {
            validator
                .iter_errors(value)
                .map(move |error| format!("{name} {}: {error}", error.instance_path))
        })
        .collect()
    }
}

fn read(path: &Path) -> Value {
    let bytes =
        fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{} is not JSON: {error}", path.display()))
}

/// A validator of `schema`, in which the schemas refer to each other by their `$id`.
fn validator(schema: &Value, all: &[Value]) -> Validator {
    let resources = all.iter().map(|schema| {
        let id = schema["$id"].as_str().expect("a schema with an $id");
        (id, Resource::from_contents(schema.clone()).expect("a schema"))
    });
    jsonschema::options()
        .with_resources(resources)
        .build(schema)
        .unwrap_or_else(|error| panic!("not a schema: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_samples_are_judged_as_their_folders_say() {
        let (Some(schemas), Some(vectors)) = (Schemas::load(), vectors::dir()) else { return };
        let samples = |folder: &str| {
            let dir = vectors.join("oms-spec/test-vectors-v1.0").join(folder);
            let mut samples: Vec<_> =
                fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
            samples.sort();
            assert!(!samples.is_empty());
            samples
        };
        for path in samples("valid") {
            let found = schemas.violations(&fs::read(&path).unwrap());
            assert!(found.is_empty(), "{}: {found:#?}", path.display());
        }
        for path in [samples("invalid"), samples("invalid-payload")].concat() {
            let found = schemas.violations(&fs::read(&path).unwrap());
            assert!(!found.is_empty(), "{}", path.display());
        }
    }
}
