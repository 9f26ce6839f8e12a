//! Certificates as values: strict DER in, no trust yet.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::BitString;
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::time::Time;
use x509_cert::{TbsCertificate, Version};

use super::canonical::CanonicalName;
use super::pem::{self, PemError};
use crate::hash::Sha256Digest;
use crate::key::{KeyError, PublicKey};
use crate::reason::Code;
use crate::time::UnixTime;

/// Certificates in one PEM text.
const MOST_PEM_CERTIFICATES: usize = 64;
/// Attributes of one distinguished name. Real ones have fewer than ten.
const MOST_NAME_ATTRIBUTES: usize = 128;

/// Why bytes are not a certificate that can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are not one Certificate in DER.
    #[error("the bytes are not a certificate in DER")]
    Der,
    /// The certificate decodes, but its encoding is not the one that DER prescribes.
    #[error("the certificate is not encoded as DER prescribes")]
    NotCanonical,
    /// The certificate is not of version 3.
    #[error("the certificate is not of version 3")]
    Version,
    /// An extension is there twice (RFC 5280, section 4.2).
    #[error("the extension {0} is there twice")]
    DuplicateExtension(ObjectIdentifier),
    /// An extension's value is malformed.
    #[error("the extension {0} is malformed")]
    Extension(ObjectIdentifier),
    /// The issuer has no name (RFC 5280, section 4.1.2.4).
    #[error("the certificate names no issuer")]
    NoIssuer,
    /// A distinguished name has more attributes than any name needs.
    #[error("a name has more than {MOST_NAME_ATTRIBUTES} attributes")]
    LongName,
    /// A PEM block is cut off or not base64.
    #[error("a PEM block is cut off or is not base64")]
    Pem,
    /// The PEM text holds no certificate.
    #[error("there is no PEM block CERTIFICATE")]
    NoPemBlock,
    /// The PEM text holds too many certificates.
    #[error("there are more than {MOST_PEM_CERTIFICATES} PEM blocks CERTIFICATE")]
    TooMany,
}

impl CertificateError {
    /// The reason code, where such a certificate is part of a bundle or a path.
    pub fn code(&self) -> Code {
        match self {
            CertificateError::DuplicateExtension(_) => Code::SignatureDuplicateExtension,
            _ => Code::SignatureCertificateMalformed,
        }
    }
}

