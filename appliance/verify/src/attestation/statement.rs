//! An attestation that a trusted signer made.

use serde::Deserialize;

use super::field;
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::json::{self, JsonError};
use crate::policy::Condition;
use crate::reason::{NAME_CHARS, shorten};
use crate::statement::{PREDICATE_TYPE, PREDICATE_TYPE_LEGACY, STATEMENT_TYPE};

/// The `_type`s of statements that are read as attestations.
pub const STATEMENT_TYPES: [&str; 2] = [STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"];

/// Characters of a signer's word that an error repeats.
const SHOWN: usize = 128;

/// What a trusted signer attested. Only [`Bundle::open_attestation`] makes one.
///
/// [`Bundle::open_attestation`]: crate::bundle::Bundle::open_attestation
#[derive(Clone, Debug)]
pub struct Attestation<'b> {
    payload: &'b [u8],
    predicate_type: String,
    subjects: Vec<Subject>,
}

/// A subject with a SHA-256 digest.
#[derive(Clone, Debug)]
struct Subject {
    digest: Sha256Digest,
    name: Option<String>,
}

/// Why a validly signed payload is not an attestation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// the payload is not strict JSON, or not of the structure
    #[error("the payload: {0}")]
    Json(#[from] JsonError),
    /// `_type` is another one
    #[error("_type is {found:?} instead of {STATEMENT_TYPE:?}")]
    Type {
        /// What stands there, shortened.
        found: String,
    },
    /// it is the signature of a model
    #[error("it is an OMS signature, predicateType {found:?}")]
    Signature {
        /// Its `predicateType`.
        found: String,
    },
}

/// An in-toto statement (in-toto Attestation Framework, spec/v1/statement.md). Readers ignore
/// fields that they do not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStatement {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
    subject: Vec<RawSubject>,
}

#[derive(Deserialize)]
struct RawSubject {
    #[serde(default)]
    name: Option<String>,
    digest: RawDigestSet,
}

/// Other algorithms may stand beside, or instead of, the one that counts here.
#[derive(Deserialize)]
struct RawDigestSet {
    #[serde(default)]
    sha256: Option<String>,
}

impl<'b> Attestation<'b> {
    /// Reads a payload whose signature has been verified.
    pub(crate) fn parse(payload: &'b [u8], budget: &Budget) -> Result<Self, AttestationError> {
        let mut raw: RawStatement = json::from_slice(payload, budget.json_depth)?;
        if !STATEMENT_TYPES.contains(&raw.kind.as_str()) {
            shorten(&mut raw.kind, SHOWN);
            return Err(AttestationError::Type { found: raw.kind });
        }
        if [PREDICATE_TYPE, PREDICATE_TYPE_LEGACY].contains(&raw.predicate_type.as_str()) {
            return Err(AttestationError::Signature { found: raw.predicate_type });
        }
        // The name goes into the verdict, which many attestations must not blow up.
        let subject = |RawSubject { mut name, digest }| {
            let digest = Sha256Digest::from_hex(digest.sha256.as_deref()?)?;
            name.iter_mut().for_each(|name| shorten(name, NAME_CHARS));
            Some(Subject { digest, name })
        };
        Ok(Attestation {
            payload,
            predicate_type: raw.predicate_type,
            subjects: raw.subject.into_iter().filter_map(subject).collect(),
        })
    }

    /// `predicateType` as it stands.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Whether a subject has this SHA-256.
    pub fn is_about(&self, root: Sha256Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest == root)
    }

    /// The name of the first subject with this SHA-256, where it has one; shortened.
    pub fn subject_name(&self, root: Sha256Digest) -> Option<&str> {
        self.subjects.iter().find(|subject| subject.digest == root)?.name.as_deref()
    }

    /// What the attestation says instead of what `condition` asks for; `None` when it holds.
    pub fn shortfall(&self, condition: &Condition) -> Option<String> {
        field::shortfall(self.payload, condition)
    }
}
