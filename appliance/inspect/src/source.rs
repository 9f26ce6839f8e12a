//! Bounded access to the file: its head, its tail, and forward scans.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use crate::malformed::{Fault, Malformed};

/// Bytes of the head that are kept: all magic numbers lie within.
const HEAD: u64 = 4096;
/// Bytes of the tail that are kept: the largest end of a zip (22 bytes and a comment).
const TAIL: u64 = 22 + 65_535;
/// Bytes that one read of a scan asks for.
const CHUNK: usize = 64 * 1024;

/// One file with its two ends in memory.
pub(crate) struct Source<'r, R> {
    reader: &'r mut R,
    length: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl<'r, R: Read + Seek> Source<'r, R> {
    /// Reads the two ends of a file of `length` bytes.
    pub(crate) fn open(reader: &'r mut R, length: u64) -> io::Result<Self> {
        let mut source = Source { reader, length, head: Vec::new(), tail: Vec::new() };
        source.head = source.read_at(0, length.min(HEAD))?;
        source.tail = source.read_at(source.tail_start(), length.min(TAIL))?;
        Ok(source)
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The first bytes, at most 4 KiB.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The last bytes, at most 64 KiB.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Offset of the first byte of [`Self::tail`].
    pub(crate) fn tail_start(&self) -> u64 {
        self.length.saturating_sub(TAIL)
    }

    /// The bytes at `at`, or `None` if the file ends before the last of them.
    pub(crate) fn peek<const N: usize>(&mut self, at: u64) -> io::Result<Option<[u8; N]>> {
        let inside = at.checked_add(N as u64).is_some_and(|end| end <= self.length);
        if !inside {
            return Ok(None);
        }
        let mut bytes = [0; N];
        self.reader.seek(SeekFrom::Start(at))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// A scan from `start` to the end of the file.
    pub(crate) fn scan(&mut self, start: u64) -> io::Result<Scan<'_, R>> {
        self.reader.seek(SeekFrom::Start(start))?;
        let left = self.length.saturating_sub(start);
        let room = usize::try_from(left).unwrap_or(CHUNK).clamp(1, CHUNK);
        let inner = BufReader::with_capacity(room, &mut *self.reader);
        Ok(Scan { inner, at: start, end: self.length.max(start) })
    }

    /// A scan from `start` of a few small fields, which reads little ahead.
    pub(crate) fn scan_few(&mut self, start: u64) -> io::Result<Scan<'_, R>> {
        self.reader.seek(SeekFrom::Start(start))?;
        let inner = BufReader::with_capacity(256, &mut *self.reader);
        Ok(Scan { inner, at: start, end: self.length.max(start) })
    }

    /// The `length` bytes from `start` as a file of their own. The caller has seen that they are there.
    pub(crate) fn window(&mut self, start: u64, length: u64) -> Window<'_> {
        Window { reader: &mut *self.reader, start, length, at: 0, placed: false }
    }

    /// The `count` bytes at `at`. Callers bound `count` by a constant of theirs.
    pub(crate) fn read_at(&mut self, at: u64, count: u64) -> io::Result<Vec<u8>> {
        self.reader.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        self.reader.by_ref().take(count).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

/// A reader of any kind. What is read inside of another file has this one type, however deep it lies.
trait Bytes: Read + Seek {}

impl<R: Read + Seek> Bytes for R {}

/// A part of a file, read as if it were a file.
pub(crate) struct Window<'s> {
    reader: &'s mut dyn Bytes,
    start: u64,
    length: u64,
    at: u64,
    /// The reader stands where the next byte is.
    placed: bool,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        if !self.placed {
            self.reader.seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
            self.placed = true;
        }
        let count = self.reader.read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = position(to, self.at, self.length)?;
        self.placed &= at == self.at;
        self.at = at;
        Ok(at)
    }
}

/// Where a reader of `length` bytes that stands at `at` has to go.
pub(crate) fn position(to: SeekFrom, at: u64, length: u64) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(target) => Some(target),
        SeekFrom::Current(step) => at.checked_add_signed(step),
        SeekFrom::End(step) => length.checked_add_signed(step),
    };
    target.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// A buffered walk forward that knows where it is and where it has to end.
