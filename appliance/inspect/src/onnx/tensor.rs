//! Tensors: whether shape, type and data agree, and where external data lies.

use std::collections::BTreeSet;

use crate::onnx::proto::{Entry, Sparse, Tensor};

/// Dimensions that a tensor may have; NumPy knows 64.
const RANK: usize = 64;

/// Where a type's values stand when they are not in `raw_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typed {
    Float,
    Int32,
    Int64,
    Double,
    Uint64,
    Text,
}

/// `TensorProto.DataType`: number, name, bits of a value, and the field for values of that type.
const TYPES: &[(i64, &str, u64, Typed)] = &[
    (1, "FLOAT", 32, Typed::Float),
    (2, "UINT8", 8, Typed::Int32),
    (3, "INT8", 8, Typed::Int32),
    (4, "UINT16", 16, Typed::Int32),
    (5, "INT16", 16, Typed::Int32),
    (6, "INT32", 32, Typed::Int32),
    (7, "INT64", 64, Typed::Int64),
    (8, "STRING", 0, Typed::Text),
    (9, "BOOL", 8, Typed::Int32),
    (10, "FLOAT16", 16, Typed::Int32),
    (11, "DOUBLE", 64, Typed::Double),
    (12, "UINT32", 32, Typed::Uint64),
    (13, "UINT64", 64, Typed::Uint64),
    (14, "COMPLEX64", 64, Typed::Float),
    (15, "COMPLEX128", 128, Typed::Double),
    (16, "BFLOAT16", 16, Typed::Int32),
    (17, "FLOAT8E4M3FN", 8, Typed::Int32),
    (18, "FLOAT8E4M3FNUZ", 8, Typed::Int32),
    (19, "FLOAT8E5M2", 8, Typed::Int32),
    (20, "FLOAT8E5M2FNUZ", 8, Typed::Int32),
    (21, "UINT4", 4, Typed::Int32),
    (22, "INT4", 4, Typed::Int32),
    (23, "FLOAT4E2M1", 4, Typed::Int32),
    (24, "FLOAT8E8M0", 8, Typed::Int32),
    (25, "UINT2", 2, Typed::Int32),
    (26, "INT2", 2, Typed::Int32),
    (27, "FLOAT6E2M3", 6, Typed::Int32),
    (28, "FLOAT6E3M2", 6, Typed::Int32),
];

/// Whether the number is that of a type that values may have.
pub(super) fn is_type(number: Option<i64>) -> bool {
    TYPES.iter().any(|(known, ..)| Some(*known) == number)
}

/// A tensor that is sound in itself.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) dtype: &'static str,
    pub(super) shape: Vec<u64>,
    /// Bytes of the values; 0 for strings.
    pub(super) bytes: u64,
    /// Where the values are, if they are not here.
    pub(super) external: Option<External>,
}

