//! From the payload's JSON to a [`Statement`].

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::manifest::Listed;
use super::size::{Elements, Resources};
use super::{
    Legacy, Manifest, ManifestError, Method, PREDICATE_TYPE, PREDICATE_TYPE_LEGACY, STATEMENT_TYPE,
    Statement, StatementError,
};
use crate::budget::Budget;
use crate::hash::{Digest, HashAlgorithm, Sha256Digest};
use crate::json::{self, Anything};

/// What tells one kind of statement from another, and how many resources it has; read before
/// anything else.
#[derive(Deserialize)]
struct RawKind {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    subject: Elements,
    #[serde(default)]
    predicate: Resources,
}

/// An in-toto statement. The schema allows no other field. What may be long is borrowed from the
/// payload, where it stands there without escapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawStatement<'a> {
    #[serde(rename = "_type")]
    _kind: Anything,
    #[serde(rename = "predicateType")]
    _predicate_type: Anything,
    // One is right; a second is told from none, and more are not read.
    #[serde(borrow, deserialize_with = "json::at_most::<2, _, _>")]
    subject: Vec<RawSubject<'a>>,
    #[serde(borrow)]
    predicate: RawPredicate<'a>,
}

/// The statement of version 0.2, whose subjects are the files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawLegacyStatement<'a> {
    #[serde(rename = "_type")]
    _kind: Anything,
    #[serde(rename = "predicateType")]
    _predicate_type: Anything,
    #[serde(borrow, deserialize_with = "json::at_most::<1_000_000, _, _>")]
    subject: Vec<RawSubject<'a>>,
    #[serde(rename = "predicate")]
    _predicate: Anything,
}

/// A subject may have other fields of an in-toto resource descriptor, annotations among them.
#[derive(Deserialize)]
struct RawSubject<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: RawDigestSet<'a>,
}

/// An in-toto DigestSet. Other algorithms may stand beside the one that OMS uses.
#[derive(Deserialize)]
struct RawDigestSet<'a> {
    #[serde(borrow)]
    sha256: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPredicate<'a> {
    #[serde(borrow)]
    resources: Vec<RawResource<'a>>,
    serialization: RawSerialization,
}

/// A resource may have other fields of an in-toto resource descriptor, which are ignored
/// (OMS v1.0, section 5.2.1).
#[derive(Deserialize)]
struct RawResource<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSerialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    shard_size: Option<serde_json::Number>,
    #[serde(default, deserialize_with = "json::at_most::<100_000, _, _>")]
    ignore_paths: Vec<String>,
}

pub(super) fn parse(
    payload: &[u8],
    legacy: Legacy,
    budget: &Budget,
) -> Result<Statement, StatementError> {
    let kind: RawKind = json::from_slice(payload, budget.json_depth)?;
    if kind.kind != STATEMENT_TYPE {
        return Err(StatementError::Type { found: shortened(kind.kind) });
    }
    let within_budget = |Elements(found): Elements| match found > budget.resources {
        true => Err(ManifestError::TooMany { found, limit: budget.resources }),
        false => Ok(()),
    };
    match kind.predicate_type.as_str() {
        PREDICATE_TYPE => {
            within_budget(kind.predicate.0)?;
            parse_current(json::from_checked(payload)?, budget)
        }
        PREDICATE_TYPE_LEGACY if legacy == Legacy::Allow => {
            within_budget(kind.subject)?;
            parse_legacy(json::from_checked(payload)?, budget)
        }
        PREDICATE_TYPE_LEGACY => Err(StatementError::Legacy),
        _ => Err(StatementError::PredicateType { found: shortened(kind.predicate_type) }),
    }
}

/// A value that somebody else chose, short enough for a message.
fn shortened(text: String) -> String {
    text.chars().take(128).collect()
}

