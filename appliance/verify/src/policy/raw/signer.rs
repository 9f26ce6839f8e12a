//! `[[signer]]`: who may sign.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ANY_POLICY};

use super::span;
use crate::pki::InitialPolicies;
use crate::policy::dn::DistinguishedName;
use crate::policy::error::{Place, PolicyError, PolicyErrorKind};
use crate::policy::identity::IdentityRule;
use crate::policy::keys::{KeyName, KeySet};
use crate::policy::names::{DnsPattern, EmailPattern, parse_fingerprint};
use crate::policy::pattern::Pattern;
use crate::policy::reader::{Table, Value};
use crate::policy::sigstore::SigstoreIdentity;
use crate::policy::uri::UriPattern;
use crate::time::Span;

const SIGNERS_LIMIT: usize = 64;

#[derive(Clone, Debug)]
pub(in crate::policy) struct RawSigner {
    pub(in crate::policy) method: RawMethod,
    pub(in crate::policy) keys: KeySet,
    pub(in crate::policy) policies: Option<InitialPolicies>,
    pub(in crate::policy) models: Vec<Pattern>,
    pub(in crate::policy) max_signature_age: Option<Located<Span>>,
}

#[derive(Clone, Debug)]
pub(in crate::policy) enum RawMethod {
    Certificate { anchors: Vec<Located<String>>, identity: IdentityRule },
    Key { file: Located<String> },
    Sigstore { trusted_root: Located<String>, identity: SigstoreIdentity, issuer: UriPattern },
}

/// A value and its place, for the errors of the second step.
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
    "key-fingerprint",
    "certificate-policies",
    "extended-key-usage",
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
        "key-fingerprint",
        "certificate-policies",
        "extended-key-usage",
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
    keys: &["method", "key", "keys", "models", "max-signature-age"],
    read: |table| Ok(RawMethod::Key { file: key_file(table)? }),
};

const SIGSTORE: Grammar = Grammar {
    name: "sigstore",
    keys: &["method", "trusted-root", "identity", "issuer", "keys", "models", "max-signature-age"],
    read: |table| {
        Ok(RawMethod::Sigstore {
            trusted_root: name_of(table, "trusted-root", "the name of a trusted root")?,
            identity: table
                .required("identity", SigstoreIdentity::EXPECTED)?
                .parsed(SigstoreIdentity::EXPECTED, SigstoreIdentity::parse)?,
            issuer: table
                .required("issuer", UriPattern::EXPECTED)?
                .parsed(UriPattern::EXPECTED, UriPattern::parse)?,
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

/// One signer, of a model or of an attestation.
pub(super) fn signer(table: &Table<'_>) -> Result<RawSigner, PolicyError> {
    let method = table.required("method", "\"certificate\", \"key\" or \"sigstore\"");
    // An unknown key says more than the missing method that it may have meant.
    table.allow_only(SIGNER_KEYS)?;
    let grammar = method?.choice(&[CERTIFICATE, KEY, SIGSTORE].map(|g| (g.name, g)))?;
    table.allow_only_of_method(grammar.name, SIGNER_KEYS, grammar.keys)?;
    Ok(RawSigner {
        method: (grammar.read)(table)?,
        keys: key_set(table)?,
        policies: certificate_policies(table)?,
        models: models(table)?,
        max_signature_age: span(table, "max-signature-age")?,
    })
}

const ANCHORS: &str = "a list of the names of installed anchors";

fn anchors(table: &Table<'_>) -> Result<Vec<Located<String>>, PolicyError> {
    names_of_anchors(table.required("anchors", ANCHORS)?)
}

/// The names of anchors, each once; at least one.
pub(super) fn names_of_anchors(value: Value<'_>) -> Result<Vec<Located<String>>, PolicyError> {
    let list = value.list_or_one(ANCHORS)?;
    let places: Vec<Place> = list.iter().map(Value::place).collect();
    let names =
        Value::distinct(list, |value| Ok(value.string("the name of an anchor")?.to_owned()))?;
    Ok(names.into_iter().zip(places).map(|(value, place)| Located { value, place }).collect())
}

fn identity(table: &Table<'_>) -> Result<IdentityRule, PolicyError> {
    Ok(IdentityRule {
        san_email: many(table, "san-email", EmailPattern::EXPECTED, EmailPattern::parse)?,
        san_uri: many(table, "san-uri", UriPattern::EXPECTED, UriPattern::parse)?,
        san_dns: many(table, "san-dns", DnsPattern::EXPECTED, DnsPattern::parse)?,
        subject: many(table, "subject", DistinguishedName::EXPECTED, DistinguishedName::parse)?,
        issuer: many(table, "issuer", DistinguishedName::EXPECTED, DistinguishedName::parse)?,
        fingerprint: many(
            table,
            "fingerprint",
            "the SHA-256 of a certificate in hexadecimal",
            parse_fingerprint,
        )?,
        key_fingerprint: many(
            table,
            "key-fingerprint",
            "the SHA-256 of a SubjectPublicKeyInfo in hexadecimal",
            parse_fingerprint,
        )?,
        extended_key_usage: many(table, "extended-key-usage", OID, parse_oid)?,
    })
}

/// One of the policies must be valid for the path, and no path is valid without one.
fn certificate_policies(table: &Table<'_>) -> Result<Option<InitialPolicies>, PolicyError> {
    let acceptable = many(table, "certificate-policies", OID, parse_oid)?;
    let policies =
        InitialPolicies { acceptable, require_explicit: true, ..InitialPolicies::default() };
    Ok((!policies.acceptable.is_empty()).then_some(policies))
}

const OID: &str = "an object identifier such as \"1.3.6.1.4.1.99999.1\", and not the one for any";

/// An object identifier, but for anyPolicy and anyExtendedKeyUsage (RFC 5280, sections 4.2.1.4
/// and 4.2.1.12), which would ask for nothing.
fn parse_oid(text: &str) -> Option<ObjectIdentifier> {
    let any = [ANY_POLICY, ANY_EXTENDED_KEY_USAGE];
    ObjectIdentifier::new(text).ok().filter(|oid| !any.contains(oid))
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

fn name_of(
    table: &Table<'_>,
    key: &'static str,
    expected: &'static str,
) -> Result<Located<String>, PolicyError> {
    let value = table.required(key, expected)?;
    Ok(Located { value: value.string(expected)?.to_owned(), place: value.place() })
}

fn key_set(table: &Table<'_>) -> Result<KeySet, PolicyError> {
    let Some(value) = table.optional("keys") else { return Ok(KeySet::default()) };
    let list = value.list_or_one("a list of P-256, P-384, P-521, Ed25519, RSA and RSA-2048")?;
    Value::distinct(list, |value| value.choice(&KeyName::WORDS)).map(KeySet::new)
}

fn models(table: &Table<'_>) -> Result<Vec<Pattern>, PolicyError> {
    many(table, "models", "a pattern on a model's name, `*` for any characters", Pattern::parse)
}
