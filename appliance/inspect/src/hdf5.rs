//! HDF5 (HDF5 File Format 3.0), as h5py and Keras write it.
//!
//! ```text
//!   superblock --> root group --> links ----> group ...
//!                  (object        (symbol     dataset: type, shape, layout --> chunks, filters
//!                   header)        table or   attributes: compact or in a fractal heap,
//!                                  heap)                  strings in global heaps
//! ```
//!
//! Every structure that a reader could follow is followed, from the root on. What is not understood
//! is refused, never passed over. Each range of the file serves one purpose: two structures that
//! overlap are refused, so nothing is read as two things, and all that is read together is no longer
//! than the file. Weights are not read, but they have to be there, as many as the shape asks for.
//! What leads out of the file (soft and external links, external storage, virtual datasets) is
//! reported as [`Kind::Link`].

mod attribute;
mod btree1;
mod btree2;
mod checksum;
mod chunks;
mod dataset;
mod dataspace;
mod datatype;
mod fields;
mod fractal;
mod global;
mod group;
mod header;
mod layout;
mod superblock;

use std::collections::HashMap;
use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::finding::{Kind, Place};
use crate::malformed::{Fault, broken, shown};
use crate::notes::Notes;
use crate::source::Source;

use fields::Fields;
use global::Collections;
use header::Header;

/// The signature of the superblock.
pub(crate) const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// The address that leads nowhere.
const UNDEFINED: u64 = u64::MAX;

/// Reads the whole file but for its weights.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut file = File::new(source, budget, notes);
    let root = superblock::read(&mut file)?;
    walk(&mut file, root)?;
    file.disjoint()
}

/// One file, and what of it was read.
struct File<'f, 'r, R> {
    source: &'f mut Source<'r, R>,
    budget: &'f Budget,
    notes: &'f mut Notes,
    /// Start and end of every range that has a purpose.
    ranges: Vec<(u64, u64)>,
    /// Bytes of all structures so far.
    structures: u64,
    /// Bytes of all objects in fractal heaps so far.
    objects: u64,
    /// Bytes of all names and paths so far.
    names: u64,
    /// Bytes of all configurations so far.
    configs: u64,
    collections: Collections,
}

impl<'f, 'r, R: Read + Seek> File<'f, 'r, R> {
    fn new(source: &'f mut Source<'r, R>, budget: &'f Budget, notes: &'f mut Notes) -> Self {
        File {
            source,
            budget,
            notes,
            ranges: Vec::new(),
            structures: 0,
            objects: 0,
            names: 0,
            configs: 0,
            collections: Collections::default(),
        }
    }

    fn length(&self) -> u64 {
        self.source.length()
    }

    /// Gives the `size` bytes at `at` to one purpose.
    fn claim(&mut self, at: u64, size: u64) -> Result<(), Fault> {
        let end = at.checked_add(size).filter(|&end| end <= self.length());
        let Some(end) = end else {
            return Err(broken(Place::Offset(at), format!("{size} bytes run past the file's end")));
        };
        if size == 0 {
            return Ok(());
        }
        // What follows its neighbour needs no room of its own.
        if let Some((_, last)) = self.ranges.last_mut()
            && *last == at
        {
            *last = end;
            return Ok(());
        }
        if self.ranges.len() >= self.budget.hdf5_ranges {
            return Err(broken(Place::Offset(at), "the file has more parts than allowed"));
        }
        self.ranges.push((at, end));
        Ok(())
    }

    /// Reads a structure that nothing else may overlap.
    fn block(&mut self, at: u64, size: u64) -> Result<Vec<u8>, Fault> {
        self.claim(at, size)?;
        if size > self.budget.hdf5_block {
            let detail = format!("a structure of {size} bytes is larger than allowed");
            return Err(broken(Place::Offset(at), detail));
        }
        // Structures that do not overlap are together no longer than the file.
        self.structures = self.structures.saturating_add(size);
        if self.structures > self.length() {
            return Err(broken(Place::Offset(at), "structures overlap"));
        }
        Ok(self.source.read_at(at, size)?)
    }

    /// Reads an object of a fractal heap. All of them are together no longer than the file, too.
    fn object(&mut self, at: u64, size: u64) -> Result<Vec<u8>, Fault> {
        self.objects = self.objects.saturating_add(size);
        if self.objects > self.length() {
            return Err(broken(Place::Offset(at), "objects in a heap overlap"));
        }
        Ok(self.peek(at, size)?)
    }

