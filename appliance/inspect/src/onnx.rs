//! ONNX models: the protocol buffer `ModelProto` of onnx.proto, its fields at the top only.

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::Fault;
use crate::protobuf::{self, Wire};
use crate::source::{Scan, Source};

/// Looks whether the file is an ONNX model: the version first, a graph, and nothing that a model
/// does not have, to the last byte.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if source.head().first() != Some(&IR_VERSION_TAG) {
        return Ok(None);
    }
    match has_graph(source.scan(0)?, budget) {
        Ok(graph) => Ok(graph.then(|| Claim::sure(Format::Onnx))),
        Err(Fault::Broken(_)) => Ok(None),
        Err(Fault::Read(cause)) => Err(cause),
    }
}

/// Field 1, a number.
const IR_VERSION_TAG: u8 = 0x08;

fn has_graph<R: Read + Seek>(mut scan: Scan<'_, R>, budget: &Budget) -> Result<bool, Fault> {
    let mut graph = false;
    for _ in 0..budget.onnx_fields {
        if scan.remaining() == 0 {
            return Ok(graph);
        }
        match protobuf::tag(&mut scan)? {
            Some((7, wire @ Wire::Bytes)) => {
                protobuf::skip(&mut scan, wire)?;
                graph = true;
            }
            // ir_version and model_version
            Some((1 | 5, wire @ Wire::Varint)) => protobuf::skip(&mut scan, wire)?,
            // producer, domain, documentation, operator sets, metadata, training, functions,
            // configuration
            Some((2..=4 | 6 | 8 | 14 | 20 | 25 | 26, wire @ Wire::Bytes)) => {
                protobuf::skip(&mut scan, wire)?;
            }
            _ => return Ok(false),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within, onnx};
    use crate::{Budget, Format, Identified};

    #[test]
    fn a_model_is_recognised_only_whole() {
        assert_eq!(look(&onnx()).format, Identified::One(Format::Onnx));
        assert_eq!(look(&onnx()[..onnx().len() - 1]).format, Identified::Unknown);
        let foreign = [onnx(), vec![0x48, 1]].concat();
        assert_eq!(look(&foreign).format, Identified::Unknown);
        assert_eq!(look(b"\x08\x07\x12\x01a").format, Identified::Unknown);
    }

    #[test]
    fn fields_are_bounded() {
        let budget = Budget { onnx_fields: 2, ..Budget::default() };
        assert_eq!(look_within(&onnx(), &budget).format, Identified::Unknown);
    }
}
