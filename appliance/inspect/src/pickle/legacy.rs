//! What `torch.save` wrote before PyTorch 1.6, and still writes when it is told not to use a zip.
//!
//! ```text
//!   magic number | 1001 | system | object | keys | count, elements | count, elements | ...
//!   `------------- five pickles -----------------'  `--- one for each key, in its order ---'
//! ```
//!
//! The fourth pickle names the storages, with type and number of elements; all the rest of the file is
//! theirs. (`torch/serialization.py`, `_legacy_save`.)

use std::io::{Read, Seek};

use super::broken_at;
use super::machine::Machine;
use super::value::Value;
use super::{Loader, Storages};
use crate::budget::Budget;
use crate::malformed::{Fault, shown};
use crate::notes::Notes;
use crate::source::{Scan, Source};

/// The first pickle: the number 0x1950a86a20f9469cfc6c in protocol 2.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The version that the second pickle is.
const VERSION: i64 = 1001;

/// Reads all five pickles and holds the storages against the rest of the file.
pub(super) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut scan = source.scan(MAGIC.len() as u64)?;
    let (version, ..) = pickle(&mut scan, budget, notes, Loader::Python)?;
    if version.int() != Some(VERSION) {
        return Err(broken_at(MAGIC.len() as u64, "the version is not 1001"));
    }
    pickle(&mut scan, budget, notes, Loader::Python)?;
    let (_, Storages(mut storages), _) = pickle(&mut scan, budget, notes, Loader::TorchLegacy)?;
    let (_, _, keys) = pickle(&mut scan, budget, notes, Loader::Python)?;
    for key in keys {
        let at = scan.at();
        let Some(extent) = storages.remove(&key) else {
            let key = shown(&key);
            return Err(broken_at(at, format!("storage {key:?} is not one that the object has")));
        };
        if u64::from_le_bytes(scan.array()?) != extent.elements {
            let key = shown(&key);
            return Err(broken_at(at, format!("storage {key:?} has another size in the object")));
        }
        scan.skip(extent.bytes)?;
    }
    if let Some(key) = storages.keys().next() {
        let key = shown(key);
        return Err(broken_at(scan.at(), format!("storage {key:?} is missing")));
    }
    match scan.remaining() {
        0 => Ok(()),
        bytes => Err(broken_at(scan.at(), format!("{bytes} bytes follow the last storage"))),
    }
}

/// One of the pickles: its value, its storages, and the texts in its lists.
fn pickle<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
    loader: Loader,
) -> Result<(Value, Storages, Vec<String>), Fault> {
    let mut machine = Machine::new(loader, budget, notes);
    machine.listed = Some(Vec::new());
    let value = machine.run(scan)?;
    if let Some(cause) = machine.wrong() {
        return Err(cause.into());
    }
    let storages = std::mem::take(&mut machine.storages);
    Ok((value, storages, machine.listed.take().unwrap_or_default()))
}
