//! Patterns on URIs: of subjectAltName, of Sigstore identities and of OIDC issuers.

use std::fmt;

use super::names::DnsPattern;

/// A URI, exactly or with `*` for the first label of its host: `https://*.corp.example/build`.
///
/// Scheme and everything behind the host compare exactly, the host without regard to case
/// (RFC 5280, section 7.4). A wildcard admits no user information and no port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UriPattern {
    /// A URI without wildcard.
    Exact(String),
    /// Any host of one more label than the pattern's domain.
    AnyLabel {
        /// The scheme.
        scheme: String,
        /// The host, which begins with `*.`.
        host: DnsPattern,
        /// What follows the host: empty, or beginning with `/`, `?` or `#`.
        rest: String,
    },
}

impl UriPattern {
    pub(super) const EXPECTED: &str = "a URI such as \"https://build.corp.example/ml\", or with \
                                       one `*.` in front of the host: \
                                       \"https://*.corp.example/ml\"";

    /// Reads a pattern; `None` when it is not a URI, or has another wildcard.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.contains('*') {
            return is_uri(text).then(|| UriPattern::Exact(text.to_owned()));
        }
        let Parts { scheme, authority, rest } = Parts::of(text)?;
        let host = DnsPattern::parse(authority).filter(DnsPattern::has_wildcard)?;
        // What the wildcard stands for is checked with the host; nothing else may hold one.
        is_uri(&format!("{scheme}://host{rest}")).then(|| UriPattern::AnyLabel {
            scheme: scheme.to_owned(),
            host,
            rest: rest.to_owned(),
        })
    }

    /// Whether a URI fits.
    pub fn matches(&self, uri: &str) -> bool {
        match self {
            UriPattern::Exact(exact) => match (Parts::of(exact), Parts::of(uri)) {
                (Some(exact), Some(uri)) => {
                    exact.scheme == uri.scheme
                        && exact.same_authority(&uri)
                        && exact.rest == uri.rest
                }
                _ => exact == uri,
            },
            UriPattern::AnyLabel { scheme, host, rest } => Parts::of(uri).is_some_and(|uri| {
                uri.scheme == scheme && host.matches(uri.authority) && uri.rest == rest
            }),
        }
    }

    /// Whether more than one URI fits.
    pub(super) fn has_wildcard(&self) -> bool {
        matches!(self, UriPattern::AnyLabel { .. })
    }
}

/// The pattern as the policy writes it.
impl fmt::Display for UriPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UriPattern::Exact(uri) => f.write_str(uri),
            UriPattern::AnyLabel { scheme, host, rest } => write!(f, "{scheme}://{host}{rest}"),
        }
    }
}

/// A hierarchical URI in its parts (RFC 3986, section 3).
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Option<Self> {
        let (scheme, after) = uri.split_once("://")?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at_checked(end)?;
        Some(Parts { scheme, authority, rest })
    }

    /// Only a plain host is compared without regard to case: user information has one.
    fn same_authority(&self, other: &Parts<'_>) -> bool {
        match DnsPattern::parse(self.authority) {
            Some(host) if !host.has_wildcard() => host.matches(other.authority),
            _ => self.authority == other.authority,
        }
    }
}

/// Whether `text` looks like a URI: a scheme, a colon, and no spaces or wildcards.
pub(super) fn is_uri(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    text.split_once(':').is_some_and(|(name, rest)| scheme(name) && !rest.is_empty())
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_the_first_label_of_the_host() {
        let any = UriPattern::parse("https://*.Corp.example/Build").unwrap();
        assert_eq!(any.to_string(), "https://*.corp.example/Build");
        for (uri, fits) in [
            ("https://ml.corp.example/Build", true),
            ("https://ML.CORP.example/Build", true),
            ("https://corp.example/Build", false),
            ("https://a.b.corp.example/Build", false),
            ("https://ml.corp.example/build", false),
            ("https://ml.corp.example/Build/", false),
            ("https://ml.corp.example/Build?x", false),
            ("https://ml.corp.example", false),
            ("http://ml.corp.example/Build", false),
            ("HTTPS://ml.corp.example/Build", false),
            ("https://ml.corp.example:443/Build", false),
            ("https://user@ml.corp.example/Build", false),
            ("https://evil.example/https://ml.corp.example/Build", false),
            ("https://evil.example/.corp.example/Build", false),
            ("https://evil.example#.corp.example/Build", false),
            ("https://evil.example\\.corp.example/Build", false),
            ("https://*.corp.example/Build", false),
            ("https://.corp.example/Build", false),
            ("https://ml.corp.example./Build", false),
            ("https://ml\0.corp.example/Build", false),
            ("https://ml.corp.example/Build\0", false),
            ("https://xn--ml-1ia.corp.example/Build", false),
            ("https://mü.corp.example/Build", false),
            ("https:ml.corp.example/Build", false),
        ] {
            assert_eq!(any.matches(uri), fits, "{uri:?}");
        }
        let spiffe = UriPattern::parse("spiffe://*.corp.example/x").unwrap();
        assert!(spiffe.matches("spiffe://a.corp.example/x"));
        let bare = UriPattern::parse("https://*.corp.example").unwrap();
        assert!(bare.matches("https://a.corp.example"));
        assert!(!bare.matches("https://a.corp.example/"));
    }

    #[test]
    fn an_exact_uri_folds_the_case_of_its_host_only() {
        let exact = UriPattern::parse("spiffe://corp.example/ml/build").unwrap();
        assert!(exact.matches("spiffe://Corp.Example/ml/build"));
        for other in [
            "spiffe://corp.example/ML/build",
            "spiffe://corp.example/ml/build/",
            "Spiffe://corp.example/ml/build",
            "spiffe://corp.example./ml/build",
            "spiffe://a.corp.example/ml/build",
            "spiffe:corp.example/ml/build",
        ] {
            assert!(!exact.matches(other), "{other}");
        }
        let urn = UriPattern::parse("urn:corp:Build").unwrap();
        assert!(urn.matches("urn:corp:Build") && !urn.matches("urn:corp:build"));
        let with_user = UriPattern::parse("https://Anna@corp.example/x").unwrap();
        assert!(with_user.matches("https://Anna@corp.example/x"));
        assert!(!with_user.matches("https://anna@corp.example/x"));
        let with_port = UriPattern::parse("https://corp.example:8443/x").unwrap();
        assert!(with_port.matches("https://corp.example:8443/x"));
        assert!(!with_port.matches("https://corp.example/x"));
    }

    #[test]
    fn other_wildcards_and_other_texts_are_no_patterns() {
        for bad in [
            "",
            "corp",
            ":x",
            "https:",
            "https://a b",
            "1a:b",
            "*",
            "*://corp.example",
            "https://*",
            "https://*/x",
            "https://*.",
            "https://*.*.example/x",
            "https://a.*.example/x",
            "https://b*.example/x",
            "https://*.corp.example:443/x",
            "https://u@*.corp.example/x",
            "https://*.corp.example/*",
            "https://corp.example/*",
            "https://*.corp.example/a b",
            "urn:*.corp.example",
            "https://*.bücher.example/x",
        ] {
            assert_eq!(UriPattern::parse(bad), None, "{bad}");
        }
    }
}
