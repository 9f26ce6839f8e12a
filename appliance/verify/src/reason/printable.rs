//! Showing people what a carrier chose.

use std::fmt::{self, Write as _};

/// Shows a string that a carrier chose without its control characters, so that a name can neither
/// move the cursor of an operator's terminal, nor fake a line, nor look like another name.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_deceptive(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// A JSON text in which what [`Printable`] does not show as it is stands as an escape of JSON: the
/// same document, and harmless on a terminal. Ends of lines stay.
pub fn printable_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c == '\n' || !is_deceptive(c) {
            text.push(c);
            continue;
        }
        // Outside of strings JSON has no such character.
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// Control characters, and the bidirectional and invisible ones that make text read as another.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Invisible: soft hyphen, grapheme joiner, letters without a shape, vowel separator.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{3164}' | '\u{ffa0}'
            // Zero widths, joiners, marks, separators, embeddings, overrides, isolates.
            | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
            // Annotations between lines, and tags, which spell a second text that nobody sees.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{Code, Reason};

    #[test]
    fn a_reason_cannot_carry_terminal_escapes() {
        let reason =
            Reason::new(Code::ManifestMissingFile, "is absent").about("a\u{1b}[2J\u{202e}b");
        assert_eq!(reason.to_string(), "manifest.missing-file: a\\u{1b}[2J\\u{202e}b: is absent");
    }

    #[test]
    fn what_nobody_sees_is_shown_and_what_scripts_need_is_left_alone() {
        for hidden in [
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{3164}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
        ] {
            let shown = Printable(&format!("a{hidden}b")).to_string();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(hidden)));
        }
        let plain = "模型 é\u{301} نموذج \u{fe0f} \u{fffd}";
        assert_eq!(Printable(plain).to_string(), plain);
    }

    #[test]
    fn json_stays_the_same_document_without_what_a_terminal_obeys() {
        let hostile = "a\u{1b}[2J\u{9b}31m\n\u{202e}\u{e0041}\u{e9}";
        let document = serde_json::json!({ hostile: [hostile] });
        let text = printable_json(&serde_json::to_string_pretty(&document).unwrap());
        assert!(text.lines().count() == 5 && !text.lines().any(|line| line.contains(is_deceptive)));
        assert!(text.contains('\u{e9}') && text.contains("\\u009b31m"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
    }
}
