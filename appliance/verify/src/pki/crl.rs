//! Certificate revocation lists (RFC 5280, section 5): complete, direct, of version 2.
//!
//! A list is read in one pass into a sorted table, so that a million entries cost a few tens of
//! mebibytes and a look-up costs twenty comparisons.

mod decode;
mod floors;
mod set;

use std::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use der::asn1::BitString;
use spki::AlgorithmIdentifierOwned;

use self::decode::{Parsed, Serial};
use super::canonical::CanonicalName;
use super::pem;
use crate::hash::{Sha256Digest, hex_decode};
use crate::time::UnixTime;

pub(super) use self::decode::Scope;
pub(super) use self::floors::Series;
pub use self::floors::{CrlFloors, CrlFloorsError};
pub use self::set::CrlSet;

/// CRLs in one PEM text.
const MOST_PEM_CRLS: usize = 64;

/// Bytes of a CRLNumber (RFC 5280, section 5.2.3).
const MOST_NUMBER_BYTES: usize = 20;

/// Why bytes are not a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// The bytes are not a CertificateList in DER.
    #[error("the bytes are not a CRL in DER")]
    Der,
    /// The CRL is not of version 2.
    #[error("the CRL is not of version 2")]
    Version,
    /// The CRL names two signature algorithms.
    #[error("the CRL names one signature algorithm inside and another outside")]
    AlgorithmMismatch,
    /// An extension is there twice.
    #[error("the extension {0} is there twice")]
    DuplicateExtension(ObjectIdentifier),
    /// An extension's value is malformed.
    #[error("the extension {0} is malformed")]
    Extension(ObjectIdentifier),
    /// A PEM block is cut off, not base64, or there are too many.
    #[error("a PEM block is cut off or is not base64, or there are more than {MOST_PEM_CRLS}")]
    Pem,
    /// The text holds no CRL.
    #[error("there is neither DER nor a PEM block X509 CRL")]
    NoPemBlock,
}

/// A feature of a CRL that keeps it from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A delta CRL (RFC 5280, section 5.2.4).
    #[error("delta CRLs are not supported")]
    Delta,
    /// An indirect CRL (sections 5.2.5 and 5.3.3).
    #[error("indirect CRLs are not supported")]
    Indirect,
    /// A CRL for some reasons only (section 5.2.5).
    #[error("CRLs for some reasons only are not supported")]
    SomeReasons,
    /// A CRL for attribute certificates.
    #[error("it is for attribute certificates")]
    AttributeCertificates,
    /// A distribution point that is named relative to the issuer.
    #[error("relative names of distribution points are not supported")]
    RelativeName,
    /// A critical extension of the CRL that is not understood.
    #[error("the critical extension {0} is not understood")]
    CriticalExtension(ObjectIdentifier),
    /// A critical extension of an entry that is not understood (section 5.3).
    #[error("the critical entry extension {0} is not understood")]
    CriticalEntryExtension(ObjectIdentifier),
}

/// Why a certificate was revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationReason {
    /// unspecified (0), or no reason given.
    Unspecified,
    /// keyCompromise (1).
    KeyCompromise,
    /// cACompromise (2).
    CaCompromise,
    /// affiliationChanged (3).
    AffiliationChanged,
    /// superseded (4).
    Superseded,
    /// cessationOfOperation (5).
    CessationOfOperation,
    /// certificateHold (6).
    CertificateHold,
    /// removeFromCRL (8), which has no place in a complete CRL; it counts as revoked.
    RemoveFromCrl,
    /// privilegeWithdrawn (9).
    PrivilegeWithdrawn,
    /// aACompromise (10).
    AaCompromise,
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RevocationReason::Unspecified => "unspecified",
            RevocationReason::KeyCompromise => "keyCompromise",
            RevocationReason::CaCompromise => "cACompromise",
            RevocationReason::AffiliationChanged => "affiliationChanged",
            RevocationReason::Superseded => "superseded",
            RevocationReason::CessationOfOperation => "cessationOfOperation",
            RevocationReason::CertificateHold => "certificateHold",
            RevocationReason::RemoveFromCrl => "removeFromCRL",
            RevocationReason::PrivilegeWithdrawn => "privilegeWithdrawn",
            RevocationReason::AaCompromise => "aACompromise",
        })
    }
}

