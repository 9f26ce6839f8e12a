//! Why no certification path was accepted.

use const_oid::ObjectIdentifier;

use super::RevocationReason;
use super::Unsupported;
use crate::key::KeyError;
use crate::reason::Code;
use crate::signature::algorithm_name;
use crate::time::UnixTime;

/// Why no certification path was accepted. `subject` names the certificate at fault (RFC 4514).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The chain has no certificate.
    #[error("there is no certificate")]
    Empty,
    /// The issuer of a certificate is nowhere: neither given nor an anchor.
    #[error("{issuer}, which issued {subject}, is neither given nor an anchor")]
    NoPath {
        /// The certificate from which no way led on.
        subject: String,
        /// The issuer that was looked for.
        issuer: String,
    },
    /// The certificates lead to no anchor: they end in another root, in a key that is not the
    /// anchor's, or in a circle.
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
    /// The leaf's extendedKeyUsage is not critical, or not timeStamping alone
    /// (RFC 3161, section 2.3).
    #[error(
        "{subject} is not for time stamping alone: its extended key usage must be critical and timeStamping"
    )]
    NotForTimestamping {
        /// The certificate.
        subject: String,
    },
    /// An issuer's extendedKeyUsage excludes timeStamping.
    #[error("the extended key usage of issuer {subject} excludes timeStamping")]
    IssuerExcludesTimestamping {
        /// The certificate.
        subject: String,
    },
    /// The leaf's keyUsage does not let it sign.
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
    #[error("{subject} is signed with {}, which is not accepted", algorithm_name(.algorithm))]
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
    /// The certificate does not have the form that RFC 5280, section 4, prescribes.
    #[error("{subject} does not have the form of RFC 5280: {rule}")]
    Form {
        /// The certificate.
        subject: String,
        /// The rule.
        rule: FormRule,
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
            PathError::Empty | PathError::NoPath { .. } => Code::SignatureNoPath,
            PathError::UntrustedAnchor { .. } => Code::SignatureUntrustedAnchor,
            PathError::Expired { .. } => Code::SignatureCertificateExpired,
            PathError::NotYetValid { .. } => Code::SignatureCertificateNotYetValid,
            PathError::NoCodeSigning { .. }
            | PathError::IssuerExcludesCodeSigning { .. }
            | PathError::NotForTimestamping { .. }
            | PathError::IssuerExcludesTimestamping { .. } => Code::SignatureCertificatePurpose,
            PathError::NoDigitalSignature { .. } => Code::SignatureCertificateKeyUsage,
            PathError::Key { leaf: true, .. } => Code::SignatureKeyType,
            PathError::WeakKey { .. } => Code::SignatureWeakKey,
            PathError::LeafIsCa { .. } => Code::SignatureLeafIsCa,
            PathError::SignatureAlgorithm { .. } => Code::SignatureWeakHash,
            PathError::BadSignature { .. } => Code::SignatureCertificateSignature,
            PathError::Rfc5280 { violation, .. } => violation.code(),
            PathError::Form { rule, .. } => rule.code(),
            PathError::Key { .. } | PathError::AlgorithmMismatch { .. } => {
                Code::SignatureCertificateInvalid
            }
            PathError::Budget(_) => Code::SignaturePathBudget,
            PathError::Revoked { .. } => Code::RevocationRevoked,
            PathError::RevocationUnknown { why, .. } => why.code(),
            PathError::RevocationStale { .. } => Code::RevocationStale,
            PathError::RevocationRolledBack { .. } => Code::RevocationRolledBack,
            PathError::Disagreement { .. } => Code::SignatureDisagreement,
        }
    }

    /// How much the error tells, when several candidates failed.
    pub(super) fn rank(&self) -> Rank {
        match self {
            PathError::Empty | PathError::NoPath { .. } | PathError::UntrustedAnchor { .. } => {
                Rank::DeadEnd
            }
            PathError::Budget(_) => Rank::Budget,
            PathError::BadSignature { .. }
            | PathError::AlgorithmMismatch { .. }
            | PathError::SignatureAlgorithm { .. }
            | PathError::Key { .. }
            | PathError::WeakKey { .. } => Rank::Signature,
            PathError::Rfc5280 { .. } | PathError::Form { .. } => Rank::Rfc5280,
            PathError::LeafIsCa { .. }
            | PathError::NoCodeSigning { .. }
            | PathError::IssuerExcludesCodeSigning { .. }
            | PathError::NotForTimestamping { .. }
            | PathError::IssuerExcludesTimestamping { .. }
            | PathError::NoDigitalSignature { .. } => Rank::Usage,
            PathError::Expired { .. } | PathError::NotYetValid { .. } => Rank::Validity,
            PathError::RevocationUnknown { .. } => Rank::RevocationUnknown,
            PathError::RevocationStale { .. } => Rank::RevocationStale,
            PathError::RevocationRolledBack { .. } => Rank::RevocationRolledBack,
            PathError::Revoked { .. } => Rank::Revoked,
            PathError::Disagreement { .. } => Rank::Disagreement,
        }
    }
}