fn parse_current(raw: RawStatement<'_>, budget: &Budget) -> Result<Statement, StatementError> {
    let [subject] = raw.subject.as_slice() else {
        return Err(StatementError::SubjectCount(raw.subject.len()));
    };
    if subject.name.is_empty() || subject.name.len() > budget.name_bytes {
        return Err(StatementError::SubjectName);
    }
    let stated = subject
        .digest
        .sha256
        .as_deref()
        .and_then(Sha256Digest::from_hex)
        .ok_or(StatementError::SubjectDigest)?;

    let RawPredicate { resources, serialization } = raw.predicate;
    let hash = hash_type(&serialization.hash_type)?;
    let method = method(&serialization)?;
    let listed = resources
        .into_iter()
        .map(|resource| listed(resource, hash, method))
        .collect::<Result<Vec<_>, _>>()?;
    let computed = Sha256Digest::root(listed.iter().map(|resource| &resource.digest));
    let manifest = Manifest::from_listed(
        hash,
        method,
        serialization.allow_symlinks,
        serialization.ignore_paths,
        listed,
        Some(&subject.name),
        budget,
    )?;
    if stated != computed {
        return Err(StatementError::RootDigest { stated, computed });
    }
    Ok(Statement {
        subject_name: Some(subject.name.clone().into_owned()),
        root: computed,
        manifest: Arc::new(manifest),
        legacy: false,
    })
}

/// Version 0.2 put the files into `subject`, hashed them with SHA-256 and signed nothing else.
fn parse_legacy(raw: RawLegacyStatement<'_>, budget: &Budget) -> Result<Statement, StatementError> {
    let listed = raw
        .subject
        .into_iter()
        .map(|subject| {
            let digest = subject
                .digest
                .sha256
                .as_deref()
                .and_then(|text| Digest::from_hex(HashAlgorithm::Sha256, text).ok())
                .ok_or_else(|| ManifestError::Digest { name: subject.name.to_string() })?;
            Ok(Listed { name: subject.name, digest })
        })
        .collect::<Result<Vec<_>, ManifestError>>()?;
    let root = Sha256Digest::root(listed.iter().map(|resource| &resource.digest));
    let manifest = Manifest::from_listed(
        HashAlgorithm::Sha256,
        Method::Files,
        false,
        Vec::new(),
        listed,
        None,
        budget,
    )?;
    Ok(Statement { subject_name: None, root, manifest: Arc::new(manifest), legacy: true })
}

fn hash_type(name: &str) -> Result<HashAlgorithm, ManifestError> {
    HashAlgorithm::from_name(name).ok_or_else(|| ManifestError::Hash {
        name: "hash_type".to_owned(),
        algorithm: shortened(name.to_owned()),
    })
}

fn method(serialization: &RawSerialization) -> Result<Method, ManifestError> {
    match (serialization.method.as_str(), &serialization.shard_size) {
        ("files", None) => Ok(Method::Files),
        ("files", Some(_)) => Err(ManifestError::ShardSizeWithoutShards),
        ("shards", size) => size
            .as_ref()
            .and_then(whole_number)
            .filter(|size| *size > 0)
            .map(|size| Method::Shards { size })
            .ok_or(ManifestError::ShardSize),
        (other, _) => Err(ManifestError::Method(shortened(other.to_owned()))),
    }
}

/// A whole number, which a protobuf Struct in between may have written as `1000000000.0`.
fn whole_number(number: &serde_json::Number) -> Option<u64> {
    const EXACT_IN_F64: f64 = 9_007_199_254_740_992.0;
    number.as_u64().or_else(|| {
        let value = number.as_f64()?;
        (value.fract() == 0.0 && (1.0..=EXACT_IN_F64).contains(&value)).then_some(value as u64)
    })
}

/// Checks a resource's algorithm, which the Python and Go implementations write as
/// `sha256-sharded-N` for shards of N bytes.
fn listed(
    resource: RawResource<'_>,
    hash: HashAlgorithm,
    method: Method,
) -> Result<Listed<'_>, ManifestError> {
    let RawResource { name, digest, algorithm } = resource;
    let plain = algorithm == hash.name();
    let sharded = match method {
        Method::Files => false,
        Method::Shards { size } => algorithm == format!("{hash}-sharded-{size}"),
    };
    if !plain && !sharded {
        let (name, algorithm) = (name.into_owned(), shortened(algorithm.into_owned()));
        return Err(ManifestError::Hash { name, algorithm });
    }
    match Digest::from_hex(hash, &digest) {
        Ok(digest) => Ok(Listed { name, digest }),
        Err(_) => Err(ManifestError::Digest { name: name.into_owned() }),
    }
}
