//! From the bytes of a CRL to a table of its entries.

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

use super::{CrlError, CrlNumber, MOST_NUMBER_BYTES, RevocationReason, RevokedEntry, Unsupported};
use crate::hash::Sha256Digest;
use crate::pki::canonical::CanonicalName;
use crate::pki::certificate::unix_time;
use crate::time::UnixTime;

/// The longest serial number that is read, in bytes without its sign byte.
const SERIAL_BYTES: usize = 21;

/// A CRL, decoded.
pub(super) struct Parsed {
    pub(super) sha256: Sha256Digest,
    pub(super) tbs_der: Vec<u8>,
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: BitString,
    pub(super) issuer: String,
    pub(super) issuer_name: CanonicalName,
    pub(super) number: Option<CrlNumber>,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
    pub(super) scope: Scope,
    pub(super) scope_sha256: Sha256Digest,
    pub(super) unsupported: Option<Unsupported>,
    pub(super) entries: Vec<(Serial, RevokedEntry)>,
}

/// Which of the issuer's certificates a CRL is about (issuingDistributionPoint).
#[derive(Default)]
pub(in crate::pki) struct Scope {
    pub(in crate::pki) only_users: bool,
    pub(in crate::pki) only_cas: bool,
    /// Names of the distribution point; the certificate must name one of them too.
    pub(in crate::pki) point: Option<Vec<GeneralName>>,
}

/// A serial number, padded; ordered in some total order, not as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial([u8; SERIAL_BYTES], u8);

impl Serial {
    /// `None` when there are more bytes than any serial number has that can be read.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; SERIAL_BYTES];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Serial(padded, u8::try_from(bytes.len()).ok()?))
    }
}

impl Parsed {
    /// Decodes one CRL and sorts its entries by serial number.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        let (tbs_der, algorithm, signature) = read_outer(der).map_err(|_| CrlError::Der)?;
        let tbs = AnyRef::from_der(tbs_der).map_err(|_| CrlError::Der)?;
        let mut reader = SliceReader::new(tbs.value()).map_err(|_| CrlError::Der)?;
        if Header::peek(&reader).map_err(|_| CrlError::Der)?.tag() != Tag::Integer {
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
        Ok(Parsed {
            sha256: Sha256Digest::of(der),
            tbs_der: tbs_der.to_vec(),
            algorithm,
            signature,
            issuer: tbs.issuer.to_string(),
            issuer_name: CanonicalName::new(&tbs.issuer),
            number: known.number,
            this_update: unix_time(&tbs.this_update),
            next_update: tbs.next_update.as_ref().map(unix_time),
            scope: known.scope,
            scope_sha256: known.scope_sha256,
            unsupported: known.unsupported.or(entry_problem),
            entries,
        })
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
struct KnownExtensions {
    number: Option<CrlNumber>,
    scope: Scope,
    scope_sha256: Sha256Digest,
    unsupported: Option<Unsupported>,
}

impl KnownExtensions {
    fn read(extensions: &[Extension]) -> Result<Self, CrlError> {
        let mut known = KnownExtensions {
            number: None,
            scope: Scope::default(),
            scope_sha256: Sha256Digest::of(&[]),
            unsupported: None,
        };
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
                let number = UintRef::from_der(value).map_err(malformed)?.as_bytes();
                if number.len() > MOST_NUMBER_BYTES {
                    return Err(CrlError::Extension(ID_CE_CRL_NUMBER));
                }
                self.number = Some(CrlNumber::from_be_bytes(number));
            }
            ID_CE_DELTA_CRL_INDICATOR => self.refuse(Unsupported::Delta),
            ID_CE_ISSUING_DISTRIBUTION_POINT => {
                let point = IssuingDistributionPoint::from_der(value).map_err(malformed)?;
                self.scope_sha256 = Sha256Digest::of(value);
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
