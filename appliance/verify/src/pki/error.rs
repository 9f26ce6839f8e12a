//! Why no certification path was accepted.

use const_oid::ObjectIdentifier;

use super::RevocationReason;
use super::Unsupported;
use crate::key::KeyError;
use crate::reason::Code;
use crate::time::UnixTime;

/// Why no certification path was accepted. `subject` names the certificate at fault (RFC 4514).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The chain has no certificate.
    #[error("there is no certificate")]
    Empty,
    /// No anchor could be reached.
    #[error("no anchor vouches for {subject}, issued by {issuer}")]
    UntrustedAnchor {
        /// The certificate from which no way led on.
        subject: String,
        /// The issuer that was looked for.
        issuer: String,
    },
    /// A certificate has expired.
    #[error("{subject} expired at {not_after}, before {time}")]
    Expired {
        /// The certificate.
        subject: String,
        /// The last moment of its validity.
        not_after: UnixTime,
        /// The validation time.
        time: UnixTime,
    },
    /// A certificate is not valid yet.
    #[error("{subject} is valid from {not_before}, after {time}")]
    NotYetValid {
        /// The certificate.
        subject: String,
        /// The first moment of its validity.
        not_before: UnixTime,
        /// The validation time.
        time: UnixTime,
    },
    /// The leaf has no extendedKeyUsage with codeSigning.
    #[error("{subject} does not have the extended key usage codeSigning")]
    NoCodeSigning {
        /// The certificate.
        subject: String,
    },
    /// An issuer's extendedKeyUsage excludes codeSigning.
    #[error("the extended key usage of issuer {subject} excludes codeSigning")]
    IssuerExcludesCodeSigning {
        /// The certificate.
        subject: String,
    },
    /// The leaf's keyUsage is absent or lacks digitalSignature.
    #[error("{subject} does not have the key usage digitalSignature")]
    NoDigitalSignature {
        /// The certificate.
        subject: String,
    },
    /// The leaf is a CA.
    #[error("{subject} is a CA and must not sign models itself")]
    LeafIsCa {
        /// The certificate.
        subject: String,
    },
    /// A key is of an unsupported type, not valid, or too short.
    #[error("the key of {subject} cannot be used: {cause}")]
    Key {
        /// The certificate.
        subject: String,
        /// What is wrong with the key.
        cause: KeyError,
        /// Whether it is the leaf's.
        leaf: bool,
    },
    /// An RSA key is too short.
    #[error("the RSA key of {subject} has {bits} bits, fewer than {least}")]
    WeakKey {
        /// The certificate.
        subject: String,
        /// Bits of the modulus.
        bits: u32,
        /// The floor.
        least: u32,
        /// Whether it is the leaf's.
        leaf: bool,
    },
    /// A certificate is signed with an algorithm that is not accepted.
    #[error("{subject} is signed with {algorithm}, which is not accepted")]
    SignatureAlgorithm {
        /// The certificate.
        subject: String,
        /// The algorithm.
        algorithm: ObjectIdentifier,
    },
    /// A certificate names two signature algorithms.
    #[error("{subject} names one signature algorithm inside and another outside")]
    AlgorithmMismatch {
        /// The certificate.
        subject: String,
    },
    /// The signature does not verify under the key of the issuer that the certificate names.
    #[error("the issuer's signature on {subject} does not verify")]
    BadSignature {
        /// The certificate.
        subject: String,
    },
    /// A rule of RFC 5280, section 6.1, is broken.
    #[error("{subject} breaks RFC 5280: {violation}")]
    Rfc5280 {
        /// The certificate.
        subject: String,
        /// The rule.
        violation: Violation,
    },
    /// The search would take more work than the budget allows.
    #[error("the certificates need more work than the budget allows: {0}")]
    Budget(Limit),
    /// A certificate is revoked.
    #[error("{subject} was revoked at {date} ({reason})")]
    Revoked {
        /// The certificate.
        subject: String,
        /// The revocation date of the CRL's entry.
        date: UnixTime,
        /// The reason of the CRL's entry.
        reason: RevocationReason,
    },
    /// Nothing usable tells whether a certificate is revoked.
    #[error("the revocation status of {subject} is unknown: {why}")]
    RevocationUnknown {
        /// The certificate.
        subject: String,
        /// What was found instead.
        why: WhyUnknown,
    },
    /// The newest CRL that covers a certificate is too old.
    #[error("the CRL for {subject} of {this_update} is too old")]
    RevocationStale {
        /// The certificate.
        subject: String,
        /// When the CRL was issued.
        this_update: UnixTime,
        /// Until when the next one was promised.
        next_update: Option<UnixTime>,
    },
    /// The newest CRL that covers a certificate is older than one that was verified before.
    #[error(
        "the CRL for {subject} of {this_update} is older than one of its series that was verified \
         before"
    )]
    RevocationRolledBack {
        /// The certificate.
        subject: String,
        /// When the CRL was issued.
        this_update: UnixTime,
    },
    /// Two implementations do not agree about a signature on a certificate or a CRL.
    #[error("two implementations disagree about {what}")]
    Disagreement {
        /// What is signed.
        what: String,
    },
}

