//! Text that a browser runs: HTML and SVG, told by their first tag.

use crate::format::Format;

/// Tags with which a page starts. A README may start with others, such as `<div>` or `<p>`.
const PAGE: &[&[u8]] = &[
    b"html",
    b"head",
    b"body",
    b"title",
    b"meta",
    b"base",
    b"frameset",
    b"script",
    b"iframe",
    b"object",
    b"embed",
    b"applet",
    b"hta:application",
];

/// What the text is that starts with `head`, if it is more than text.
pub(crate) fn of(head: &[u8]) -> Option<Format> {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    loop {
        rest = rest.trim_ascii_start().strip_prefix(b"<")?;
        if let Some(comment) = rest.strip_prefix(b"!--") {
            rest = behind(comment, b"-->")?;
        } else if let Some(declaration) = rest.strip_prefix(b"?") {
            rest = behind(declaration, b"?>")?;
        } else if let Some(kind) = after_word(rest, b"!doctype") {
            let kind = kind.trim_ascii_start();
            return match () {
                () if after_word(kind, b"html").is_some() => Some(Format::Html),
                () if after_word(kind, b"svg").is_some() => Some(Format::Svg),
                () => None,
            };
        } else {
            let local =
                rest.iter().position(|byte| *byte == b':').map_or(0, |at| at.saturating_add(1));
            let local = rest.get(local..).unwrap_or_default();
            return match () {
                () if PAGE.iter().any(|tag| after_word(rest, tag).is_some()) => Some(Format::Html),
                () if after_word(rest, b"svg").or(after_word(local, b"svg")).is_some() => {
                    Some(Format::Svg)
                }
                () => None,
            };
        }
    }
}

/// What follows `end`.
fn behind<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(text, end)?;
    text.get(at.checked_add(end.len())?..)
}

/// What follows `word` in any case, if it ends there.
fn after_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    let ends = rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || b"/>[".contains(byte));
    (ends && start.eq_ignore_ascii_case(word)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use crate::sample::look;
    use crate::{Format, Identified};

    #[test]
    fn pages_and_drawings_are_told_from_text() {
        for (format, texts) in [
            (
                Format::Html,
                &[
                    "<!DOCTYPE html>",
                    "<!-- a -->\n<HTML lang='en'>",
                    "\u{feff} <script>alert(1)</script>",
                ][..],
            ),
            (
                Format::Svg,
                &[
                    "<?xml version=\"1.0\"?><svg onload='x()'/>",
                    "<s:svg xmlns:s='a'>",
                    "<!DOCTYPE svg [<!ENTITY a 'b'>]>",
                ],
            ),
            (
                Format::Text,
                &[
                    "<div align=\"center\">",
                    "<!-- markdown -->\n# Model",
                    "<note/>",
                    "<htmlx>",
                    "a <script>",
                    "<!-- <html>",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(look(text.as_bytes()).format, Identified::One(format), "{text}");
            }
        }
    }

    #[test]
    fn a_page_in_another_encoding_is_named_too() {
        assert_eq!(look(b"<html>\xfc</html>").format, Identified::One(Format::Html));
    }
}
