//! The grammar: from text to a [`RawPolicy`], whose names are not resolved yet.

use toml::de::DeTable;

use super::dn::DistinguishedName;
use super::error::{Place, PolicyError, PolicyErrorKind};
use super::identity::IdentityRule;
use super::keys::{KeyName, KeySet};
use super::names::{DnsPattern, EmailPattern, is_uri, parse_fingerprint};
use super::pattern::Pattern;
use super::reader::{Table, Text, Value};
use super::sizes::{SIZE, in_range, parse_size};
use super::{ContentRules, IgnoredPaths, ManifestRules, RemoteCode, ResignRules, UnsignedFiles};
use crate::budget::Budget;
use crate::hash::{HashAlgorithm, Sha256Digest};
use crate::pki::{Revocation, RevocationMode};
use crate::time::Span;

/// Bytes of a policy's text, at most.
pub const TEXT_LIMIT: usize = 1 << 20;

const SIGNERS_LIMIT: usize = 64;
const REQUIRE_LIMIT: u64 = 16;
const FILES_LIMIT: u64 = 10_000_000;
const ANNOTATIONS_LIMIT: usize = 64;
const ANNOTATION_KEY_LIMIT: usize = 128;

const SPAN: &str = "a span above zero such as \"400d\", \"12h\", \"30m\" or \"90s\"";

/// Words of a policy that other parts of the appliance define.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// The names of formats that `content.allow` may use.
    pub formats: &'a [&'a str],
}

/// A policy whose grammar is right. Its anchors and key files are only names so far.
#[derive(Clone, Debug)]
pub struct RawPolicy {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) digest: Sha256Digest,
    pub(super) signers: Vec<RawSigner>,
    pub(super) require: usize,
    pub(super) revocation: Revocation,
    pub(super) manifest: ManifestRules,
    pub(super) content: ContentRules,
    pub(super) resign: ResignRules,
    pub(super) budget: Budget,
}

impl RawPolicy {
    /// Reads a policy's text.
    ///
    /// # Errors
    /// The first fault, with line and column: text that is too long or not TOML, keys that are
    /// unknown, missing or of another method, values of a wrong type or out of range, no signer.
    pub fn parse(text: &str, vocabulary: &Vocabulary<'_>) -> Result<Self, PolicyError> {
        let source = Text(text);
        if text.len() > TEXT_LIMIT {
            let kind = PolicyErrorKind::TooLong { bytes: text.len(), limit: TEXT_LIMIT };
            return Err(source.place(0, String::new()).error(kind));
        }
        let document = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let kind = PolicyErrorKind::Syntax(error.message().to_owned());
            source.place(offset, String::new()).error(kind)
        })?;
        document_of(&Table::root(source, document.get_ref()), text, vocabulary)
    }

    /// The key files that the policy names, as it names them: relative to the policy's folder.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        self.signers.iter().filter_map(|signer| match &signer.method {
            RawMethod::Key { file } => Some(file.value.as_str()),
            _ => None,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct RawSigner {
    pub(super) method: RawMethod,
    pub(super) keys: KeySet,
    pub(super) models: Vec<Pattern>,
    pub(super) max_signature_age: Option<Span>,
}

#[derive(Clone, Debug)]
pub(super) enum RawMethod {
    Certificate { anchors: Vec<Located<String>>, identity: IdentityRule },
    Key { file: Located<String> },
    Sigstore { trusted_root: String, identity: String, issuer: String },
}

/// A name and its place, for the errors of the second step.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

fn document_of(
    root: &Table<'_>,
    text: &str,
    vocabulary: &Vocabulary<'_>,
) -> Result<RawPolicy, PolicyError> {
    root.allow_only(&[
        "policy",
        "signer",
        "signatures",
        "revocation",
        "manifest",
        "content",
        "resign",
    ])?;
    let head = root.required("policy", "a table [policy] with id and version")?.table()?;
    head.allow_only(&["id", "version"])?;
    let id = head.required("id", ID)?.parsed(ID, |text| is_id(text).then(|| text.to_owned()))?;
    let version =
        head.required("version", "a whole number from 1")?.integer(1..=i64::MAX as u64)?;
    let mut budget = Budget::default();
    Ok(RawPolicy {
        id,
        version,
        digest: Sha256Digest::of(text.as_bytes()),
        signers: signers(root)?,
        require: require(root)?,
        revocation: revocation(root)?,
        manifest: manifest(root, &mut budget)?,
        content: content(root, vocabulary)?,
        resign: resign(root)?,
        budget,
    })
}

