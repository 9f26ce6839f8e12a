//! The central directory and the local headers (APPNOTE, sections 4.3.7 to 4.3.12): each entry is
//! told twice, or three times where a data descriptor follows, and all must say the same.
//!
//! ```text
//!   0                                       start                      end
//!   | local | data | [descriptor] | local ..| central | central | .... | [zip64 end, locator] end |
//!     |______________________________________ |
//!       name, method, flags, sizes, checksum
//! ```

use std::io::{Read, Seek};

use super::end::{self, Frame};
use super::extra::zip64;
use super::fields::Fields;
use super::name::{self, Names};
use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed, broken};
use crate::source::{Scan, Source};

const LOCAL_SIZE: usize = 30;
const CENTRAL_SIZE: usize = 46;
const DESCRIPTOR: u32 = u32::from_le_bytes(*b"PK\x07\x08");

/// Bit 3: checksum and sizes follow the data.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Bit 11: the name is UTF-8.
const IS_UTF8: u16 = 1 << 11;
/// Bits 1 and 2 tell how hard deflate tried.
const KNOWN_FLAGS: u16 = HAS_DESCRIPTOR | IS_UTF8 | 0b110;
/// Bits 0, 6 and 13: encryption, of the data or of the directory.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// How the data of a member is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// As it is (0).
    Stored,
    /// RFC 1951 (8).
    Deflated,
}

/// One member of a zip.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its path; a folder's ends in a slash.
    pub(crate) name: Box<str>,
    /// How its data is packed.
    pub(crate) method: Method,
    /// Bytes when it is unpacked.
    pub(crate) size: u64,
    /// Bytes in the file.
    pub(crate) packed: u64,
    /// Where these start in the file.
    pub(crate) start: u64,
    /// CRC-32 of the unpacked bytes.
    pub(super) crc: u32,
    flags: u16,
    /// Where the local header stands.
    header: u64,
}

impl Entry {
    /// A folder has no data.
    pub(crate) fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// The member as a place.
    pub(super) fn place(&self) -> Place {
        Place::File.within(&self.name)
    }

    fn wrong(&self, detail: impl Into<String>) -> Fault {
        broken(self.place(), detail)
    }
}

/// The members of a zip whose headers agree and which fill the file without a gap.
#[derive(Debug)]
pub(crate) struct Directory {
    entries: Vec<Entry>,
}

impl Directory {
    /// Reads the directory and all local headers, and no data.
    pub(crate) fn read<R: Read + Seek>(
        source: &mut Source<'_, R>,
        budget: &Budget,
    ) -> Result<Directory, Fault> {
        let frame = end::read(source, budget)?;
        let mut entries = central(source, &frame, budget)?;
        let mut at = 0;
        for entry in &mut entries {
            if entry.header != at {
                let detail = format!(
                    "it starts at {}, and the member before it ends at {at}: a gap or an overlap",
                    entry.header
                );
                return Err(entry.wrong(detail));
            }
            at = local(source, entry)?;
        }
        if at != frame.start {
            let detail =
                format!("the last member ends here, and the directory starts at {}", frame.start);
            return Err(broken(Place::Offset(at), detail));
        }
        Ok(Directory { entries })
    }

    /// The members in the order of the file.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.name == name)
    }
}

/// The entries as the central directory has them.
fn central<R: Read + Seek>(
    source: &mut Source<'_, R>,
    frame: &Frame,
    budget: &Budget,
) -> Result<Vec<Entry>, Fault> {
    let mut scan = source.scan(frame.start)?;
    scan.limit(frame.end.saturating_sub(frame.start));
    let mut names = Names::new(budget.zip_names.saturating_mul(2));
    let mut room = budget.zip_names;
    let mut entries = Vec::new();
    for _ in 0..frame.entries {
        let entry = one(&mut scan)?;
        room = room
            .checked_sub(entry.name.len())
            .ok_or_else(|| broken(Place::Offset(scan.at()), "the names are too long together"))?;
        if let Some(wrong) = name::wrong(&entry.name).or_else(|| names.add(&entry.name)) {
            return Err(entry.wrong(format!("its name {wrong}")));
        }
        entries.push(entry);
    }
    if scan.remaining() > 0 {
        let detail = format!("{} bytes follow the last entry of the directory", scan.remaining());
        return Err(broken(Place::Offset(scan.at()), detail));
    }
    Ok(entries)
}

