//! What follows an opcode: lines, counted bytes and the texts in them.

use std::io::{Read, Seek};

use super::value::NAME;
use crate::malformed::Fault;
use crate::source::Scan;

/// The start of a line, without its line feed.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) start: Vec<u8>,
    /// The start is all of it.
    pub(super) whole: bool,
    /// The file ended before the line did. Python's `pickle.py` cuts its last byte then, as if it
    /// were the line feed.
    pub(super) cut: bool,
}

impl Line {
    /// The line as UTF-8, if it is whole.
    pub(super) fn name(&self) -> Option<&str> {
        std::str::from_utf8(&self.start).ok().filter(|_| self.whole)
    }
}

/// Reads a line, or as much of it as there is.
pub(super) fn line<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<Line, Fault> {
    let mut line = Line { start: Vec::new(), whole: true, cut: false };
    let ends = scan.until(b'\n', |part| {
        let room = NAME.saturating_sub(line.start.len());
        line.start.extend(part.iter().take(room));
        line.whole &= part.len() <= room;
    })?;
    if !ends {
        line.cut = true;
        line.start.pop();
    }
    Ok(line)
}

/// Reads a line that must end.
pub(super) fn whole_line<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<Line, Fault> {
    let line = line(scan)?;
    if line.cut {
        scan.need(1)?;
    }
    Ok(line)
}

/// Reads a length of `width` bytes, little-endian.
pub(super) fn length<R: Read + Seek>(scan: &mut Scan<'_, R>, width: u32) -> Result<u64, Fault> {
    let mut length = 0_u64;
    for place in 0..width {
        length |= u64::from(scan.byte()?) << place.saturating_mul(8).min(56);
    }
    Ok(length)
}

/// The next `count` bytes where they can be a name, and passes over more.
pub(super) fn short<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    count: u64,
) -> Result<Option<Vec<u8>>, Fault> {
    if count > NAME as u64 {
        scan.skip(count)?;
        return Ok(None);
    }
    scan.vec(count).map(Some)
}

/// What stands between the quotes of a line, with Python's escapes undone (`codecs.escape_decode`).
pub(super) fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = line.split_first()?;
    let (last, inner) = rest.split_last()?;
    if first != last || !matches!(first, b'\'' | b'"') {
        return None;
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut left = inner.iter().copied().peekable();
    while let Some(byte) = left.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match left.next()? {
            b'\n' => {}
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'x' => {
                let digits = [left.next()?, left.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            octal @ b'0'..=b'7' => {
                let mut number = u32::from(octal.saturating_sub(b'0'));
                for _ in 0..2 {
                    let Some(digit) = left.next_if(|byte| matches!(byte, b'0'..=b'7')) else {
                        break;
                    };
                    number = number << 3 | u32::from(digit.saturating_sub(b'0'));
                }
                bytes.push((number & 0xff) as u8);
            }
            same @ (b'\\' | b'\'' | b'"') => bytes.push(same),
            other => bytes.extend([b'\\', other]),
        }
    }
    Some(bytes)
}

/// A line of the opcode UNICODE: Latin-1 with `\u` and `\U` (Python's `raw-unicode-escape`).
pub(super) fn unicode(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut left = line.iter().copied();
    while let Some(byte) = left.next() {
        if byte != b'\\' {
            text.push(char::from(byte));
            continue;
        }
        let digits = match left.next() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(other) => {
                text.extend(['\\', char::from(other)]);
                continue;
            }
            None => {
                text.push('\\');
                break;
            }
        };
        let digits: Vec<u8> = left.by_ref().take(digits).collect();
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(&digits).ok().filter(|_| is_hex)?;
        text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
    }
    Some(text)
}

/// A number as picklers write it: digits, a sign, no zeros in front.
pub(super) fn number(line: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(line).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A number as either unpickler might read it: spaces around, underscores, and C's end of a string.
pub(super) fn lax_number(line: &[u8]) -> Option<u64> {
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(line).ok()?.trim().replace('_', "");
    text.strip_prefix('-').filter(|rest| *rest == "0").unwrap_or(&text).parse().ok()
}

/// Python reads spaces around numbers, underscores in them, and any base.
pub(super) fn is_integer(line: &Line) -> bool {
    let digits = line.start.trim_ascii();
    let allowed = |byte: &u8| byte.is_ascii_hexdigit() || b"+-_xXoOL".contains(byte);
    !digits.is_empty() && digits.iter().all(allowed)
}

pub(super) fn is_float(line: &Line) -> bool {
    let text = String::from_utf8_lossy(&line.start).replace('_', "");
    !line.whole || text.trim().parse::<f64>().is_ok()
}

/// A dotted name, as far as to tell one from a line of prose.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}
