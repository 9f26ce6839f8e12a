//! TFLite models: a FlatBuffer of the schema of TensorFlow Lite, version 3.
//!
//! ```text
//!   Model --> operator codes: built in, or custom by name
//!     +-----> subgraphs --> tensors --> buffers        every number of one thing in another
//!     |           +-------> operators                  is held against how many there are
//!     +-----> buffers: weights, inside or behind the FlatBuffer; not read
//! ```

mod options;
mod tensor;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::contents;
use crate::finding::{Kind, Place};
use crate::flatbuffer::{Flat, Table, Vector};
use crate::format::Format;
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::source::Source;

/// Bytes 4 to 7.
const IDENTIFIER: &[u8] = b"TFL3";

/// `BuiltinOperator`: the last number that is known, and those that stand for something else.
const LAST: i64 = 207;
const CUSTOM: i64 = 32;
const DELEGATE: i64 = 51;
const GREATER: i64 = 127;
const CUSTOM_CALL: i64 = 173;

/// Dimensions that a tensor may have.
const RANK: u64 = 64;
/// Tensors that are shown.
const MOST_SHOWN: usize = 16_384;

/// Looks whether the file is a TFLite model. It is sure when its root is a table.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if source.head().get(4..8) != Some(IDENTIFIER) {
        return Ok(None);
    }
    match Flat::new(source, budget).root() {
        Ok(_) => Ok(Some(Claim::sure(Format::Tflite))),
        Err(Fault::Read(cause)) => Err(cause),
        Err(Fault::Broken(cause)) => {
            Ok(Some(Claim { malformed: Some(cause), ..Claim::weak(Format::Tflite) }))
        }
    }
}

/// Walks over all tables of the model.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut flat = Flat::new(source, budget);
    let model = flat.root()?;
    flat.only(model, 8)?;
    let version = flat.uint32(model, 0)?;
    if version != 3 {
        return Err(broken(Place::Offset(model.at), format!("its schema's version is {version}")));
    }
    if let Some(value) = flat.string(model, 3)? {
        let (key, value) = ("description".to_owned(), shown(&value));
        notes.show(|contents| contents.metadata.push(contents::Entry { key, value }));
    }
    let buffers = buffers(&mut flat, model)?;
    let codes = codes(&mut flat, model, budget, notes)?;
    let subgraphs = flat.vector(model, 2, 4)?;
    let mut walk = Walk { notes, buffers, codes, tensors: Vec::new(), shown: 0 };
    for index in 0..subgraphs.count {
        let subgraph = flat.nth(subgraphs, index)?;
        walk.subgraph(&mut flat, subgraph, subgraphs.count)?;
    }
    walk.metadata(&mut flat, model)?;
    walk.signatures(&mut flat, model)
}

/// How many bytes each buffer has.
fn buffers<R: Read + Seek>(flat: &mut Flat<'_, '_, R>, model: Table) -> Result<Vec<u64>, Fault> {
    let tables = flat.vector(model, 4, 4)?;
    let mut sizes = Vec::new();
    for index in 0..tables.count {
        let buffer = flat.nth(tables, index)?;
        flat.only(buffer, 3)?;
        let data = flat.vector(buffer, 0, 1)?;
        let outside = behind(flat, buffer, (1, 2))?;
        if data.count > 0 && outside > 0 {
            return Err(broken(Place::Offset(buffer.at), "a buffer has data in two places"));
        }
        sizes.push(data.count.max(outside));
    }
    if sizes.first().is_some_and(|&size| size > 0) {
        return Err(broken(Place::Offset(tables.at), "the first buffer is not empty"));
    }
    Ok(sizes)
}

/// Data that stands behind the FlatBuffer: its size, where an offset and a size are given.
fn behind<R: Read + Seek>(
    flat: &mut Flat<'_, '_, R>,
    table: Table,
    (offset, size): (u64, u64),
) -> Result<u64, Fault> {
    let (offset, size) = (flat.uint64(table, offset)?, flat.uint64(table, size)?);
    // Smaller offsets mean that there is none.
    if offset <= 1 {
        return Ok(0);
    }
    flat.need(offset, size)?;
    Ok(size)
}

