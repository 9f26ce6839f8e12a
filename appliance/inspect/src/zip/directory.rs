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
    // A jar has folders whose nothing is compressed.
    if folder && (entry.size, entry.crc) != (0, 0) {
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

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, SeekFrom};

    use super::*;
    use crate::sample::{packed, stored};
    use crate::source::position;

    fn read(bytes: &[u8], budget: &Budget) -> Result<Directory, Fault> {
        let mut reader = Cursor::new(bytes);
        Directory::read(&mut Source::open(&mut reader, bytes.len() as u64).unwrap(), budget)
    }

    fn wrong(bytes: &[u8], budget: &Budget) -> String {
        match read(bytes, budget) {
            Err(Fault::Broken(cause)) => cause.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn members_are_in_the_order_of_the_file() {
        let bytes = stored(&[("b/", b""), ("b/c", b"12"), ("a", b"345")]);
        let directory = read(&bytes, &Budget::default()).unwrap();
        let found: Vec<_> = directory.entries().iter().map(|e| (&*e.name, e.size)).collect();
        assert_eq!(found, [("b/", 0), ("b/c", 2), ("a", 3)]);
        let entry = directory.get("a").unwrap();
        assert_eq!(bytes[entry.start as usize..][..3], *b"345");
        assert!(!entry.is_folder() && directory.entries()[0].is_folder());
    }

    #[test]
    fn members_names_and_the_directory_are_bounded() {
        let bytes = stored(&[("a", b""), ("b", b"")]);
        let budget = Budget { zip_entries: 1, ..Budget::default() };
        assert!(wrong(&bytes, &budget).contains("more than 1 members"));
        let budget = Budget { zip_directory: 93, ..Budget::default() };
        assert!(wrong(&bytes, &budget).contains("more than 93 bytes"));
        let budget = Budget { zip_names: 1, ..Budget::default() };
        assert!(wrong(&bytes, &budget).contains("too long together"));
        let folders = format!("{}f", "a/".repeat(500));
        let budget = Budget { zip_names: 1001, ..Budget::default() };
        assert!(wrong(&stored(&[(&folders, b"")]), &budget).contains("too long together"));
    }

    #[test]
    fn the_folders_of_a_jar_may_be_compressed() {
        assert!(read(&packed(&[("META-INF/", 8, vec![3, 0], b"")]), &Budget::default()).is_ok());
    }

    /// Bytes here and there in a file of zeros.
    struct Sparse {
        parts: Vec<(u64, Vec<u8>)>,
        at: u64,
        read: u64,
    }

    impl Read for Sparse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            for (start, part) in &self.parts {
                for (byte, at) in part.iter().zip(*start..) {
                    let place = at.checked_sub(self.at).and_then(|i| buffer.get_mut(i as usize));
                    if let Some(place) = place {
                        *place = *byte;
                    }
                }
            }
            self.at += buffer.len() as u64;
            self.read += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.at = position(to, self.at, u64::MAX)?;
            Ok(self.at)
        }
    }

    /// Five GiB and a small member behind them, with the fields that PyTorch writes then: the local
    /// header tells no sizes, and yet has a zip64 field.
    fn five_gib(second: u64) -> (Sparse, u64) {
        let size = 5_u64 << 30;
        let wide = |values: &[u64]| {
            let values = values.iter().copied().map(u64::to_le_bytes).collect::<Vec<_>>().concat();
            [&1_u16.to_le_bytes()[..], &(values.len() as u16).to_le_bytes(), &values].concat()
        };
        let local = |name: &str, extra: Vec<u8>| {
            let lengths = [name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
            let fixed = [&b"PK\x03\x04\0\0\x08\x08"[..], &[0; 18], &lengths].concat();
            [fixed, name.as_bytes().to_vec(), extra].concat()
        };
        let descriptor = |crc: u32, size: u64| {
            let sizes = [size, size].map(u64::to_le_bytes).concat();
            [&b"PK\x07\x08"[..], &crc.to_le_bytes(), &sizes].concat()
        };
        let central = |name: &str, crc: u32, sizes: [u32; 2], at: u32, extra: Vec<u8>| {
            let lengths = [name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
            let sizes = sizes.map(u32::to_le_bytes).concat();
            let fixed = [&b"PK\x01\x02\0\0\0\0\x08\x08"[..], &[0; 6], &crc.to_le_bytes()].concat();
            let rest = [&sizes[..], &lengths, &[0; 10], &at.to_le_bytes()].concat();
            [fixed, rest, name.as_bytes().to_vec(), extra].concat()
        };
        let first = local("m/data/0", wide(&[size, 0]));
        let data_end = first.len() as u64 + size;
        let small = data_end + 24;
        let header = local("m/version", wide(&[second]));
        let tail = [descriptor(7, size), header, b"3\n".to_vec(), descriptor(9, 2)].concat();
        let start = data_end + tail.len() as u64;
        let directory = [
            central("m/data/0", 7, [u32::MAX; 2], 0, wide(&[size, size])),
            central("m/version", 9, [2, 2], u32::MAX, wide(&[small])),
        ]
        .concat();
        let length = directory.len() as u64;
        let end64 = [2, 2, length, start].map(u64::to_le_bytes).concat();
        let end = [
            directory,
            [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[0; 12], &end64].concat(),
            [&b"PK\x06\x07\0\0\0\0"[..], &(start + length).to_le_bytes(), &[1, 0, 0, 0]].concat(),
            [&b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..], &(length as u32).to_le_bytes()].concat(),
            vec![0xff, 0xff, 0xff, 0xff, 0, 0],
        ]
        .concat();
        let whole = start + end.len() as u64;
        let parts = vec![(0, first), (data_end, [tail, end].concat())];
        (Sparse { parts, at: 0, read: 0 }, whole)
    }

    #[test]
    fn what_pytorch_writes_past_four_gib_is_read_and_its_weights_are_not() {
        let small = (5_u64 << 30) + 82;
        let (mut sparse, length) = five_gib(small);
        let mut source = Source::open(&mut sparse, length).unwrap();
        let directory = Directory::read(&mut source, &Budget::default()).unwrap();
        let sizes: Vec<u64> = directory.entries().iter().map(|entry| entry.size).collect();
        assert_eq!(sizes, [5 << 30, 2]);
        assert!(sparse.read < 1 << 20, "{}", sparse.read);

        let (mut sparse, length) = five_gib(small + 1);
        let mut source = Source::open(&mut sparse, length).unwrap();
        let found = Directory::read(&mut source, &Budget::default());
        assert!(matches!(found, Err(Fault::Broken(_))), "{found:?}");
    }
}
