//! Groups: symbol tables (HDF5 File Format 3.0, III.A to III.D) and links (IV.A.2.g).

use std::io::{Read, Seek};

use super::btree1::{self, Shape};
use super::fields::Fields;
use super::header::{Header, Kind};
use super::{File, Found, Target, btree2, checksum, fractal, join};
use crate::malformed::{Fault, shown};

/// What any object may have.
pub(super) const COMMON: [Kind; 6] = [
    Kind::ATTRIBUTE,
    Kind::ATTRIBUTE_INFO,
    Kind::COMMENT,
    Kind::TIME_OLD,
    Kind::TIME,
    Kind::REFERENCES,
];

/// Bytes of a name: what file systems allow, a few times over.
const LONGEST: usize = 1024;

/// A group of version 1: a tree of symbol table nodes, and a local heap with the names.
pub(super) fn old<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    header: &Header,
) -> Result<Found, Fault> {
    header.only(&[COMMON.as_slice(), &[Kind::SYMBOL_TABLE]].concat())?;
    let mut table = header.must(Kind::SYMBOL_TABLE)?.fields();
    let (tree, heap) = (table.defined()?, table.defined()?);
    let names = Heap::read(file, heap)?;
    let mut links = Vec::new();
    let mut last = String::new();
    let shape = Shape { kind: 0, key: 8 };
    btree1::walk(file, tree, shape, &mut |file, [mut before, mut after], address| {
        let (before, after) = (names.text(before.u64()?)?, names.text(after.u64()?)?);
        let mut node = Node { path, names: &names, last: &mut last, links: &mut links };
        node.read(file, address, [&before, &after])
    })?;
    Ok((links, Some((tree, heap))))
}

/// A local heap (III.D): names, each ending in a zero.
pub(super) struct Heap {
    at: u64,
    bytes: Vec<u8>,
}

impl Heap {
    pub(super) fn read<R: Read + Seek>(
        file: &mut File<'_, '_, R>,
        address: u64,
    ) -> Result<Heap, Fault> {
        let prefix = file.block(address, 32)?;
        let mut fields = Fields::new(&prefix, address);
        fields.signature(*b"HEAP", 0)?;
        fields.take(3)?;
        let size = fields.u64()?;
        fields.take(8)?;
        let at = fields.defined()?;
        Ok(Heap { at, bytes: file.block(at, size)? })
    }

    pub(super) fn text(&self, offset: u64) -> Result<String, Fault> {
        let start = usize::try_from(offset).ok();
        let rest = start.and_then(|start| self.bytes.get(start..));
        let at = self.at.saturating_add(offset);
        text(rest.unwrap_or_default(), at)
    }
}

/// The text up to a zero that has to be there.
fn text(bytes: &[u8], at: u64) -> Result<String, Fault> {
    let fields = Fields::new(bytes, at);
    let Some(end) = memchr::memchr(0, bytes) else {
        return Err(fields.wrong("a name does not end inside its heap"));
    };
    let text = bytes.get(..end).unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(fields.wrong("a name is not UTF-8")),
    }
}

/// The walk through the symbol table nodes of one group.
struct Node<'g> {
    path: &'g str,
    names: &'g Heap,
    last: &'g mut String,
    links: &'g mut Vec<(String, Target)>,
}

impl Node<'_> {
    /// Reads a symbol table node (III.B). Its names lie behind the key before it and not behind the
    /// key after it, in order: readers search by name, or read all.
    fn read<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        address: u64,
        [before, after]: [&str; 2],
    ) -> Result<(), Fault> {
        let prefix = file.block(address, 8)?;
        let mut fields = Fields::new(&prefix, address);
        fields.signature(*b"SNOD", 1)?;
        fields.take(1)?;
        let count = fields.u16()?;
        let at = fields.at();
        let entries = file.block(at, u64::from(count).saturating_mul(40))?;
        let mut fields = Fields::new(&entries, at);
        for _ in 0..count {
            let mut entry = fields.part(40)?;
            let name = self.names.text(entry.u64()?)?;
            check(&name, file, &entry)?;
            let ordered = *before < *name && *name <= *after && *self.last < name;
            if !ordered {
                let name = shown(&name);
                return Err(entry.wrong(format!("{name:?} is not at its place in the group")));
            }
            match symbolic(&entry)? {
                Some(offset) => {
                    let path = join(self.path, &name);
                    file.name(&path)?;
                    file.leads(&path, &self.names.text(offset)?, "is a soft link");
                }
                None => self.links.push((name.clone(), Target::from_entry(&mut entry)?)),
            }
            *self.last = name;
        }
        if self.links.len() > file.budget.hdf5_objects {
            return Err(fields.wrong("a group has more links than allowed"));
        }
        Ok(())
    }
}

/// Where the value of a soft link stands in the heap, if the entry is one.
fn symbolic(entry: &Fields<'_>) -> Result<Option<u64>, Fault> {
    let mut entry = entry.clone();
    entry.take(8)?;
    if entry.u32()? != 2 {
        return Ok(None);
    }
    entry.take(4)?;
    Ok(Some(u64::from(entry.u32()?)))
}