/// The operators that the model uses: the number of each. Those that are not built in are reported.
fn codes<R: Read + Seek>(
    flat: &mut Flat<'_, '_, R>,
    model: Table,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<Vec<i64>, Fault> {
    let tables = flat.vector(model, 1, 4)?;
    let mut codes = Vec::new();
    for index in 0..tables.count {
        let code = flat.nth(tables, index)?;
        let wrong = |what: String| broken(Place::Offset(code.at), what);
        flat.only(code, 4)?;
        let old = flat.int8(code, 0)?.map_or(0, |byte| i64::from(byte.cast_signed()));
        let new = flat.int32(code, 3)?.unwrap_or(0);
        let custom = flat.string(code, 1)?;
        flat.scalar(code, 2, 4)?;
        // Old readers know one number and new ones the larger of the two.
        let number = old.max(new);
        if new != 0 && old != new.min(GREATER) {
            return Err(wrong(format!(
                "an operator is {old} to old readers and {new} to new ones"
            )));
        }
        let name = match number {
            CUSTOM => match custom.as_deref() {
                None | Some("") => return Err(wrong("a custom operator has no name".to_owned())),
                Some(name) => name.to_owned(),
            },
            DELEGATE => "DELEGATE".to_owned(),
            CUSTOM_CALL => "STABLEHLO_CUSTOM_CALL".to_owned(),
            GREATER => return Err(wrong("an operator is a placeholder".to_owned())),
            0..=LAST => String::new(),
            _ => return Err(wrong(format!("the operator {number} is unknown"))),
        };
        if name.len() > budget.operator_bytes {
            return Err(Malformed::NameTooLong { limit: budget.operator_bytes }.into());
        }
        if !name.is_empty() {
            let text = name.clone();
            notes.show(|contents| contents.operators.push(text));
            let detail = format!("uses the custom operator {:?}", shown(&name));
            notes.add(Kind::Operator, &name, Place::Offset(code.at), detail);
        }
        codes.push(number);
    }
    Ok(codes)
}

struct Walk<'n> {
    notes: &'n mut Notes,
    /// Bytes of each buffer.
    buffers: Vec<u64>,
    /// Number of each operator.
    codes: Vec<i64>,
    /// How many tensors each subgraph has.
    tensors: Vec<u64>,
    shown: usize,
}