/// An X.509 certificate of version 3 in strict DER (RFC 5280, section 4.1). Cheap to clone.
///
/// That it parsed says nothing about trust; see [`validate`](super::validate).
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    /// The bytes of `tbsCertificate` as they stand in `der`.
    tbs_der: Vec<u8>,
    decoded: x509_cert::Certificate,
    subject: CanonicalName,
    issuer: CanonicalName,
    key: Result<PublicKey, KeyError>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
    alternative_names: Vec<GeneralName>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads one certificate.
    ///
    /// Critical extensions that are not understood, and keys of unsupported types, are found at
    /// validation.
    ///
    /// # Errors
    /// When the bytes are anything but one canonical DER certificate of version 3 with an issuer,
    /// without duplicate or malformed extensions.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let decoded = x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Der)?;
        let tbs = decoded.tbs_certificate();
        if [tbs.subject(), tbs.issuer()].into_iter().any(is_long) {
            return Err(CertificateError::LongName);
        }
        if decoded.to_der().map_err(|_| CertificateError::Der)? != der {
            return Err(CertificateError::NotCanonical);
        }
        if tbs.version() != Version::V3 {
            return Err(CertificateError::Version);
        }
        if tbs.issuer().is_empty() {
            return Err(CertificateError::NoIssuer);
        }
        refuse_duplicates(tbs)?;
        let spki = tbs.subject_public_key_info();
        let parsed = Parsed {
            der: der.to_vec(),
            tbs_der: tbs.to_der().map_err(|_| CertificateError::Der)?,
            subject: CanonicalName::new(tbs.subject()),
            issuer: CanonicalName::new(tbs.issuer()),
            key: PublicKey::from_spki(spki.clone()),
            basic_constraints: extension(tbs)?,
            key_usage: extension(tbs)?,
            extended_key_usage: extension::<ExtendedKeyUsage>(tbs)?.map(|usage| usage.0),
            alternative_names: extension::<SubjectAltName>(tbs)?
                .map(|san| san.0)
                .unwrap_or_default(),
            subject_key_id: extension::<SubjectKeyIdentifier>(tbs)?
                .map(|id| id.0.as_bytes().to_vec()),
            authority_key_id: extension::<AuthorityKeyIdentifier>(tbs)?
                .and_then(|id| id.key_identifier)
                .map(|id| id.as_bytes().to_vec()),
            decoded,
        };
        Ok(Certificate(Arc::new(parsed)))
    }

    /// Reads every block `CERTIFICATE` of a PEM text, in order.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], and when there is no block, too many, or a broken one.
    pub fn many_from_pem(text: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let blocks =
            pem::blocks(text, "CERTIFICATE", MOST_PEM_CERTIFICATES).map_err(|e| match e {
                PemError::TooMany => CertificateError::TooMany,
                PemError::Unterminated | PemError::NotBase64 => CertificateError::Pem,
            })?;
        if blocks.is_empty() {
            return Err(CertificateError::NoPemBlock);
        }
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    /// The bytes it was read from.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of [`Certificate::der`].
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0.der)
    }

    /// The subject's key.
    ///
    /// # Errors
    /// When its type is not one that this project accepts. Such a certificate can still be an
    /// anchor that nothing uses.
    pub fn public_key(&self) -> Result<&PublicKey, KeyError> {
        self.0.key.as_ref().map_err(Clone::clone)
    }

    /// The subject's distinguished name (RFC 4514).
    pub fn subject(&self) -> String {
        self.tbs().subject().to_string()
    }

    /// The issuer's distinguished name (RFC 4514).
    pub fn issuer(&self) -> String {
        self.tbs().issuer().to_string()
    }

    /// The serial number in lower-case hexadecimal.
    pub fn serial_hex(&self) -> String {
        self.serial().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first moment of its validity.
    pub fn not_before(&self) -> UnixTime {
        unix_time(&self.tbs().validity().not_before)
    }

    /// The last moment of its validity.
    pub fn not_after(&self) -> UnixTime {
        unix_time(&self.tbs().validity().not_after)
    }

    /// The e-mail addresses of subjectAltName (`rfc822Name`).
    pub fn san_emails(&self) -> Vec<String> {
        self.alternative_names(|name| match name {
            GeneralName::Rfc822Name(value) => Some(value.to_string()),
            _ => None,
        })
    }

    /// The host names of subjectAltName (`dNSName`).
    pub fn san_dns(&self) -> Vec<String> {
        self.alternative_names(|name| match name {
            GeneralName::DnsName(value) => Some(value.to_string()),
            _ => None,
        })
    }

    /// The URIs of subjectAltName (`uniformResourceIdentifier`).
    pub fn san_uris(&self) -> Vec<String> {
        self.alternative_names(|name| match name {
            GeneralName::UniformResourceIdentifier(value) => Some(value.to_string()),
            _ => None,
        })
    }

    /// How many names of any kind subjectAltName has.
    pub(crate) fn san_count(&self) -> usize {
        self.0.alternative_names.len()
    }

    /// The value of the extension `oid`, as it stands.
    pub(crate) fn extension_value(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let mut extensions = self.tbs().extensions().into_iter().flatten();
        extensions.find(|found| found.extn_id == oid).map(|found| found.extn_value.as_bytes())
    }

    /// Whether subject and issuer have the same name (RFC 5280, section 3.2).
    pub fn is_self_issued(&self) -> bool {
        self.subject_name() == self.issuer_name()
    }

    /// Whether it is self-issued and names no other key than its own as its issuer's, as roots do
    /// and certificates that link a CA's old and new key do not. Its signature is not checked.
    pub fn says_self_signed(&self) -> bool {
        let issuer_key = self.authority_key_id();
        self.is_self_issued() && (issuer_key.is_none() || issuer_key == self.subject_key_id())
    }

    /// Whether basicConstraints says that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.0.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// The usages of extendedKeyUsage; `None` when the extension is absent.
    pub fn extended_key_usages(&self) -> Option<&[ObjectIdentifier]> {
        self.0.extended_key_usage.as_deref()
    }

    /// keyUsage; `None` when the extension is absent.
    pub(super) fn key_usage(&self) -> Option<&KeyUsage> {
        self.0.key_usage.as_ref()
    }

    /// Tells certificates that live at the same time apart, cheaply: clones are one.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether the extension `oid` is critical; `None` when it is absent.
    pub(super) fn criticality(&self, oid: ObjectIdentifier) -> Option<bool> {
        let mut extensions = self.tbs().extensions().into_iter().flatten();
        extensions.find(|extension| extension.extn_id == oid).map(|extension| extension.critical)
    }

    pub(super) fn serial(&self) -> &[u8] {
        self.tbs().serial_number().as_bytes()
    }

    pub(super) fn subject_name(&self) -> &CanonicalName {
        &self.0.subject
    }

    pub(super) fn issuer_name(&self) -> &CanonicalName {
        &self.0.issuer
    }

    pub(super) fn spki(&self) -> &SubjectPublicKeyInfoOwned {
        self.tbs().subject_public_key_info()
    }

    pub(super) fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.subject_key_id.as_deref()
    }

    pub(super) fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.authority_key_id.as_deref()
    }

    /// What the signature is over.
    pub(super) fn tbs_der(&self) -> &[u8] {
        &self.0.tbs_der
    }

    pub(super) fn signature(&self) -> &BitString {
        self.0.decoded.signature()
    }

    /// The signature algorithm, unless the certificate names two.
    pub(super) fn signature_algorithm(&self) -> Option<&AlgorithmIdentifierOwned> {
        let outer = self.0.decoded.signature_algorithm();
        (outer == self.tbs().signature()).then_some(outer)
    }

    /// Decodes the extension `T`.
    ///
    /// # Errors
    /// When its value is malformed.
    pub(super) fn extension<T>(&self) -> Result<Option<T>, CertificateError>
    where
        T: for<'a> Decode<'a, Error = der::Error> + AssociatedOid,
    {
        extension(self.tbs())
    }

    /// The certificate as it decodes.
    pub(crate) fn tbs(&self) -> &TbsCertificate {
        self.0.decoded.tbs_certificate()
    }

    /// The names of subjectAltName; none when the extension is absent.
    pub(crate) fn general_names(&self) -> &[GeneralName] {
        &self.0.alternative_names
    }

    fn alternative_names(&self, pick: impl Fn(&GeneralName) -> Option<String>) -> Vec<String> {
        self.0.alternative_names.iter().filter_map(pick).collect()
    }
}

/// Two certificates are equal when their bytes are.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?} {})", self.subject(), self.fingerprint())
    }
}

pub(super) fn unix_time(time: &Time) -> UnixTime {
    UnixTime(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}

/// Whether a name has so many attributes that reading and comparing it would cost too much.
fn is_long(name: &Name) -> bool {
    let attributes = name.iter_rdn().map(|relative| relative.iter().count());
    attributes.sum::<usize>() > MOST_NAME_ATTRIBUTES
}

fn refuse_duplicates(tbs: &TbsCertificate) -> Result<(), CertificateError> {
    let mut seen = BTreeSet::new();
    for extension in tbs.extensions().into_iter().flatten() {
        if !seen.insert(extension.extn_id) {
            return Err(CertificateError::DuplicateExtension(extension.extn_id));
        }
    }
    Ok(())
}

fn extension<T>(tbs: &TbsCertificate) -> Result<Option<T>, CertificateError>
where
    T: for<'a> Decode<'a, Error = der::Error> + AssociatedOid,
{
    match tbs.get_extension::<T>() {
        Ok(found) => Ok(found.map(|(_, value)| value)),
        Err(_) => Err(CertificateError::Extension(T::OID)),
    }
}