fn one<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<Entry, Fault> {
    let at = scan.at();
    let header: [u8; CENTRAL_SIZE] = scan.array()?;
    let mut fields = Fields::new(&header, at);
    if fields.array()? != end::CENTRAL {
        return Err(broken(Place::Offset(at), "no entry of the directory stands where one must"));
    }
    let [_made_by, _needed, flags, method, _time, _date] = shorts(&mut fields)?;
    let crc = fields.u32()?;
    let (mut packed, mut size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let [name, extra, comment, disk, _internal] = shorts(&mut fields)?;
    let (attributes, mut header) = (fields.u32()?, u64::from(fields.u32()?));

    let name = named(scan.vec(u64::from(name))?, flags, at)?;
    let place = Place::File.within(&name);
    let wrong = |detail: String| broken(place.clone(), detail);
    let extra_at = scan.at();
    let extra = scan.vec(u64::from(extra))?;
    let zip64 = zip64(Fields::new(&extra, extra_at), &place)?;
    if comment > 0 {
        return Err(wrong("it has a comment".to_owned()));
    }
    if disk != 0 {
        return Err(wrong("it lies on another disk".to_owned()));
    }
    if let Some(mut large) = zip64 {
        for field in [&mut size, &mut packed, &mut header] {
            if *field == u64::from(u32::MAX) {
                *field = large.u64()?;
            }
        }
        if !large.is_empty() {
            return Err(wrong("its zip64 field holds what the entry does not ask for".to_owned()));
        }
    } else if [size, packed, header].contains(&u64::from(u32::MAX)) {
        return Err(wrong("it asks for a zip64 field and has none".to_owned()));
    }
    if flags & ENCRYPTED != 0 {
        return Err(wrong("it is marked as encrypted".to_owned()));
    }
    if flags & !KNOWN_FLAGS != 0 {
        return Err(wrong(format!("its flags {flags:#06x} are not known")));
    }
    let method = match method {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => return Err(wrong(format!("it is packed by the unknown method {other}"))),
    };
    if method == Method::Stored && size != packed {
        return Err(wrong(format!("it is stored, takes {packed} bytes and claims {size}")));
    }
    let entry = Entry { name, method, size, packed, start: 0, crc, flags, header };
    kind(&entry, attributes)?;
    Ok(entry)
}

/// Files are files and folders are folders, by name, by data and by the attributes of MS-DOS (in the
/// low byte) and Unix (in the high half), as far as these are set.
fn kind(entry: &Entry, attributes: u32) -> Result<(), Fault> {
    let folder = entry.is_folder();
    let unix_says = match attributes >> 28 {
        0 => None,
        0o10 => Some(false),
        0o04 => Some(true),
        0o12 => return Err(entry.wrong("it is a symbolic link")),
        _ => return Err(entry.wrong("it is a device, a pipe or a socket")),
    };
    let dos_says = attributes & 0x10 != 0;
    if unix_says.is_some_and(|says| says != folder) || (dos_says && !folder) {
        return Err(entry.wrong("its attributes and its name disagree whether it is a folder"));
    }
    if folder && (entry.size, entry.packed, entry.crc, entry.method) != (0, 0, 0, Method::Stored) {
        return Err(entry.wrong("it is a folder and has data"));
    }
    Ok(())
}

/// Holds the local header of `entry` against it, and gives where the entry ends.
fn local<R: Read + Seek>(source: &mut Source<'_, R>, entry: &mut Entry) -> Result<u64, Fault> {
    let mut scan = source.scan_few(entry.header)?;
    let header: [u8; LOCAL_SIZE] = scan.array()?;
    let mut fields = Fields::new(&header, entry.header);
    if fields.array()? != end::LOCAL {
        return Err(entry.wrong("it has no local header"));
    }
    let [_needed, flags, method, _time, _date] = shorts(&mut fields)?;
    let crc = fields.u32()?;
    let (packed, size) = (fields.u32()?, fields.u32()?);
    let [name, extra] = shorts(&mut fields)?;

    let differs = |what: &str| entry.wrong(format!("its local header has another {what}"));
    if scan.vec(u64::from(name))? != entry.name.as_bytes() {
        return Err(differs("name"));
    }
    if flags != entry.flags {
        return Err(differs("set of flags"));
    }
    if method
        != (match entry.method {
            Method::Stored => 0,
            Method::Deflated => 8,
        })
    {
        return Err(differs("method"));
    }
    let extra_at = scan.at();
    let extra = scan.vec(u64::from(extra))?;
    let large = zip64(Fields::new(&extra, extra_at), &entry.place())?;
    let later = flags & HAS_DESCRIPTOR != 0;
    if !(crc == entry.crc || (later && crc == 0)) {
        return Err(differs("checksum"));
    }
    if !sizes_agree(entry, size, packed, large, later)? {
        return Err(differs("size"));
    }

    entry.start = scan.at();
    scan.skip(entry.packed)?;
    if later {
        descriptor(&mut scan, entry, large.is_some())?;
    }
    Ok(scan.at())
}

/// Whether the sizes of the local header are those of the directory. Where a descriptor follows they
/// may be zero, and PyTorch then writes any of them, and the offset, into a zip64 field for which the
/// header does not ask.
fn sizes_agree(
    entry: &Entry,
    size: u32,
    packed: u32,
    large: Option<Fields<'_>>,
    later: bool,
) -> Result<bool, Malformed> {
    let is = |value: u64, expected: u64| value == expected || (later && value == 0);
    let asks = |value: u32| value == u32::MAX;
    let Some(mut large) = large else {
        return Ok(is(size.into(), entry.size) && is(packed.into(), entry.packed));
    };
    let mut agree = true;
    for (value, expected) in [(size, entry.size), (packed, entry.packed)] {
        let value = if asks(value) { large.u64()? } else { value.into() };
        agree &= is(value, expected);
    }
    for _ in 0..3 {
        if large.is_empty() {
            return Ok(agree);
        }
        let value = large.u64()?;
        agree &= [entry.size, entry.packed, entry.header].iter().any(|&one| is(value, one));
    }
    Ok(agree && large.is_empty())
}

/// Holds the descriptor after the data against `entry`. Its sizes are wide where the local header has
/// a zip64 field (section 4.3.9.2).
fn descriptor<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    entry: &Entry,
    wide: bool,
) -> Result<(), Fault> {
    let at = scan.at();
    let bytes = scan.vec(if wide { 24 } else { 16 })?;
    let mut fields = Fields::new(&bytes, at);
    let magic = fields.u32()?;
    let crc = fields.u32()?;
    let (packed, size) = if wide {
        (fields.u64()?, fields.u64()?)
    } else {
        (u64::from(fields.u32()?), u64::from(fields.u32()?))
    };
    if magic != DESCRIPTOR || (crc, packed, size) != (entry.crc, entry.packed, entry.size) {
        return Err(entry.wrong("the descriptor after its data does not agree with the directory"));
    }
    Ok(())
}

/// A name without the mark of UTF-8 is in the code page of MS-DOS, whose first half is ASCII.
fn named(bytes: Vec<u8>, flags: u16, at: u64) -> Result<Box<str>, Fault> {
    let wrong = || broken(Place::Offset(at), "a name is neither ASCII nor marked as UTF-8");
    let name = String::from_utf8(bytes).map_err(|_| wrong())?;
    if flags & IS_UTF8 == 0 && !name.is_ascii() {
        return Err(wrong());
    }
    Ok(name.into_boxed_str())
}

fn shorts<const N: usize>(fields: &mut Fields<'_>) -> Result<[u16; N], Malformed> {
    let mut values = [0; N];
    for value in &mut values {
        *value = fields.u16()?;
    }
    Ok(values)
}
