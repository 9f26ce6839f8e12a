//! What an officer should know about an anchor that is installed: whether it still holds, and
//! whether it can do what anchors are for.
//!
//! This decides about no signature: [`validate`](super::validate) asks all of it again that counts.

use const_oid::ObjectIdentifier;

use super::{Anchor, Certificate, Profile};
use crate::key::LEAST_RSA_BITS;
use crate::key::{KeyError, KeyType, key_type};
use crate::time::{Span, UnixTime};

/// How grave a remark is, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know, and nothing to do.
    Note,
    /// Something will be wrong, or is not as usual.
    Warning,
    /// Something is wrong: nothing can be verified under this anchor.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A remark about an anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// Its validity is over.
    #[error("the certificate expired at {not_after}")]
    Expired {
        /// The last moment of its validity.
        not_after: UnixTime,
    },
    /// Its validity ends within the time ahead that was asked for.
    #[error("the certificate expires at {not_after}, within {ahead}")]
    ExpiresSoon {
        /// The last moment of its validity.
        not_after: UnixTime,
        /// How far ahead was looked.
        ahead: Span,
    },
    /// Its validity has not begun.
    #[error("the certificate is not valid before {not_before}")]
    NotYetValid {
        /// The first moment of its validity.
        not_before: UnixTime,
    },
    /// Its RSA key is too short for an issuer.
    #[error("the RSA key has {0} bits, expected at least {LEAST_RSA_BITS}")]
    WeakKey(u32),
    /// Its RSA key is shorter than signers must have it.
    #[error("the RSA key has {0} bits: enough for an issuer, and 3072 are better")]
    ShortKey(u32),
    /// Its key is of a type that is not supported, or malformed.
    #[error("the key cannot be used: {0}")]
    UnusableKey(KeyError),
    /// It is no CA: only what its own key signs can be verified under it.
    #[error("the certificate is not a CA: it can only vouch for itself")]
    NotCa,
    /// It is a CA whose keyUsage lacks keyCertSign (RFC 5280, section 4.2.1.3).
    #[error("keyUsage lacks keyCertSign: no certificate below it is accepted")]
    NoCertSign,
    /// It is a CA whose keyUsage lacks cRLSign.
    #[error("keyUsage lacks cRLSign: its own CRLs are not accepted")]
    NoCrlSign,
    /// Its own signature uses a broken hash. Nobody checks that signature: an anchor is trusted by
    /// its digest.
    #[error("its own signature uses {0}; it is not checked, since the anchor is pinned by digest")]
    WeakSignature(&'static str),
    /// Its manifest does not say where it came from.
    #[error("the manifest does not say where it came from and who checked it (provenance)")]
    NoProvenance,
}

impl Remark {
    /// How grave it is.
    pub fn severity(&self) -> Severity {
        match self {
            Remark::Expired { .. }
            | Remark::NotYetValid { .. }
            | Remark::WeakKey(_)
            | Remark::UnusableKey(_)
            | Remark::NoCertSign => Severity::Error,
            Remark::ExpiresSoon { .. }
            | Remark::ShortKey(_)
            | Remark::NotCa
            | Remark::NoCrlSign
            | Remark::NoProvenance => Severity::Warning,
            Remark::WeakSignature(_) => Severity::Note,
        }
    }

    /// Its stable name, such as `expires-soon`.
    pub fn name(&self) -> &'static str {
        match self {
            Remark::Expired { .. } => "expired",
            Remark::ExpiresSoon { .. } => "expires-soon",
            Remark::NotYetValid { .. } => "not-yet-valid",
            Remark::WeakKey(_) => "weak-key",
            Remark::ShortKey(_) => "short-key",
            Remark::UnusableKey(_) => "unusable-key",
            Remark::NotCa => "not-a-ca",
            Remark::NoCertSign => "no-cert-sign",
            Remark::NoCrlSign => "no-crl-sign",
            Remark::WeakSignature(_) => "weak-signature",
            Remark::NoProvenance => "no-provenance",
        }
    }
}

/// Everything to be said about `anchor` at `time`, looking `ahead` for its end.
pub fn review(anchor: &Anchor, time: UnixTime, ahead: Span) -> Vec<Remark> {
    let certificate = &anchor.certificate;
    let mut remarks = Vec::new();
    remarks.extend(validity(certificate, time, ahead));
    remarks.extend(key(certificate));
    remarks.extend(usage(certificate));
    remarks.extend(weak_hash(certificate).map(Remark::WeakSignature));
    if anchor.provenance.trim().is_empty() {
        remarks.push(Remark::NoProvenance);
    }
    remarks
}

fn validity(certificate: &Certificate, time: UnixTime, ahead: Span) -> Option<Remark> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if time > not_after {
        Some(Remark::Expired { not_after })
    } else if time < not_before {
        Some(Remark::NotYetValid { not_before })
    } else if not_after.since(time) < ahead.seconds {
        Some(Remark::ExpiresSoon { not_after, ahead })
    } else {
        None
    }
}

fn key(certificate: &Certificate) -> Option<Remark> {
    // A key that is too short is not a public key that could be used, so it is asked as it stands.
    match (key_type(certificate.spki()), certificate.public_key()) {
        (Ok(KeyType::Rsa(bits)), _) if bits < LEAST_RSA_BITS => Some(Remark::WeakKey(bits)),
        (_, Err(error)) => Some(Remark::UnusableKey(error)),
        (Ok(KeyType::Rsa(bits)), _) if bits < Profile::CODE_SIGNING.least_rsa_bits => {
            Some(Remark::ShortKey(bits))
        }
        _ => None,
    }
}

/// What RFC 5280, sections 4.2.1.3 and 4.2.1.9, asks of an issuer. Without keyUsage every usage is
/// allowed.
fn usage(certificate: &Certificate) -> Vec<Remark> {
    if !certificate.is_ca() {
        return vec![Remark::NotCa];
    }
    let Some(usage) = certificate.key_usage() else { return Vec::new() };
    let mut remarks = Vec::new();
    if !usage.key_cert_sign() {
        remarks.push(Remark::NoCertSign);
    }
    if !usage.crl_sign() {
        remarks.push(Remark::NoCrlSign);
    }
    remarks
}

/// The hash of the certificate's own signature, if it is a broken one.
fn weak_hash(certificate: &Certificate) -> Option<&'static str> {
    // md5WithRSAEncryption, sha1WithRSAEncryption (RFC 8017, appendix A.2.4), ecdsa-with-SHA1
    // (RFC 3279, section 2.2.3).
    const WEAK: [(ObjectIdentifier, &str); 3] = [
        (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"), "MD5"),
        (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"), "SHA-1"),
        (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), "SHA-1"),
    ];
    let algorithm = certificate.signature_algorithm()?.oid;
    WEAK.into_iter().find(|(weak, _)| *weak == algorithm).map(|(_, name)| name)
}