/// Where external data lies.
#[derive(Debug)]
pub(super) struct External {
    pub(super) location: String,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The shape as counts.
fn shape(dims: &[i64]) -> Result<Vec<u64>, String> {
    if dims.len() > RANK {
        return Err(format!("it has {} dimensions, more than {RANK}", dims.len()));
    }
    let size = |&size: &i64| u64::try_from(size).map_err(|_| format!("a dimension is {size}"));
    dims.iter().map(size).collect()
}

fn product(shape: &[u64]) -> Result<u64, String> {
    let product = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    product.ok_or_else(|| "its number of values overflows".to_owned())
}

/// Holds the data of a tensor against its shape and type.
pub(super) fn check(tensor: &Tensor) -> Result<Sound, String> {
    let shape = shape(&tensor.dims)?;
    let values = product(&shape)?;
    let number = tensor.data_type.unwrap_or(0);
    let Some(&(_, dtype, bits, typed)) = TYPES.iter().find(|(known, ..)| *known == number) else {
        return Err(format!("its data type {number} is unknown"));
    };
    let bytes = values.checked_mul(bits).map(|bits| bits.div_ceil(8));
    let bytes = bytes.ok_or_else(|| "its size overflows".to_owned())?;
    let stored = payload(tensor)?;
    let external = match tensor.data_location.unwrap_or(0) {
        0 if tensor.external_data.is_empty() => None,
        0 => return Err("it has external data, and its location says that it has none".to_owned()),
        1 if stored.is_some() => return Err("it has data both here and elsewhere".to_owned()),
        1 if typed == Typed::Text => return Err("its strings cannot lie elsewhere".to_owned()),
        1 => Some(external(&tensor.external_data, bytes)?),
        location => return Err(format!("its data location {location} is unknown")),
    };
    match stored {
        _ if external.is_some() => {}
        None if values == 0 => {}
        None => return Err("it has no data".to_owned()),
        Some((Held::Raw, count)) => {
            if typed == Typed::Text || count != bytes {
                return Err(format!("its raw data has {count} bytes, and it needs {bytes}"));
            }
        }
        Some((Held::Typed(held), count)) => {
            let each = match number {
                14 | 15 => values.checked_mul(2),
                21..=23 => Some(values.div_ceil(2)),
                25 | 26 => Some(values.div_ceil(4)),
                _ => Some(values),
            };
            if held != typed {
                return Err(format!("its data is not in the field for {dtype}"));
            }
            if each != Some(count) {
                return Err(format!("its data has {count} values, and its shape {values}"));
            }
        }
    }
    Ok(Sound { dtype, shape, bytes, external })
}

/// What holds the data inside of the message.
#[derive(Debug, Clone, Copy)]
enum Held {
    Raw,
    Typed(Typed),
}

/// The one field that holds the data, and how much it holds.
fn payload(tensor: &Tensor) -> Result<Option<(Held, u64)>, String> {
    let fields = [
        (Held::Raw, tensor.raw_data),
        (Held::Typed(Typed::Float), tensor.float_data),
        (Held::Typed(Typed::Int32), tensor.int32_data),
        (Held::Typed(Typed::Text), tensor.string_data),
        (Held::Typed(Typed::Int64), tensor.int64_data),
        (Held::Typed(Typed::Double), tensor.double_data),
        (Held::Typed(Typed::Uint64), tensor.uint64_data),
    ];
    let mut present =
        fields.into_iter().filter_map(|(held, count)| count.map(|count| (held, count)));
    let first = present.next();
    if present.next().is_some() {
        return Err("it has data in two fields: two readers would see two tensors".to_owned());
    }
    Ok(first)
}

/// What `external_data` says, where the tensor needs `bytes`.
fn external(entries: &[Entry], bytes: u64) -> Result<External, String> {
    let mut known = BTreeSet::new();
    let (mut location, mut offset, mut length) = (None, 0, bytes);
    for entry in entries {
        let key = entry.key.as_deref().unwrap_or_default();
        let value = entry.value.as_deref().unwrap_or_default();
        if !known.insert(key) {
            return Err(format!("its external data has the key {key:?} twice"));
        }
        match key {
            "location" => location = Some(value),
            "offset" => offset = decimal(key, value)?,
            "length" => length = decimal(key, value)?,
            "checksum" => {}
            _ => return Err(format!("its external data has the unknown key {key:?}")),
        }
    }
    let location = location.filter(|location| !location.is_empty());
    let Some(location) = location else {
        return Err("its external data has no location".to_owned());
    };
    // ONNX Runtime takes the offset of this one for an address in its own memory.
    if location.starts_with('*') {
        return Err("its external data lies in the memory of the runtime".to_owned());
    }
    if length != bytes {
        return Err(format!("its external data has {length} bytes, and it needs {bytes}"));
    }
    Ok(External { location: location.to_owned(), offset, length })
}

/// A number as it is written when nobody plays tricks.
fn decimal(key: &str, text: &str) -> Result<u64, String> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse().ok().filter(|_| plain);
    number.ok_or_else(|| format!("the {key} of its external data is no plain number"))
}

/// Holds the parts of a sparse tensor against one another: as many indices as values, each a number or
/// one number for each dimension.
pub(super) fn check_sparse(sparse: &Sparse) -> Result<(), String> {
    let (Some(values), Some(indices)) = (&sparse.values, &sparse.indices) else {
        return Err("it lacks its values or its indices".to_owned());
    };
    let dims = shape(&sparse.dims)?;
    let dense = product(&dims)?;
    let &[count] = values.dims.as_slice() else {
        return Err("its values are no list".to_owned());
    };
    let rank = i64::try_from(dims.len()).unwrap_or(i64::MAX);
    let indexed = indices.dims == [count] || indices.dims == [count, rank];
    if !indexed || indices.data_type != Some(7) {
        return Err("its indices do not fit its values".to_owned());
    }
    if u64::try_from(count).is_ok_and(|count| count > dense) {
        return Err(format!("it has {count} values in a shape of {dense}"));
    }
    Ok(())
}