    /// Bounds the names that are kept: a heap may lend its bytes to many names.
    fn name(&mut self, name: &str) -> Result<(), Fault> {
        self.names = self.names.saturating_add(name.len() as u64);
        if self.names > self.budget.hdf5_names {
            return Err(broken(Place::File, "the names in the file are longer than allowed"));
        }
        Ok(())
    }

    /// Looks at up to `size` bytes that are or will be part of something. The caller bounds `size`.
    fn peek(&mut self, at: u64, size: u64) -> io::Result<Vec<u8>> {
        let size = size.min(self.length().saturating_sub(at));
        if size == 0 {
            return Ok(Vec::new());
        }
        self.source.read_at(at, size)
    }

    /// No two ranges overlap.
    fn disjoint(mut self) -> Result<(), Fault> {
        self.ranges.sort_unstable();
        for pair in self.ranges.windows(2) {
            if let &[(_, end), (start, _)] = pair
                && start < end
            {
                return Err(broken(Place::Offset(start), "two parts of the file overlap"));
            }
        }
        Ok(())
    }

    /// Reports that the object at `path` leads to `target`.
    fn leads(&mut self, path: &str, target: &str, detail: &str) {
        let place = Place::Node(shown(path));
        self.notes.add(Kind::Link, &shown(target), place, detail.to_owned());
    }
}

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Target {
    /// Address of the object header.
    address: u64,
    /// The tree and heap of a group, where the entry that leads to it keeps a copy.
    cached: Option<(u64, u64)>,
}

impl Target {
    /// The rest of a symbol table entry, behind the name, of an object (III.C).
    fn from_entry(entry: &mut Fields<'_>) -> Result<Target, Fault> {
        let address = entry.defined()?;
        let cache = entry.u32()?;
        entry.take(4)?;
        let cached = match cache {
            0 => None,
            1 => Some((entry.u64()?, entry.u64()?)),
            _ => return Err(entry.wrong(format!("a symbol of the unknown type {cache}"))),
        };
        Ok(Target { address, cached })
    }
}

/// An object that is still to be read.
struct Pending {
    path: String,
    target: Target,
    depth: usize,
}

/// Reads every object that hard links lead to, each once.
fn walk<R: Read + Seek>(file: &mut File<'_, '_, R>, root: Target) -> Result<(), Fault> {
    // The tree and heap of each object that was read, if it has them.
    let mut known: HashMap<u64, Option<(u64, u64)>> = HashMap::new();
    let mut pending = vec![Pending { path: "/".to_owned(), target: root, depth: 0 }];
    let mut links = 0_usize;
    while let Some(Pending { path, target, depth }) = pending.pop() {
        let place = || Place::Node(shown(&path));
        let tables = match known.get(&target.address) {
            Some(tables) => *tables,
            None => {
                if known.len() >= file.budget.hdf5_objects {
                    return Err(broken(place(), "the file has more objects than allowed"));
                }
                let header = Header::read(file, target.address)?;
                let (found, tables) = object(file, &path, &header)?;
                known.insert(target.address, tables);
                if !found.is_empty() && depth >= file.budget.hdf5_depth {
                    return Err(broken(place(), "groups are nested deeper than allowed"));
                }
                links = links.saturating_add(found.len());
                if links > file.budget.hdf5_objects {
                    return Err(broken(place(), "the file has more links than allowed"));
                }
                for (name, target) in found {
                    let path = join(&path, &name);
                    file.name(&path)?;
                    let depth = depth.saturating_add(1);
                    pending.push(Pending { path, target, depth });
                }
                tables
            }
        };
        // A group that outgrew its tables leaves the copy behind.
        if target.cached.is_some() && tables.is_some() && target.cached != tables {
            return Err(broken(place(), "the link to a group and the group name different tables"));
        }
    }
    Ok(())
}

/// The path of what is called `name` in the group at `path`.
fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// The links of a group, and its tree and heap if it has them.
type Found = (Vec<(String, Target)>, Option<(u64, u64)>);

/// Reads one object.
fn object<R: Read + Seek>(
    file: &mut File<'_, '_, R>,
    path: &str,
    header: &Header,
) -> Result<Found, Fault> {
    use header::Kind;
    let found = if header.one(Kind::LAYOUT)?.is_some() {
        dataset::read(file, path, header)?;
        (Vec::new(), None)
    } else if header.one(Kind::SYMBOL_TABLE)?.is_some() {
        group::old(file, path, header)?
    } else if header.one(Kind::LINK_INFO)?.is_some() {
        (group::new(file, path, header)?, None)
    } else {
        datatype::committed(header)?;
        (Vec::new(), None)
    };
    attribute::all(file, path, header)?;
    Ok(found)
}
