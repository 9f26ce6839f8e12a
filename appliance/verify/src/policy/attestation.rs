//! `[[attestation]]`: what else must have been signed about a model, and by whom.

use std::fmt;

use super::SignerRule;
use crate::reason::Printable;

/// An attestation that must be there.
#[derive(Clone, Debug)]
pub struct AttestationRule {
    /// The rule as verdicts call it: `attestation[0]` is the first one.
    pub name: String,
    /// The predicate type, matched exactly.
    pub predicate_type: String,
    /// Who must have signed it; its name is `attestation[0].signer`.
    pub signer: SignerRule,
    /// What it must say; every condition must hold.
    pub conditions: Vec<Condition>,
}

/// What a field of an attestation must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The field.
    pub field: FieldPath,
    /// What is asked of it.
    pub test: Test,
}

/// A test on a field's value. Only [`Test::Present`] with `false` holds for a field that is not
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `equals`: it is this value, of the same type.
    Equals(Scalar),
    /// `one-of`: it is one of these values.
    OneOf(Vec<Scalar>),
    /// `present`: it is there, or it is not there.
    Present(bool),
    /// `at-least`: it is a number, and not less than this.
    AtLeast(i64),
}

/// A value that a field can be compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// A string, compared exactly.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
}

/// The way to a field from the top of a statement: names of members, numbers of entries of a list
/// from 0, or `[]` for any entry, separated by dots, such as `predicate.components.[].type`. A name
/// that holds a dot cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// Parts of a path, at most.
    pub const MOST_PARTS: usize = 32;

    pub(super) const EXPECTED: &str =
        "a path of names with dots between them, such as \"predicate.buildDefinition.buildType\"";

    /// Reads a path; `None` when a part is empty, holds a control character, or there are too
    /// many.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let fits = |part: &String| !part.is_empty() && !part.contains(char::is_control);
        (parts.len() <= Self::MOST_PARTS && parts.iter().all(fits)).then_some(FieldPath(parts))
    }

    /// The parts from the top; at least one.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

/// The path as the policy writes it.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.0.join(".")))
    }
}

/// Strings in quotation marks.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Text(text) => write!(f, "\"{}\"", Printable(text)),
            Scalar::Integer(number) => write!(f, "{number}"),
            Scalar::Boolean(yes) => write!(f, "{yes}"),
        }
    }
}

/// `predicate.level must be at least 3`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must ", self.field)?;
        match &self.test {
            Test::Equals(value) => write!(f, "be {value}"),
            Test::OneOf(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "be {}", values.join(" or "))
            }
            Test::Present(true) => write!(f, "be there"),
            Test::Present(false) => write!(f, "not be there"),
            Test::AtLeast(least) => write!(f, "be at least {least}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_parts_that_show() {
        let path = FieldPath::parse("predicate.buildDefinition.0.buildType").unwrap();
        assert_eq!(path.parts(), ["predicate", "buildDefinition", "0", "buildType"]);
        for bad in ["", ".", "a.", ".a", "a..b", "a\n.b", "a.\0"] {
            assert_eq!(FieldPath::parse(bad), None, "{bad:?}");
        }
        let deep = ["a"; FieldPath::MOST_PARTS].join(".");
        assert!(FieldPath::parse(&deep).is_some());
        assert_eq!(FieldPath::parse(&format!("{deep}.a")), None);
    }
}
