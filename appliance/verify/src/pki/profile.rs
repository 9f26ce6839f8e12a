//! The profile of certificates that may sign models, beyond what RFC 5280 asks of every path
//! (design, section 5).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CODE_SIGNING};

use super::signature::LEAST_RSA_BITS;
use super::{Certificate, LeafProfile, PathError};
use crate::key::{KeyType, PublicKey};
use crate::time::UnixTime;

/// The shortest RSA key that may sign a model.
const LEAST_RSA_BITS_OF_LEAF: u32 = 3072;

/// Checks that `time` lies in the certificate's validity, both ends included
/// (RFC 5280, section 4.1.2.5).
pub(super) fn check_validity(certificate: &Certificate, time: UnixTime) -> Result<(), PathError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if time > not_after {
        return Err(PathError::Expired { subject: certificate.subject(), not_after, time });
    }
    if time < not_before {
        return Err(PathError::NotYetValid { subject: certificate.subject(), not_before, time });
    }
    Ok(())
}

/// Checks the certificate that signs: purpose, no CA, key; gives its key.
pub(super) fn check_leaf(
    leaf: &Certificate,
    profile: LeafProfile,
) -> Result<&PublicKey, PathError> {
    let subject = || leaf.subject();
    // anyExtendedKeyUsage and a missing extension would make every certificate of a PKI a signer.
    if !leaf.extended_key_usages().is_some_and(|usages| usages.contains(&ID_KP_CODE_SIGNING)) {
        return Err(PathError::NoCodeSigning { subject: subject() });
    }
    if !leaf.key_usage().is_some_and(|usage| usage.digital_signature()) {
        return Err(PathError::NoDigitalSignature { subject: subject() });
    }
    if profile == LeafProfile::Strict && leaf.is_ca() {
        return Err(PathError::LeafIsCa { subject: subject() });
    }
    check_key(leaf, LEAST_RSA_BITS_OF_LEAF, true)
}

/// Checks an issuer, the anchor included: its key, and that its usages allow code signing.
pub(super) fn check_issuer(issuer: &Certificate) -> Result<(), PathError> {
    const FITTING: [ObjectIdentifier; 2] = [ID_KP_CODE_SIGNING, ANY_EXTENDED_KEY_USAGE];
    check_key(issuer, LEAST_RSA_BITS, false)?;
    match issuer.extended_key_usages() {
        Some(usages) if !usages.iter().any(|usage| FITTING.contains(usage)) => {
            Err(PathError::IssuerExcludesCodeSigning { subject: issuer.subject() })
        }
        _ => Ok(()),
    }
}

fn check_key(certificate: &Certificate, least: u32, leaf: bool) -> Result<&PublicKey, PathError> {
    let subject = certificate.subject();
    match certificate.public_key() {
        Err(cause) => Err(PathError::Key { subject, cause, leaf }),
        Ok(key) => match key.key_type() {
            KeyType::Rsa(bits) if bits < least => {
                Err(PathError::WeakKey { subject, bits, least, leaf })
            }
            _ => Ok(key),
        },
    }
}
