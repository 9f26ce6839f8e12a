//! Why a verdict is not one to rely on.

use std::fmt;

use crate::bundle::BundleError;
use crate::json::JsonError;
use crate::pki::PathError;
use crate::reason::{Code, Reason};
use crate::statement::ManifestError;

/// Why bytes are not a verdict to rely on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// not a bundle
    #[error("the verdict is not a bundle: {0}")]
    Bundle(#[from] BundleError),
    /// not signed by the key that is expected
    #[error("the verdict is not signed by the key that is expected")]
    Key,
    /// a bundle of another method than trust was given for
    #[error("the verdict carries no certificate, and only roots were given")]
    NoCertificate,
    /// no path to an anchor
    #[error("the verdict's certificate: {0}")]
    Path(#[from] PathError),
    /// the certificate does not carry the verifier's URI
    #[error(
        "the certificate of {subject} does not carry the URI {verifier} in its subjectAltName, \
         which holds {}",
        Uris(uris)
    )]
    NotAVerifier {
        /// The certificate's subject.
        subject: String,
        /// The URI that was expected.
        verifier: String,
        /// The URIs that it carries. With one, it may be the certificate of another verifier.
        uris: Vec<String>,
    },
    /// the signature does not verify
    #[error("the signature does not verify")]
    Signature,
    /// not strict JSON, or not of the structure
    #[error("the payload: {0}")]
    Json(#[from] JsonError),
    /// a field does not have the value that a verdict has
    #[error("the field {0} does not have the value that a verdict has")]
    Field(&'static str),
    /// made by another verifier
    #[error("the verdict is by {found}")]
    Verifier {
        /// Who made it.
        found: String,
    },
    /// made in place
    #[error("the verdict was made in place")]
    InPlace,
    /// the listed files break the rules of a manifest
    #[error("the verdict's files: {0}")]
    Files(#[from] ManifestError),
}

impl VerdictError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            VerdictError::Bundle(_)
            | VerdictError::Json(_)
            | VerdictError::Field(_)
            | VerdictError::Files(_) => Code::VerdictSchema,
            VerdictError::Key
            | VerdictError::NoCertificate
            | VerdictError::Path(_)
            | VerdictError::Signature => Code::VerdictUntrusted,
            // Without any URI it is a certificate for something else.
            VerdictError::NotAVerifier { uris, .. } if uris.is_empty() => Code::VerdictUntrusted,
            VerdictError::NotAVerifier { .. } | VerdictError::Verifier { .. } => {
                Code::VerdictVerifier
            }
            VerdictError::InPlace => Code::VerdictMode,
        }
    }
}

/// The URIs of a certificate.
struct Uris<'a>(&'a [String]);

impl fmt::Display for Uris<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no URI"),
            uris => f.write_str(&uris.join(", ")),
        }
    }
}

impl From<&VerdictError> for Reason {
    fn from(error: &VerdictError) -> Reason {
        Reason::new(error.code(), error.to_string())
    }
}
