//! Names of files inside a model (OMS v1.0, section 6.1.2).

use std::fmt;
use std::sync::Arc;

use crate::budget::Budget;

/// A canonical relative path inside a model: `/` between components, none of them empty, `.` or
/// `..`, no control characters, none that change the direction of text, within the budget. The
/// check is the constructor. Copies share one text: manifest, observations, findings and verdict name
/// the same file, and a model may have millions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePath(Arc<str>);

/// Why a name is not a [`ResourcePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// the name is empty
    #[error("the name is empty")]
    Empty,
    /// the name is absolute
    #[error("the name is absolute")]
    Absolute,
    /// the name leads out of the model
    #[error("the name holds the component `..`")]
    Parent,
    /// the name is not canonical
    #[error("the name is not canonical: it holds `.`, `//` or a final `/`")]
    NotCanonical,
    /// the name holds NUL or another control character
    #[error("the name holds a control character")]
    Control,
    /// the name holds a character that makes it read as another name: a control of the direction of
    /// text (Unicode Standard Annex 9) or a separator of lines or paragraphs. The joiners that
    /// scripts need are allowed.
    #[error("the name holds a character that changes the direction of text or breaks the line")]
    Deceptive,
    /// the name holds a backslash, which is a separator elsewhere
    #[error("the name holds a backslash")]
    Backslash,
    /// the name, or one of its components, is longer than the budget, or has too many of them
    #[error("the name is longer or deeper than the budget allows")]
    TooLong,
}

impl ResourcePath {
    /// Checks a name.
    ///
    /// # Errors
    /// The first rule that the name breaks.
    pub fn parse(name: &str, budget: &Budget) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.starts_with('/') {
            return Err(NameError::Absolute);
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        if name.chars().any(is_deceptive) {
            return Err(NameError::Deceptive);
        }
        if name.contains('\\') {
            return Err(NameError::Backslash);
        }
        if name.split('/').any(|component| component == "..") {
            return Err(NameError::Parent);
        }
        if name.split('/').any(|component| component.is_empty() || component == ".") {
            return Err(NameError::NotCanonical);
        }
        if name.len() > budget.name_bytes
            || name.split('/').count() > budget.path_components
            || name.split('/').any(|component| component.len() > budget.component_bytes)
        {
            return Err(NameError::TooLong);
        }
        Ok(ResourcePath(name.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components from the outermost folder to the file.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folders that hold this path, from the innermost to the outermost.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }
}

/// Marks, embeddings, overrides and isolates of direction, and the separators U+2028 and U+2029.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_what_it_names() {
        let budget = Budget::default();
        let deep = vec!["a"; 65].join("/");
        let long = "a".repeat(256);
        let cases = [
            ("", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("../x", NameError::Parent),
            ("a/../b", NameError::Parent),
            ("a/..", NameError::Parent),
            ("./a", NameError::NotCanonical),
            ("a/./b", NameError::NotCanonical),
            ("a//b", NameError::NotCanonical),
            ("a/", NameError::NotCanonical),
            ("a\0b", NameError::Control),
            ("a\nb", NameError::Control),
            ("a\\b", NameError::Backslash),
            (deep.as_str(), NameError::TooLong),
            (long.as_str(), NameError::TooLong),
        ];
        for (name, error) in cases {
            assert_eq!(ResourcePath::parse(name, &budget), Err(error), "{name:?}");
        }
        for good in
            ["a", "..a", "a..", ".hidden/x", "weights:0:10", "模型.bin", "path with spaces/(copy)"]
        {
            assert_eq!(ResourcePath::parse(good, &budget).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_name_cannot_read_as_another() {
        let parse = |c: char| ResourcePath::parse(&format!("a/b{c}c"), &Budget::default());
        for range in [
            '\u{61c}'..='\u{61c}',
            '\u{200e}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2066}'..='\u{2069}',
        ] {
            for c in range {
                assert_eq!(parse(c), Err(NameError::Deceptive), "{c:?}");
            }
        }
        for joiner in ['\u{200c}', '\u{200d}', '\u{301}'] {
            assert!(parse(joiner).is_ok(), "{joiner:?}");
        }
    }

    #[test]
    fn parents_go_from_the_inside_out() {
        let path = ResourcePath::parse("a/b/c", &Budget::default()).unwrap();
        assert_eq!(path.parents().collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!(path.file_name(), "c");
    }
}
