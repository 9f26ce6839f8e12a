//! Datasets: the tensors. Their weights are not read, but they are there, as many as the shape asks
//! for.

use std::io::{Read, Seek};

use super::attribute;
use super::chunks::{self, Chunks};
use super::dataspace::Dataspace;
use super::datatype::{Datatype, Holds};
use super::fields::Fields;
use super::group::{COMMON, fields_version};
use super::header::{Header, Kind, Message};
use super::layout::Layout;
use super::{File, global};
use crate::contents::Tensor;
use crate::finding::Place;
use crate::malformed::{Fault, broken, shown};

/// What a dataset may have.
const KINDS: [Kind; 8] = [
    Kind::DATASPACE,
    Kind::DATATYPE,
    Kind::FILL_OLD,
    Kind::FILL,
    Kind::EXTERNAL_FILES,
    Kind::LAYOUT,
    Kind::FILTERS,
    Kind::ATTRIBUTE,
];

/// Reads the dataset at `path`.
pub(super) fn read<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    header: &Header,
) -> Result<(), Fault> {
    header.only(&[COMMON.as_slice(), &KINDS].concat())?;
    let wrong = |detail: &str| broken(Place::Tensor(shown(path)), detail);
    let dataspace = Dataspace::read(&mut header.must(Kind::DATASPACE)?.fields())?;
    let datatype = Datatype::read(&mut header.must(Kind::DATATYPE)?.fields())?;
    let size = dataspace.count().and_then(|count| count.checked_mul(datatype.size));
    let size = size.ok_or_else(|| wrong("its size overflows"))?;
    fill(header)?;
    let filters = match header.one(Kind::FILTERS)? {
        Some(message) => filters(message)?,
        None => Filters::default(),
    };
    let layout = Layout::read(&mut header.must(Kind::LAYOUT)?.fields())?;
    if filters.any && !layout.is_chunked() {
        return Err(wrong("it has filters and no chunks"));
    }
    let external = header.one(Kind::EXTERNAL_FILES)?;
    let stored = match (external, layout) {
        (Some(message), _) => {
            outside(file, path, message)?;
            0
        }
        (None, Layout::Virtual { heap, object }) => {
            elsewhere(file, path, heap, object)?;
            0
        }
        (None, Layout::Compact { at, size: stored }) => {
            if stored != size {
                return Err(wrong("its data has another size than its shape asks for"));
            }
            texts(file, path, &datatype, Some((at, stored)))?;
            stored
        }
        (None, Layout::Contiguous { address, size: stored }) => {
            if stored.is_some_and(|stored| stored != size) {
                return Err(wrong("its data has another size than its shape asks for"));
            }
            match address {
                Some(address) => {
                    file.claim(address, size)?;
                    texts(file, path, &datatype, Some((address, size)))?;
                }
                None if size > 0 => return Err(wrong("its data is not in the file")),
                None => {}
            }
            size
        }
        (None, Layout::Chunked { chunk, index, address }) => {
            let chunks = Chunks::new(&dataspace, datatype.size, &chunk, filters.any)
                .ok_or_else(|| wrong("its chunks are not possible"))?;
            texts(file, path, &datatype, None)?;
            let stored = chunks::read(file, &chunks, index, address)?;
            bounded(size, stored, &filters).map_err(&wrong)?;
            stored
        }
    };
    file.notes.show(|contents| {
        let (name, dtype) = (path.to_owned(), datatype.name.clone());
        contents.tensors.push(Tensor {
            name,
            dtype,
            shape: dataspace.shape.clone(),
            bytes: stored,
        });
    });
    Ok(())
}

/// Data that unpacks to more than this is held against what is stored.
const SMALL: u64 = 1024 * 1024;
/// How many times as large it may become.
const RATIO: u64 = 100;

fn bounded(size: u64, stored: u64, filters: &Filters) -> Result<(), &'static str> {
    if filters.any && size > SMALL && size / RATIO > stored {
        return Err("its data unpacks to more than a hundred times its size");
    }
    Ok(())
}