/// How much an error tells, from the least: the further a candidate came, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    DeadEnd,
    Budget,
    Signature,
    Rfc5280,
    Usage,
    Validity,
    RevocationUnknown,
    RevocationStale,
    RevocationRolledBack,
    Revoked,
    Disagreement,
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

impl Violation {
    fn code(self) -> Code {
        match self {
            Violation::NotCa => Code::SignatureIssuerNotCa,
            Violation::PathLength => Code::SignaturePathLength,
            Violation::KeyUsage => Code::SignatureCertificateKeyUsage,
            Violation::NameConstraints => Code::SignatureNameConstraints,
            Violation::Policy => Code::SignatureCertificatePolicies,
            Violation::CriticalExtension => Code::SignatureCriticalExtension,
            Violation::Encoding => Code::SignatureCertificateMalformed,
            Violation::NameChaining | Violation::Other => Code::SignatureCertificateInvalid,
        }
    }
}

/// A rule of RFC 5280, section 4, that binds the CA that issues a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormRule {
    /// Section 4.1.2.2.
    #[error("the serial number is not a positive number of at most 20 bytes")]
    Serial,
    /// Section 4.1.2.6.
    #[error("a CA has no name")]
    NamelessCa,
    /// Section 4.2.1.1.
    #[error("the authority key identifier is missing")]
    NoAuthorityKeyId,
    /// Section 4.2.1.2.
    #[error("the subject key identifier of a CA is missing")]
    NoSubjectKeyId,
    /// Section 4.2.1.3.
    #[error("the key usage names nothing")]
    EmptyKeyUsage,
    /// Section 4.2.1.3.
    #[error("the key usage has keyCertSign, and the certificate is no CA's")]
    CertSignWithoutCa,
    /// Section 4.2.1.6.
    #[error("the subject is empty, and subjectAltName is not there or not critical")]
    NamelessSubject,
    /// Section 4.2.1.6.
    #[error("subjectAltName holds no name, or one that is malformed")]
    AlternativeName,
    /// Section 4.2.1.9.
    #[error("basicConstraints of the anchor is not critical")]
    BasicConstraintsNotCritical,
    /// Section 4.2.1.10.
    #[error("nameConstraints is not critical")]
    NameConstraintsNotCritical,
    /// Section 4.2.1.10.
    #[error("nameConstraints in a certificate that is no CA's")]
    NameConstraintsWithoutCa,
    /// Section 4.2.1.12.
    #[error("extendedKeyUsage names nothing")]
    EmptyExtendedKeyUsage,
}

impl FormRule {
    fn code(self) -> Code {
        match self {
            FormRule::AlternativeName | FormRule::Serial => Code::SignatureCertificateMalformed,
            FormRule::CertSignWithoutCa => Code::SignatureCertificateKeyUsage,
            _ => Code::SignatureCertificateInvalid,
        }
    }
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
    /// The comparisons that name constraints and certificate policies ask for.
    #[error("too many names or policies to compare")]
    Comparisons,
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
    /// The CRL's signature does not verify under the key that issued the certificate, nor under
    /// another key of the issuer that leads to the same anchor.
    #[error("the CRL is not signed by a key of its issuer that leads to the anchor")]
    BadSignature,
    /// The certificate of the CRL's signer had expired when the CRL was made.
    #[error("its issuer had expired when the CRL was made")]
    IssuerExpired,
    /// The certificate has expired, and CRLs do not keep what has expired.
    #[error(
        "it has expired, and no CRL is from between the signature and its expiry or keeps what \
         has expired"
    )]
    Dropped,
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
            WhyUnknown::Scope
            | WhyUnknown::NotYetValid
            | WhyUnknown::IssuerMayNotSignCrls
            | WhyUnknown::IssuerExpired
            | WhyUnknown::Dropped => Code::RevocationUnknown,
        }
    }
}
