//! Distinguished names as a policy writes them (RFC 4514), and how they compare with a
//! certificate's (RFC 5280, section 7.1).

use std::fmt;

use const_oid::ObjectIdentifier;
use der::asn1::{Any, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::{Tag, Tagged};
use x509_cert::name::Name;

/// The short names of attribute types: those of RFC 4514, section 3, and four that certificates
/// often have. Others are written as dotted identifiers.
const ATTRIBUTE_TYPES: [(&str, ObjectIdentifier); 13] = [
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("C", ObjectIdentifier::new_unwrap("2.5.4.6")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("DC", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25")),
    ("UID", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1")),
    ("serialNumber", ObjectIdentifier::new_unwrap("2.5.4.5")),
    ("title", ObjectIdentifier::new_unwrap("2.5.4.12")),
    ("organizationIdentifier", ObjectIdentifier::new_unwrap("2.5.4.97")),
    ("emailAddress", EMAIL_ADDRESS),
];

const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// A whole distinguished name that a policy gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistinguishedName {
    text: String,
    rdns: Vec<Rdn>,
}

/// A relative distinguished name: types and normalised values, sorted.
type Rdn = Vec<(ObjectIdentifier, String)>;

impl DistinguishedName {
    pub(super) const EXPECTED: &str = "a distinguished name such as \"CN=ML signer,OU=ML,O=Corp,C=DE\" (RFC 4514, last part first)";

    /// Reads RFC 4514: the most specific part first, `\` before special characters. Spaces
    /// around separators do not count; values in the form `#hex` are not read.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rdns = Vec::new();
        let mut rdn = Rdn::new();
        let mut rest = text;
        loop {
            let (kind, after) = rest.split_once('=')?;
            let (value, after) = attribute_value(after)?;
            rdn.push((attribute_type(kind.trim_matches(' '))?, value));
            let mut after = after.chars();
            let separator = after.next();
            if separator != Some('+') {
                rdn.sort();
                rdns.push(std::mem::take(&mut rdn));
            }
            if separator.is_none() {
                break;
            }
            rest = after.as_str();
        }
        rdns.reverse();
        Some(DistinguishedName { text: text.to_owned(), rdns })
    }

    /// Whether `name` has the same attributes in the same order.
    ///
    /// Letters of ASCII match in either case and runs of spaces count as one, whatever string
    /// type the certificate uses. A name with an attribute that is not a PrintableString,
    /// UTF8String or IA5String equals no name of a policy.
    pub fn matches(&self, name: &Name) -> bool {
        let mut rdns = Vec::with_capacity(name.len());
        for rdn in name.iter_rdn() {
            let attributes: Option<Rdn> = rdn
                .iter()
                .map(|attribute| Some((attribute.oid, normalised(string_of(&attribute.value)?))))
                .collect();
            let Some(mut attributes) = attributes else { return false };
            attributes.sort();
            rdns.push(attributes);
        }
        self.rdns == rdns
    }
}

/// The name as the policy writes it.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name's text for telling persons apart: names that match under RFC 5280, section 7.1, have one
/// text. Different names may have one as well.
pub(super) fn folded(name: &Name) -> String {
    let rdns = name.iter_rdn().map(|rdn| {
        let attributes = rdn.iter().map(|attribute| {
            let value = match string_of(&attribute.value) {
                Some(text) => normalised(text).to_lowercase(),
                None => format!("#{:x?}", attribute.value.value()),
            };
            format!("{}={value}", attribute.oid)
        });
        let mut attributes: Vec<String> = attributes.collect();
        attributes.sort();
        attributes.join("+")
    });
    rdns.collect::<Vec<_>>().join(",")
}

/// The e-mail addresses that a name has as attributes (RFC 5280, section 4.1.2.6).
pub(super) fn email_addresses(name: &Name) -> impl Iterator<Item = &str> {
    let attributes = name.iter_rdn().flat_map(|rdn| rdn.iter());
    attributes
        .filter(|attribute| attribute.oid == EMAIL_ADDRESS)
        .filter_map(|attribute| string_of(&attribute.value))
}

fn attribute_type(text: &str) -> Option<ObjectIdentifier> {
    let known = ATTRIBUTE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|(_, oid)| *oid).or_else(|| ObjectIdentifier::new(text).ok())
}

/// Takes a value off the front of `text`; the rest is empty or begins with `,` or `+`.
fn attribute_value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches(' ');
    if text.starts_with('#') {
        return None;
    }
    let mut bytes = Vec::new();
    // Bytes up to here count even when they are spaces.
    let mut significant = 0;
    let mut chars = text.chars();
    let mut rest = chars.as_str();
    while let Some(c) = chars.next() {
        match c {
            ',' | '+' => break,
            ' ' => bytes.push(b' '),
            '"' | ';' | '<' | '>' => return None,
            c if c.is_control() => return None,
            '\\' => {
                bytes.push(escaped(&mut chars)?);
                significant = bytes.len();
            }
            c => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                significant = bytes.len();
            }
        }
        rest = chars.as_str();
    }
    bytes.truncate(significant);
    let value = normalised(std::str::from_utf8(&bytes).ok()?);
    (!value.is_empty()).then_some((value, rest))
}

