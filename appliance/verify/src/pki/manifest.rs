//! The manifest of a folder of trust anchors, `roots.toml`: its grammar and its rules.
//!
//! This file is compiled twice: here, for the commands and the station, and into the build script
//! of `oms-station`, so that the anchors that are built in obey the very same rules. It therefore
//! needs nothing of this crate but [`Purpose`].

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Purpose;

/// The name of the manifest in its folder.
pub const FILE_NAME: &str = "roots.toml";

/// The most entries of a manifest.
const MOST_ENTRIES: usize = 1024;
/// The most bytes of an anchor's name.
const NAME_BYTES: usize = 128;
/// The most bytes of a path.
const PATH_BYTES: usize = 255;
/// The most components of a path.
const PATH_DEPTH: usize = 4;

/// One `[[anchor]]` that obeys every rule about what is written. Whether its file does, is another
/// question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name by which policies refer to it. No other entry has it.
    pub name: String,
    /// The file, a relative path from the manifest's folder with `/` between its components, none
    /// of which begins with a dot.
    pub file: String,
    /// SHA-256 of the file: 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// What it may vouch for: [`Purpose::Sigstore`] alone, or any others.
    pub purposes: BTreeSet<Purpose>,
    /// Where it came from and who checked it. May be empty, which is worth a warning.
    pub provenance: String,
}

/// The first fault of a manifest, with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct ManifestError {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: ManifestFault,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// The text is not TOML, lacks a key, or has one that the grammar does not have.
    #[error("{0}")]
    Syntax(String),
    /// There are more entries than are read.
    #[error("there are more than {MOST_ENTRIES} anchors")]
    TooMany,
    /// A name is empty, too long, or holds a control character.
    #[error("{0:?} is no name of 1 to {NAME_BYTES} bytes without control characters")]
    Name(String),
    /// Two entries have one name.
    #[error("the name {0:?} is there twice")]
    DuplicateName(String),
    /// A path could lead out of the folder, or to something hidden.
    #[error(
        "{0:?} is no plain relative path: `file` names a file beside {FILE_NAME} or in a folder \
         below, without `..` and without names that begin with a dot"
    )]
    File(String),
    /// A digest is not written as such.
    #[error("{0:?} is no SHA-256: expected 64 hexadecimal digits in lower case")]
    Digest(String),
    /// A purpose is unknown.
    #[error("the purpose {found:?} is unknown, expected one of {}", .known.join(", "))]
    Purpose {
        /// What is written.
        found: String,
        /// The purposes that there are.
        known: [&'static str; Purpose::ALL.len()],
    },
    /// An entry has no purpose.
    #[error("the anchor {0:?} has no purpose")]
    NoPurpose(String),
    /// A trusted root is no certificate, so it cannot vouch for anything else.
    #[error("the purpose sigstore goes with no other: its file is a trusted root")]
    MixedSigstore,
}

