//! Why a time stamp was not accepted.

use std::fmt;

use const_oid::ObjectIdentifier;

use crate::pki::PathError;
use crate::reason::{Code, Reason};
use crate::time::UnixTime;

/// Why a time stamp was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// more bytes than the budget
    #[error("the time stamp has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the token.
        size: usize,
        /// The budget.
        limit: usize,
    },
    /// a part is not DER of its type
    #[error("{0} is not the DER that its standard asks for")]
    Malformed(Part),
    /// the response carries no token
    #[error("the response of the authority has the status {0} and no granted time stamp")]
    NotGranted(u8),
    /// the content is of another type
    #[error("the content is of the type {0} instead of a time stamp's")]
    ContentType(ObjectIdentifier),
    /// there is not exactly one signer (RFC 3161, section 2.4.2)
    #[error("the token has {0} signers instead of one")]
    SignerCount(usize),
    /// a signed attribute is missing, there twice, or has not exactly one value
    #[error("the signed attribute {0} is not there exactly once with one value")]
    Attribute(ObjectIdentifier),
    /// the token has a hash that is not accepted
    #[error("the hash {0} is not accepted")]
    Hash(ObjectIdentifier),
    /// a critical extension that is not understood
    #[error("the critical extension {0} of the time stamp is not understood")]
    CriticalExtension(ObjectIdentifier),
    /// the signed attributes are about other content
    #[error("the signed attributes are about another content than the time stamp's")]
    MessageDigest,
    /// neither the token nor the anchors hold the signer's certificate
    #[error("the certificate that signed the time stamp is neither in it nor an anchor")]
    NoCertificate,
    /// signing-certificate names another certificate (RFC 5816)
    #[error("the signed attributes name another certificate than the signer's")]
    OtherCertificate,
    /// `tsa` names somebody else (RFC 3161, section 2.4.2)
    #[error("the time stamp names another authority than {subject}")]
    OtherAuthority {
        /// Whose certificate signed.
        subject: String,
    },
    /// the signature does not verify
    #[error("the signature of {subject} on the time stamp does not verify")]
    Signature {
        /// Whose certificate signed.
        subject: String,
    },
    /// no path to an anchor
    #[error("the authority is not trusted: {0}")]
    Path(#[from] PathError),
    /// the time stamp is over other data
    #[error("the time stamp is over other data than the bundle's signature")]
    OtherData,
    /// the time stamp is from the future
    #[error("the time stamp is of {stamped}, after {time}")]
    Future {
        /// The stamped time.
        stamped: UnixTime,
        /// The validation time.
        time: UnixTime,
    },
}

impl TimestampError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            TimestampError::TooLarge { .. }
            | TimestampError::Malformed(_)
            | TimestampError::NotGranted(_)
            | TimestampError::ContentType(_)
            | TimestampError::SignerCount(_)
            | TimestampError::Attribute(_)
            | TimestampError::Hash(_)
            | TimestampError::CriticalExtension(_) => Code::TimestampMalformed,
            TimestampError::MessageDigest
            | TimestampError::NoCertificate
            | TimestampError::OtherCertificate
            | TimestampError::OtherAuthority { .. }
            | TimestampError::Signature { .. }
            | TimestampError::Path(_) => Code::TimestampUntrusted,
            TimestampError::OtherData => Code::TimestampOtherData,
            TimestampError::Future { .. } => Code::TimestampFuture,
        }
    }
}

impl From<&TimestampError> for Reason {
    fn from(error: &TimestampError) -> Reason {
        Reason::new(error.code(), error.to_string())
    }
}

/// A part of a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// TimeStampResp or ContentInfo, whichever it was meant to be.
    Token,
    /// SignedData (RFC 5652, section 5.1).
    SignedData,
    /// SignerInfo (section 5.3).
    SignerInfo,
    /// TSTInfo (RFC 3161, section 2.4.2).
    Info,
    /// `genTime` of TSTInfo.
    Time,
    /// `accuracy` of TSTInfo.
    Accuracy,
    /// The signed attribute with this identifier.
    Attribute(ObjectIdentifier),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Token => f.write_str("the token"),
            Part::SignedData => f.write_str("its SignedData"),
            Part::SignerInfo => f.write_str("its SignerInfo"),
            Part::Info => f.write_str("its TSTInfo"),
            Part::Time => f.write_str("its genTime"),
            Part::Accuracy => f.write_str("its accuracy"),
            Part::Attribute(oid) => write!(f, "its signed attribute {oid}"),
        }
    }
}
