//! Reading a tar file, strictly: POSIX ustar with pax headers for long names and large sizes, as
//! `tar`, Python and usbsas write them, and GNU's long names. Regular files and folders only.
//!
//! Nothing is looked up, written or allocated by what the archive says: a header is 512 bytes, an
//! extended one at most [`MOST_EXTENDED`].

use std::io::{self, Read};

/// Bytes of a block.
const BLOCK: usize = 512;

/// The most bytes of an extended header.
pub(super) const MOST_EXTENDED: u64 = 64 << 10;

/// The most bytes of a path, of one of its names, and the most names.
const MOST_PATH: usize = 1_024;
const MOST_NAME: usize = 255;
const MOST_DEPTH: usize = 64;

/// A file or folder of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path: names with `/` between them, none of them `.` or `..`.
    pub(super) path: String,
    /// Its bytes; none for a folder.
    pub(super) size: u64,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    /// it ends in the middle
    #[error("it ends in the middle of a member")]
    Cut,
    /// a header does not have its own checksum
    #[error("the header at byte {0} is damaged, or this is no tar file")]
    Header(u64),
    /// a link, device or FIFO, or a member that nobody knows
    #[error("it has a member of type {0:?}: only files and folders are taken")]
    Kind(char),
    /// a path that leads elsewhere, or is none
    #[error("it has a path that is absolute, too long, not UTF-8, or leads out of it")]
    Path,
    /// an extended header that cannot be read
    #[error("it has an extended header that is too long or not well-formed")]
    Extended,
    /// it cannot be read
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An archive that is read from its beginning to its end.
#[derive(Debug)]
pub(super) struct Tar<R> {
    from: R,
    at: u64,
    /// Bytes of the member that have not been read, and those that fill its last block.
    left: u64,
    padding: u64,
}

/// What an extended header says about the next member.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(from: R) -> Self {
        Tar { from, at: 0, left: 0, padding: 0 }
    }

    /// The next member; none at the end of the archive, which is an empty block or the file's end.
    pub(super) fn next_member(&mut self) -> Result<Option<Member>, TarError> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header, 124, 12).ok_or(TarError::Header(self.at))?;
            let size = extended.size.take().unwrap_or(size);
            let kind = header.get(156).copied().unwrap_or_default();
            self.begin(size)?;
            match kind {
                b'x' => extended.read_pax(&self.short()?)?,
                b'L' => {
                    let mut name = self.short()?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    extended.path = Some(name);
                }
                // About all members: comments, which say nothing here.
                b'g' => drop(self.short()?),
                b'0' | 0 | b'5' => {
                    let name = extended.path.take().unwrap_or_else(|| name(&header));
                    // The oldest archives tell a folder by its name.
                    let is_folder = kind == b'5' || name.last() == Some(&b'/');
                    if is_folder && size != 0 {
                        return Err(TarError::Header(self.at));
                    }
                    match path(&name)? {
                        Some(path) => return Ok(Some(Member { path, size, is_folder })),
                        // The archive's own folder.
                        None if is_folder => {}
                        None => return Err(TarError::Path),
                    }
                }
                other => return Err(TarError::Kind(char::from(other))),
            }
        }
    }

    /// The bytes of the member that came last.
    pub(super) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    fn begin(&mut self, size: u64) -> Result<(), TarError> {
        let blocks =
            size.checked_next_multiple_of(BLOCK as u64).ok_or(TarError::Header(self.at))?;
        (self.left, self.padding) = (size, blocks.saturating_sub(size));
        Ok(())
    }

    /// Goes to the next header.
    fn skip(&mut self) -> Result<(), TarError> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.from).take(rest), &mut io::sink())?;
        if skipped != rest {
            return Err(TarError::Cut);
        }
        self.at = self.at.saturating_add(rest);
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// All bytes of an extended header.
    fn short(&mut self) -> Result<Vec<u8>, TarError> {
        if self.left > MOST_EXTENDED {
            return Err(TarError::Extended);
        }
        let (size, mut bytes) = (self.left, Vec::new());
        let read = self.content().read_to_end(&mut bytes)?;
        if u64::try_from(read).ok() == Some(size) { Ok(bytes) } else { Err(TarError::Cut) }
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TarError::Cut),
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let at = self.at;
        self.at = at.saturating_add(BLOCK as u64);
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum counts its own eight bytes as spaces.
        let place = 148..156;
        let values = block
            .iter()
            .enumerate()
            .map(|(i, b)| if place.contains(&i) { 32 } else { u64::from(*b) });
        if number(&block, 148, 8) != Some(values.sum()) {
            return Err(TarError::Header(at));
        }
        Ok(Some(block))
    }
}