pub(crate) struct Scan<'s, R> {
    inner: BufReader<&'s mut R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Scan<'_, R> {
    /// Offset of the next byte in the file.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes up to the end.
    pub(crate) fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Ends the scan `count` bytes from here, if that is earlier than it would end.
    pub(crate) fn limit(&mut self, count: u64) {
        self.end = self.end.min(self.at.saturating_add(count));
    }

    /// Refuses a length that runs past the end.
    pub(crate) fn need(&self, needed: u64) -> Result<(), Malformed> {
        if needed > self.remaining() {
            return Err(Malformed::Truncated { at: self.at, needed });
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.need(N as u64)?;
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Passes over everything up to and with `last`, and hands it over in parts, without `last`. False
    /// if the scan ends before.
    pub(crate) fn until(&mut self, last: u8, mut part: impl FnMut(&[u8])) -> Result<bool, Fault> {
        while self.remaining() > 0 {
            let room = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
            let buffer = self.inner.fill_buf()?;
            let buffer = buffer.get(..room.min(buffer.len())).unwrap_or_default();
            if buffer.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let found = memchr::memchr(last, buffer);
            let (bytes, count) = match found {
                Some(at) => (buffer.get(..at).unwrap_or_default(), at.saturating_add(1)),
                None => (buffer, buffer.len()),
            };
            part(bytes);
            self.inner.consume(count);
            self.at = self.at.saturating_add(count as u64);
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next `count` bytes. The caller has bounded `count` by a budget.
    pub(crate) fn vec(&mut self, count: u64) -> Result<Vec<u8>, Fault> {
        self.need(count)?;
        let mut bytes = Vec::new();
        self.by_ref().take(count).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `count` bytes without reading them.
    pub(crate) fn skip(&mut self, count: u64) -> Result<(), Fault> {
        self.need(count)?;
        let step =
            i64::try_from(count).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.inner.seek_relative(step)?;
        self.at = self.at.saturating_add(count);
        Ok(())
    }
}

/// Reads up to the end of the scan. A reader that ends earlier is an error, not an end.
impl<R: Read + Seek> Read for Scan<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.inner.read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_reader_shorter_than_its_length_is_an_error() {
        let error = Source::open(&mut Cursor::new(b"four"), 5).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_scan_ends_where_it_was_limited() {
        let mut reader = Cursor::new(b"0123456789");
        let mut source = Source::open(&mut reader, 10).unwrap();
        let mut scan = source.scan(2).unwrap();
        scan.limit(4);
        scan.skip(1).unwrap();
        let mut rest = String::new();
        scan.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "345");
        let past = Malformed::Truncated { at: 6, needed: 1 };
        assert!(matches!(scan.byte(), Err(Fault::Broken(cause)) if cause == past));
    }

    #[test]
    fn a_window_is_a_file_of_its_own() {
        let mut reader = Cursor::new(b"0123456789");
        let mut source = Source::open(&mut reader, 10).unwrap();
        let mut window = source.window(2, 5);
        let mut inner = Source::open(&mut window, 5).unwrap();
        assert_eq!(inner.head(), b"23456");
        assert_eq!(inner.peek::<2>(3).unwrap(), Some(*b"56"));
        assert_eq!(inner.peek::<2>(4).unwrap(), None);
        assert_eq!(inner.peek::<2>(0).unwrap(), Some(*b"23"));
        let mut nested = inner.window(1, 3);
        nested.seek(SeekFrom::End(-2)).unwrap();
        let mut rest = String::new();
        nested.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "45");
        assert!(nested.seek(SeekFrom::Current(-9)).is_err());
    }

    #[test]
    fn a_scan_goes_on_behind_the_byte_that_it_looked_for() {
        let mut reader = Cursor::new(b"ab\ncd\n");
        let mut source = Source::open(&mut reader, 6).unwrap();
        let mut scan = source.scan(0).unwrap();
        scan.limit(5);
        let mut seen = Vec::new();
        assert!(scan.until(b'\n', |part| seen.extend(part)).unwrap());
        assert_eq!((seen.as_slice(), scan.at()), (&b"ab"[..], 3));
        assert!(!scan.until(b'\n', |part| seen.extend(part)).unwrap());
        assert_eq!((seen.as_slice(), scan.remaining()), (&b"abcd"[..], 0));
    }

    #[test]
    fn bytes_beyond_the_length_are_not_seen() {
        let mut reader = Cursor::new(b"abcdef");
        let mut source = Source::open(&mut reader, 3).unwrap();
        assert_eq!(source.head(), b"abc");
        assert_eq!(source.peek::<2>(2).unwrap(), None);
    }
}