/// What follows a `\`: a special character, or a byte in hexadecimal (RFC 4514, section 2.4).
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<u8> {
    let first = chars.next()?;
    if let Some(high) = first.to_digit(16) {
        let low = chars.next()?.to_digit(16)?;
        return u8::try_from(high << 4 | low).ok();
    }
    "\"+,;<> #=\\".contains(first).then(|| u8::try_from(first).ok()).flatten()
}

fn string_of(value: &Any) -> Option<&str> {
    match value.tag() {
        Tag::Utf8String => Utf8StringRef::try_from(value).ok().map(|s| s.as_str()),
        Tag::PrintableString => PrintableStringRef::try_from(value).ok().map(|s| s.as_str()),
        Tag::Ia5String => Ia5StringRef::try_from(value).ok().map(|s| s.as_str()),
        _ => None,
    }
}

/// Lower case in ASCII, no spaces around, one space between words. Only the space itself is
/// folded: a name with a tab or a NUL in it equals no other.
fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn matches(policy: &str, certificate: &str) -> bool {
        let name = Name::from_str(certificate).unwrap();
        DistinguishedName::parse(policy).unwrap().matches(&name)
    }

    #[test]
    fn a_name_matches_whatever_its_case_and_spacing() {
        let certificate = "CN=ML Signer,O=Corp,C=DE";
        for policy in [
            "CN=ML Signer,O=Corp,C=DE",
            "cn=ml signer, o=CORP , c=de",
            "2.5.4.3=ML  Signer,O=Corp,C=DE",
            "CN=ML\\20Signer,O=\\43orp,C=DE",
        ] {
            assert!(matches(policy, certificate), "{policy}");
        }
    }

    #[test]
    fn every_attribute_and_the_order_count() {
        let certificate = "CN=ML Signer,O=Corp,C=DE";
        for policy in [
            "CN=ML Signer",
            "CN=ML Signer,O=Corp",
            "O=Corp,C=DE",
            "C=DE,O=Corp,CN=ML Signer",
            "OU=ML Signer,O=Corp,C=DE",
            "CN=MLSigner,O=Corp,C=DE",
            "CN=ML Signer,O=Corp,C=DE,C=DE",
            "CN=ML Signer+O=Corp,C=DE",
        ] {
            assert!(!matches(policy, certificate), "{policy}");
        }
        assert!(matches("O=Corp+CN=a", "CN=a+O=Corp"));
        // DER sorts the shorter attribute to the front, whatever its type.
        assert!(matches("CN=a longer one+O=a", "CN=a longer one+O=a"));
    }

    #[test]
    fn special_characters_are_escaped() {
        assert!(matches("CN=Corp\\, Inc.", "CN=Corp\\, Inc."));
        assert!(matches("CN=a/b=c", "CN=a/b=c"));
        assert!(matches("CN=\\C3\\A9", "CN=é"));
        assert!(!matches("CN=É", "CN=é"), "only ASCII folds");
    }

    #[test]
    fn what_is_not_rfc_4514_is_no_name() {
        for text in [
            "",
            "CN",
            "CN=",
            "CN= ",
            "=a",
            "XX=a",
            "CN=a,",
            "CN=a,,O=b",
            "CN=a;O=b",
            "CN=\"a\"",
            "CN=#0c0161",
            "CN=a\\",
            "CN=a\\zz",
            "CN=a\\4",
            "CN=\\ff",
            "CN=a<b",
            "CN=a\nb",
            "CN=a+",
            "99.1=a",
        ] {
            assert_eq!(DistinguishedName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_string_type_that_is_not_read_matches_nothing() {
        // CN as a TeletexString `a`.
        let name = Name::from_str("CN=#140161").unwrap();
        assert!(!DistinguishedName::parse("CN=a").unwrap().matches(&name));
        // The same as a PrintableString.
        let name = Name::from_str("CN=#130161").unwrap();
        assert!(DistinguishedName::parse("CN=a").unwrap().matches(&name));
    }
}
