//! `[[signer]]`: who may sign.

use super::span;
use crate::policy::dn::DistinguishedName;
use crate::policy::error::{Place, PolicyError, PolicyErrorKind};
use crate::policy::identity::IdentityRule;
use crate::policy::keys::{KeyName, KeySet};
use crate::policy::names::{DnsPattern, EmailPattern, is_uri, parse_fingerprint};
use crate::policy::pattern::Pattern;
use crate::policy::reader::{Table, Value};
use crate::time::Span;

const SIGNERS_LIMIT: usize = 64;

#[derive(Clone, Debug)]
pub(in crate::policy) struct RawSigner {
    pub(in crate::policy) method: RawMethod,
    pub(in crate::policy) keys: KeySet,
    pub(in crate::policy) models: Vec<Pattern>,
    pub(in crate::policy) max_signature_age: Option<Span>,
}

#[derive(Clone, Debug)]
pub(in crate::policy) enum RawMethod {
    Certificate { anchors: Vec<Located<String>>, identity: IdentityRule },
    Key { file: Located<String> },
    Sigstore { trusted_root: String, identity: String, issuer: String },
}

/// A name and its place, for the errors of the second step.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Located<T> {
    pub(in crate::policy) value: T,
    pub(in crate::policy) place: Place,
}

/// The keys of all methods together.
const SIGNER_KEYS: &[&str] = &[
    "method",
    "anchors",
    "san-email",
    "san-uri",
    "san-dns",
    "subject",
    "issuer",
    "fingerprint",
    "key",
    "trusted-root",
    "identity",
    "keys",
    "models",
    "max-signature-age",
];
/// What a method's name in a policy stands for.
#[derive(Clone, Copy)]
struct Grammar {
    name: &'static str,
    /// The keys that belong to the method.
    keys: &'static [&'static str],
    read: fn(&Table<'_>) -> Result<RawMethod, PolicyError>,
}

const CERTIFICATE: Grammar = Grammar {
    name: "certificate",
    keys: &[
        "method",
        "anchors",
        "san-email",
        "san-uri",
        "san-dns",
        "subject",
        "issuer",
        "fingerprint",
        "keys",
        "models",
        "max-signature-age",
    ],
    read: |table| {
        Ok(RawMethod::Certificate { anchors: anchors(table)?, identity: identity(table)? })
    },
};

const KEY: Grammar = Grammar {
    name: "key",
    // No age: a bare key has no date from which one could count.
    keys: &["method", "key", "keys", "models"],
    read: |table| Ok(RawMethod::Key { file: key_file(table)? }),
};

const SIGSTORE: Grammar = Grammar {
    name: "sigstore",
    keys: &["method", "trusted-root", "identity", "issuer", "models", "max-signature-age"],
    read: |table| {
        Ok(RawMethod::Sigstore {
            trusted_root: text_of(table, "trusted-root")?,
            identity: text_of(table, "identity")?,
            issuer: text_of(table, "issuer")?,
        })
    },
};

/// Every `[[signer]]`, at least one.
pub(super) fn signers(root: &Table<'_>) -> Result<Vec<RawSigner>, PolicyError> {
    let Some(list) = root.optional("signer") else {
        return Err(root.place().error(PolicyErrorKind::NoSigner));
    };
    let place = list.place();
    let list = list.list("tables [[signer]]")?;
    if list.is_empty() {
        return Err(place.error(PolicyErrorKind::NoSigner));
    }
    if list.len() > SIGNERS_LIMIT {
        let kind = PolicyErrorKind::TooMany { count: list.len(), limit: SIGNERS_LIMIT };
        return Err(place.error(kind));
    }
    list.iter().map(|value| signer(&value.table()?)).collect()
}

fn signer(table: &Table<'_>) -> Result<RawSigner, PolicyError> {
    let method = table.required("method", "\"certificate\", \"key\" or \"sigstore\"");
    // An unknown key says more than the missing method that it may have meant.
    table.allow_only(SIGNER_KEYS)?;
    let grammar = method?.choice(&[CERTIFICATE, KEY, SIGSTORE].map(|g| (g.name, g)))?;
    table.allow_only_of_method(grammar.name, SIGNER_KEYS, grammar.keys)?;
    Ok(RawSigner {
        method: (grammar.read)(table)?,
        keys: key_set(table)?,
        models: models(table)?,
        max_signature_age: span(table, "max-signature-age")?,
    })
}

fn anchors(table: &Table<'_>) -> Result<Vec<Located<String>>, PolicyError> {
    const EXPECTED: &str = "a list of the names of installed anchors";
    let list = table.required("anchors", EXPECTED)?.list_or_one(EXPECTED)?;
    let places: Vec<Place> = list.iter().map(Value::place).collect();
    let names =
        Value::distinct(list, |value| Ok(value.string("the name of an anchor")?.to_owned()))?;
    Ok(names.into_iter().zip(places).map(|(value, place)| Located { value, place }).collect())
}

fn identity(table: &Table<'_>) -> Result<IdentityRule, PolicyError> {
    Ok(IdentityRule {
        san_email: many(table, "san-email", EmailPattern::EXPECTED, EmailPattern::parse)?,
        san_uri: many(table, "san-uri", "a URI, matched exactly", |text| {
            is_uri(text).then(|| text.to_owned())
        })?,
        san_dns: many(table, "san-dns", DnsPattern::EXPECTED, DnsPattern::parse)?,
        subject: many(table, "subject", DistinguishedName::EXPECTED, DistinguishedName::parse)?,
        issuer: many(table, "issuer", DistinguishedName::EXPECTED, DistinguishedName::parse)?,
        fingerprint: many(
            table,
            "fingerprint",
            "the SHA-256 of a certificate in hexadecimal",
            parse_fingerprint,
        )?,
    })
}

/// What `read` makes of a string or of each string of a list; nothing when the key is absent.
fn many<T: Ord + Clone>(
    table: &Table<'_>,
    key: &'static str,
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, PolicyError> {
    let Some(value) = table.optional(key) else { return Ok(Vec::new()) };
    let list = value.list_or_one(&format!("{expected}, or a list of such"))?;
    Value::distinct(list, |value| value.parsed(expected, &read))
}

fn key_file(table: &Table<'_>) -> Result<Located<String>, PolicyError> {
    const EXPECTED: &str = "the name of a PEM file, relative to the policy and without `..`";
    let value = table.required("key", EXPECTED)?;
    let file = value.parsed(EXPECTED, |text| is_relative(text).then(|| text.to_owned()))?;
    Ok(Located { value: file, place: value.place() })
}

fn is_relative(path: &str) -> bool {
    let component = |name: &str| !matches!(name, "" | "." | "..");
    path.split('/').all(component) && !path.chars().any(char::is_control)
}

fn text_of(table: &Table<'_>, key: &'static str) -> Result<String, PolicyError> {
    const EXPECTED: &str = "a string that is not empty";
    let fits = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    table.required(key, EXPECTED)?.parsed(EXPECTED, |text| fits(text).then(|| text.to_owned()))
}

fn key_set(table: &Table<'_>) -> Result<KeySet, PolicyError> {
    let Some(value) = table.optional("keys") else { return Ok(KeySet::default()) };
    let list = value.list_or_one("a list of P-256, P-384, P-521, Ed25519 and RSA")?;
    Value::distinct(list, |value| value.choice(&KeyName::WORDS)).map(KeySet::new)
}

fn models(table: &Table<'_>) -> Result<Vec<Pattern>, PolicyError> {
    many(table, "models", "a pattern on a model's name, `*` for any characters", Pattern::parse)
}