const ID: &str = "1 to 64 characters of a-z, 0-9, `-`, `.` and `_`";

fn is_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

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
const CERTIFICATE_KEYS: &[&str] = &[
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
];
const KEY_KEYS: &[&str] = &["method", "key", "keys", "models"];
const SIGSTORE_KEYS: &[&str] =
    &["method", "trusted-root", "identity", "issuer", "models", "max-signature-age"];

fn signers(root: &Table<'_>) -> Result<Vec<RawSigner>, PolicyError> {
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
    let (method, keys) = method?.choice(&[
        ("certificate", ("certificate", CERTIFICATE_KEYS)),
        ("key", ("key", KEY_KEYS)),
        ("sigstore", ("sigstore", SIGSTORE_KEYS)),
    ])?;
    table.allow_only_of_method(method, SIGNER_KEYS, keys)?;
    let method = match method {
        "certificate" => {
            RawMethod::Certificate { anchors: anchors(table)?, identity: identity(table)? }
        }
        "key" => RawMethod::Key { file: key_file(table)? },
        _ => RawMethod::Sigstore {
            trusted_root: text_of(table, "trusted-root")?,
            identity: text_of(table, "identity")?,
            issuer: text_of(table, "issuer")?,
        },
    };
    Ok(RawSigner {
        method,
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

fn span(table: &Table<'_>, key: &'static str) -> Result<Option<Span>, PolicyError> {
    let read = |text: &str| Span::parse(text).filter(|span| span.seconds > 0);
    table.optional(key).map(|value| value.parsed(SPAN, read)).transpose()
}

/// The table `key` with no other keys than `expected`, if it is there.
fn section<'a>(
    root: &Table<'a>,
    key: &'static str,
    expected: &'static [&'static str],
) -> Result<Option<Table<'a>>, PolicyError> {
    let Some(value) = root.optional(key) else { return Ok(None) };
    let table = value.table()?;
    table.allow_only(expected)?;
    Ok(Some(table))
}

fn require(root: &Table<'_>) -> Result<usize, PolicyError> {
    let Some(table) = section(root, "signatures", &["require"])? else { return Ok(1) };
    let Some(value) = table.optional("require") else { return Ok(1) };
    let number = value.integer(1..=REQUIRE_LIMIT)?;
    usize::try_from(number).map_err(|_| value.wrong("a smaller number"))
}

fn revocation(root: &Table<'_>) -> Result<Revocation, PolicyError> {
    let mut revocation = Revocation { mode: RevocationMode::Require, max_crl_age: None };
    if let Some(table) = section(root, "revocation", &["mode", "max-crl-age"])? {
        if let Some(mode) = table.optional("mode") {
            revocation.mode = mode.choice(&[
                ("require", RevocationMode::Require),
                ("if-available", RevocationMode::IfAvailable),
                ("off", RevocationMode::Off),
            ])?;
        }
        revocation.max_crl_age = span(&table, "max-crl-age")?;
    }
    Ok(revocation)
}

