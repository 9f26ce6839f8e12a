//! Certificate revocation lists (RFC 5280, section 5): complete, direct, of version 2.
//!
//! A list is read in one pass into a sorted table, so that a million entries cost a few tens of
//! mebibytes and a look-up costs twenty comparisons.

use std::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CERTIFICATE_ISSUER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS,
    ID_CE_DELTA_CRL_INDICATOR, ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::asn1::{AnyRef, BitString, ContextSpecific, UintRef};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Version;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::RevokedCert;
use x509_cert::ext::pkix::crl::CrlReason;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::time::Time;

use super::certificate::unix_time;
use super::pem;
use crate::hash::Sha256Digest;
use crate::time::UnixTime;

/// CRLs in one PEM text.
const MOST_PEM_CRLS: usize = 64;

/// The longest serial number that is read, in bytes without its sign byte.
const SERIAL_BYTES: usize = 21;

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
}

/// A complete CRL whose signature has not been checked. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Parsed>);

struct Parsed {
    sha256: Sha256Digest,
    tbs_der: Vec<u8>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    issuer: Name,
    number: Option<CrlNumber>,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    scope: Scope,
    unsupported: Option<Unsupported>,
    entries: Vec<(Serial, RevokedEntry)>,
}

/// Which of the issuer's certificates a CRL is about (issuingDistributionPoint).
#[derive(Default)]
pub(super) struct Scope {
    pub(super) only_users: bool,
    pub(super) only_cas: bool,
    /// Names of the distribution point; the certificate must name one of them too.
    pub(super) point: Option<Vec<GeneralName>>,
}

/// A serial number, padded; ordered in some total order, not as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Serial([u8; SERIAL_BYTES], u8);

impl Serial {
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; SERIAL_BYTES];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Serial(padded, u8::try_from(bytes.len()).ok()?))
    }
}

impl Crl {
    /// Reads one CRL in DER, or every block `X509 CRL` of a PEM text. The caller bounds the size.
    ///
    /// # Errors
    /// When any of them is malformed, or there is none. A CRL that needs a feature which is not
    /// supported is read all the same, and found unusable when it is needed.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
        const SEQUENCE: u8 = 0x30;
        if bytes.first() == Some(&SEQUENCE) {
            return Ok(vec![Self::from_der(bytes)?]);
        }
        let blocks = pem::blocks(bytes, "X509 CRL", MOST_PEM_CRLS).map_err(|_| CrlError::Pem)?;
        if blocks.is_empty() {
            return Err(CrlError::NoPemBlock);
        }
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        let (tbs_der, algorithm, signature) = read_outer(der).map_err(|_| CrlError::Der)?;
        let tbs = AnyRef::from_der(tbs_der).map_err(|_| CrlError::Der)?;
        let mut reader = SliceReader::new(tbs.value()).map_err(|_| CrlError::Der)?;
        if Header::peek(&mut reader).map_err(|_| CrlError::Der)?.tag() != Tag::Integer {
            return Err(CrlError::Version);
        }
        let tbs = read_tbs(&mut reader).map_err(|_| CrlError::Der)?;
        if tbs.version != Version::V2 {
            return Err(CrlError::Version);
        }
        if tbs.algorithm != algorithm {
            return Err(CrlError::AlgorithmMismatch);
        }
        let known = KnownExtensions::read(&tbs.extensions)?;
        let (entries, entry_problem) = read_entries(tbs.revoked)?;
        Ok(Crl(Arc::new(Parsed {
            sha256: Sha256Digest::of(der),
            tbs_der: tbs_der.to_vec(),
            algorithm,
            signature,
            issuer: tbs.issuer,
            number: known.number,
            this_update: unix_time(&tbs.this_update),
            next_update: tbs.next_update.as_ref().map(unix_time),
            scope: known.scope,
            unsupported: known.unsupported.or(entry_problem),
            entries,
        })))
    }

    /// The issuer's distinguished name (RFC 4514).
    pub fn issuer(&self) -> String {
        self.0.issuer.to_string()
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

    pub(super) fn issuer_name(&self) -> &Name {
        &self.0.issuer
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.0.scope
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

fn read_outer(der: &[u8]) -> der::Result<(&[u8], AlgorithmIdentifierOwned, BitString)> {
    let outer = AnyRef::from_der(der)?;
    outer.tag().assert_eq(Tag::Sequence)?;
    let mut reader = SliceReader::new(outer.value())?;
    let tbs = reader.tlv_bytes()?;
    let algorithm = AlgorithmIdentifierOwned::decode(&mut reader)?;
    let signature = BitString::decode(&mut reader)?;
    reader.finish()?;
    Ok((tbs, algorithm, signature))
}

/// TBSCertList with its entries still undecoded.
struct Tbs<'a> {
    version: Version,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    revoked: &'a [u8],
    extensions: Extensions,
}

fn read_tbs<'a>(reader: &mut SliceReader<'a>) -> der::Result<Tbs<'a>> {
    let version = Version::decode(reader)?;
    let algorithm = AlgorithmIdentifierOwned::decode(reader)?;
    let issuer = Name::decode(reader)?;
    let this_update = Time::decode(reader)?;
    let next_update = Option::<Time>::decode(reader)?;
    let mut revoked: &[u8] = &[];
    if !reader.is_finished() && Header::peek(reader)?.tag() == Tag::Sequence {
        revoked = AnyRef::decode(reader)?.value();
    }
    let extensions = ContextSpecific::<Extensions>::decode_explicit(reader, TagNumber(0))?;
    if !reader.is_finished() {
        return Err(der::ErrorKind::Failed.into());
    }
    let extensions = extensions.map(|found| found.value).unwrap_or_default();
    Ok(Tbs { version, algorithm, issuer, this_update, next_update, revoked, extensions })
}

