//! What a rule asks of a Sigstore signer: who, and by whose word.

use std::fmt;

use super::names::{DnsPattern, EmailPattern};
use super::uri::{UriPattern, is_uri};
use crate::sigstore::Identity;

/// A pattern on the identity in a Fulcio certificate, which is one of three kinds. Its form tells
/// the kind, and an identity of another kind never fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigstoreIdentity {
    /// An e-mail address.
    Email(EmailPattern),
    /// A URI, such as the one of a workflow.
    Uri(UriPattern),
    /// A DNS name.
    Dns(DnsPattern),
}

impl SigstoreIdentity {
    pub(super) const EXPECTED: &str = "an e-mail address, a URI or a DNS name, each with at most \
                                       one wildcard as san-email, san-uri and san-dns have it";

    /// Reads a pattern; `None` when it is none of the three kinds.
    pub fn parse(text: &str) -> Option<Self> {
        // A URI may hold an `@`, an address no `://`.
        if text.contains("://") || (is_uri(text) && !text.contains('@')) {
            UriPattern::parse(text).map(SigstoreIdentity::Uri)
        } else if text.contains('@') {
            EmailPattern::parse(text).map(SigstoreIdentity::Email)
        } else {
            DnsPattern::parse(text).map(SigstoreIdentity::Dns)
        }
    }

    /// Whether an identity fits: one of this kind, and of this pattern.
    pub fn matches(&self, identity: &Identity) -> bool {
        match (self, identity) {
            (SigstoreIdentity::Email(pattern), Identity::Email(name)) => pattern.matches(name),
            (SigstoreIdentity::Uri(pattern), Identity::Uri(name)) => pattern.matches(name),
            (SigstoreIdentity::Dns(pattern), Identity::Dns(name)) => pattern.matches(name),
            _ => false,
        }
    }

    /// Whether more than one identity fits.
    pub(super) fn has_wildcard(&self) -> bool {
        match self {
            SigstoreIdentity::Email(pattern) => pattern.has_wildcard(),
            SigstoreIdentity::Uri(pattern) => pattern.has_wildcard(),
            SigstoreIdentity::Dns(pattern) => pattern.has_wildcard(),
        }
    }
}

/// The pattern as the policy writes it.
impl fmt::Display for SigstoreIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SigstoreIdentity::Email(pattern) => pattern.fmt(f),
            SigstoreIdentity::Uri(pattern) => pattern.fmt(f),
            SigstoreIdentity::Dns(pattern) => pattern.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_tells_the_kind() {
        for (text, kind) in [
            ("release@vendor.example", "email"),
            ("*@vendor.example", "email"),
            ("https://github.example/a/b/.github/workflows/x.yml@refs/tags/v1", "uri"),
            ("https://*.vendor.example/build", "uri"),
            ("urn:vendor:build", "uri"),
            ("build.vendor.example", "dns"),
            ("*.vendor.example", "dns"),
        ] {
            let found = match SigstoreIdentity::parse(text) {
                Some(SigstoreIdentity::Email(_)) => "email",
                Some(SigstoreIdentity::Uri(_)) => "uri",
                Some(SigstoreIdentity::Dns(_)) => "dns",
                None => "none",
            };
            assert_eq!(found, kind, "{text}");
            assert_eq!(SigstoreIdentity::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "*", "a b", "*@*", "https://*", "a@b@c", "x*@vendor.example"] {
            assert_eq!(SigstoreIdentity::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_identity_of_another_kind_never_fits() {
        let email = SigstoreIdentity::parse("*@vendor.example").unwrap();
        assert!(email.matches(&Identity::Email("a@vendor.example".to_owned())));
        assert!(!email.matches(&Identity::Email("a@vendor.example.evil.example".to_owned())));
        assert!(!email.matches(&Identity::Uri("a@vendor.example".to_owned())));
        let uri = SigstoreIdentity::parse("https://ci.vendor.example/build").unwrap();
        assert!(uri.matches(&Identity::Uri("https://ci.vendor.example/build".to_owned())));
        assert!(!uri.matches(&Identity::Dns("https://ci.vendor.example/build".to_owned())));
        let dns = SigstoreIdentity::parse("*.vendor.example").unwrap();
        assert!(dns.matches(&Identity::Dns("ci.vendor.example".to_owned())));
        assert!(!dns.matches(&Identity::Email("ci.vendor.example".to_owned())));
    }
}
