//! Patterns on the alternative names of a certificate (RFC 5280, section 4.2.1.6).
//!
//! A wildcard stands for one whole part at the front and nothing else, so that a pattern never
//! admits a name of another domain. The wildcard here is the policy's; for one in a certificate,
//! which names a web server, see [`Certificate::has_name`](crate::pki::Certificate::has_name).

use std::fmt;

use crate::hash::Sha256Digest;

/// An e-mail address: `build@ml.corp.example`, or `*@ml.corp.example` for any mailbox there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmailPattern {
    /// `None` for any mailbox.
    local: Option<String>,
    domain: String,
}

impl EmailPattern {
    pub(super) const EXPECTED: &str =
        "an e-mail address such as \"build@corp.example\", or \"*@corp.example\"";

    /// Reads a pattern; `None` when it is not an address, or has another wildcard.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let local = match local {
            "*" => None,
            local if is_local_part(local) => Some(local.to_owned()),
            _ => return None,
        };
        is_domain(domain).then(|| EmailPattern { local, domain: domain.to_ascii_lowercase() })
    }

    /// Whether a certificate's rfc822Name fits. The domain compares without regard to case, the
    /// mailbox exactly; a quoted mailbox never fits.
    pub fn matches(&self, name: &str) -> bool {
        let Some((local, domain)) = name.split_once('@') else { return false };
        domain.eq_ignore_ascii_case(&self.domain)
            && match &self.local {
                None => is_local_part(local),
                Some(exact) => local == exact,
            }
    }

    /// Whether more than one address fits.
    pub(super) fn has_wildcard(&self) -> bool {
        self.local.is_none()
    }
}

impl fmt::Display for EmailPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local.as_deref().unwrap_or("*"), self.domain)
    }
}

/// A DNS name: `build.corp.example`, or `*.corp.example` for any one label in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsPattern {
    any_label: bool,
    domain: String,
}

impl DnsPattern {
    pub(super) const EXPECTED: &str =
        "a DNS name such as \"build.corp.example\", or \"*.corp.example\"";

    /// Reads a pattern; `None` when it is not a DNS name, or has another wildcard.
    pub fn parse(text: &str) -> Option<Self> {
        let (any_label, domain) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        is_domain(domain).then(|| DnsPattern { any_label, domain: domain.to_ascii_lowercase() })
    }

    /// Whether a certificate's dNSName fits, without regard to case. A wildcard in the
    /// certificate is not a name and never fits, and no wildcard of the policy stands for an
    /// internationalised label, which may look like another (RFC 5890, section 2.3.2.1).
    pub fn matches(&self, name: &str) -> bool {
        if !self.any_label {
            return name.eq_ignore_ascii_case(&self.domain);
        }
        name.split_once('.').is_some_and(|(label, domain)| {
            is_label(label)
                && !is_internationalised(label)
                && domain.eq_ignore_ascii_case(&self.domain)
        })
    }

    /// Whether more than one name fits.
    pub(super) fn has_wildcard(&self) -> bool {
        self.any_label
    }
}

impl fmt::Display for DnsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.any_label { "*." } else { "" }, self.domain)
    }
}

/// Reads a SHA-256 fingerprint in hexadecimal of either case, with colons between all bytes or
/// with none.
pub(super) fn parse_fingerprint(text: &str) -> Option<Sha256Digest> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains(':') {
        return Sha256Digest::from_hex(&lower);
    }
    let bytes: Vec<&str> = lower.split(':').collect();
    if bytes.iter().any(|byte| byte.len() != 2) {
        return None;
    }
    Sha256Digest::from_hex(&bytes.concat())
}

/// The dot-atom of RFC 5322, section 3.2.3, without `*`.
fn is_local_part(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-/=?^_`{|}~.".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a label begins as A-labels do.
fn is_internationalised(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_wildcard_stands_for_the_mailbox_and_never_for_the_domain() {
        let any = EmailPattern::parse("*@ML.corp.example").unwrap();
        for (name, fits) in [
            ("build@ml.corp.example", true),
            ("build.x+y@ML.CORP.EXAMPLE", true),
            ("build@corp.example", false),
            ("build@x.ml.corp.example", false),
            ("build@evilml.corp.example", false),
            ("@ml.corp.example", false),
            ("ml.corp.example", false),
            ("\"a\"@ml.corp.example", false),
            ("a@evil.example@ml.corp.example", false),
            ("a@ml.corp.example@evil.example", false),
            ("a\0b@ml.corp.example", false),
            ("*@ml.corp.example", false),
            ("build@ml.corp.example.", false),
            ("build@ml.corp.example\0", false),
            ("büild@ml.corp.example", false),
        ] {
            assert_eq!(any.matches(name), fits, "{name:?}");
        }
    }

    #[test]
    fn an_exact_email_compares_the_mailbox_exactly() {
        let exact = EmailPattern::parse("Build@corp.example").unwrap();
        assert!(exact.matches("Build@CORP.example"));
        assert!(!exact.matches("build@corp.example"));
        assert!(!exact.matches("xBuild@corp.example"));
    }

    #[test]
    fn a_dns_wildcard_stands_for_exactly_one_label() {
        let any = DnsPattern::parse("*.corp.example").unwrap();
        for (name, fits) in [
            ("build.corp.example", true),
            ("BUILD.Corp.example", true),
            ("corp.example", false),
            ("a.b.corp.example", false),
            ("*.corp.example", false),
            (".corp.example", false),
            ("a b.corp.example", false),
            ("build.evil.example", false),
            ("build.corp.example.", false),
            ("build.corp.example\0", false),
            ("bu\0ild.corp.example", false),
            ("xn--bild-0qa.corp.example", false),
            ("XN--bild-0qa.corp.example", false),
            ("büild.corp.example", false),
        ] {
            assert_eq!(any.matches(name), fits, "{name:?}");
        }
        let exact = DnsPattern::parse("corp.example").unwrap();
        assert!(exact.matches("CORP.example"));
        assert!(!exact.matches("a.corp.example"));
    }

    #[test]
    fn other_wildcards_are_no_patterns() {
        for bad in [
            "",
            "@",
            "*",
            "a@",
            "@a",
            "b*@corp.example",
            "*@*.example",
            "*@",
            "a@b@c",
            "a b@c",
            "*@corp..example",
        ] {
            assert_eq!(EmailPattern::parse(bad), None, "{bad}");
        }
        for bad in ["", "*", "*.", "*.*.example", "a.*.example", "b*.example", "a..b", ".a", "a."] {
            assert_eq!(DnsPattern::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn fingerprints_have_colons_everywhere_or_nowhere() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(parse_fingerprint(&plain), Some(Sha256Digest([0xab; 32])));
        assert_eq!(parse_fingerprint(&colons), Some(Sha256Digest([0xab; 32])));
        for bad in [
            "",
            "ab",
            &plain[1..],
            &format!("a:{}", &plain[1..]),
            &colons[3..],
            &format!("{colons}:"),
        ] {
            assert_eq!(parse_fingerprint(bad), None, "{bad}");
        }
    }
}
