//! The profile of certificates that may sign models, beyond what RFC 5280 asks of every path
//! (design, section 5).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CODE_SIGNING};

use super::signature::LEAST_RSA_BITS;
use super::{Certificate, PathError};
use crate::key::{KeyType, PublicKey};
use crate::time::UnixTime;

/// What a leaf is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It signs models and verdicts: codeSigning and digitalSignature, and nothing wider.
    CodeSigning,
    /// It signs time stamps (RFC 3161, section 2.3).
    Timestamping,
    /// Anything: no rule beyond the standard's.
    Any,
}

/// What is asked of the certificates of a path beyond RFC 5280.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What the leaf is used for.
    pub usage: Usage,
    /// Bits that the leaf's RSA key must have at least.
    pub least_rsa_bits: u32,
    /// Whether the leaf may also be a CA: only the public conformance cases need it.
    pub leaf_may_be_ca: bool,
}

impl Profile {
    /// The profile of the design, section 5.
    pub const CODE_SIGNING: Profile =
        Profile { usage: Usage::CodeSigning, least_rsa_bits: 3072, leaf_may_be_ca: false };
    /// The same for leaves that may also be CAs, as those of the public conformance cases are.
    pub const CONFORMANCE_SUITE: Profile =
        Profile { leaf_may_be_ca: true, ..Profile::CODE_SIGNING };
    /// Time stamping authorities.
    pub const TIMESTAMPING: Profile =
        Profile { usage: Usage::Timestamping, least_rsa_bits: 2048, leaf_may_be_ca: false };
    /// Any certificate of any PKI.
    pub const ANY: Profile = Profile { usage: Usage::Any, least_rsa_bits: 0, leaf_may_be_ca: true };
}

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
pub(super) fn check_leaf(leaf: &Certificate, profile: Profile) -> Result<&PublicKey, PathError> {
    let subject = || leaf.subject();
    // anyExtendedKeyUsage and a missing extension would make every certificate of a PKI a signer.
    if !leaf.extended_key_usages().is_some_and(|usages| usages.contains(&ID_KP_CODE_SIGNING)) {
        return Err(PathError::NoCodeSigning { subject: subject() });
    }
    if !leaf.key_usage().is_some_and(|usage| usage.digital_signature()) {
        return Err(PathError::NoDigitalSignature { subject: subject() });
    }
    if !profile.leaf_may_be_ca && leaf.is_ca() {
        return Err(PathError::LeafIsCa { subject: subject() });
    }
    check_key(leaf, profile.least_rsa_bits, true)
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
