//! Certificate revocation lists (RFC 5280, section 5): complete and direct.
//!
//! A list is read in one pass, with an index beside it, so that a million entries cost a few tens
//! of mebibytes and a look-up costs twenty comparisons.

mod decode;
mod entries;
mod floors;
mod set;

use std::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use der::asn1::BitString;
use spki::AlgorithmIdentifierOwned;

use self::decode::Parsed;
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
    /// The CRL is larger than [`Crl::MOST_BYTES`].
    #[error("the CRL has {0} bytes, the limit is {limit}", limit = Crl::MOST_BYTES)]
    TooLarge(usize),
    /// The CRL is of no known version, or of version 1 with extensions, which need version 2.
    #[error("the CRL is of no known version, or has extensions that need version 2")]
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
    /// A CRL of version 2 without CRLNumber, which RFC 5280, section 5.2.3, requires.
    #[error("it has no CRLNumber")]
    NoNumber,
    /// A critical CRLNumber, which the same section forbids.
    #[error("its CRLNumber is critical")]
    CriticalNumber,
    /// A critical extension of the CRL that is not understood.
    #[error("the critical extension {0} is not understood")]
    CriticalExtension(ObjectIdentifier),
    /// A critical extension of an entry that is not understood (section 5.3).
    #[error("the critical entry extension {0} is not understood")]
    CriticalEntryExtension(ObjectIdentifier),
}

impl Unsupported {
    /// Whether such a CRL lists certificates that are revoked, only not all of them: what it lists
    /// is believed, what it does not list is not known from it.
    pub(super) fn is_partial(self) -> bool {
        matches!(self, Unsupported::Delta | Unsupported::SomeReasons)
    }
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

impl RevocationReason {
    /// Whether what the key signed before it was revoked is as good as before: the holder left,
    /// got another certificate, ceased to operate or lost a privilege. Not where the key may be in
    /// other hands, nor where nothing or nothing final is known.
    pub fn leaves_key_sound(self) -> bool {
        match self {
            RevocationReason::AffiliationChanged
            | RevocationReason::Superseded
            | RevocationReason::CessationOfOperation
            | RevocationReason::PrivilegeWithdrawn => true,
            RevocationReason::Unspecified
            | RevocationReason::KeyCompromise
            | RevocationReason::CaCompromise
            | RevocationReason::AaCompromise
            | RevocationReason::CertificateHold
            | RevocationReason::RemoveFromCrl => false,
        }
    }
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
    /// Since when the certificate is suspected not to be valid, if that is known (section 5.3.2).
    pub invalidity_date: Option<UnixTime>,
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
    /// Bytes of a CRL file at most, in DER or PEM.
    pub const MOST_BYTES: usize = 256 << 20;

    /// Reads one CRL in DER, or every block `X509 CRL` of a PEM text.
    ///
    /// # Errors
    /// When there are too many bytes, or any CRL is malformed, or there is none. A CRL that needs a feature which is not
    /// supported is read all the same, and found unusable when it is needed.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
        const SEQUENCE: u8 = 0x30;
        if bytes.len() > Self::MOST_BYTES {
            return Err(CrlError::TooLarge(bytes.len()));
        }
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
        self.len() == 0
    }

    /// The entry of the certificate with this serial number (as in
    /// [`Certificate::serial_hex`](super::Certificate::serial_hex), in bytes).
    pub fn entry(&self, serial: &[u8]) -> Option<RevokedEntry> {
        self.0.entries.find(&self.0.tbs_der, serial)
    }

    /// The key identifier of authorityKeyIdentifier.
    pub(super) fn issuer_key_id(&self) -> Option<&[u8]> {
        self.0.issuer_key_id.as_deref()
    }

    /// Whether it tells about a certificate that expired at `not_after`, before the CRL was issued.
    ///
    /// A CA drops what has expired from its CRLs (RFC 5280, section 5.2), unless expiredCertsOnCRL
    /// names a moment: what expired at that moment or later is kept.
    pub(super) fn keeps_what_expired_at(&self, not_after: UnixTime) -> bool {
        self.0.expired_since.is_some_and(|since| since <= not_after)
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
