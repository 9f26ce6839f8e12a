//! Attributes (HDF5 File Format 3.0, IV.A.2.m and IV.A.2.v): metadata of any object.

use std::collections::HashSet;
use std::io::{Read, Seek};

use super::dataspace::Dataspace;
use super::datatype::{Datatype, Holds};
use super::fields::Fields;
use super::group::fields_version;
use super::header::{Header, Kind};
use super::{File, btree2, checksum, fractal, global};
use crate::contents::Entry;
use crate::keras;
use crate::malformed::{Fault, shown};

/// Reads all attributes of the object at `path`.
pub(super) fn all<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    header: &Header,
) -> Result<(), Fault> {
    let mut names = HashSet::new();
    for message in header.all(Kind::ATTRIBUTE) {
        read(file, path, message.fields(), &mut names)?;
    }
    let Some(info) = header.one(Kind::ATTRIBUTE_INFO)? else {
        return Ok(());
    };
    let mut info = info.fields();
    fields_version(&mut info, 0, "attribute info")?;
    let flags = info.u8()?;
    if flags & 1 != 0 {
        info.take(2)?;
    }
    let (heap, by_name) = (info.address()?, info.address()?);
    let by_order = if flags & 2 != 0 { info.address()? } else { None };
    let Some(heap) = heap else {
        return info.same((by_name, by_order), (None, None), "the index of attributes");
    };
    if !names.is_empty() {
        return Err(info.wrong("an object has attributes both in its header and in a heap"));
    }
    let by_name = by_name.ok_or_else(|| info.wrong("the attributes have no index by name"))?;
    let mut heap = fractal::Heap::read(file, heap)?;
    let ids = btree2::indexed(file, by_name, &btree2::ATTRIBUTES_BY_NAME)?;
    if let Some(by_order) = by_order {
        let ordered = btree2::indexed(file, by_order, &btree2::ATTRIBUTES_BY_ORDER)?;
        btree2::agree(&ids, &ordered, &info)?;
    }
    for id in &ids {
        let (at, bytes) = heap.object(file, &id.heap)?;
        let name = read(file, path, Fields::new(&bytes, at), &mut names)?;
        info.same(checksum::lookup3(name.as_bytes()), id.hash, "the hash of an attribute's name")?;
    }
    heap.whole(&info)
}

/// Reads one attribute and gives its name.
fn read<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    mut fields: Fields<'_>,
    names: &mut HashSet<String>,
) -> Result<String, Fault> {
    let version = fields.u8()?;
    if !(1..=3).contains(&version) {
        return Err(fields.wrong(format!("version {version} of an attribute is unknown")));
    }
    // Version 1 keeps this byte at zero; later it says what stands in other objects.
    if fields.u8()? != 0 {
        return Err(fields.wrong("the type of an attribute stands elsewhere"));
    }
    let sizes = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
    if version == 3 && fields.u8()? > 1 {
        return Err(fields.wrong("the name of an attribute has an unknown character set"));
    }
    let mut part = |size: usize| {
        let part = fields.part(size)?;
        if version == 1 {
            fields.take(size.next_multiple_of(8).saturating_sub(size))?;
        }
        Ok::<_, Fault>(part)
    };
    let [name, datatype, dataspace] = sizes;
    let mut name = part(name)?;
    let mut datatype = part(datatype)?;
    let mut dataspace = part(dataspace)?;
    let name = self::name(&mut name)?;
    file.name(&name)?;
    if !names.insert(name.clone()) {
        return Err(fields.wrong(format!("two attributes are called {:?}", shown(&name))));
    }
    let datatype = Datatype::read(&mut datatype)?;
    let dataspace = Dataspace::read(&mut dataspace)?;
    let size = dataspace.count().and_then(|count| count.checked_mul(datatype.size));
    let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
    let data = fields.part(size)?;
    fields.padding("an attribute")?;
    value(file, (path, &name), (&datatype, &dataspace), data)?;
    Ok(name)
}

/// The name of an attribute, without the zero at its end.
fn name(fields: &mut Fields<'_>) -> Result<String, Fault> {
    let start = fields.clone();
    let name = match fields.rest().split_last() {
        Some((0, name)) => std::str::from_utf8(name).ok(),
        _ => None,
    };
    match name {
        Some(name) if !name.is_empty() && !name.chars().any(char::is_control) => {
            Ok(name.to_owned())
        }
        _ => Err(start.wrong("the name of an attribute is not possible")),
    }
}

/// The attributes in which Keras keeps how the model is built and trained.
const CONFIGS: [&str; 2] = ["model_config", "training_config"];

/// Bytes of a text that people are shown.
const SHOWN: u64 = 256;

fn value<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    (path, name): (&str, &str),
    (datatype, dataspace): (&Datatype, &Dataspace),
    data: Fields<'_>,
) -> Result<(), Fault> {
    let start = data.clone();
    let text = match datatype.holds {
        Holds::Place => place(file, data)?,
        Holds::Text => Some((data.at(), datatype.size)),
        Holds::Plain => None,
        Holds::Reference => {
            file.leads(
                path,
                "a reference",
                &format!("attribute {:?} refers to objects", shown(name)),
            );
            None
        }
    };
    let text = text.filter(|_| dataspace.is_scalar());
    if CONFIGS.contains(&name) {
        let Some((at, size)) = text else {
            return Err(start.wrong(format!("attribute {name:?} is no text")));
        };
        let size = match datatype.holds {
            Holds::Text => padded(start.clone().rest()),
            _ => size,
        };
        file.configs = file.configs.saturating_add(size);
        if file.configs > file.budget.keras_config {
            return Err(start.wrong("the configurations are larger than allowed"));
        }
        keras::config(file.source, (at, size), name, file.budget, file.notes)?;
    }
    if file.notes.shows() {
        let value = match text {
            Some((at, size)) => {
                let bytes = file.peek(at, size.min(SHOWN))?;
                let text = String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
                if size > SHOWN { format!("{text}\u{2026}") } else { text }
            }
            None => format!("{} {:?}", datatype.name, dataspace.shape),
        };
        let key = if path == "/" { name.to_owned() } else { format!("{path}: {name}") };
        file.notes.show(|contents| contents.metadata.push(Entry { key, value }));
    }
    Ok(())
}

/// The length of a text of fixed size without its padding.
fn padded(text: &[u8]) -> u64 {
    let end = text.iter().rposition(|&byte| !matches!(byte, 0 | b' '));
    end.map_or(0, |end| end.saturating_add(1)) as u64
}

/// Finds each text of variable length in its global heap, and gives the first.
pub(super) fn place<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    mut data: Fields<'_>,
) -> Result<Option<(u64, u64)>, Fault> {
    let mut first = None;
    while data.left() > 0 {
        let length = u64::from(data.u32()?);
        let (address, index) = (data.u64()?, data.u32()?);
        let text = if length == 0 && (address == 0 || address == super::UNDEFINED) {
            (data.at(), 0)
        } else {
            let (at, size) = global::object(file, address, index)?;
            if length > size {
                return Err(data.wrong("a string is longer than its place in the global heap"));
            }
            (at, length)
        };
        first = first.or(Some(text));
    }
    Ok(first)
}
