//! TensorFlow: a SavedModel (`saved_model.pb`), and a graph alone (`GraphDef`).
//!
//! ```text
//!   SavedModel --> MetaGraphDef --> GraphDef --> NodeDef: operator --> attributes: functions, constants
//!                       |               +------> library: functions, gradients --> NodeDef
//!                       +--> assets, objects
//! ```
//!
//! A graph is a program: some operators read and write files or call Python. So each is reported by
//! its name, and a policy lists what it admits.

mod graph;
mod proto;
mod saved;
mod tensor;
mod visit;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::finding::Place;
use crate::format::Format;
use crate::keras;
use crate::malformed::{Fault, broken};
use crate::notes::Notes;
use crate::protobuf::{self, Wire};
use crate::source::{Scan, Source};

/// Field 1, a number: the version of a SavedModel's schema.
const VERSION_TAG: u8 = 0x08;
/// The field that holds the settings of a Keras object.
const SETTINGS: &str = "SavedUserObject.metadata";
/// Field 1, a message: the first node of a graph. It is also a line feed.
const NODE_TAG: u8 = 0x0a;

/// Looks whether the file is a SavedModel or a graph.
///
/// Either is sure as soon as its first part holds what no other format has there. Readers pass over
/// fields that they do not know, so what follows makes it malformed and nothing else.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    let format = match source.head().first() {
        Some(&VERSION_TAG) => Format::SavedModel,
        Some(&NODE_TAG) => Format::GraphDef,
        _ => return Ok(None),
    };
    let mut scan = source.scan(0)?;
    let mut found = false;
    let outline = match format {
        Format::SavedModel => model(&mut scan, &mut found, budget),
        _ => nodes(&mut scan, &mut found, budget),
    };
    match outline {
        Err(Fault::Read(cause)) => Err(cause),
        _ if !found => Ok(None),
        Ok(()) => Ok(Some(Claim::sure(format))),
        Err(Fault::Broken(cause)) => {
            Ok(Some(Claim { malformed: Some(cause), ..Claim::sure(format) }))
        }
    }
}

/// The fields at the top of a SavedModel: `found` when one of them is a `MetaGraphDef`.
fn model<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    found: &mut bool,
    budget: &Budget,
) -> Result<(), Fault> {
    let mut foreign = None;
    for _ in 0..budget.onnx_fields {
        if scan.remaining() == 0 {
            return foreign.map_or(Ok(()), Err);
        }
        let at = scan.at();
        match protobuf::tag(scan)? {
            Some((1, wire @ Wire::Varint)) => protobuf::skip(scan, wire)?,
            Some((2, Wire::Bytes)) => *found |= holds(scan, 2, 7)?,
            Some((_, wire)) => {
                protobuf::skip(scan, wire)?;
                let cause = || broken(Place::Offset(at), "SavedModel has no such field");
                foreign.get_or_insert_with(cause);
            }
            None => break,
        }
    }
    Err(broken(Place::Offset(scan.at()), "SavedModel has no such field, or too many"))
}

/// The fields of a graph: `found` when the first is a node with an operator.
fn nodes<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    found: &mut bool,
    budget: &Budget,
) -> Result<(), Fault> {
    for _ in 0..budget.graph_fields {
        if scan.remaining() == 0 {
            return Ok(());
        }
        match protobuf::tag(scan)? {
            Some((1, Wire::Bytes)) => {
                if !holds(scan, 2, 7)? {
                    break;
                }
                *found = true;
            }
            Some((3, wire @ Wire::Varint)) | Some((2 | 4 | 5, wire @ Wire::Bytes)) => {
                protobuf::skip(scan, wire)?;
            }
            _ => break,
        }
    }
    Err(broken(Place::Offset(scan.at()), "GraphDef has no such field, or a node no operator"))
}

/// Passes over a message. Whether it has the field `needed`, and no other fields than those up to `last`, all
/// of them with a length.
fn holds<R: Read + Seek>(scan: &mut Scan<'_, R>, needed: u64, last: u64) -> Result<bool, Fault> {
    let length = protobuf::varint(scan)?;
    scan.need(length)?;
    let end = scan.at().saturating_add(length);
    let (mut has, mut known) = (false, true);
    while scan.at() < end && known {
        match protobuf::tag(scan)? {
            Some((field, Wire::Bytes)) if field <= last => {
                let part = protobuf::varint(scan)?;
                known = part <= end.saturating_sub(scan.at());
                if known {
                    scan.skip(part)?;
                }
                has |= field == needed;
            }
            _ => known = false,
        }
    }
    let whole = known && scan.at() == end;
    scan.skip(end.saturating_sub(scan.at()))?;
    Ok(has && whole)
}

/// Walks over all graphs of the model.
pub(crate) fn read<R: Read + Seek>(
    format: Format,
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let schema = if format == Format::GraphDef { &graph::GRAPH_DEF } else { &saved::SAVED_MODEL };
    let mut scan = source.scan(0)?;
    let mut visitor = visit::Visitor::new(notes, budget);
    protobuf::walk(&mut scan, schema, budget, &mut visitor)?;
    // Keras builds a model anew from the settings of its objects.
    for (at, length) in std::mem::take(&mut visitor.settings) {
        keras::config(source, (at, length), SETTINGS, budget, notes)?;
    }
    Ok(())
}