/// Fill values (IV.A.2.e and f) are whole.
fn fill(header: &Header) -> Result<(), Fault> {
    if let Some(message) = header.one(Kind::FILL_OLD)? {
        let mut fields = message.fields();
        let size = fields.u32()?;
        fields.take(usize::try_from(size).unwrap_or(usize::MAX))?;
    }
    let Some(message) = header.one(Kind::FILL)? else {
        return Ok(());
    };
    let mut fields = message.fields();
    let has_value = match fields.u8()? {
        1 => {
            fields.take(3)?;
            true
        }
        2 => {
            fields.take(2)?;
            fields.u8()? != 0
        }
        3 => fields.u8()? & 0x20 != 0,
        version => {
            return Err(fields.wrong(format!("version {version} of a fill value is unknown")));
        }
    };
    if has_value {
        let size = fields.u32()?;
        // -1 in version 1: undefined.
        if size != u32::MAX {
            fields.take(usize::try_from(size).unwrap_or(usize::MAX))?;
        }
    }
    Ok(())
}

/// The filters of a dataset.
#[derive(Default)]
struct Filters {
    any: bool,
}

/// Filters (IV.A.2.l) that every reader has built in. For others it would load a library.
fn filters(message: &Message) -> Result<Filters, Fault> {
    let mut fields = message.fields();
    let version = fields.u8()?;
    let count = fields.u8()?;
    match version {
        1 => _ = fields.take(6)?,
        2 => {}
        _ => return Err(fields.wrong(format!("version {version} of a pipeline is unknown"))),
    }
    let mut seen = Vec::new();
    for _ in 0..count {
        let filter = fields.u16()?;
        if !matches!(filter, 1..=3) || seen.contains(&filter) {
            let detail =
                format!("filter {filter} is not deflate, shuffle or fletcher32, each once");
            return Err(fields.wrong(detail));
        }
        seen.push(filter);
        let name = if version == 1 { usize::from(fields.u16()?) } else { 0 };
        fields.take(2)?;
        let values = usize::from(fields.u16()?);
        fields.take(name)?;
        fields.take(values.saturating_mul(4))?;
        if version == 1 && values % 2 == 1 {
            fields.take(4)?;
        }
    }
    Ok(Filters { any: count > 0 })
}

/// Texts of variable length in a dataset are in their global heaps.
fn texts<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    datatype: &Datatype,
    data: Option<(u64, u64)>,
) -> Result<(), Fault> {
    match (datatype.holds, data) {
        (Holds::Plain | Holds::Text, _) => Ok(()),
        (Holds::Reference, _) => {
            file.leads(path, "a reference", "refers to objects");
            Ok(())
        }
        (Holds::Place, Some((at, size))) if size <= file.budget.hdf5_block => {
            let bytes = file.peek(at, size)?;
            attribute::place(file, Fields::new(&bytes, at)).map(|_| ())
        }
        (Holds::Place, _) => {
            let detail = "strings of variable length are in chunks or too many";
            Err(broken(Place::Tensor(shown(path)), detail))
        }
    }
}

/// External storage (IV.A.2.h): the data is in other files, each named in a local heap.
fn outside<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    message: &Message,
) -> Result<(), Fault> {
    let mut fields = message.fields();
    fields_version(&mut fields, 1, "external storage")?;
    fields.take(3 + 2)?;
    let used = fields.u16()?;
    let names = super::group::Heap::read(file, fields.defined()?)?;
    for _ in 0..used {
        let name = names.text(fields.u64()?)?;
        fields.take(16)?;
        file.leads(path, &name, "keeps its data in another file");
    }
    if used == 0 {
        return Err(fields.wrong("external storage without a file"));
    }
    Ok(())
}

/// Virtual datasets (IV.A.2.i): the first source file stands at the start of the list.
fn elsewhere<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    heap: u64,
    object: u32,
) -> Result<(), Fault> {
    /// Bytes of a name that are looked at.
    const NAME: u64 = 4096;
    let (at, size) = global::object(file, heap, object)?;
    let list = file.peek(at, size.min(NAME))?;
    // A version and the number of sources stand before.
    let names = list.get(9..).unwrap_or_default();
    let name = names.split(|&byte| byte == 0).next().unwrap_or_default();
    file.leads(path, &String::from_utf8_lossy(name), "is made of other datasets");
    Ok(())
}
