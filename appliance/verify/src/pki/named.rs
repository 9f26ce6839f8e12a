//! Whether a certificate is the one that a message means.

use der::asn1::BitString;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::Certificate;
use super::canonical::CanonicalName;
use super::signature::{SignatureChecks, SignatureError};

impl Certificate {
    /// Whether `issuer` issued it under this serial number (RFC 5652, section 10.2.4).
    pub(crate) fn is_issued_as(&self, issuer: &Name, serial: &[u8]) -> bool {
        self.serial() == serial && *self.issuer_name() == CanonicalName::new(issuer)
    }

    /// Whether its subjectKeyIdentifier is `id`.
    pub(crate) fn has_key_id(&self, id: &[u8]) -> bool {
        self.subject_key_id() == Some(id)
    }

    /// Whether `name` is its subject or one of its alternative names.
    pub(crate) fn bears(&self, name: &GeneralName) -> bool {
        let as_subject = match name {
            GeneralName::DirectoryName(name) => *self.subject_name() == CanonicalName::new(name),
            _ => false,
        };
        as_subject || self.general_names().contains(name)
    }
}

/// Checks `signature` over `message` under the certificate's key, by the algorithms that are
/// accepted for certificates.
pub(crate) fn check_signature(
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    certificate: &Certificate,
) -> Result<(), SignatureError> {
    SignatureChecks::new(1).check_once(message, signature, algorithm, certificate.spki())
}
