//! The signed attributes that name the signer's certificate (RFC 5035, RFC 5816): without them, a
//! certificate of the same key with other rights could be put in its place.
//!
//! One of the two attributes must be there, and each that is there must name the certificate.
//! The older one has a SHA-1 digest. Nothing rests on that: whose key signed is told by the
//! signer identifier and the path, so a certificate that is no match is refused, and one that
//! collides gains nothing but what its own path gives it.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use cms::signed_data::SignedAttributes;
use const_oid::db::rfc5911::{ID_AA_SIGNING_CERTIFICATE, ID_AA_SIGNING_CERTIFICATE_V_2};
use const_oid::db::rfc5912::ID_SHA_256;
use der::Sequence;
use der::asn1::OctetString;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::serial_number::SerialNumber;

use super::authenticate::attribute;
use super::info::digest;
use super::{Part, TimestampError};
use crate::pki::Certificate;

const SHA_256: AlgorithmIdentifierOwned =
    AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None };

/// `SigningCertificateV2`: the signer's certificate first. The others, and the policies, narrow
/// what the authority vouches for and are not needed to know who signed.
#[derive(Sequence)]
struct Version2 {
    certificates: Vec<Id>,
    #[asn1(optional = "true")]
    policies: Option<Vec<der::Any>>,
}

/// `ESSCertIDv2`.
#[derive(Sequence)]
struct Id {
    /// SHA-256 when absent.
    #[asn1(optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    digest: OctetString,
    #[asn1(optional = "true")]
    place: Option<IssuerSerial>,
}

/// `SigningCertificate`.
#[derive(Sequence)]
struct Version1 {
    certificates: Vec<Sha1Id>,
    #[asn1(optional = "true")]
    policies: Option<Vec<der::Any>>,
}

/// `ESSCertID`.
#[derive(Sequence)]
struct Sha1Id {
    digest: OctetString,
    #[asn1(optional = "true")]
    place: Option<IssuerSerial>,
}

/// `IssuerSerial`.
#[derive(Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial: SerialNumber,
}

/// What the signed attributes say about the signer's certificate.
pub(super) struct SigningCertificates {
    version1: Option<Sha1Id>,
    version2: Option<Id>,
}

impl SigningCertificates {
    /// Reads the attributes, one of which must be there.
    pub(super) fn of(attributes: &SignedAttributes) -> Result<Self, TimestampError> {
        let (v1, v2) = (ID_AA_SIGNING_CERTIFICATE, ID_AA_SIGNING_CERTIFICATE_V_2);
        let malformed = |oid| TimestampError::Malformed(Part::Attribute(oid));
        let version1 = match attribute(attributes, v1)? {
            None => None,
            Some(any) => {
                let Version1 { certificates, .. } = any.decode_as().or(Err(malformed(v1)))?;
                Some(certificates.into_iter().next().ok_or(malformed(v1))?)
            }
        };
        let version2 = match attribute(attributes, v2)? {
            None => None,
            Some(any) => {
                let Version2 { certificates, .. } = any.decode_as().or(Err(malformed(v2)))?;
                Some(certificates.into_iter().next().ok_or(malformed(v2))?)
            }
        };
        if version1.is_none() && version2.is_none() {
            return Err(TimestampError::Attribute(v2));
        }
        Ok(SigningCertificates { version1, version2 })
    }

    /// Whether both mean `certificate`, as far as they are there.
    pub(super) fn mean(&self, certificate: &Certificate) -> bool {
        let sha1 = aws_lc_rs::digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
        let by_version1 = self.version1.as_ref().is_none_or(|id| {
            id.digest.as_bytes() == sha1.as_ref() && is_at(id.place.as_ref(), certificate)
        });
        let by_version2 = self.version2.as_ref().is_none_or(|id| {
            let hash = id.hash.as_ref().unwrap_or(&SHA_256);
            digest(hash, certificate.der()).is_ok_and(|own| own == id.digest.as_bytes())
                && is_at(id.place.as_ref(), certificate)
        });
        by_version1 && by_version2
    }
}

fn is_at(place: Option<&IssuerSerial>, certificate: &Certificate) -> bool {
    place.is_none_or(|place| match place.issuer.as_slice() {
        [GeneralName::DirectoryName(issuer)] => {
            certificate.is_issued_as(issuer, place.serial.as_bytes())
        }
        _ => false,
    })
}