/// Reads the text of a manifest.
///
/// # Errors
/// The first fault: unknown keys, names that are there twice, paths that leave the folder, digests
/// that are none, unknown purposes and mixed ones.
pub fn parse(text: &str) -> Result<Vec<Entry>, ManifestError> {
    let raw: RawManifest = toml::from_str(text).map_err(|error| {
        let fault = ManifestFault::Syntax(error.message().replace('\n', " "));
        located(text, error.span(), fault)
    })?;
    let mut names = BTreeSet::new();
    let mut entries = Vec::new();
    for anchor in raw.anchor {
        let span = anchor.span();
        if entries.len() == MOST_ENTRIES {
            return Err(located(text, Some(span), ManifestFault::TooMany));
        }
        let entry = anchor
            .into_inner()
            .check(&span, &names)
            .map_err(|(span, fault)| located(text, Some(span), fault))?;
        names.insert(entry.name.clone());
        entries.push(entry);
    }
    Ok(entries)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    #[serde(default)]
    anchor: Vec<Spanned<RawAnchor>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnchor {
    name: Spanned<String>,
    file: Spanned<String>,
    sha256: Spanned<String>,
    purpose: Spanned<Vec<Spanned<String>>>,
    provenance: String,
}

/// A fault and where in the text it is.
type Fault = (Range<usize>, ManifestFault);

impl RawAnchor {
    fn check(self, span: &Range<usize>, names: &BTreeSet<String>) -> Result<Entry, Fault> {
        let whole = self.purpose.span();
        let purposes = purposes(self.purpose.into_inner(), &whole)?;
        let name = accept(self.name, is_name, ManifestFault::Name)?;
        if names.contains(&name) {
            return Err((span.clone(), ManifestFault::DuplicateName(name)));
        }
        if purposes.is_empty() {
            return Err((whole, ManifestFault::NoPurpose(name)));
        }
        Ok(Entry {
            name,
            file: accept(self.file, is_plain_path, ManifestFault::File)?,
            sha256: accept(self.sha256, is_sha256, ManifestFault::Digest)?,
            purposes,
            provenance: self.provenance,
        })
    }
}

fn purposes(raw: Vec<Spanned<String>>, whole: &Range<usize>) -> Result<BTreeSet<Purpose>, Fault> {
    let mut purposes = BTreeSet::new();
    for name in raw {
        let Some(purpose) = Purpose::from_name(name.get_ref()) else {
            let (span, known) = (name.span(), Purpose::ALL.map(Purpose::name));
            return Err((span, ManifestFault::Purpose { found: name.into_inner(), known }));
        };
        purposes.insert(purpose);
    }
    if purposes.contains(&Purpose::Sigstore) && purposes.len() > 1 {
        return Err((whole.clone(), ManifestFault::MixedSigstore));
    }
    Ok(purposes)
}

fn accept(
    value: Spanned<String>,
    is_good: fn(&str) -> bool,
    fault: fn(String) -> ManifestFault,
) -> Result<String, Fault> {
    let span = value.span();
    let value = value.into_inner();
    if is_good(&value) { Ok(value) } else { Err((span, fault(value))) }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_BYTES && !name.chars().any(char::is_control)
}

fn is_plain_path(path: &str) -> bool {
    let is_plain = |component: &str| !component.is_empty() && !component.starts_with('.');
    path.len() <= PATH_BYTES
        && path != FILE_NAME
        && path.split('/').count() <= PATH_DEPTH
        && path.split('/').all(is_plain)
        && !path.chars().any(|c| c.is_control() || c == '\\')
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A fault with the line and column at which `span` begins.
fn located(text: &str, span: Option<Range<usize>>, fault: ManifestFault) -> ManifestError {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count());
    ManifestError { line, column: column.saturating_add(1), fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# a comment
[[anchor]]
name = \"corp-root\"
file = \"corp/root.pem\"
sha256 = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"
purpose = [\"code-signing\", \"verdict\"]
provenance = \"minutes 17\"
";

    #[test]
    fn a_good_manifest_gives_its_entries() {
        let [entry] = parse(GOOD).unwrap().try_into().unwrap();
        assert_eq!((entry.name.as_str(), entry.file.as_str()), ("corp-root", "corp/root.pem"));
        assert_eq!(entry.purposes, [Purpose::CodeSigning, Purpose::Verdict].into());
        assert_eq!(entry.provenance, "minutes 17");
        assert_eq!(parse("").unwrap(), []);
    }

    /// Line and fault of the manifest with `from` replaced by `to`.
    fn fault(from: &str, to: &str) -> (usize, ManifestFault) {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD);
        let error = parse(&text).unwrap_err();
        (error.line, error.fault)
    }

    #[test]
    fn a_path_stays_in_the_folder() {
        for path in [
            "",
            "/etc/root.pem",
            "../root.pem",
            "a/../root.pem",
            "a//root.pem",
            "a/",
            "./root.pem",
            ".hidden",
            "a/.hidden",
            "a/b/c/d/e.pem",
            "roots.toml",
        ] {
            let file = ManifestFault::File(path.to_owned());
            assert_eq!(fault("corp/root.pem", path), (4, file), "{path}");
        }
        for written in ["a\\\\root.pem", "a\\u0000"] {
            assert!(matches!(fault("corp/root.pem", written), (4, ManifestFault::File(_))));
        }
        assert!(matches!(
            fault("corp/root.pem", &"a".repeat(PATH_BYTES + 1)),
            (4, ManifestFault::File(_))
        ));
    }

    #[test]
    fn names_digests_and_purposes_are_checked_at_their_place() {
        assert_eq!(fault("corp-root", " "), (3, ManifestFault::Name(" ".to_owned())));
        assert!(matches!(fault("corp-root", "a\\nb"), (3, ManifestFault::Name(_))));
        assert!(matches!(fault("corp-root", &"a".repeat(129)), (3, ManifestFault::Name(_))));
        for digest in ["0123", &"A".repeat(64), &"g".repeat(64)] {
            let written = "0123456789abcdef".repeat(4);
            assert_eq!(fault(&written, digest), (5, ManifestFault::Digest(digest.to_owned())));
        }
        assert!(matches!(fault("\"verdict\"", "\"Verdict\""), (6, ManifestFault::Purpose { .. })));
        assert_eq!(fault("verdict", "sigstore"), (6, ManifestFault::MixedSigstore));
        let none = fault("\"code-signing\", \"verdict\"", "");
        assert_eq!(none, (6, ManifestFault::NoPurpose("corp-root".to_owned())));
    }

    #[test]
    fn what_the_grammar_does_not_have_is_an_error_with_its_place() {
        let (line, unknown) = fault("provenance", "provenence");
        assert_eq!(line, 7);
        let ManifestFault::Syntax(message) = unknown else { panic!("{unknown:?}") };
        assert!(message.contains("provenence"), "{message}");
        assert!(matches!(fault("[[anchor]]", "[[anchors]]"), (2, ManifestFault::Syntax(_))));
        assert!(matches!(fault("purpose = ", "# "), (2, ManifestFault::Syntax(_))));
        let error = parse(&GOOD.replace("\"corp-root\"", "1")).unwrap_err();
        assert_eq!((error.line, error.column), (3, 8), "{error}");
    }

    #[test]
    fn two_entries_never_have_one_name() {
        let error = parse(&format!("{GOOD}{GOOD}")).unwrap_err();
        assert_eq!(error.fault, ManifestFault::DuplicateName("corp-root".to_owned()));
        assert_eq!(error.line, 9);
        let two = format!("{GOOD}{}", GOOD.replace("corp-root", "other"));
        assert_eq!(parse(&two).unwrap().len(), 2);
    }

    #[test]
    fn entries_are_counted() {
        let many = |count: usize| -> String {
            (0..count).map(|at| GOOD.replace("corp-root", &format!("root-{at}"))).collect()
        };
        assert_eq!(parse(&many(MOST_ENTRIES)).unwrap().len(), MOST_ENTRIES);
        assert_eq!(parse(&many(MOST_ENTRIES + 1)).unwrap_err().fault, ManifestFault::TooMany);
    }
}
