//! What may be wrong with a bundle, before and after its signature is verified.

use crate::attestation::AttestationError;
use crate::dsse::EnvelopeError;
use crate::json::JsonError;
use crate::pki::CertificateError;
use crate::reason::{Code, Reason};
use crate::sigstore::EvidenceError;
use crate::statement::StatementError;

/// Why bytes are not a [`Bundle`](super::Bundle).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// no bytes
    #[error("the file is empty")]
    Empty,
    /// more bytes than the budget
    #[error("the file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// The budget.
        limit: u64,
    },
    /// not strict JSON, or not of the structure
    #[error(transparent)]
    Json(#[from] JsonError),
    /// another media type
    #[error("mediaType is {0:?}")]
    MediaType(String),
    /// the envelope is wrong
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// no or several kinds of verification material
    #[error(
        "the verification material names {0} of publicKey, x509CertificateChain and certificate instead of one"
    )]
    MaterialCount(usize),
    /// a certificate or key that is not base64
    #[error("the verification material holds rawBytes that are not base64")]
    MaterialBase64,
    /// a hint that is no digest of a key
    #[error("the key's hint has {size} bytes, the limit is {limit}")]
    HintTooLong {
        /// Bytes of the hint.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// more certificates than the budget
    #[error("the chain holds {found} certificates, the limit is {limit}")]
    TooManyCertificates {
        /// How many.
        found: usize,
        /// The budget.
        limit: usize,
    },
    /// a certificate larger than the budget
    #[error("a certificate has {size} bytes, the limit is {limit}")]
    CertificateTooLarge {
        /// Bytes.
        size: usize,
        /// The budget.
        limit: usize,
    },
    /// a chain without certificates
    #[error("the chain holds no certificate")]
    NoCertificate,
    /// more time stamps than the budget
    #[error("the bundle holds {found} time stamps, the limit is {limit}")]
    TooManyTimestamps {
        /// How many.
        found: usize,
        /// The budget.
        limit: usize,
    },
    /// a time stamp larger than the budget
    #[error("a time stamp has {size} bytes, the limit is {limit}")]
    TimestampTooLarge {
        /// Bytes.
        size: usize,
        /// The budget.
        limit: usize,
    },
    /// a time stamp that is not base64
    #[error("the verification material holds a signedTimestamp that is not base64")]
    TimestampBase64,
    /// log entries that cannot be judged
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// a certificate that cannot be read
    #[error("certificate {index} of the bundle: {error}")]
    Certificate {
        /// Its place in the bundle, from 0.
        index: usize,
        /// What is wrong with it.
        error: CertificateError,
    },
}

impl BundleError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            BundleError::Empty => Code::BundleEmpty,
            BundleError::TooLarge { .. } => Code::BundleTooLarge,
            BundleError::Json(JsonError::DuplicateKey { .. }) => Code::BundleDuplicateKey,
            BundleError::Json(JsonError::TooDeep { .. }) => Code::BundleTooDeep,
            BundleError::Json(JsonError::Syntax { .. }) => Code::BundleJson,
            BundleError::Json(JsonError::Structure { .. }) => Code::BundleSchema,
            BundleError::MediaType(_) => Code::BundleMediaType,
            BundleError::Envelope(EnvelopeError::SignatureCount(_)) => Code::BundleSignatureCount,
            BundleError::Envelope(_) => Code::BundleSchema,
            BundleError::MaterialCount(_)
            | BundleError::MaterialBase64
            | BundleError::HintTooLong { .. }
            | BundleError::TooManyCertificates { .. }
            | BundleError::CertificateTooLarge { .. }
            | BundleError::NoCertificate
            | BundleError::TooManyTimestamps { .. }
            | BundleError::TimestampTooLarge { .. }
            | BundleError::TimestampBase64 => Code::BundleMaterial,
            BundleError::Evidence(_) => Code::SigstoreMalformed,
            BundleError::Certificate { error, .. } => error.code(),
        }
    }
}

impl From<&BundleError> for Reason {
    fn from(error: &BundleError) -> Reason {
        let reason = Reason::new(error.code(), error.to_string());
        match error {
            BundleError::TooLarge { .. } => reason.by_rule("manifest.max-bundle-bytes"),
            _ => reason,
        }
    }
}

/// Why a bundle could not be opened by a signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// the signature does not verify
    #[error("the signature does not verify under {0}")]
    Signature(String),
    /// two implementations disagree whether the signature verifies
    #[error("two implementations disagree whether the signature verifies under {0}")]
    Disagreement(String),
    /// the signer is not the one whose certificate the bundle holds
    #[error("the signer is not the leaf of the bundle's chain")]
    OtherSigner,
    /// the payload type is another one
    #[error("payloadType is {0:?}")]
    PayloadType(String),
    /// no trusted verdict names this bundle
    #[error("it is not the re-signed bundle of the verdict")]
    NotVouchedFor,
    /// the payload is not an OMS statement
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// the payload is not an attestation
    #[error(transparent)]
    Attestation(#[from] AttestationError),
}

impl From<&OpenError> for Reason {
    fn from(error: &OpenError) -> Reason {
        match error {
            OpenError::Signature(_) => Reason::new(Code::SignatureInvalid, error.to_string()),
            OpenError::Disagreement(_) => {
                Reason::new(Code::SignatureDisagreement, error.to_string())
            }
            OpenError::OtherSigner => Reason::new(Code::SignatureWrongKey, error.to_string()),
            OpenError::PayloadType(_) => Reason::new(Code::BundlePayloadType, error.to_string()),
            OpenError::NotVouchedFor => Reason::new(Code::VerdictResigned, error.to_string()),
            OpenError::Statement(e) => Reason::from(e),
            OpenError::Attestation(e) => Reason::new(Code::AttestationInvalid, e.to_string()),
        }
    }
}
