//! Who signed a token: the signer's certificate, the signed attributes, and the signature
//! (RFC 5652, sections 5.3 to 5.6).

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::CmsVersion;
use cms::signed_data::{SignedAttributes, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc3161::ID_CT_TST_INFO;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST};
use const_oid::db::rfc5912::{
    ID_SHA_256, ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use der::Encode;
use der::asn1::{BitString, OctetStringRef};
use spki::AlgorithmIdentifierOwned;

use super::info::digest;
use super::signing_certificate::SigningCertificates;
use super::token::Token;
use super::{Part, TimestampError};
use crate::pki::{self, Certificate};

/// The one of `certificates` that signed `token`. That it may be believed is not checked here.
pub(super) fn authority<'a>(
    token: &Token,
    certificates: &'a [Certificate],
) -> Result<&'a Certificate, TimestampError> {
    let signer = token.signer()?;
    let attributes =
        signer.signed_attrs.as_ref().ok_or(TimestampError::Malformed(Part::SignerInfo))?;
    check_content(attributes, signer, token.content())?;
    let named = SigningCertificates::of(attributes)?;
    let mut candidates = certificates.iter().filter(|c| is_meant(&signer.sid, c)).peekable();
    candidates.peek().ok_or(TimestampError::NoCertificate)?;
    let certificate = candidates.find(|c| named.mean(c)).ok_or(TimestampError::OtherCertificate)?;
    check_signature(attributes, signer, certificate)?;
    Ok(certificate)
}

/// Checks that the signed attributes are about `content` (RFC 5652, section 11).
fn check_content(
    attributes: &SignedAttributes,
    signer: &SignerInfo,
    content: &[u8],
) -> Result<(), TimestampError> {
    let malformed = |oid| TimestampError::Malformed(Part::Attribute(oid));
    let content_type: ObjectIdentifier = the_attribute(attributes, ID_CONTENT_TYPE)?
        .decode_as()
        .or(Err(malformed(ID_CONTENT_TYPE)))?;
    if content_type != ID_CT_TST_INFO {
        return Err(TimestampError::ContentType(content_type));
    }
    let signed: &OctetStringRef = the_attribute(attributes, ID_MESSAGE_DIGEST)?
        .decode_as()
        .or(Err(malformed(ID_MESSAGE_DIGEST)))?;
    if digest(&signer.digest_alg, content)? != signed.as_bytes() {
        return Err(TimestampError::MessageDigest);
    }
    Ok(())
}

/// The value of the attribute, which must be there once and have one value.
fn the_attribute(
    attributes: &SignedAttributes,
    oid: ObjectIdentifier,
) -> Result<&der::Any, TimestampError> {
    attribute(attributes, oid)?.ok_or(TimestampError::Attribute(oid))
}

/// The value of the attribute if it is there, which it must not be twice, nor with several values.
pub(super) fn attribute(
    attributes: &SignedAttributes,
    oid: ObjectIdentifier,
) -> Result<Option<&der::Any>, TimestampError> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(attribute), None) if attribute.values.len() == 1 => Ok(attribute.values.get(0)),
        _ => Err(TimestampError::Attribute(oid)),
    }
}

/// Whether the SignerIdentifier names the certificate.
fn is_meant(signer: &SignerIdentifier, certificate: &Certificate) -> bool {
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer,
            serial_number,
        }) => certificate.is_issued_as(issuer, serial_number.as_bytes()),
        SignerIdentifier::SubjectKeyIdentifier(id) => certificate.has_key_id(id.0.as_bytes()),
    }
}

/// Checks the signature over the attributes: over their DER as a SET OF, whatever tag and order
/// they have in the token (RFC 5652, section 5.4).
fn check_signature(
    attributes: &SignedAttributes,
    signer: &SignerInfo,
    certificate: &Certificate,
) -> Result<(), TimestampError> {
    let malformed = || TimestampError::Malformed(Part::SignerInfo);
    let version = match signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(_) => CmsVersion::V1,
        SignerIdentifier::SubjectKeyIdentifier(_) => CmsVersion::V3,
    };
    if signer.version != version {
        return Err(malformed());
    }
    let message = attributes.to_der().or(Err(malformed()))?;
    let signature = BitString::from_bytes(signer.signature.as_bytes()).or(Err(malformed()))?;
    pki::check_signature(&message, &signature, &algorithm(signer), certificate)
        .map_err(|_| TimestampError::Signature { subject: certificate.subject() })
}

/// The signature algorithm, with the hash: CMS may name plain RSA and leave the hash to
/// digestAlgorithm (RFC 3370, section 3.2).
fn algorithm(signer: &SignerInfo) -> AlgorithmIdentifierOwned {
    let stated = &signer.signature_algorithm;
    let oid = match (stated.oid, signer.digest_alg.oid) {
        (RSA_ENCRYPTION, ID_SHA_256) => SHA_256_WITH_RSA_ENCRYPTION,
        (RSA_ENCRYPTION, ID_SHA_384) => SHA_384_WITH_RSA_ENCRYPTION,
        (RSA_ENCRYPTION, ID_SHA_512) => SHA_512_WITH_RSA_ENCRYPTION,
        (oid, _) => oid,
    };
    AlgorithmIdentifierOwned { oid, parameters: stated.parameters.clone() }
}