/// What the extensions of a CRL say.
#[derive(Default)]
struct KnownExtensions {
    number: Option<CrlNumber>,
    scope: Scope,
    unsupported: Option<Unsupported>,
}

impl KnownExtensions {
    fn read(extensions: &[Extension]) -> Result<Self, CrlError> {
        let mut known = KnownExtensions::default();
        for (at, extension) in extensions.iter().enumerate() {
            let id = extension.extn_id;
            if extensions.iter().take(at).any(|earlier| earlier.extn_id == id) {
                return Err(CrlError::DuplicateExtension(id));
            }
            known.read_one(extension)?;
        }
        Ok(known)
    }

    fn read_one(&mut self, extension: &Extension) -> Result<(), CrlError> {
        let value = extension.extn_value.as_bytes();
        let malformed = |_| CrlError::Extension(extension.extn_id);
        match extension.extn_id {
            ID_CE_CRL_NUMBER => {
                let number = UintRef::from_der(value).map_err(malformed)?;
                self.number = Some(CrlNumber::from_be_bytes(number.as_bytes()));
            }
            ID_CE_DELTA_CRL_INDICATOR => self.refuse(Unsupported::Delta),
            ID_CE_ISSUING_DISTRIBUTION_POINT => {
                let point = IssuingDistributionPoint::from_der(value).map_err(malformed)?;
                self.read_scope(point);
            }
            // The key is found by trying the issuer's; the identifier is only a hint.
            ID_CE_AUTHORITY_KEY_IDENTIFIER => {}
            other if extension.critical => self.refuse(Unsupported::CriticalExtension(other)),
            _ => {}
        }
        Ok(())
    }

    fn read_scope(&mut self, point: IssuingDistributionPoint) {
        self.scope.only_users = point.only_contains_user_certs;
        self.scope.only_cas = point.only_contains_ca_certs;
        if point.indirect_crl {
            self.refuse(Unsupported::Indirect);
        }
        if point.only_some_reasons.is_some() {
            self.refuse(Unsupported::SomeReasons);
        }
        if point.only_contains_attribute_certs {
            self.refuse(Unsupported::AttributeCertificates);
        }
        match point.distribution_point {
            Some(DistributionPointName::FullName(names)) => self.scope.point = Some(names),
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => {
                self.refuse(Unsupported::RelativeName);
            }
            None => {}
        }
    }

    fn refuse(&mut self, why: Unsupported) {
        self.unsupported.get_or_insert(why);
    }
}

type Entries = (Vec<(Serial, RevokedEntry)>, Option<Unsupported>);

/// Decodes the entries and sorts them by serial number.
fn read_entries(der: &[u8]) -> Result<Entries, CrlError> {
    let mut reader = SliceReader::new(der).map_err(|_| CrlError::Der)?;
    let mut entries = Vec::new();
    let mut unsupported = None;
    while !reader.is_finished() {
        let entry = RevokedCert::<Rfc5280>::decode(&mut reader).map_err(|_| CrlError::Der)?;
        let serial = Serial::new(entry.serial_number.as_bytes()).ok_or(CrlError::Der)?;
        let mut reason = RevocationReason::Unspecified;
        for extension in entry.crl_entry_extensions.iter().flatten() {
            match extension.extn_id {
                ID_CE_CRL_REASONS => reason = read_reason(extension)?,
                ID_CE_CERTIFICATE_ISSUER => {
                    unsupported.get_or_insert(Unsupported::Indirect);
                }
                other if extension.critical => {
                    unsupported.get_or_insert(Unsupported::CriticalEntryExtension(other));
                }
                _ => {}
            }
        }
        entries.push((serial, RevokedEntry { date: unix_time(&entry.revocation_date), reason }));
    }
    entries.sort_unstable_by_key(|(serial, _)| *serial);
    Ok((entries, unsupported))
}

fn read_reason(extension: &Extension) -> Result<RevocationReason, CrlError> {
    let reason = CrlReason::from_der(extension.extn_value.as_bytes())
        .map_err(|_| CrlError::Extension(extension.extn_id))?;
    Ok(match reason {
        CrlReason::Unspecified => RevocationReason::Unspecified,
        CrlReason::KeyCompromise => RevocationReason::KeyCompromise,
        CrlReason::CaCompromise => RevocationReason::CaCompromise,
        CrlReason::AffiliationChanged => RevocationReason::AffiliationChanged,
        CrlReason::Superseded => RevocationReason::Superseded,
        CrlReason::CessationOfOperation => RevocationReason::CessationOfOperation,
        CrlReason::CertificateHold => RevocationReason::CertificateHold,
        CrlReason::RemoveFromCRL => RevocationReason::RemoveFromCrl,
        CrlReason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        CrlReason::AaCompromise => RevocationReason::AaCompromise,
    })
}
