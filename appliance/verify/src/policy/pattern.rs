//! Patterns for the names of models: `*` stands for any characters, everything else for itself.

use std::fmt;

/// A pattern on a model's name.
///
/// Matching is case-sensitive and takes time linear in the name, whatever the pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern; `None` when it is empty or holds a control character.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && !text.chars().any(char::is_control);
        fits.then(|| Pattern(text.to_owned()))
    }

    /// Whether the whole of `name` fits the pattern.
    pub fn matches(&self, name: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return name == self.0 };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(name) = name.strip_prefix(head) else { return false };
        let Some(mut name) = name.strip_suffix(tail) else { return false };
        // The leftmost place for each part leaves the most room for the next one, so that no
        // choice ever has to be taken back.
        for part in middle.split('*') {
            match name.split_once(part) {
                Some((_, after)) => name = after,
                None => return false,
            }
        }
        true
    }
}

/// The pattern as the policy writes it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_is_special() {
        let cases = [
            ("llm-*", "llm-", true),
            ("llm-*", "llm-7b", true),
            ("llm-*", "xllm-7b", false),
            ("*", "", true),
            ("*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*b*b", "ab", false),
            ("**x", "x", true),
            ("a?c", "abc", false),
            ("a?c", "a?c", true),
            ("[a]", "a", false),
            ("a.c", "abc", false),
            ("LLM", "llm", false),
            ("*é*", "caféine", true),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_has_characters_that_show() {
        assert_eq!(Pattern::parse(""), None);
        assert_eq!(Pattern::parse("a\nb"), None);
    }

    #[test]
    fn many_stars_do_not_make_matching_slow() {
        let pattern = Pattern::parse(&format!("{}b", "a*".repeat(500))).unwrap();
        assert!(!pattern.matches(&"a".repeat(100_000)));
    }
}
