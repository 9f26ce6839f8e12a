//! What the use of a leaf asks of it and of its issuers, beyond RFC 5280 (design, section 5;
//! RFC 3161, section 2.3).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_EXT_KEY_USAGE, ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING,
};

use super::{Certificate, PathError, Profile, Usage};
use crate::key::{KeyType, LEAST_RSA_BITS, PublicKey};

impl Usage {
    /// The extended key usage that it needs.
    fn purpose(self) -> Option<ObjectIdentifier> {
        match self {
            Usage::CodeSigning => Some(ID_KP_CODE_SIGNING),
            Usage::Timestamping => Some(ID_KP_TIME_STAMPING),
            Usage::Any => None,
        }
    }
}

/// Checks the leaf's extendedKeyUsage.
pub(super) fn check_leaf_purpose(leaf: &Certificate, usage: Usage) -> Result<String, PathError> {
    let usages = leaf.extended_key_usages();
    let subject = || leaf.subject();
    match usage {
        // anyExtendedKeyUsage and a missing extension would make every certificate of a PKI a
        // signer.
        Usage::CodeSigning if !usages.is_some_and(|all| all.contains(&ID_KP_CODE_SIGNING)) => {
            Err(PathError::NoCodeSigning { subject: subject() })
        }
        Usage::CodeSigning => Ok("extendedKeyUsage has codeSigning".to_owned()),
        Usage::Timestamping
            if usages != Some(&[ID_KP_TIME_STAMPING])
                || leaf.criticality(ID_CE_EXT_KEY_USAGE) != Some(true) =>
        {
            Err(PathError::NotForTimestamping { subject: subject() })
        }
        Usage::Timestamping => {
            Ok("extendedKeyUsage is critical, and timeStamping alone".to_owned())
        }
        Usage::Any => Ok("no purpose is asked for".to_owned()),
    }
}

/// Checks the leaf's keyUsage.
pub(super) fn check_leaf_key_usage(leaf: &Certificate, usage: Usage) -> Result<String, PathError> {
    let key_usage = leaf.key_usage();
    let signs = key_usage.is_some_and(|usage| usage.digital_signature());
    let commits = key_usage.is_some_and(|usage| usage.non_repudiation());
    let subject = || leaf.subject();
    match usage {
        Usage::CodeSigning if !signs => Err(PathError::NoDigitalSignature { subject: subject() }),
        Usage::CodeSigning => Ok("keyUsage has digitalSignature".to_owned()),
        Usage::Timestamping if key_usage.is_some() && !signs && !commits => {
            Err(PathError::NoDigitalSignature { subject: subject() })
        }
        Usage::Timestamping => Ok("keyUsage allows to sign".to_owned()),
        Usage::Any => Ok("no key usage is asked for".to_owned()),
    }
}

/// Checks whether the leaf may be a CA.
pub(super) fn check_leaf_is_no_ca(
    leaf: &Certificate,
    profile: Profile,
) -> Result<String, PathError> {
    match leaf.is_ca() {
        true if !profile.leaf_may_be_ca => Err(PathError::LeafIsCa { subject: leaf.subject() }),
        true => Ok("it is a CA, which is allowed here".to_owned()),
        false => Ok("it is no CA".to_owned()),
    }
}

/// Checks that an issuer's extendedKeyUsage, where there is one, does not exclude the use.
pub(super) fn check_issuer_purpose(
    issuer: &Certificate,
    usage: Usage,
) -> Result<String, PathError> {
    let (Some(purpose), Some(usages)) = (usage.purpose(), issuer.extended_key_usages()) else {
        return Ok("it is not limited to other purposes".to_owned());
    };
    if usages.contains(&purpose) || usages.contains(&ANY_EXTENDED_KEY_USAGE) {
        return Ok("extendedKeyUsage allows the purpose".to_owned());
    }
    let subject = issuer.subject();
    Err(match usage {
        Usage::Timestamping => PathError::IssuerExcludesTimestamping { subject },
        Usage::CodeSigning | Usage::Any => PathError::IssuerExcludesCodeSigning { subject },
    })
}

/// Checks the leaf's key, and gives it.
pub(super) fn check_leaf_key(
    leaf: &Certificate,
    profile: Profile,
) -> Result<(&PublicKey, String), PathError> {
    check_key(leaf, profile.least_rsa_bits, true)
}

/// Checks an issuer's key, the anchor's included.
pub(super) fn check_issuer_key(issuer: &Certificate, usage: Usage) -> Result<String, PathError> {
    let least = match usage {
        Usage::CodeSigning | Usage::Timestamping => LEAST_RSA_BITS,
        Usage::Any => 0,
    };
    check_key(issuer, least, false).map(|(_, sentence)| sentence)
}

fn check_key(
    certificate: &Certificate,
    least: u32,
    leaf: bool,
) -> Result<(&PublicKey, String), PathError> {
    let subject = || certificate.subject();
    match certificate.public_key() {
        Err(cause) => Err(PathError::Key { subject: subject(), cause, leaf }),
        Ok(key) => match key.key_type() {
            KeyType::Rsa(bits) if bits < least => {
                Err(PathError::WeakKey { subject: subject(), bits, least, leaf })
            }
            kind => Ok((key, format!("the key is {kind}"))),
        },
    }
}
