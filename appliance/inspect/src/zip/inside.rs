//! The members of a zip, each inspected in its turn.

use std::io::{Read, Seek};

use super::directory::{Directory, Entry, Method};
use super::kind::{self, Part};
use super::member::{Member, check};
use crate::budget::Budget;
use crate::claim;
use crate::contents;
use crate::finding::{Kind, Place};
use crate::format::{Format, Identified};
use crate::keras;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::pickle::{Loader, Storages};
use crate::source::Source;

/// Looks into every member of the archive, which is of that `format`.
pub(super) fn read<R: Read + Seek>(
    format: Format,
    directory: &Directory,
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    if notes.depth() >= budget.archive_depth {
        let detail = format!("archives lie in one another, deeper than {}", budget.archive_depth);
        return Err(broken(Place::File, detail));
    }
    bounded(directory, budget)?;
    let loader = match format {
        Format::Pytorch | Format::Torchscript => Loader::Torch,
        _ => Loader::Python,
    };
    let mut named = Vec::new();
    for entry in directory.entries() {
        check(source, entry, budget)?;
        let part = Part::of(format, directory, entry);
        if entry.is_folder() {
            continue;
        }
        let found = match part {
            Part::Storage => None,
            _ => Some(notes.inside(&entry.name, |notes| {
                let (found, storages) = look(loader, source, entry, budget, notes)?;
                if let Some(folder) = kind::storages(format, directory, entry) {
                    named.extend(storages.map(|storages| (folder, storages)));
                }
                if format == Format::Keras && *entry.name == *keras::CONFIG {
                    let mut member = Member::open(source, entry, budget)?;
                    keras::member(&mut Source::open(&mut member, entry.size)?, budget, notes)?;
                }
                Ok::<_, Fault>(found)
            })?),
        };
        if let Some(what) = kind::macros(&entry.name).filter(|_| format == Format::Document) {
            notes.add(Kind::Macro, &shown(&entry.name), entry.place(), what.to_owned());
        }
        let formats = found.as_ref().map(names).unwrap_or_default();
        if let Some(found) = found.filter(|found| !part.may_be(entry, found)) {
            foreign(notes, format, entry, &found);
        }
        notes.show(|contents| {
            let member =
                contents::Member { name: entry.name.to_string(), bytes: entry.size, formats };
            contents.members.push(member);
        });
    }
    // A program has further pickles that name storages.
    let all = format == Format::Pytorch;
    named.into_iter().try_for_each(|(folder, storages)| held(directory, &folder, storages, all))
}

/// Holds the sizes of `storages` against the members of their `folder`: PyTorch reads as many bytes
/// as the pickle says, whatever the member has. The last element of a storage may be cut. Where they
/// are `all` that the archive has, no other storage may be there.
fn held(
    directory: &Directory,
    folder: &str,
    mut storages: Storages,
    all: bool,
) -> Result<(), Fault> {
    const ELEMENT: u64 = 16;
    let mut unneeded = None;
    for entry in directory.entries() {
        let Some(key) = entry.name.strip_prefix(folder) else { continue };
        let Some(extent) = storages.0.remove(key) else {
            unneeded = unneeded.or(Some(entry).filter(|_| all));
            continue;
        };
        let (bytes, size) = (extent.bytes, entry.size);
        if size.checked_sub(bytes).is_none_or(|more| more >= ELEMENT) {
            let detail = format!("the pickle names {bytes} bytes of storage, and it has {size}");
            return Err(broken(entry.place(), detail));
        }
    }
    if let Some(key) = storages.0.keys().next() {
        let key = shown(key);
        let detail = format!("storage {key:?}, which the pickle names, is missing in {folder:?}");
        return Err(broken(Place::File, detail));
    }
    match unneeded {
        None => Ok(()),
        Some(entry) => Err(broken(entry.place(), "no tensor needs this storage")),
    }
}

/// Bounds what all compressed members unpack to.
fn bounded(directory: &Directory, budget: &Budget) -> Result<(), Fault> {
    let deflated = directory.entries().iter().filter(|entry| entry.method == Method::Deflated);
    let (packed, size) = deflated.fold((0_u64, 0_u64), |(packed, size), entry| {
        (packed.saturating_add(entry.packed), size.saturating_add(entry.size))
    });
    let most = packed.saturating_mul(budget.zip_ratio).max(budget.zip_free.saturating_mul(4));
    if size > most {
        let detail = format!("{packed} packed bytes claim to unpack to {size}");
        return Err(broken(Place::File, detail));
    }
    Ok(())
}

/// Identifies a member and reads what it holds.
fn look<R: Read + Seek>(
    loader: Loader,
    source: &mut Source<'_, R>,
    entry: &Entry,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(Identified, Option<Storages>), Fault> {
    let mut member = Member::open(source, entry, budget)?;
    let mut inner = Source::open(&mut member, entry.size)?;
    let (decided, storages) = claim::decide_for(loader, &mut inner, budget, notes)?;
    match decided.malformed {
        Some(Malformed::Rule { place, detail }) => notes.malformed(place, detail),
        Some(cause) => notes.malformed(Place::File, cause.to_string()),
        None => {}
    }
    Ok((decided.format, storages))
}

fn foreign(notes: &mut Notes, archive: Format, entry: &Entry, found: &Identified) {
    let names = names(found);
    let subject = match names.as_slice() {
        [] => "unknown",
        [one] => one,
        _ => "ambiguous",
    };
    let is =
        if names.is_empty() { "of no known format".to_owned() } else { names.join(" and as ") };
    let detail = format!("is {is}, which {} has not there", archive.name());
    notes.add(Kind::Member, subject, entry.place(), detail);
}

fn names(found: &Identified) -> Vec<&'static str> {
    match found {
        Identified::Unknown => Vec::new(),
        Identified::One(format) => vec![format.name()],
        Identified::Ambiguous(formats) => formats.iter().map(|format| format.name()).collect(),
    }
}