impl Walk<'_> {
    fn subgraph<R: Read + Seek>(
        &mut self,
        flat: &mut Flat<'_, '_, R>,
        subgraph: Table,
        subgraphs: u64,
    ) -> Result<(), Fault> {
        flat.only(subgraph, 5)?;
        let tensors = flat.vector(subgraph, 0, 4)?;
        for index in 0..tensors.count {
            let tensor = flat.nth(tensors, index)?;
            self.tensor(flat, tensor)?;
        }
        let operators = flat.vector(subgraph, 3, 4)?;
        for index in 0..operators.count {
            let operator = flat.nth(operators, index)?;
            self.operator(flat, operator, tensors.count, subgraphs)?;
        }
        indexes(flat, subgraph, 1, tensors.count)?;
        indexes(flat, subgraph, 2, tensors.count)?;
        flat.string(subgraph, 4)?;
        self.tensors.push(tensors.count);
        Ok(())
    }

    fn tensor<R: Read + Seek>(
        &mut self,
        flat: &mut Flat<'_, '_, R>,
        table: Table,
    ) -> Result<(), Fault> {
        flat.only(table, 10)?;
        let name = flat.string(table, 3)?.unwrap_or_default();
        let place = match name.as_str() {
            "" => Place::Offset(table.at),
            name => Place::Tensor(shown(name)),
        };
        let wrong = |what: String| broken(place.clone(), what);
        let dims = flat.vector(table, 0, 4)?;
        if dims.count > RANK {
            return Err(wrong(format!("it has {} dimensions", dims.count)));
        }
        let mut shape = Vec::new();
        for at in dims.each(4) {
            let size = flat.i32(at)?;
            shape.push(u64::try_from(size).map_err(|_| wrong(format!("a dimension is {size}")))?);
        }
        let number = flat.int8(table, 1)?.unwrap_or(0);
        let Some((dtype, bits)) = tensor::dtype(number) else {
            return Err(wrong(format!("its type {number} is unknown")));
        };
        let buffer = flat.uint32(table, 2)?;
        let held = usize::try_from(buffer).ok().and_then(|buffer| self.buffers.get(buffer));
        let Some(&held) = held else {
            return Err(wrong(format!("its buffer {buffer} is not there")));
        };
        let bytes =
            tensor::bytes(&shape, bits).ok_or_else(|| wrong("its size overflows".to_owned()))?;
        quantization(flat, table)?;
        flat.scalar(table, 5, 1)?;
        let sparse = sparsity(flat, table)?;
        flat.vector(table, 7, 4)?;
        flat.scalar(table, 8, 1)?;
        variants(flat, table)?;
        if held > 0 && bits > 0 && !sparse && held != bytes {
            return Err(wrong(format!("its buffer has {held} bytes, and it needs {bytes}")));
        }
        if self.shown < MOST_SHOWN && self.notes.shows() {
            self.shown = self.shown.saturating_add(1);
            let (name, dtype) = (shown(&name), dtype.to_owned());
            let tensor = contents::Tensor { name, dtype, shape, bytes: held };
            self.notes.show(|contents| contents.tensors.push(tensor));
        }
        Ok(())
    }

    fn operator<R: Read + Seek>(
        &mut self,
        flat: &mut Flat<'_, '_, R>,
        operator: Table,
        tensors: u64,
        subgraphs: u64,
    ) -> Result<(), Fault> {
        flat.only(operator, 13)?;
        let code = flat.uint32(operator, 0)?;
        if code >= self.codes.len() as u64 {
            let detail = format!("an operator has the code {code}, which is not there");
            return Err(broken(Place::Offset(operator.at), detail));
        }
        for field in [1, 2, 8] {
            indexes(flat, operator, field, tensors)?;
        }
        options::walk(flat, operator, (3, 4), options::FIRST, subgraphs)?;
        flat.vector(operator, 5, 1)?;
        flat.scalar(operator, 6, 1)?;
        flat.vector(operator, 7, 1)?;
        behind(flat, operator, (9, 10))?;
        options::walk(flat, operator, (11, 12), options::SECOND, subgraphs)
    }

    /// Metadata lies in buffers.
    fn metadata<R: Read + Seek>(
        &mut self,
        flat: &mut Flat<'_, '_, R>,
        model: Table,
    ) -> Result<(), Fault> {
        let buffers = self.buffers.len() as u64;
        indexes(flat, model, 5, buffers)?;
        let entries = flat.vector(model, 6, 4)?;
        for index in 0..entries.count {
            let entry = flat.nth(entries, index)?;
            flat.only(entry, 2)?;
            let name = flat.string(entry, 0)?.unwrap_or_default();
            let buffer = flat.uint32(entry, 1)?;
            let held = usize::try_from(buffer).ok().and_then(|buffer| self.buffers.get(buffer));
            let Some(held) = held else {
                let detail = format!("the buffer {buffer} of metadata is not there");
                return Err(broken(Place::Offset(entry.at), detail));
            };
            if self.shown < MOST_SHOWN {
                self.shown = self.shown.saturating_add(1);
                let (key, value) = (shown(&name), format!("{held} bytes"));
                self.notes.show(|contents| contents.metadata.push(contents::Entry { key, value }));
            }
        }
        Ok(())
    }

    fn signatures<R: Read + Seek>(
        &mut self,
        flat: &mut Flat<'_, '_, R>,
        model: Table,
    ) -> Result<(), Fault> {
        let signatures = flat.vector(model, 7, 4)?;
        for index in 0..signatures.count {
            let signature = flat.nth(signatures, index)?;
            flat.only(signature, 5)?;
            let subgraph = flat.uint32(signature, 4)?;
            let tensors = usize::try_from(subgraph).ok().and_then(|graph| self.tensors.get(graph));
            let wrong =
                |what: &str| broken(Place::Offset(signature.at), format!("a signature's {what}"));
            let Some(&tensors) = tensors else {
                return Err(wrong("subgraph is not there"));
            };
            flat.string(signature, 2)?;
            flat.string(signature, 3)?;
            for field in [0, 1] {
                let maps = flat.vector(signature, field, 4)?;
                for index in 0..maps.count {
                    let map = flat.nth(maps, index)?;
                    flat.only(map, 2)?;
                    flat.string(map, 0)?;
                    if flat.uint32(map, 1)? >= tensors {
                        return Err(wrong("tensor is not there"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Holds a vector of indexes against how many things there are. -1 stands for none.
fn indexes<R: Read + Seek>(
    flat: &mut Flat<'_, '_, R>,
    table: Table,
    field: u64,
    most: u64,
) -> Result<(), Fault> {
    let vector = flat.vector(table, field, 4)?;
    for at in vector.each(4) {
        let index = flat.i32(at)?;
        if index != -1 && u64::try_from(index).is_ok_and(|index| index >= most) || index < -1 {
            return Err(broken(Place::Offset(at), format!("the index {index} leads to nothing")));
        }
    }
    Ok(())
}

/// `QuantizationParameters`; of its details only the one kind that there is.
fn quantization<R: Read + Seek>(flat: &mut Flat<'_, '_, R>, tensor: Table) -> Result<(), Fault> {
    let Some(table) = flat.child(tensor, 4)? else { return Ok(()) };
    flat.only(table, 7)?;
    for (field, size) in [(0, 4), (1, 4), (2, 4), (3, 8)] {
        flat.vector(table, field, size)?;
    }
    let kind = flat.int8(table, 4)?.unwrap_or(0);
    match (kind, flat.child(table, 5)?) {
        (0, None) => {}
        (1, Some(custom)) => {
            flat.only(custom, 1)?;
            flat.vector(custom, 0, 1)?;
        }
        _ => return Err(broken(Place::Offset(table.at), "a quantization is unknown")),
    }
    flat.scalar(table, 6, 4)
}

/// `SparsityParameters`: whether there are any.
fn sparsity<R: Read + Seek>(flat: &mut Flat<'_, '_, R>, tensor: Table) -> Result<bool, Fault> {
    let Some(table) = flat.child(tensor, 6)? else { return Ok(false) };
    flat.only(table, 3)?;
    flat.vector(table, 0, 4)?;
    flat.vector(table, 1, 4)?;
    let dimensions = flat.vector(table, 2, 4)?;
    for index in 0..dimensions.count {
        let dimension = flat.nth(dimensions, index)?;
        flat.only(dimension, 6)?;
        flat.scalar(dimension, 0, 1)?;
        flat.scalar(dimension, 1, 4)?;
        for (kind, value) in [(2, 3), (4, 5)] {
            let size = match flat.int8(dimension, kind)?.unwrap_or(0) {
                0 => 0,
                1 => 4,
                2 => 2,
                3 => 1,
                _ => return Err(broken(Place::Offset(dimension.at), "an index is unknown")),
            };
            let indices = flat.child(dimension, value)?;
            if indices.is_some() != (size > 0) {
                let detail = "an index without a type, or the reverse";
                return Err(broken(Place::Offset(dimension.at), detail));
            }
            if let Some(indices) = indices {
                flat.only(indices, 1)?;
                flat.vector(indices, 0, size)?;
            }
        }
    }
    Ok(true)
}

/// `VariantSubType`, of tensors that hold lists of tensors.
fn variants<R: Read + Seek>(flat: &mut Flat<'_, '_, R>, tensor: Table) -> Result<(), Fault> {
    let variants: Vector = flat.vector(tensor, 9, 4)?;
    for index in 0..variants.count {
        let variant = flat.nth(variants, index)?;
        flat.only(variant, 3)?;
        flat.vector(variant, 0, 4)?;
        flat.scalar(variant, 1, 1)?;
        flat.scalar(variant, 2, 1)?;
    }
    Ok(())
}
