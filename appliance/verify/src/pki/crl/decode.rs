//! From the bytes of a CRL to what it says about itself.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_DELTA_CRL_INDICATOR,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::asn1::{AnyRef, BitString, ContextSpecific, UintRef};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Version;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::time::Time;

use super::entries::{Entries, read_time};
use super::{CrlError, CrlNumber, MOST_NUMBER_BYTES, Unsupported};
use crate::hash::Sha256Digest;
use crate::pki::canonical::CanonicalName;
use crate::pki::certificate::unix_time;
use crate::time::UnixTime;

/// expiredCertsOnCRL (X.509, section 9.5.2.8; RFC 5280 does not have it).
const ID_CE_EXPIRED_CERTS_ON_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.60");

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
    pub(super) issuer_key_id: Option<Vec<u8>>,
    pub(super) expired_since: Option<UnixTime>,
    pub(super) unsupported: Option<Unsupported>,
    pub(super) entries: Entries,
}

/// Which of the issuer's certificates a CRL is about (issuingDistributionPoint).
#[derive(Default)]
pub(in crate::pki) struct Scope {
    pub(in crate::pki) only_users: bool,
    pub(in crate::pki) only_cas: bool,
    /// Names of the distribution point; the certificate must name one of them too.
    pub(in crate::pki) point: Option<Vec<GeneralName>>,
}

impl Parsed {
    /// Decodes one CRL and brings its entries into order.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        let (tbs_der, algorithm, signature) = read_outer(der).map_err(|_| CrlError::Der)?;
        let tbs = read_tbs(tbs_der).map_err(|_| CrlError::Der)?;
        // Version 1 is absent (RFC 5280, section 5.1.2.1), and has no extensions.
        let version_one = match tbs.version {
            None if tbs.extensions.is_some() => return Err(CrlError::Version),
            None => true,
            Some(Version::V2) => false,
            Some(_) => return Err(CrlError::Version),
        };
        if tbs.algorithm != algorithm {
            return Err(CrlError::AlgorithmMismatch);
        }
        let known = KnownExtensions::read(tbs.extensions.as_deref().unwrap_or_default())?;
        let (entries, entry_problem) = Entries::read(tbs_der, tbs.revoked, version_one)?;
        let no_number = !version_one && known.number.is_none();
        let unsupported =
            known.unsupported.or(entry_problem).or(no_number.then_some(Unsupported::NoNumber));
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
            issuer_key_id: known.issuer_key_id,
            expired_since: known.expired_since,
            unsupported,
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
struct Tbs {
    version: Option<Version>,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    /// Where revokedCertificates stands in the TBSCertList, without its header.
    revoked: Range<usize>,
    extensions: Option<Extensions>,
}

fn read_tbs(der: &[u8]) -> der::Result<Tbs> {
    let mut reader = SliceReader::new(der)?;
    Header::decode(&mut reader)?.tag().assert_eq(Tag::Sequence)?;
    let mut version = None;
    if Header::peek(&reader)?.tag() == Tag::Integer {
        version = Some(Version::decode(&mut reader)?);
    }
    let algorithm = AlgorithmIdentifierOwned::decode(&mut reader)?;
    let issuer = Name::decode(&mut reader)?;
    let this_update = Time::decode(&mut reader)?;
    let next_update = Option::<Time>::decode(&mut reader)?;
    let mut revoked = 0..0;
    if !reader.is_finished() && Header::peek(&reader)?.tag() == Tag::Sequence {
        let length = AnyRef::decode(&mut reader)?.value().len();
        let end = usize::try_from(reader.position())?;
        revoked = end.saturating_sub(length)..end;
    }
    let extensions = ContextSpecific::<Extensions>::decode_explicit(&mut reader, TagNumber(0))?
        .map(|found| found.value);
    reader.finish()?;
    Ok(Tbs { version, algorithm, issuer, this_update, next_update, revoked, extensions })
}

/// What the extensions of a CRL say.
struct KnownExtensions {
    number: Option<CrlNumber>,
    scope: Scope,
    scope_sha256: Sha256Digest,
    issuer_key_id: Option<Vec<u8>>,
    expired_since: Option<UnixTime>,
    unsupported: Option<Unsupported>,
}

impl KnownExtensions {
    fn read(extensions: &[Extension]) -> Result<Self, CrlError> {
        let mut known = KnownExtensions {
            number: None,
            scope: Scope::default(),
            scope_sha256: Sha256Digest::of(&[]),
            issuer_key_id: None,
            expired_since: None,
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
                if extension.critical {
                    self.refuse(Unsupported::CriticalNumber);
                }
            }
            ID_CE_DELTA_CRL_INDICATOR => self.refuse(Unsupported::Delta),
            ID_CE_ISSUING_DISTRIBUTION_POINT => {
                let point = IssuingDistributionPoint::from_der(value).map_err(malformed)?;
                self.scope_sha256 = Sha256Digest::of(value);
                self.read_scope(point);
            }
            // A hint which key to try first; the signature alone decides.
            ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                let id = AuthorityKeyIdentifier::from_der(value).map_err(malformed)?;
                self.issuer_key_id = id.key_identifier.map(|id| id.as_bytes().to_vec());
            }
            ID_CE_EXPIRED_CERTS_ON_CRL => {
                let since = read_time(value).ok_or(CrlError::Extension(extension.extn_id))?;
                self.expired_since = Some(since);
            }
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
