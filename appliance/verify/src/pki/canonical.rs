//! Distinguished names in a form that compares in one pass (RFC 5280, section 7.1).
//!
//! Case and runs of spaces do not count, nor does the string type. Names are brought into this
//! form once, when they are read, so that a hostile chain of long names stays cheap to search.

use der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::{Any, Encode, Tag, Tagged};
use x509_cert::name::Name;

use const_oid::ObjectIdentifier;

use crate::hash::Sha256Digest;

/// A distinguished name for comparing. Two are equal when RFC 5280 says that the names match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CanonicalName(Vec<Vec<(ObjectIdentifier, Value)>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// A string, folded.
    Text(String),
    /// Anything else: its tag and bytes as they are.
    Raw(Tag, Vec<u8>),
}

impl CanonicalName {
    /// Brings `name` into the form.
    pub(super) fn new(name: &Name) -> Self {
        let relative_names = name.iter_rdn().map(|attributes| {
            let mut values: Vec<_> = attributes
                .iter()
                .map(|attribute| (attribute.oid, value(&attribute.value)))
                .collect();
            // The order of a set follows the bytes before they were folded.
            values.sort();
            values
        });
        CanonicalName(relative_names.collect())
    }

    /// SHA-256 of the form: matching names have one digest, on every station and at any time.
    pub(super) fn digest(&self) -> Sha256Digest {
        let mut bytes = Vec::new();
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        for relative_name in &self.0 {
            put(&(relative_name.len() as u64).to_be_bytes());
            for (oid, value) in relative_name {
                put(oid.as_bytes());
                match value {
                    Value::Text(text) => {
                        put(&[]);
                        put(text.as_bytes());
                    }
                    Value::Raw(tag, raw) => {
                        put(&tag.to_der().unwrap_or_default());
                        put(raw);
                    }
                }
            }
        }
        Sha256Digest::of(&bytes)
    }
}

fn value(any: &Any) -> Value {
    let text = match any.tag() {
        Tag::Utf8String => {
            any.decode_as::<Utf8StringRef<'_>>().ok().map(|text| fold(text.as_str()))
        }
        Tag::PrintableString => {
            any.decode_as::<PrintableStringRef<'_>>().ok().map(|text| fold(text.as_str()))
        }
        Tag::Ia5String => any.decode_as::<Ia5StringRef<'_>>().ok().map(|text| fold(text.as_str())),
        _ => None,
    };
    text.map_or_else(|| Value::Raw(any.tag(), any.value().to_vec()), Value::Text)
}

/// Lower case, no spaces at the ends, single spaces between words.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> CanonicalName {
        CanonicalName::new(&Name::from_str(text).unwrap())
    }

    #[test]
    fn case_and_spaces_do_not_count() {
        assert_eq!(name("CN=Corp  Root,O=Example"), name("CN=corp root,O=EXAMPLE"));
        assert_eq!(name("CN=Ärger"), name("CN=äRGER"));
        assert_eq!(name("CN=A+CN=b"), name("CN=a+CN=B"));
    }

    #[test]
    fn everything_else_counts() {
        let one = name("CN=Corp Root,O=Example");
        for other in [
            "CN=CorpRoot,O=Example",
            "O=Example,CN=Corp Root",
            "CN=Corp Root",
            "CN=Corp Root+O=Example",
            "OU=Corp Root,O=Example",
        ] {
            assert_ne!(one, name(other), "{other}");
        }
    }
}
