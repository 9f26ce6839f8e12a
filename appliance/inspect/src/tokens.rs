//! JSON of hostile length: no string and no number is longer than a limit.
//!
//! A parser keeps a whole token before anybody can look at it. So the bytes are counted on their way
//! to the parser, and a token that is too long never gets there.

use std::io::{self, Read};

use crate::malformed::Malformed;

/// Passes JSON through, up to a token that is too long.
pub(crate) struct Tokens<R> {
    inner: R,
    limit: usize,
    /// Bytes of the token so far.
    length: usize,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    String,
    /// In a string, behind a backslash.
    Escape,
}

impl<R> Tokens<R> {
    /// Lets tokens of at most `limit` bytes pass, as they are written.
    pub(crate) fn new(inner: R, limit: usize) -> Self {
        Tokens { inner, limit, length: 0, place: Place::Outside }
    }

    /// Whether all of `bytes` may pass.
    fn admits(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            let ends;
            (self.place, ends) = match (self.place, byte) {
                (Place::Outside, b'"') => (Place::String, true),
                (Place::Outside, _) => {
                    (Place::Outside, byte.is_ascii_whitespace() || is_structure(byte))
                }
                (Place::String, b'"') => (Place::Outside, true),
                (Place::String, b'\\') => (Place::Escape, false),
                (Place::String | Place::Escape, _) => (Place::String, false),
            };
            self.length = if ends { 0 } else { self.length.saturating_add(1) };
            if self.length > self.limit {
                return false;
            }
        }
        true
    }
}

fn is_structure(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',')
}

impl<R: Read> Read for Tokens<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if !self.admits(bytes) {
            return Err(Malformed::JsonToken { limit: self.limit }.into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(json: &str) -> bool {
        let mut out = String::new();
        Tokens::new(json.as_bytes(), 4).read_to_string(&mut out).is_ok()
    }

    #[test]
    fn tokens_are_counted_each_on_its_own() {
        for json in
            [r#"{"abcd":"abcd","a\"b":1234}"#, "[1234,1234, 1234]", "          ", r#"["\\\\"]"#]
        {
            assert!(passes(json), "{json}");
        }
        for json in
            [r#"["abcde"]"#, r#"["a\"bc"]"#, "[12345]", r#"["    \"#, r#"["[],: "]"#, "nulls"]
        {
            assert!(!passes(json), "{json}");
        }
    }
}
