//! Distinguished names in a form that compares in one pass (RFC 5280, section 7.1).
//!
//! Case and runs of spaces do not count, nor does the string type. Names are brought into this
//! form once, when they are read, so that a hostile chain of long names stays cheap to search.

use der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::{Any, Encode, Tag, Tagged};
use x509_cert::name::Name;

use sha2::{Digest, Sha256};

use crate::hash::Sha256Digest;

/// A distinguished name for comparing. Two are equal when RFC 5280 says that the names match.
///
/// Only a digest is kept: names of any length compare in the same short time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CanonicalName(Sha256Digest);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// A string, folded.
    Text(String),
    /// Anything else: its DER as it is.
    Raw(Vec<u8>),
}

impl CanonicalName {
    /// Brings `name` into the form.
    pub(super) fn new(name: &Name) -> Self {
        let mut hasher = Sha256::new();
        for attributes in name.iter_rdn() {
            let mut values: Vec<_> = attributes
                .iter()
                .map(|attribute| (attribute.oid, value(&attribute.value)))
                .collect();
            // The order of a set follows the bytes before they were folded.
            values.sort();
            add(&mut hasher, b"relative name", &[]);
            for (oid, value) in &values {
                add(&mut hasher, b"type", oid.as_bytes());
                match value {
                    Value::Text(text) => add(&mut hasher, b"text", text.as_bytes()),
                    Value::Raw(der) => add(&mut hasher, b"der", der),
                }
            }
        }
        CanonicalName(Sha256Digest(hasher.finalize().into()))
    }

    /// SHA-256 of the form: matching names have one digest, on every station and at any time.
    pub(super) fn digest(&self) -> Sha256Digest {
        self.0
    }
}

/// Adds a part so that no two sequences of parts give the same bytes.
fn add(hasher: &mut Sha256, kind: &[u8], bytes: &[u8]) {
    for part in [kind, bytes] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
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
    // What was read from DER can be written as DER again.
    text.map_or_else(|| Value::Raw(any.to_der().unwrap_or_default()), Value::Text)
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