/// The bytes of a member.
pub(super) struct Content<'a, R>(&'a mut Tar<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&mut self.0.from).take(self.0.left).read(buffer)?;
        let bytes = u64::try_from(read).unwrap_or(u64::MAX);
        self.0.left = self.0.left.saturating_sub(bytes);
        self.0.at = self.0.at.saturating_add(bytes);
        Ok(read)
    }
}

impl Extended {
    /// Records `LENGTH KEY=VALUE` with a line's end.
    fn read_pax(&mut self, mut rest: &[u8]) -> Result<(), TarError> {
        while !rest.is_empty() {
            let record = pax_record(rest).ok_or(TarError::Extended)?;
            rest = rest.get(record.length..).unwrap_or_default();
            match record.key {
                b"path" => self.path = Some(record.value.to_vec()),
                b"size" => {
                    let text = std::str::from_utf8(record.value).ok();
                    let size = text.and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or(TarError::Extended)?);
                }
                // A file with holes is another than what its bytes say.
                key if key.starts_with(b"GNU.sparse") => return Err(TarError::Kind('S')),
                _ => {}
            }
        }
        Ok(())
    }
}

struct Record<'a> {
    length: usize,
    key: &'a [u8],
    value: &'a [u8],
}

fn pax_record(rest: &[u8]) -> Option<Record<'_>> {
    let space = rest.iter().take(8).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
    let line = rest.get(space.checked_add(1)?..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    Some(Record { length, key: line.get(..equals)?, value: line.get(equals.checked_add(1)?..)? })
}

/// A number in octal digits, or in GNU's binary form.
fn number(header: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = header.get(at..at.checked_add(length)?)?;
    if field.first()? & 0x80 != 0 {
        let (high, low) = field.split_at_checked(length.checked_sub(8)?)?;
        let is_small = high.iter().enumerate().all(|(i, b)| *b == if i == 0 { 0x80 } else { 0 });
        return is_small.then_some(u64::from_be_bytes(low.try_into().ok()?));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    let digits = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok().filter(|_| digits) }
}

/// The name in a header: ustar's prefix before it.
fn name(header: &[u8]) -> Vec<u8> {
    let field = |range: std::ops::Range<usize>| {
        let field = header.get(range).unwrap_or_default();
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    };
    let is_posix = header.get(257..263) == Some(b"ustar\0");
    let prefix = if is_posix { field(345..500) } else { &[] };
    let between: &[u8] = if prefix.is_empty() { b"" } else { b"/" };
    [prefix, between, field(0..100)].concat()
}

/// A path that leads nowhere but into the archive's folder; none for that folder itself.
fn path(name: &[u8]) -> Result<Option<String>, TarError> {
    let text = std::str::from_utf8(name).map_err(|_| TarError::Path)?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let text = text.strip_prefix("./").unwrap_or(text);
    if text == "." || (text.is_empty() && !name.is_empty() && name != b"/") {
        return Ok(None);
    }
    let is_name = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= MOST_NAME
            && !part.contains('\0')
    };
    let fits = text.len() <= MOST_PATH && text.split('/').count() <= MOST_DEPTH;
    if fits && text.split('/').all(is_name) {
        Ok(Some(text.to_owned()))
    } else {
        Err(TarError::Path)
    }
}
