//! ONNX models: the protocol buffer `ModelProto` of onnx.proto.
//!
//! ```text
//!   ModelProto --> graph, functions, training --> node --> attribute --> graph, tensor ...
//!                                                  |                       |
//!   opset_import <-- every domain is imported -----+      data agrees <----+
//!                                                         with shape and type, or lies in a
//!                                                         file of the model
//! ```

mod calls;
mod proto;
mod schema;
mod tensor;
mod visit;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::{Fault, Malformed};
use crate::notes::Notes;
use crate::protobuf::{self, Wire};
use crate::source::{Scan, Source};

/// Looks whether the file is an ONNX model: the version first, then a graph. It is sure when
/// nothing else follows than what a model may have, to the last byte.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if source.head().first() != Some(&IR_VERSION_TAG) {
        return Ok(None);
    }
    let mut scan = source.scan(0)?;
    let mut graph = false;
    match walk(&mut scan, &mut graph, budget) {
        Ok(()) => Ok(graph.then(|| Claim::sure(Format::Onnx))),
        Err(Fault::Read(cause)) => Err(cause),
        Err(Fault::Broken(_)) if !graph => Ok(None),
        Err(Fault::Broken(cause)) => {
            Ok(Some(Claim { malformed: Some(cause), ..Claim::weak(Format::Onnx) }))
        }
    }
}

/// Walks over all graphs of the model.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut scan = source.scan(0)?;
    protobuf::walk(&mut scan, &schema::MODEL, budget, &mut visit::Visitor::new(notes, budget))
}

/// Field 1, a number.
const IR_VERSION_TAG: u8 = 0x08;

fn walk<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    graph: &mut bool,
    budget: &Budget,
) -> Result<(), Fault> {
    for _ in 0..budget.onnx_fields {
        if scan.remaining() == 0 {
            return Ok(());
        }
        match protobuf::tag(scan)? {
            Some((7, wire @ Wire::Bytes)) => {
                protobuf::skip(scan, wire)?;
                *graph = true;
            }
            // ir_version and model_version
            Some((1 | 5, wire @ Wire::Varint)) => protobuf::skip(scan, wire)?,
            // producer, domain, documentation, operator sets, metadata, training, functions,
            // configuration
            Some((2..=4 | 6 | 8 | 14 | 20 | 25 | 26, wire @ Wire::Bytes)) => {
                protobuf::skip(scan, wire)?;
            }
            _ => break,
        }
    }
    Err(Malformed::OnnxField { at: scan.at() }.into())
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within, onnx};
    use crate::{Budget, Format, Identified, Malformed};

    #[test]
    fn a_model_has_a_graph_and_nothing_foreign() {
        assert_eq!(look(&onnx()).format, Identified::One(Format::Onnx));
        assert_eq!(look(b"\x08\x07\x12\x01a").format, Identified::Unknown);
        assert_eq!(look(&onnx()[..4]).format, Identified::Unknown);
        let foreign = look(&[onnx(), vec![0x48, 1]].concat());
        assert_eq!(foreign.format, Identified::One(Format::Onnx));
        let at = onnx().len() as u64 + 1;
        assert_eq!(foreign.malformed, Some(Malformed::OnnxField { at }));
    }

    #[test]
    fn fields_are_bounded() {
        let budget = Budget { onnx_fields: 3, ..Budget::default() };
        let found = look_within(&onnx(), &budget);
        assert!(matches!(found.malformed, Some(Malformed::OnnxField { .. })));
    }
}