/// A name that one reader could take for a path, or that a terminal would act on, is refused.
fn check<R: Read + Seek>(
    name: &str,
    file: &mut File<'_, '_, R>,
    fields: &Fields<'_>,
) -> Result<(), Fault> {
    file.name(name)?;
    let plain = !matches!(name, "" | "." | "..") && !name.contains('/');
    if !plain || name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(fields.wrong(format!("{:?} cannot be the name of a link", shown(name))));
    }
    Ok(())
}

/// A group of version 2: links in the header, or in a fractal heap with indexes.
pub(super) fn new<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    header: &Header,
) -> Result<Vec<(String, Target)>, Fault> {
    header.only(&[COMMON.as_slice(), &[Kind::LINK_INFO, Kind::GROUP_INFO, Kind::LINK]].concat())?;
    header.one(Kind::GROUP_INFO)?;
    let mut info = header.must(Kind::LINK_INFO)?.fields();
    fields_version(&mut info, 0, "link info")?;
    let flags = info.u8()?;
    if flags & 1 != 0 {
        info.take(8)?;
    }
    let (heap, by_name) = (info.address()?, info.address()?);
    let by_order = if flags & 2 != 0 { info.address()? } else { None };

    let mut links = Links { path, names: Vec::new(), found: Vec::new() };
    for message in header.all(Kind::LINK) {
        links.read(file, message.fields())?;
    }
    if let Some(heap) = heap {
        if !links.names.is_empty() {
            return Err(info.wrong("a group has links both in its header and in a heap"));
        }
        let by_name = by_name.ok_or_else(|| info.wrong("the links have no index by name"))?;
        let mut heap = fractal::Heap::read(file, heap)?;
        let ids = btree2::indexed(file, by_name, &btree2::LINKS_BY_NAME)?;
        if let Some(by_order) = by_order {
            let ordered = btree2::indexed(file, by_order, &btree2::LINKS_BY_ORDER)?;
            btree2::agree(&ids, &ordered, &info)?;
        }
        for id in &ids {
            let (at, bytes) = heap.object(file, &id.heap)?;
            let name = links.read(file, Fields::new(&bytes, at))?;
            info.same(checksum::lookup3(name.as_bytes()), id.hash, "the hash of a link's name")?;
        }
        heap.whole(&info)?;
    } else {
        info.same((by_name, by_order), (None, None), "the index of links without a heap")?;
    }
    links.finish(&info)
}

/// Refuses another version than this.
pub(super) fn fields_version(
    fields: &mut Fields<'_>,
    version: u8,
    what: &str,
) -> Result<(), Fault> {
    let found = fields.u8()?;
    if found != version {
        return Err(fields.wrong(format!("version {found} of {what} is unknown")));
    }
    Ok(())
}

/// The links of one group, as they are read.
struct Links<'g> {
    path: &'g str,
    names: Vec<String>,
    found: Vec<(String, Target)>,
}

impl Links<'_> {
    /// Reads a link message (IV.A.2.g) and gives its name.
    fn read<R: Read + Seek>(
        &mut self,
        file: &mut File<'_, '_, R>,
        mut link: Fields<'_>,
    ) -> Result<String, Fault> {
        if self.names.len() >= file.budget.hdf5_objects {
            return Err(link.wrong("a group has more links than allowed"));
        }
        fields_version(&mut link, 1, "a link")?;
        let flags = link.u8()?;
        if flags & 0xe0 != 0 {
            return Err(link.wrong("a link has unknown flags"));
        }
        let kind = if flags & 8 != 0 { link.u8()? } else { 0 };
        if flags & 4 != 0 {
            link.take(8)?;
        }
        if flags & 16 != 0 && link.u8()? > 1 {
            return Err(link.wrong("the name of a link has an unknown character set"));
        }
        let size = link.uint(1 << (flags & 3))?;
        let name = link.take(usize::try_from(size).unwrap_or(usize::MAX))?;
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(link.wrong("the name of a link is not UTF-8"));
        };
        check(name, file, &link)?;
        let path = join(self.path, name);
        file.name(&path)?;
        match kind {
            0 => self
                .found
                .push((name.to_owned(), Target { address: link.defined()?, cached: None })),
            1 => {
                let target = value(&mut link)?;
                file.leads(&path, &String::from_utf8_lossy(target), "is a soft link");
            }
            64 => {
                let target = value(&mut link)?;
                // A byte of version and flags, the file, a zero, the object in it.
                let file_name =
                    target.get(1..).and_then(|rest| rest.split(|&byte| byte == 0).next());
                let target = String::from_utf8_lossy(file_name.unwrap_or_default()).into_owned();
                file.leads(&path, &target, "is a link into another file");
            }
            _ => return Err(link.wrong(format!("a link of type {kind} is defined by a program"))),
        }
        link.padding("a link")?;
        self.names.push(name.to_owned());
        Ok(name.to_owned())
    }

    /// No two links have one name.
    fn finish(mut self, fields: &Fields<'_>) -> Result<Vec<(String, Target)>, Fault> {
        self.names.sort_unstable();
        for pair in self.names.windows(2) {
            if let [one, other] = pair
                && one == other
            {
                return Err(fields.wrong(format!("two links are called {:?}", shown(one))));
            }
        }
        Ok(self.found)
    }
}

/// A value with its length before it.
fn value<'b>(link: &mut Fields<'b>) -> Result<&'b [u8], Fault> {
    let size = usize::from(link.u16()?);
    link.take(size)
}