impl PathError {
    /// The reason code.
    pub fn code(&self) -> Code {
        match self {
            PathError::Empty | PathError::UntrustedAnchor { .. } => Code::SignatureUntrustedAnchor,
            PathError::Expired { .. } => Code::SignatureCertificateExpired,
            PathError::NotYetValid { .. } => Code::SignatureCertificateNotYetValid,
            PathError::NoCodeSigning { .. }
            | PathError::IssuerExcludesCodeSigning { .. }
            | PathError::NoDigitalSignature { .. } => Code::SignatureCertificatePurpose,
            PathError::Key { leaf: true, .. } | PathError::WeakKey { leaf: true, .. } => {
                Code::SignatureKeyType
            }
            PathError::LeafIsCa { .. }
            | PathError::Key { .. }
            | PathError::WeakKey { .. }
            | PathError::SignatureAlgorithm { .. }
            | PathError::AlgorithmMismatch { .. }
            | PathError::BadSignature { .. }
            | PathError::Rfc5280 { .. } => Code::SignatureCertificateInvalid,
            PathError::Budget(_) => Code::SignaturePathBudget,
            PathError::Revoked { .. } => Code::RevocationRevoked,
            PathError::RevocationUnknown { why, .. } => why.code(),
            PathError::RevocationStale { .. } => Code::RevocationStale,
            PathError::RevocationRolledBack { .. } => Code::RevocationRolledBack,
            PathError::Disagreement { .. } => Code::SignatureDisagreement,
        }
    }

    /// How much the error tells, when several candidates failed: the further a candidate came,
    /// the more.
    pub(super) fn rank(&self) -> u8 {
        match self {
            PathError::Empty | PathError::UntrustedAnchor { .. } => 0,
            PathError::Budget(_) => 1,
            PathError::BadSignature { .. }
            | PathError::AlgorithmMismatch { .. }
            | PathError::SignatureAlgorithm { .. }
            | PathError::Key { .. }
            | PathError::WeakKey { .. } => 2,
            PathError::Rfc5280 { .. } => 3,
            PathError::LeafIsCa { .. }
            | PathError::NoCodeSigning { .. }
            | PathError::IssuerExcludesCodeSigning { .. }
            | PathError::NoDigitalSignature { .. } => 4,
            PathError::Expired { .. } | PathError::NotYetValid { .. } => 5,
            PathError::RevocationUnknown { .. } => 6,
            PathError::RevocationStale { .. } => 7,
            PathError::RevocationRolledBack { .. } => 8,
            PathError::Revoked { .. } => 9,
            PathError::Disagreement { .. } => 10,
        }
    }
}

/// A rule of RFC 5280, section 6.1, that a certificate breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An issuer is not marked as a CA.
    #[error("an issuer is not a CA")]
    NotCa,
    /// More issuers follow than a pathLenConstraint allows.
    #[error("the path is longer than a pathLenConstraint allows")]
    PathLength,
    /// An issuer lacks keyCertSign.
    #[error("an issuer does not have the key usage keyCertSign")]
    KeyUsage,
    /// Subject and issuer names do not chain.
    #[error("subject and issuer names do not chain")]
    NameChaining,
    /// A name is outside the name constraints.
    #[error("a name is outside the name constraints")]
    NameConstraints,
    /// The certificate policies leave nothing.
    #[error("the certificate policies do not allow the path")]
    Policy,
    /// A critical extension is not understood.
    #[error("a critical extension is not understood")]
    CriticalExtension,
    /// An extension's value is malformed.
    #[error("an extension is malformed")]
    Encoding,
    /// The library refused it for a cause that our own checks report first.
    #[error("the path is not valid")]
    Other,
}

/// The limit of the budget that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// `certificates`
    #[error("too many certificates")]
    Certificates,
    /// `certificate_bytes`
    #[error("a certificate is too large")]
    CertificateBytes,
    /// `path_depth`
    #[error("the path is too long")]
    Depth,
    /// `path_candidates`
    #[error("too many candidate paths")]
    Candidates,
    /// `signature_checks`
    #[error("too many signatures to check")]
    SignatureChecks,
}

/// Why a revocation status is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyUnknown {
    /// There is no CRL of the issuer.
    #[error("there is no CRL of its issuer")]
    NoCrl,
    /// The issuer's CRL does not cover certificates of this kind.
    #[error("the issuer's CRL does not cover it")]
    Scope,
    /// The issuer's CRL was made after the validation time.
    #[error("the issuer's CRL is from after the validation time")]
    NotYetValid,
    /// The CRL's signature does not verify under the key that issued the certificate.
    #[error("the CRL is not signed by the key that issued it")]
    BadSignature,
    /// The issuer's key usage does not allow it to sign CRLs.
    #[error("its issuer may not sign CRLs")]
    IssuerMayNotSignCrls,
    /// The CRL needs a feature that is not supported.
    #[error("the issuer's CRL cannot be used: {0}")]
    Unsupported(Unsupported),
}

impl WhyUnknown {
    /// The reason code, where the policy requires the status.
    fn code(self) -> Code {
        match self {
            WhyUnknown::NoCrl => Code::RevocationCrlMissing,
            WhyUnknown::BadSignature => Code::RevocationCrlSignature,
            WhyUnknown::Unsupported(_) => Code::RevocationUnsupported,
            WhyUnknown::Scope | WhyUnknown::NotYetValid | WhyUnknown::IssuerMayNotSignCrls => {
                Code::RevocationUnknown
            }
        }
    }
}
