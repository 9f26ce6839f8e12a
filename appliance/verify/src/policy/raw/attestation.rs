//! `[[attestation]]`: what else must be signed about a model.

use super::signer::{RawSigner, signer};
use crate::policy::attestation::{Condition, FieldPath, Scalar, Test};
use crate::policy::error::{PolicyError, PolicyErrorKind};
use crate::policy::reader::{Table, Value};
use crate::policy::uri::is_uri;

const ATTESTATIONS_LIMIT: usize = 64;
const CONDITIONS_LIMIT: usize = 64;

/// An attestation's rule; the anchors and keys of its signer are only names so far.
#[derive(Clone, Debug)]
pub(in crate::policy) struct RawAttestation {
    pub(in crate::policy) predicate_type: String,
    pub(in crate::policy) signer: RawSigner,
    pub(in crate::policy) conditions: Vec<Condition>,
}

/// Every `[[attestation]]`.
pub(super) fn attestations(root: &Table<'_>) -> Result<Vec<RawAttestation>, PolicyError> {
    let Some(list) = root.optional("attestation") else { return Ok(Vec::new()) };
    bounded(&list, "tables [[attestation]]", ATTESTATIONS_LIMIT)?
        .iter()
        .map(|value| attestation(&value.table()?))
        .collect()
}

fn attestation(table: &Table<'_>) -> Result<RawAttestation, PolicyError> {
    const TYPE: &str = "the URI of a predicate type, matched exactly";
    const SIGNER: &str = "a table [attestation.signer] with the keys of a [[signer]]";
    table.allow_only(&["predicate-type", "signer", "where"])?;
    let predicate_type = table
        .required("predicate-type", TYPE)?
        .parsed(TYPE, |text| is_uri(text).then(|| text.to_owned()))?;
    let described = table.required("signer", SIGNER)?.table()?;
    if let Some(models) = described.optional("models") {
        // The statement names what it is about by digest, not by a model's name.
        return Err(models.place().error(PolicyErrorKind::NotOfAttester));
    }
    Ok(RawAttestation {
        predicate_type,
        signer: signer(&described)?,
        conditions: conditions(table)?,
    })
}

fn conditions(table: &Table<'_>) -> Result<Vec<Condition>, PolicyError> {
    let Some(list) = table.optional("where") else { return Ok(Vec::new()) };
    bounded(
        &list,
        "a list of conditions such as { field = \"...\", equals = \"...\" }",
        CONDITIONS_LIMIT,
    )?
    .iter()
    .map(|value| condition(&value.table()?))
    .collect()
}

fn condition(table: &Table<'_>) -> Result<Condition, PolicyError> {
    table.allow_only(&["field", "equals", "one-of", "present", "at-least"])?;
    let field = table
        .required("field", FieldPath::EXPECTED)?
        .parsed(FieldPath::EXPECTED, FieldPath::parse)?;
    let tests = [
        table.optional("equals").map(|value| scalar(&value).map(Test::Equals)),
        table.optional("one-of").map(|value| one_of(value).map(Test::OneOf)),
        table.optional("present").map(|value| value.boolean().map(Test::Present)),
        table.optional("at-least").map(|value| integer(&value).map(Test::AtLeast)),
    ];
    let mut tests = tests.into_iter().flatten();
    match (tests.next(), tests.next()) {
        (Some(test), None) => Ok(Condition { field, test: test? }),
        _ => Err(table.place().error(PolicyErrorKind::OneTest)),
    }
}

const SCALAR: &str = "a string, a whole number, true or false";

fn scalar(value: &Value<'_>) -> Result<Scalar, PolicyError> {
    if value.string_if().is_some() {
        return value.string(SCALAR).map(|text| Scalar::Text(text.to_owned()));
    }
    if value.integer_if().is_some() {
        return integer(value).map(Scalar::Integer);
    }
    value.boolean().map(Scalar::Boolean).map_err(|_| value.wrong(SCALAR))
}

fn one_of(value: Value<'_>) -> Result<Vec<Scalar>, PolicyError> {
    const EXPECTED: &str = "a list of strings, whole numbers, true or false";
    let list = value.list(EXPECTED)?;
    if list.is_empty() {
        return Err(value.wrong(EXPECTED));
    }
    Value::distinct(list, scalar)
}

fn integer(value: &Value<'_>) -> Result<i64, PolicyError> {
    let number = value.integer_if().and_then(|number| i64::try_from(number).ok());
    number.ok_or_else(|| value.wrong("a whole number of at most 64 bits"))
}

/// The entries of a list of at most `limit`.
fn bounded<'a>(
    list: &Value<'a>,
    expected: &str,
    limit: usize,
) -> Result<Vec<Value<'a>>, PolicyError> {
    let entries = list.list(expected)?;
    if entries.len() > limit {
        let kind = PolicyErrorKind::TooMany { count: entries.len(), limit };
        return Err(list.place().error(kind));
    }
    Ok(entries)
}