/// What a CRL says about one revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// The revocation date.
    pub date: UnixTime,
    /// The reason.
    pub reason: RevocationReason,
}

/// A CRLNumber (RFC 5280, section 5.2.3), ordered as a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber {
    length: usize,
    bytes: Vec<u8>,
}

impl CrlNumber {
    /// The number in big-endian bytes; leading zeros do not count.
    pub fn from_be_bytes(bytes: &[u8]) -> Self {
        let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        CrlNumber { length: bytes.len(), bytes }
    }

    /// Big-endian bytes without leading zeros.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads lower-case hexadecimal without leading zero bytes, as `Display` writes it; `None`
    /// for anything else and for more bytes than a CRLNumber may have.
    fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex_decode(text)?;
        (bytes.len() <= MOST_NUMBER_BYTES && bytes.first() != Some(&0))
            .then(|| Self::from_be_bytes(&bytes))
    }
}

/// Lower-case hexadecimal; empty for zero.
impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A complete CRL whose signature has not been checked. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Parsed>);

impl Crl {
    /// Reads one CRL in DER, or every block `X509 CRL` of a PEM text. The caller bounds the size.
    ///
    /// # Errors
    /// When any of them is malformed, or there is none. A CRL that needs a feature which is not
    /// supported is read all the same, and found unusable when it is needed.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
        const SEQUENCE: u8 = 0x30;
        if bytes.first() == Some(&SEQUENCE) {
            return Ok(vec![Crl(Arc::new(Parsed::from_der(bytes)?))]);
        }
        let blocks = pem::blocks(bytes, "X509 CRL", MOST_PEM_CRLS).map_err(|_| CrlError::Pem)?;
        if blocks.is_empty() {
            return Err(CrlError::NoPemBlock);
        }
        blocks.iter().map(|der| Ok(Crl(Arc::new(Parsed::from_der(der)?)))).collect()
    }

    /// The issuer's distinguished name (RFC 4514).
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The CRLNumber, if it has one.
    pub fn number(&self) -> Option<&CrlNumber> {
        self.0.number.as_ref()
    }

    /// When it was issued.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// Until when the next one is promised.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.0.next_update
    }

    /// SHA-256 of its DER.
    pub fn sha256(&self) -> Sha256Digest {
        self.0.sha256
    }

    /// Why it cannot be used, if so.
    pub fn unsupported(&self) -> Option<Unsupported> {
        self.0.unsupported
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The entry of the certificate with this serial number (as in
    /// [`Certificate::serial_hex`](super::Certificate::serial_hex), in bytes).
    pub fn entry(&self, serial: &[u8]) -> Option<RevokedEntry> {
        let serial = Serial::new(serial)?;
        let at = self.0.entries.binary_search_by(|(other, _)| other.cmp(&serial)).ok()?;
        self.0.entries.get(at).map(|(_, entry)| *entry)
    }

    pub(super) fn issuer_name(&self) -> &CanonicalName {
        &self.0.issuer_name
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// SHA-256 of issuingDistributionPoint; of nothing, when there is none.
    fn scope_sha256(&self) -> Sha256Digest {
        self.0.scope_sha256
    }

    pub(super) fn tbs_der(&self) -> &[u8] {
        &self.0.tbs_der
    }

    pub(super) fn algorithm(&self) -> &AlgorithmIdentifierOwned {
        &self.0.algorithm
    }

    pub(super) fn signature(&self) -> &BitString {
        &self.0.signature
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({:?} {} {} entries)", self.issuer(), self.this_update(), self.len())
    }
}
