//! The small tables that a policy has once: `[signatures]`, `[revocation]`, `[manifest]` and
//! `[resign]`.

use super::{Located, span};
use crate::budget::Budget;
use crate::hash::HashAlgorithm;
use crate::pki::{Revocation, RevocationMode};
use crate::policy::error::{Place, PolicyError, PolicyErrorKind};
use crate::policy::reader::{Table, Value};
use crate::policy::sizes::{SIZE, in_range, parse_size};
use crate::policy::{IgnoredPaths, ManifestRules, ResignRules, UnsignedFiles};

const REQUIRE_LIMIT: u64 = 16;
const FILES_LIMIT: u64 = 10_000_000;
const ANNOTATIONS_LIMIT: usize = 64;
const ANNOTATION_KEY_LIMIT: usize = 128;

/// `signatures.require`; one when absent.
pub(super) fn require(root: &Table<'_>) -> Result<Located<usize>, PolicyError> {
    let one = || Located { value: 1, place: Place::start() };
    let Some(table) = section(root, "signatures", &["require"])? else { return Ok(one()) };
    let Some(value) = table.optional("require") else { return Ok(one()) };
    let number = value.integer(1..=REQUIRE_LIMIT)?;
    let number = usize::try_from(number).map_err(|_| value.wrong("a smaller number"))?;
    Ok(Located { value: number, place: value.place() })
}

/// `[revocation]`; required when absent.
pub(super) fn revocation(root: &Table<'_>) -> Result<Revocation, PolicyError> {
    let mut revocation = Revocation { mode: RevocationMode::Require, max_crl_age: None };
    if let Some(table) = section(root, "revocation", &["mode", "max-crl-age"])? {
        if let Some(mode) = table.optional("mode") {
            revocation.mode = mode.choice(&[
                ("require", RevocationMode::Require),
                ("if-available", RevocationMode::IfAvailable),
                ("off", RevocationMode::Off),
            ])?;
        }
        revocation.max_crl_age = span(&table, "max-crl-age")?.map(|span| span.value);
    }
    Ok(revocation)
}

/// `[manifest]`; its limits go into `budget`.
pub(super) fn manifest(
    root: &Table<'_>,
    budget: &mut Budget,
) -> Result<ManifestRules, PolicyError> {
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

/// `[resign]`.
pub(super) fn resign(root: &Table<'_>) -> Result<ResignRules, PolicyError> {
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

/// The table `key` with no other keys than `expected`, if it is there.
pub(super) fn section<'a>(
    root: &Table<'a>,
    key: &'static str,
    expected: &'static [&'static str],
) -> Result<Option<Table<'a>>, PolicyError> {
    let Some(value) = root.optional(key) else { return Ok(None) };
    let table = value.table()?;
    table.allow_only(expected)?;
    Ok(Some(table))
}
