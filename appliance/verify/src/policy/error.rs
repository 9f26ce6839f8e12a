//! What can be wrong with a policy, and where.

use std::fmt;

use crate::key::KeyError;
use crate::pki::Purpose;
use crate::reason::{Code, Printable};

/// The first fault of a policy, with its place in the text.
///
/// Shows as `line 4, column 11: signers.require: found ..., expected ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The rule concerned as a path into the policy, such as `signer[0].anchors[1]`. Empty when
    /// the text is not TOML.
    pub rule: String,
    /// What is wrong there.
    pub kind: PolicyErrorKind,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyErrorKind {
    /// The text is longer than a policy may be.
    #[error("the text has {bytes} bytes, expected at most {limit}")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The text is not TOML, or gives a key twice.
    #[error("{}", Printable(.0))]
    Syntax(String),
    /// A key that the grammar does not have at this place.
    #[error("unknown key `{}`, expected one of: {}", Printable(.key), .expected.join(", "))]
    UnknownKey {
        /// The key found.
        key: String,
        /// The keys that may stand here.
        expected: &'static [&'static str],
    },
    /// A key that is known, and means nothing for this kind of signer.
    #[error("the key `{key}` does not belong to the method \"{method}\", expected only: {}", .expected.join(", "))]
    NotOfMethod {
        /// The key found.
        key: &'static str,
        /// The signer's method.
        method: &'static str,
        /// The keys that the method has.
        expected: &'static [&'static str],
    },
    /// A value of the wrong type, or out of range, or not a known word.
    #[error("found {}, expected {expected}", Printable(.found))]
    WrongValue {
        /// The value, shortened.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A list has more entries than allowed.
    #[error("found {count} entries, expected at most {limit}")]
    TooMany {
        /// Entries found.
        count: usize,
        /// Entries allowed.
        limit: usize,
    },
    /// A value stands twice in a list whose entries must differ.
    #[error("{} stands here twice, expected each once", Printable(.value))]
    Repeated {
        /// The value.
        value: String,
    },
    /// A key that must be given is not.
    #[error("the key `{key}` is missing, expected {expected}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A rule about what is inside files of a format, where files of any format pass unread.
    #[error("this means nothing beside allow = \"any\", expected a list of formats there")]
    NotRestricted,
    /// No `[[signer]]` at all.
    #[error(
        "there is no signer, so that nothing could ever pass; expected at least one [[signer]]"
    )]
    NoSigner,
    /// `models` in an attestation's signer.
    #[error(
        "the key `models` does not belong to the signer of an attestation, which names its model by digest"
    )]
    NotOfAttester,
    /// A condition without a test, or with more than one.
    #[error(
        "a condition asks one thing, expected one of the keys: equals, one-of, present, at-least"
    )]
    OneTest,
    /// Something needs a trusted timestamp, and no authority is named that could give one.
    #[error(
        "{cause} needs an authority whose timestamps count, expected time.timestamp-anchors as well"
    )]
    NoTimestampAnchors {
        /// What needs it.
        cause: &'static str,
    },
    /// More signers are required than the rules could ever admit.
    #[error(
        "found {require}, expected at most {most}: the rules admit no more signers who differ in key and in identity"
    )]
    Unreachable {
        /// Signers required.
        require: usize,
        /// Signers that the rules could admit.
        most: usize,
    },
    /// An anchor that is not installed.
    #[error("no anchor \"{}\" is installed, expected one of: {}", Printable(.name), listed(.installed))]
    UnknownAnchor {
        /// The name that the policy gives.
        name: String,
        /// The names of the installed anchors for the purpose.
        installed: Vec<String>,
    },
    /// A Sigstore trusted root that is not installed.
    #[error("no trusted root \"{}\" is installed, expected one of: {}", Printable(.name), listed(.installed))]
    UnknownTrustedRoot {
        /// The name that the policy gives.
        name: String,
        /// The names of the installed trusted roots.
        installed: Vec<String>,
    },
    /// More than one installed trusted root has this name.
    #[error("more than one installed trusted root is named \"{}\", expected one", Printable(.name))]
    DuplicateTrustedRoot {
        /// The name.
        name: String,
    },
    /// More than one installed anchor has this name.
    #[error("more than one installed anchor is named \"{}\", expected one", Printable(.name))]
    DuplicateAnchor {
        /// The name.
        name: String,
    },
    /// An installed anchor that is not for what the policy uses it for.
    #[error("the anchor \"{}\" is installed for {}, expected the purpose {expected}", Printable(.name), listed(.purposes))]
    AnchorPurpose {
        /// The anchor.
        name: String,
        /// The purpose that is needed.
        expected: Purpose,
        /// What it is installed for.
        purposes: Vec<String>,
    },
    /// A key file that was not given to [`super::RawPolicy::resolve`].
    #[error("the key file {} was not read, expected a PEM file of one public key", Printable(.file))]
    KeyFile {
        /// The file, as the policy names it.
        file: String,
    },
    /// A key file that does not hold a usable public key.
    #[error("the key file {} is of no use: {error}; expected a PEM file of one public key", Printable(.file))]
    Key {
        /// The file, as the policy names it.
        file: String,
        /// Why.
        error: KeyError,
    },
    /// A pinned key of a type that the same rule does not admit, so that the rule admits nothing.
    #[error("the key file {} holds a key of type {found}, expected one of: {admitted}", Printable(.file))]
    KeyType {
        /// The file, as the policy names it.
        file: String,
        /// The key's type.
        found: String,
        /// The types that the rule's `keys` admits.
        admitted: String,
    },
}

impl PolicyError {
    /// The stable reason code.
    pub fn code(&self) -> Code {
        match self.kind {
            PolicyErrorKind::NotRestricted => Code::PolicyContradiction,
            PolicyErrorKind::NoSigner => Code::PolicyNoSigner,
            PolicyErrorKind::UnknownAnchor { .. } => Code::PolicyUnknownAnchor,
            PolicyErrorKind::DuplicateAnchor { .. } => Code::PolicyDuplicateAnchor,
            PolicyErrorKind::AnchorPurpose { .. } => Code::PolicyAnchorPurpose,
            PolicyErrorKind::UnknownTrustedRoot { .. }
            | PolicyErrorKind::DuplicateTrustedRoot { .. } => Code::PolicyTrustedRoot,
            PolicyErrorKind::NoTimestampAnchors { .. } | PolicyErrorKind::Unreachable { .. } => {
                Code::PolicyContradiction
            }
            PolicyErrorKind::KeyFile { .. }
            | PolicyErrorKind::Key { .. }
            | PolicyErrorKind::KeyType { .. } => Code::PolicyKey,
            _ => Code::PolicySyntax,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.rule.is_empty() {
            write!(f, "{}: ", Printable(&self.rule))?;
        }
        write!(f, "{}", self.kind)
    }
}

/// A place in a policy's text that a later step may have to complain about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) rule: String,
}

impl Place {
    /// The start of the text, for what has no place of its own.
    pub(super) fn start() -> Self {
        Place { line: 1, column: 1, rule: String::new() }
    }

    pub(super) fn error(self, kind: PolicyErrorKind) -> PolicyError {
        PolicyError { line: self.line, column: self.column, rule: self.rule, kind }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
}
