//! `[content]` and the tables in it.

use std::collections::BTreeSet;

use super::Vocabulary;
use super::sections::section;
use crate::policy::error::{PolicyError, PolicyErrorKind};
use crate::policy::reader::{Table, Value};
use crate::policy::sizes::parse_size;
use crate::policy::{ContentLimits, ContentRules, Names, RemoteCode, ScannerRules};

/// Entries of one list of names.
const NAMES_LIMIT: usize = 4096;

/// The table, which must be there: nothing passes unless the policy says what.
pub(super) fn content(
    root: &Table<'_>,
    vocabulary: &Vocabulary<'_>,
) -> Result<ContentRules, PolicyError> {
    const TABLE: &str = "a table [content] with allow = [...], or allow = \"any\" to say that \
                         content is not restricted";
    const ALLOW: &str = "a list of formats, or \"any\"";
    let table = root.required("content", TABLE)?.table()?;
    table.allow_only(&[
        "allow",
        "remote-code",
        "names",
        "pickle",
        "onnx",
        "tensorflow",
        "tflite",
        "keras",
        "templates",
        "limits",
        "scanner",
    ])?;
    let allow = table.required("allow", ALLOW)?;
    let mut rules = match allow.string_if() {
        Some("any") => ContentRules::new(None),
        Some(_) => return Err(allow.wrong(ALLOW)),
        None => ContentRules::new(Some(formats(&allow, ALLOW, vocabulary)?)),
    };
    if let Some(value) = table.optional("remote-code") {
        let words = [("reject", RemoteCode::Reject), ("allow", RemoteCode::Allow)];
        rules.remote_code = value.choice(&words)?;
    }
    if let Some(scanner) = section(&table, "scanner", &["required", "skip"])? {
        rules.scanner = self::scanner(&scanner, vocabulary)?;
    }
    if let Some(limits) = section(&table, "limits", LIMITS)? {
        rules.limits = self::limits(&limits)?;
    }
    let depth = Restricted { table: &table, restricted: rules.allow.is_some() };
    if let Some(value) = depth.value("names")? {
        rules.names = value.choice(&[("agree", Names::Agree), ("any", Names::Any)])?;
    }
    const GLOBAL: &str = "a name that pickles may import, such as \"collections.OrderedDict\"";
    let is_global = |text: &str| is_name(text) && text.contains('.') && !text.contains('*');
    depth.names("pickle", &["globals"], GLOBAL, is_global, &mut rules.pickle_globals)?;
    const DOMAIN: &str = "a domain of operators, such as \"ai.onnx\"";
    depth.names("onnx", &["domains"], DOMAIN, is_name, &mut rules.onnx_domains)?;
    const OPERATOR: &str = "the name of an operator, such as \"MatMul\"";
    depth.names(
        "tensorflow",
        &["operators"],
        OPERATOR,
        is_name,
        &mut rules.tensorflow_operators,
    )?;
    depth.names("tflite", &["operators"], OPERATOR, is_name, &mut rules.tflite_operators)?;
    const CLASS: &str = "the full name of a class, such as \"keras.layers.Dense\"";
    depth.names("keras", &["classes"], CLASS, is_name, &mut rules.keras_classes)?;
    const DIGEST: &str = "the SHA-256 of a template, in 64 lowercase hexadecimal digits";
    depth.names("templates", &["digests"], DIGEST, is_digest, &mut rules.template_digests)?;
    Ok(rules)
}

/// The keys of `[content.limits]`.
const LIMITS: &[&str] = &["json-bytes", "text-bytes", "archive-ratio"];
/// What is smaller is looked into whatever the policy says.
const LEAST_BYTES: u64 = 64 << 10;

fn limits(table: &Table<'_>) -> Result<ContentLimits, PolicyError> {
    const JSON: &str = "a size from 64KiB to 1GiB";
    const TEXT: &str = "a size from 64KiB to 1TiB";
    let mut limits = ContentLimits::default();
    for (key, limit, most, expected) in [
        ("json-bytes", &mut limits.json_bytes, 1 << 30, JSON),
        ("text-bytes", &mut limits.text_bytes, 1 << 40, TEXT),
    ] {
        if let Some(value) = table.optional(key) {
            let in_range = |size: &u64| (LEAST_BYTES..=most).contains(size);
            *limit = value.parsed(expected, |text| parse_size(text).filter(in_range))?;
        }
    }
    if let Some(value) = table.optional("archive-ratio") {
        limits.archive_ratio = value.integer(1..=10_000)?;
    }
    Ok(limits)
}

fn scanner(table: &Table<'_>, vocabulary: &Vocabulary<'_>) -> Result<ScannerRules, PolicyError> {
    const SKIP: &str = "a list of formats that need not be scanned";
    let mut rules = ScannerRules::default();
    if let Some(value) = table.optional("required") {
        rules.required = value.boolean()?;
    }
    if let Some(value) = table.optional("skip") {
        rules.skip = formats(&value, SKIP, vocabulary)?;
    }
    Ok(rules)
}

fn formats(
    value: &Value<'_>,
    expected: &str,
    vocabulary: &Vocabulary<'_>,
) -> Result<Vec<String>, PolicyError> {
    let known: Vec<(&str, &str)> = vocabulary.formats.iter().map(|name| (*name, *name)).collect();
    let names = Value::distinct(value.list(expected)?, |value| value.choice(&known))?;
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// What means something only where formats are restricted.
struct Restricted<'t, 'a> {
    table: &'t Table<'a>,
    restricted: bool,
}

impl<'a> Restricted<'_, 'a> {
    fn value(&self, key: &'static str) -> Result<Option<Value<'a>>, PolicyError> {
        let value = self.table.optional(key);
        match value {
            Some(value) if !self.restricted => {
                Err(value.place().error(PolicyErrorKind::NotRestricted))
            }
            value => Ok(value),
        }
    }

    /// Reads the only list of the table `name` in place of what `names` holds.
    fn names(
        &self,
        name: &'static str,
        keys: &'static [&'static str; 1],
        expected: &'static str,
        is_one: impl Fn(&str) -> bool,
        names: &mut BTreeSet<String>,
    ) -> Result<(), PolicyError> {
        let Some(value) = self.value(name)? else { return Ok(()) };
        let table = value.table()?;
        table.allow_only(keys)?;
        let [key] = *keys;
        const LIST: &str = "a list of names";
        let list = table.required(key, LIST)?.list_within(NAMES_LIMIT, LIST)?;
        let read = |value: &Value<'_>| {
            value.parsed(expected, |text| is_one(text).then(|| text.to_owned()))
        };
        *names = Value::distinct(list, read)?.into_iter().collect();
        Ok(())
    }
}

/// Whether it is printable ASCII without spaces: what could be mistaken for another name is none.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
