//! YAML, which is text to everybody but those that load it: a tag can have them call anything.
//!
//! The text is not parsed. A tag stands where a value starts, and there no ordinary configuration has
//! any but those of YAML's own types (YAML 1.1, <https://yaml.org/type/>) and names of its own such as
//! `!ENV`, which loaders do not know unless they were told.

use std::io::{self, Read, Seek};

use crate::finding::{Finding, Kind, Place};
use crate::malformed::shown;
use crate::notes::Notes;
use crate::source::Source;

/// Bytes of a file that are read. Configurations have some thousand.
const LONGEST: usize = 1024 * 1024;

/// Reads a text that is YAML if its name says so.
pub(crate) fn read_text<R: Read + Seek>(
    source: &mut Source<'_, R>,
    notes: &mut Notes,
) -> io::Result<()> {
    let asked = if source.length() > LONGEST as u64 {
        Some((String::new(), format!("is longer than the {LONGEST} bytes of YAML that are read")))
    } else {
        let mut text = String::new();
        source.scan(0)?.read_to_string(&mut text)?;
        asked(&text)
    };
    if let Some((subject, detail)) = asked {
        let (kind, place) = (Kind::RemoteCode, Place::File);
        notes.yaml(Finding { kind, subject, place, detail });
    }
    Ok(())
}

/// What the text makes a loader run: the tag or key, and the end of a sentence.
fn asked(text: &str) -> Option<(String, String)> {
    let mut before = '\n';
    for (at, character) in text.char_indices() {
        let previous = std::mem::replace(&mut before, character);
        let starts = previous.is_whitespace()
            || matches!(previous, '[' | '{' | ',' | ':' | '-' | '?' | '\u{feff}');
        let rest = text.get(at..).unwrap_or_default();
        let found = match character {
            '!' if starts => tag(rest),
            '%' if matches!(previous, '\n' | '\r' | '\u{feff}') && rest.starts_with("%TAG") => {
                Some("%TAG")
            }
            // Hydra calls what it names, in JSON as well.
            '_' if rest.starts_with("_target_") => Some("_target_"),
            _ => None,
        };
        if let Some(found) = found {
            let line = text.get(..at).unwrap_or_default().split('\n').count();
            let found = shown(found);
            let detail = format!("has {found:?} in line {line}, which makes a loader run code");
            return Some((found, detail));
        }
    }
    None
}

/// The tag that `rest` starts with, if it may name anything but a type of YAML's own.
fn tag(rest: &str) -> Option<&str> {
    let end = |one: char| one.is_whitespace() || matches!(one, ',' | '[' | ']' | '{' | '}');
    let tag = rest.split(end).next().unwrap_or_default();
    let inner = tag.get(1..).unwrap_or_default();
    let runs = match inner.strip_prefix('!') {
        Some(name) => name.starts_with(char::is_alphabetic) && !TYPES.contains(&name),
        // `!<...>` may be any tag; `!new:` and `!apply:` are HyperPyYAML's, `!ruby/object` is Ruby's.
        None => inner.starts_with('<') || inner.contains([':', '/', '!', '%']),
    };
    runs.then_some(tag)
}

/// Types that hold nothing but data.
const TYPES: &[&str] = &[
    "binary",
    "bool",
    "float",
    "int",
    "map",
    "merge",
    "null",
    "omap",
    "pairs",
    "seq",
    "set",
    "str",
    "timestamp",
    "value",
];

#[cfg(test)]
mod tests {
    use super::{LONGEST, asked};
    use crate::sample::look;
    use crate::{Kind, named};

    #[test]
    fn tags_that_call_something_are_found_wherever_a_value_starts() {
        for (text, subject) in [
            ("!!python/object/apply:os.system [id]", "!!python/object/apply:os.system"),
            ("\u{feff}!!python/name:os.system", "!!python/name:os.system"),
            ("--- !!python/object/new:a.B {}", "!!python/object/new:a.B"),
            ("a: &b !!python/module:os", "!!python/module:os"),
            ("- [1,!!pyth%6fn/name:os.system ]", "!!pyth%6fn/name:os.system"),
            ("{\"a\":!!python/name:a.b }", "!!python/name:a.b"),
            ("a:\u{2028}!!java.net.URL [x]", "!!java.net.URL"),
            ("a: !<tag:yaml.org,2002:python/name:os.system> ''", "!<tag:yaml.org"),
            ("%TAG !p! tag:yaml.org,2002:python/\n--- !p!name:os.system ''", "%TAG"),
            ("a: !new:os.system", "!new:os.system"),
            ("a: !ruby/object:X {}", "!ruby/object:X"),
            ("net:\n  _target_: os.system", "_target_"),
        ] {
            assert_eq!(asked(text).map(|(subject, _)| subject).as_deref(), Some(subject), "{text}");
        }
    }

    #[test]
    fn ordinary_configurations_ask_for_nothing() {
        for text in [
            "a: !!str 1\nb: !!binary |\n  aGk=\nc: !!set {x}\n",
            "a: !ENV ${HOME}\nb: 'Hi!!'\nc: wow!!python\nd: 50 %TAG\n",
            "a: it works!!! Great ! and so on !\n",
            "target: a\nx != y\n",
        ] {
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_name_makes_text_yaml() {
        let text = look(b"a: !!python/name:os.system ''\n");
        let kinds = |path| named(path, &text).into_iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(kinds("a/config.yaml"), [Kind::RemoteCode]);
        assert_eq!(kinds("CONFIG.YML"), [Kind::RemoteCode]);
        assert_eq!(kinds("README.md"), []);
        let long = look(" ".repeat(LONGEST + 1).as_bytes());
        assert_eq!(named("a.yml", &long).len(), 1);
    }
}
