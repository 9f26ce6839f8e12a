//! Writes the payload of a new statement (OMS v1.0, sections 6.4 to 6.6).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{Serialize, Serializer};

use super::{Listing, Manifest, Method, PREDICATE_TYPE, STATEMENT_TYPE};

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Subject<'a>; 1],
    predicate_type: &'static str,
    predicate: Predicate<'a>,
}

#[derive(serde::Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

#[derive(serde::Serialize)]
struct Predicate<'a> {
    resources: Resources<'a>,
    serialization: Serialization<'a>,
}

/// The resources, each made when it is written: a model may have millions.
struct Resources<'a>(&'a Listing<'a>);

#[derive(serde::Serialize)]
struct Resource<'a> {
    name: Cow<'a, str>,
    algorithm: &'static str,
    digest: String,
}

impl Serialize for Resources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, digest)| Resource {
            name,
            algorithm: digest.algorithm().name(),
            digest: digest.to_hex(),
        }))
    }
}

#[derive(serde::Serialize)]
struct Serialization<'a> {
    method: &'static str,
    hash_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<u64>,
    allow_symlinks: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignore_paths: &'a [String],
}

/// The payload for `manifest` under the name `subject`, with `annotations` of the subject.
///
/// Resources stand in code-point order of their names, and the subject's digest is the root over
/// that order. The bytes are compact JSON, and the same for the same input.
pub fn compose(
    subject: &str,
    annotations: &BTreeMap<String, String>,
    manifest: &Manifest,
) -> Vec<u8> {
    let listing = manifest.listing();
    let (method, shard_size) = match manifest.method() {
        Method::Files => ("files", None),
        Method::Shards { size } => ("shards", Some(size)),
    };
    let statement = Statement {
        kind: STATEMENT_TYPE,
        subject: [Subject {
            name: subject,
            digest: BTreeMap::from([("sha256", listing.root().to_hex())]),
            annotations,
        }],
        predicate_type: PREDICATE_TYPE,
        predicate: Predicate {
            resources: Resources(&listing),
            serialization: Serialization {
                method,
                hash_type: manifest.hash().name(),
                shard_size,
                allow_symlinks: manifest.allow_symlinks(),
                ignore_paths: manifest.ignore_paths(),
            },
        },
    };
    crate::json::to_vec(&statement)
}
