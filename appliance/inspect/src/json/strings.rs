//! A limit on the length of a string in a JSON file, held before a parser sees it: the parser keeps a
//! whole string in memory, however long it is.

use std::cell::Cell;
use std::io::{self, Read};

/// Reads on until a string is longer than `limit` bytes; there the input ends, and `exceeded` is set.
pub(super) struct Strings<'c, R> {
    inner: R,
    limit: usize,
    /// Bytes of the string that is open.
    open: Option<usize>,
    /// The last byte was a backslash in a string.
    escaped: bool,
    exceeded: &'c Cell<bool>,
}

impl<'c, R: Read> Strings<'c, R> {
    pub(super) fn new(inner: R, limit: usize, exceeded: &'c Cell<bool>) -> Self {
        Strings { inner, limit, open: None, escaped: false, exceeded }
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            let Some(length) = self.open else {
                let Some(quote) = memchr::memchr(b'"', bytes) else { return };
                self.open = Some(0);
                bytes = bytes.get(quote.saturating_add(1)..).unwrap_or_default();
                continue;
            };
            if length > self.limit {
                self.exceeded.set(true);
                return;
            }
            if self.escaped {
                self.escaped = false;
                self.open = Some(length.saturating_add(1));
                bytes = rest;
                continue;
            }
            let plain = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
            if plain == 0 {
                self.escaped = first == b'\\';
                self.open = self.escaped.then(|| length.saturating_add(1));
                bytes = rest;
                continue;
            }
            self.open = Some(length.saturating_add(plain));
            bytes = bytes.get(plain..).unwrap_or_default();
        }
    }
}

impl<R: Read> Read for Strings<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.exceeded.get() {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        self.follow(buffer.get(..count).unwrap_or_default());
        Ok(if self.exceeded.get() { 0 } else { count })
    }
}
