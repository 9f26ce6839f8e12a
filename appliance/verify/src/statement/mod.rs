//! The signed statement: in-toto Statement v1 with the OMS predicate (OMS v1.0, sections 5 and 6.6).
//!
//! A [`Statement`] comes out of [`crate::bundle::Bundle::open`], or of
//! [`crate::bundle::Bundle::statement_vouched_for`] on the word of a trusted verdict, and from
//! nowhere else, so whoever holds one holds what a trusted signer stands for.

mod compose;
mod error;
mod manifest;
mod raw;
mod size;

pub use compose::compose;
pub use error::ManifestError;
use manifest::Listing;
pub use manifest::{DEFAULT_SHARD_SIZE, Manifest, ManifestFile, Method, Pieces, Shard};

use std::sync::Arc;

use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::json::JsonError;
use crate::reason::{Code, Reason};

/// `_type` of an in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of an OMS statement.
pub const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// `predicateType` of version 0.2 of the Python implementation.
pub const PREDICATE_TYPE_LEGACY: &str = "https://model_signing/Digests/v0.1";

/// Default exclusions at the root of a model (OMS v1.0, section 6.2).
pub const DEFAULT_IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// What a trusted signer said about a model.
#[derive(Clone, Debug)]
pub struct Statement {
    subject_name: Option<String>,
    root: Sha256Digest,
    manifest: Arc<Manifest>,
    legacy: bool,
}

/// Whether the deprecated format of version 0.2 may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// It is refused.
    Refuse,
    /// It is read, since the policy says so.
    Allow,
}

/// Why a validly signed payload is not an OMS statement that this project accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// the payload is not strict JSON, or not of the structure
    #[error("the payload: {0}")]
    Json(#[from] JsonError),
    /// `_type` is another one
    #[error("_type is {found:?} instead of {STATEMENT_TYPE:?}")]
    Type {
        /// What stands there.
        found: String,
    },
    /// `predicateType` is another one
    #[error("predicateType is {found:?} instead of {PREDICATE_TYPE:?}")]
    PredicateType {
        /// What stands there.
        found: String,
    },
    /// the format of version 0.2, which is not allowed
    #[error("predicateType is the one of version 0.2, {PREDICATE_TYPE_LEGACY:?}")]
    Legacy,
    /// the number of subjects is not one
    #[error("the statement has {0} subjects instead of one")]
    SubjectCount(usize),
    /// the subject has no name, or one longer than the budget of a path
    #[error("the subject's name is empty or too long")]
    SubjectName,
    /// the subject has no SHA-256 digest in lower-case hexadecimal
    #[error("the subject has no digest `sha256` in lower-case hexadecimal")]
    SubjectDigest,
    /// the subject's digest is not the one of the resources
    #[error("the subject's digest is {stated}, the resources give {computed}")]
    RootDigest {
        /// What the subject says.
        stated: Sha256Digest,
        /// What the resources give.
        computed: Sha256Digest,
    },
    /// the manifest breaks a rule
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl StatementError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            StatementError::Json(JsonError::DuplicateKey { .. }) => Code::BundleDuplicateKey,
            StatementError::Json(JsonError::TooDeep { .. }) => Code::BundleTooDeep,
            StatementError::Json(JsonError::Structure { .. }) => Code::StatementSchema,
            StatementError::Json(JsonError::Syntax { .. }) => Code::StatementJson,
            StatementError::Type { .. } => Code::StatementType,
            StatementError::PredicateType { .. } => Code::StatementPredicateType,
            StatementError::Legacy => Code::StatementLegacy,
            StatementError::SubjectCount(_)
            | StatementError::SubjectName
            | StatementError::SubjectDigest => Code::StatementSubject,
            StatementError::RootDigest { .. } => Code::StatementRootDigest,
            StatementError::Manifest(e) => e.code(),
        }
    }
}

impl From<&StatementError> for Reason {
    fn from(error: &StatementError) -> Reason {
        let reason = Reason::new(error.code(), error.to_string());
        match error {
            StatementError::Manifest(ManifestError::TooMany { .. }) => {
                reason.by_rule("manifest.max-files")
            }
            StatementError::Manifest(e) => match e.name() {
                Some(name) => reason.about(name),
                None => reason,
            },
            StatementError::Legacy => reason.by_rule("manifest.legacy"),
            _ => reason,
        }
    }
}

impl Statement {
    /// Reads a payload whose signature has been verified.
    pub(crate) fn parse(
        payload: &[u8],
        legacy: Legacy,
        budget: &Budget,
    ) -> Result<Self, StatementError> {
        raw::parse(payload, legacy, budget)
    }

    /// `subject[0].name`: informational, chosen by the signer; `None` in legacy bundles.
    pub fn subject_name(&self) -> Option<&str> {
        self.subject_name.as_deref()
    }

    /// The root digest over the resources in the order in which they are listed.
    pub fn root(&self) -> Sha256Digest {
        self.root
    }

    /// The manifest. Whoever reads the model in threads of its own holds it with them.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Whether the bundle has the format of version 0.2.
    pub fn is_legacy(&self) -> bool {
        self.legacy
    }
}

#[cfg(test)]
mod tests;
