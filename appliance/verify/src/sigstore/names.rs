//! Who a Fulcio certificate is for, and who said so (Fulcio, `docs/oid-info.md`).

use std::fmt;

use const_oid::ObjectIdentifier;
use der::Decode;
use der::asn1::Utf8StringRef;

use crate::pki::Certificate;

/// Issuer, version 1: the bare text.
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// Issuer, version 2: a UTF8String.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");

/// The one subjectAltName of a Fulcio certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An e-mail address.
    Email(String),
    /// A URI, such as a workflow or a SPIFFE identity.
    Uri(String),
    /// A DNS name.
    Dns(String),
}

impl Identity {
    /// The name itself, whatever its kind.
    pub fn as_str(&self) -> &str {
        match self {
            Identity::Email(name) | Identity::Uri(name) | Identity::Dns(name) => name,
        }
    }

    /// Reads the identity of a certificate.
    ///
    /// # Errors
    /// When there is not exactly one name of a kind that is known.
    pub(super) fn of(leaf: &Certificate) -> Result<Self, NamesError> {
        let emails = leaf.san_emails().into_iter().map(Identity::Email);
        let uris = leaf.san_uris().into_iter().map(Identity::Uri);
        let dns = leaf.san_dns().into_iter().map(Identity::Dns);
        let mut names = emails.chain(uris).chain(dns);
        match (names.next(), names.next(), leaf.san_count()) {
            (Some(name), None, 1) => Ok(name),
            (_, _, count) => Err(NamesError::Identity(count)),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a certificate does not tell who it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// not exactly one name of a known kind
    #[error(
        "the certificate has {0} alternative names instead of one e-mail address, URI or DNS name"
    )]
    Identity(usize),
    /// no issuer
    #[error("the certificate does not name the OIDC issuer")]
    NoIssuer,
    /// a malformed issuer
    #[error("the certificate's extension for the OIDC issuer is malformed")]
    Issuer,
    /// two issuers
    #[error("the certificate names two OIDC issuers, {0:?} and {1:?}")]
    TwoIssuers(String, String),
}

/// The OIDC issuer that vouched for the identity. Both forms of the extension may stand there, and
/// must then agree.
pub(super) fn issuer(leaf: &Certificate) -> Result<String, NamesError> {
    let bare = |value: &[u8]| {
        let text = str::from_utf8(value).ok().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or(NamesError::Issuer)
    };
    let wrapped = |value: &[u8]| {
        let text = Utf8StringRef::from_der(value).map_err(|_| NamesError::Issuer)?;
        bare(text.as_bytes())
    };
    let first = leaf.extension_value(ISSUER_V1).map(bare).transpose()?;
    let second = leaf.extension_value(ISSUER_V2).map(wrapped).transpose()?;
    match (first, second) {
        (Some(first), Some(second)) if first != second => {
            Err(NamesError::TwoIssuers(first, second))
        }
        (_, Some(issuer)) | (Some(issuer), None) => Ok(issuer),
        (None, None) => Err(NamesError::NoIssuer),
    }
}