fn manifest(root: &Table<'_>, budget: &mut Budget) -> Result<ManifestRules, PolicyError> {
    const KEYS: &[&str] = &[
        "hashes",
        "unsigned-files",
        "ignored-paths",
        "symlinks",
        "legacy",
        "max-files",
        "max-file-bytes",
        "max-total-bytes",
        "max-bundle-bytes",
    ];
    let mut rules = ManifestRules {
        hashes: vec![HashAlgorithm::Sha256],
        unsigned_files: UnsignedFiles::Reject,
        ignored_paths: IgnoredPaths::LeaveBehind,
        legacy: false,
    };
    let Some(table) = section(root, "manifest", KEYS)? else { return Ok(rules) };
    if let Some(value) = table.optional("hashes") {
        let words = HashAlgorithm::ALL.map(|hash| (hash.name(), hash));
        let list = value.list_or_one("a list of sha256, blake2b and blake3")?;
        rules.hashes = Value::distinct(list, |value| value.choice(&words))?;
    }
    if let Some(value) = table.optional("unsigned-files") {
        rules.unsigned_files = value.choice(&[
            ("reject", UnsignedFiles::Reject),
            ("leave-behind", UnsignedFiles::LeaveBehind),
        ])?;
    }
    if let Some(value) = table.optional("ignored-paths") {
        rules.ignored_paths = value.choice(&[
            ("leave-behind", IgnoredPaths::LeaveBehind),
            ("reject", IgnoredPaths::Reject),
        ])?;
    }
    if let Some(value) = table.optional("symlinks") {
        value.choice(&[("reject", ())])?;
    }
    if let Some(value) = table.optional("legacy") {
        rules.legacy = value.boolean()?;
    }
    if let Some(value) = table.optional("max-files") {
        let files = value.integer(1..=FILES_LIMIT)?;
        budget.resources = usize::try_from(files).map_err(|_| value.wrong("a smaller number"))?;
    }
    for (key, limit) in [
        ("max-file-bytes", &mut budget.file_bytes),
        ("max-total-bytes", &mut budget.total_bytes),
        ("max-bundle-bytes", &mut budget.bundle_bytes),
    ] {
        if let Some(value) = table.optional(key) {
            *limit = match value.integer_if() {
                Some(bytes) => in_range(bytes).ok_or_else(|| value.wrong(SIZE))?,
                None => value.parsed(SIZE, parse_size)?,
            };
        }
    }
    Ok(rules)
}

fn content(root: &Table<'_>, vocabulary: &Vocabulary<'_>) -> Result<ContentRules, PolicyError> {
    const TABLE: &str = "a table [content] with allow = [...], or allow = \"any\" to say that \
                         content is not restricted";
    const ALLOW: &str = "a list of formats, or \"any\"";
    let table = root.required("content", TABLE)?.table()?;
    table.allow_only(&["allow", "remote-code"])?;
    let allow = table.required("allow", ALLOW)?;
    let formats: Vec<(&str, &str)> = vocabulary.formats.iter().map(|name| (*name, *name)).collect();
    let allow = match allow.string_if() {
        Some("any") => None,
        Some(_) => return Err(allow.wrong(ALLOW)),
        None => {
            let names = Value::distinct(allow.list(ALLOW)?, |value| value.choice(&formats))?;
            Some(names.into_iter().map(str::to_owned).collect())
        }
    };
    let remote_code = match table.optional("remote-code") {
        None => RemoteCode::Reject,
        Some(value) => {
            value.choice(&[("reject", RemoteCode::Reject), ("allow", RemoteCode::Allow)])?
        }
    };
    Ok(ContentRules { allow, remote_code })
}

fn resign(root: &Table<'_>) -> Result<ResignRules, PolicyError> {
    const EXPECTED: &str = "a string without control characters";
    let mut rules = ResignRules::default();
    let Some(table) = section(root, "resign", &["annotations"])? else { return Ok(rules) };
    let Some(annotations) = table.optional("annotations") else { return Ok(rules) };
    let annotations = annotations.table()?;
    if annotations.len() > ANNOTATIONS_LIMIT {
        let kind = PolicyErrorKind::TooMany { count: annotations.len(), limit: ANNOTATIONS_LIMIT };
        return Err(annotations.place().error(kind));
    }
    for (key, place, value) in annotations.entries() {
        let fits =
            (1..=ANNOTATION_KEY_LIMIT).contains(&key.len()) && !key.contains(char::is_control);
        if !fits {
            return Err(place.error(PolicyErrorKind::WrongValue {
                found: format!("a key of {} bytes", key.len()),
                expected: format!(
                    "a key of 1 to {ANNOTATION_KEY_LIMIT} bytes without control characters"
                ),
            }));
        }
        let text =
            value.parsed(EXPECTED, |text| (!text.contains(char::is_control)).then_some(text))?;
        rules.annotations.insert(key.to_owned(), text.to_owned());
    }
    Ok(rules)
}
