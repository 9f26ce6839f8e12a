//! Why a trusted root cannot be used, and why a Sigstore bundle is not believed.

use super::NamesError;
use crate::json::JsonError;
use crate::key::KeyError;
use crate::pki::{CertificateError, PathError};
use crate::reason::{Code, Reason};
use crate::time::UnixTime;

/// Why bytes are not a trusted root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustedRootError {
    /// more bytes than the limit
    #[error("the file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the file.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// not strict JSON, or not of the structure
    #[error(transparent)]
    Json(#[from] JsonError),
    /// another media type
    #[error("mediaType is {0:?}, which is not one of a trusted root of version 0.1 or 0.2")]
    MediaType(String),
    /// nothing to verify with
    #[error("it names no {0}")]
    Nothing(&'static str),
    /// a CA certificate that cannot be read
    #[error("a certificate of a certificate authority cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// a key, certificate or window that cannot be used
    #[error("{0}")]
    Unusable(String),
}

/// Why a bundle is not believed to come from a Sigstore signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigstoreError {
    /// the bundle has no Sigstore material
    #[error("the bundle is not one of the method `sigstore`")]
    OtherMethod,
    /// the bundle cannot be judged
    #[error("{0}")]
    Malformed(String),
    /// the DSSE signature does not verify
    #[error("the signature does not verify under the certificate's key")]
    Signature,
    /// the leaf's key
    #[error("the certificate's key cannot be used: {0}")]
    Key(KeyError),
    /// identity or issuer cannot be read
    #[error(transparent)]
    Names(#[from] NamesError),
    /// no certification path to an authority
    #[error("no path to a certificate authority of the trusted root {root:?} at {time}: {error}")]
    Path {
        /// The trusted root.
        root: String,
        /// The trusted time of the signature.
        time: UnixTime,
        /// What path validation found.
        error: PathError,
    },
    /// the library refuses the certificate
    #[error("{0}")]
    Certificate(String),
    /// the signed certificate timestamp
    #[error("{0}")]
    CertificateTransparency(String),
    /// an entry without inclusion proof
    #[error("a log entry has no inclusion proof, only the log's promise")]
    NoInclusionProof,
    /// an inclusion proof or checkpoint that does not hold
    #[error("{0}")]
    InclusionProof(String),
    /// an entry about something else
    #[error("{0}")]
    LogEntry(String),
    /// an entry of a log that is not in the root
    #[error("the log {log} is not in the trusted root {root:?}")]
    UnknownLog {
        /// The log's key identifier in hexadecimal.
        log: String,
        /// The trusted root.
        root: String,
    },
    /// a log key out of its validity
    #[error("the key of the log {log} was not valid at {time}")]
    LogKeyWindow {
        /// The log's key identifier in hexadecimal.
        log: String,
        /// The time of the entry.
        time: UnixTime,
    },
    /// neither an integrated time nor a time stamp
    #[error("neither a log nor a time stamping authority tells when the signature was made")]
    NoTime,
    /// a time stamp or promise that does not hold
    #[error("{0}")]
    Time(String),
    /// a time from the future
    #[error("the signature's time {found} is later than the time of validation, {time}")]
    Future {
        /// The time in the bundle.
        found: UnixTime,
        /// The time of validation.
        time: UnixTime,
    },
    /// the leaf was not valid when it signed
    #[error(
        "the certificate is valid from {not_before} to {not_after}, the signature is of {found}"
    )]
    LeafValidity {
        /// Begin of the leaf's validity.
        not_before: UnixTime,
        /// End of the leaf's validity.
        not_after: UnixTime,
        /// The trusted time.
        found: UnixTime,
    },
}

impl SigstoreError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            SigstoreError::OtherMethod | SigstoreError::Malformed(_) => Code::SigstoreMalformed,
            SigstoreError::Signature => Code::SignatureInvalid,
            SigstoreError::Names(NamesError::Identity(_)) => Code::SigstoreIdentity,
            SigstoreError::Names(_) => Code::SigstoreIssuer,
            SigstoreError::Key(_) | SigstoreError::Path { .. } | SigstoreError::Certificate(_) => {
                Code::SigstoreCertificate
            }
            SigstoreError::CertificateTransparency(_) => Code::SigstoreCertificateTransparency,
            SigstoreError::NoInclusionProof | SigstoreError::InclusionProof(_) => {
                Code::SigstoreNoInclusionProof
            }
            SigstoreError::LogEntry(_) => Code::SigstoreLogEntry,
            SigstoreError::UnknownLog { .. } | SigstoreError::LogKeyWindow { .. } => {
                Code::SigstoreLogKey
            }
            SigstoreError::NoTime
            | SigstoreError::Time(_)
            | SigstoreError::Future { .. }
            | SigstoreError::LeafValidity { .. } => Code::SigstoreTime,
        }
    }
}

impl From<&SigstoreError> for Reason {
    fn from(error: &SigstoreError) -> Reason {
        Reason::new(error.code(), error.to_string())
    }
}
