//! Text: UTF-8 without control characters, over the whole file.

use std::io::{self, Read, Seek};

use crate::malformed::Fault;
use crate::notes::Notes;
use crate::source::{Scan, Source};
use crate::{template, yaml};

/// Reads a file that is text: it may be a template, or YAML.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    notes: &mut Notes,
) -> Result<(), Fault> {
    yaml::read_text(source, notes)?;
    Ok(template::read_text(source, notes)?)
}

/// Whether everything in `scan` is text. Stops at the first byte that is not.
pub(crate) fn is_text<R: Read + Seek>(mut scan: Scan<'_, R>) -> io::Result<bool> {
    let mut buffer = vec![0; CHUNK];
    // Bytes of a character that the last chunk cut in two, at the start of the buffer.
    let mut carried = 0_usize;
    loop {
        let Some(room) = buffer.get_mut(carried..) else { return Ok(false) };
        let count = scan.read(room)?;
        let filled = carried.saturating_add(count);
        let chunk = buffer.get(..filled).unwrap_or_default();
        if count == 0 {
            return Ok(chunk.is_empty());
        }
        let Some(whole) = text_in(chunk) else { return Ok(false) };
        buffer.copy_within(whole..filled, 0);
        carried = filled.saturating_sub(whole);
    }
}

/// Whether `bytes` are text, but for a character cut off at the end.
pub(crate) fn starts_as_text(bytes: &[u8]) -> bool {
    text_in(bytes).is_some()
}

const CHUNK: usize = 64 * 1024;

/// How many bytes of `bytes` are whole characters of text; `None` if any is not text.
fn text_in(bytes: &[u8]) -> Option<usize> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cut) if cut.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..cut.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!has_control(text.as_bytes())).then_some(text.len())
}

/// Whether UTF-8 holds a control character (general category Cc) that is not laid out as space. Goes
/// through everything without a branch, so that it compiles to vector instructions.
fn has_control(text: &[u8]) -> bool {
    let space = |byte| (byte == b'\t') | (byte == b'\n') | (byte == b'\r') | (byte == 0x0c);
    let low = |&byte: &u8| ((byte < 0x20) & !space(byte)) | (byte == 0x7f);
    // U+0080 to U+009F are C2 80 to C2 9F.
    let high = |(&lead, &next): (&u8, &u8)| (lead == 0xc2) & (next < 0xa0);
    let after = text.get(1..).unwrap_or_default();
    text.iter().fold(false, |found, byte| found | low(byte))
        || text.iter().zip(after).fold(false, |found, pair| found | high(pair))
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within};
    use crate::{Budget, Format, Identified, Malformed};

    fn found(bytes: &[u8]) -> Identified {
        look(bytes).format
    }

    #[test]
    fn text_is_recognised() {
        for text in ["a", "\u{feff}BOM", "tab\tline\r\nfeed\u{c}", "\u{fc}\u{4e2d}\u{1f600}", "\n"]
        {
            assert_eq!(found(text.as_bytes()), Identified::One(Format::Text), "{text:?}");
        }
    }

    #[test]
    fn control_characters_and_broken_utf8_are_not_text() {
        for bytes in [
            &b"a\0b"[..],
            b"a\x1b[2J",
            b"del\x7f",
            b"\xc2\x9b",
            b"\xff",
            b"ab\xe4\xb8",
            b"\xc0\xaf",
            b"\x08",
        ] {
            assert_eq!(found(bytes), Identified::Unknown, "{bytes:?}");
        }
    }

    #[test]
    fn control_characters_are_those_of_unicode() {
        for character in (0..0x3000).filter_map(char::from_u32) {
            let allowed = !character.is_control() || "\t\n\r\u{c}".contains(character);
            let text = format!("some text before, and {character} some text behind it");
            assert_eq!(super::has_control(text.as_bytes()), !allowed, "{character:?}");
        }
    }

    #[test]
    fn characters_across_chunks_are_whole_and_the_last_byte_counts() {
        let mut long = "x".to_owned() + &"\u{1f600}".repeat(50_000);
        assert_eq!(found(long.as_bytes()), Identified::One(Format::Text));
        long.push('\0');
        assert_eq!(found(long.as_bytes()), Identified::Unknown);
        long.pop();
        assert_eq!(found(&long.as_bytes()[..long.len() - 1]), Identified::Unknown);
    }

    #[test]
    fn the_size_is_bounded() {
        let budget = Budget { text_bytes: 4, ..Budget::default() };
        assert_eq!(look_within(b"four", &budget).malformed, None);
        let large = look_within(b"five!", &budget);
        assert_eq!(large.format, Identified::One(Format::Text));
        assert_eq!(large.malformed, Some(Malformed::TextTooLarge { limit: 4 }));
    }

    #[test]
    fn a_shebang_makes_a_script() {
        assert_eq!(found(b"#!/bin/sh\necho"), Identified::One(Format::Script));
        assert_eq!(found(b"# !not"), Identified::One(Format::Text));
    }
}
