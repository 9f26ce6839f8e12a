//! Constants: whether shape, type and data agree.

use crate::tensorflow::proto::Tensor;

/// Dimensions that a tensor may have; TensorFlow knows 254.
const RANK: usize = 254;

/// Where a type's values stand when they are not in `tensor_content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Float,
    Double,
    Int,
    Text,
    Complex,
    Long,
    Bool,
    DoubleComplex,
    Half,
    Unsigned,
    UnsignedLong,
    Float8,
}

/// `DataType` of types.proto: number, bytes of a value in `tensor_content`, and the field for values.
const TYPES: &[(i64, u64, Held)] = &[
    (1, 4, Held::Float),
    (2, 8, Held::Double),
    (3, 4, Held::Int),
    (4, 1, Held::Int),
    (5, 2, Held::Int),
    (6, 1, Held::Int),
    (7, 0, Held::Text),
    (8, 8, Held::Complex),
    (9, 8, Held::Long),
    (10, 1, Held::Bool),
    (11, 1, Held::Int),
    (12, 1, Held::Int),
    (13, 4, Held::Int),
    (14, 2, Held::Half),
    (15, 2, Held::Int),
    (16, 2, Held::Int),
    (17, 2, Held::Int),
    (18, 16, Held::DoubleComplex),
    (19, 2, Held::Half),
    (22, 4, Held::Unsigned),
    (23, 8, Held::UnsignedLong),
    (24, 1, Held::Float8),
    (25, 1, Held::Float8),
    (26, 1, Held::Float8),
    (27, 1, Held::Float8),
    (28, 1, Held::Float8),
    (29, 1, Held::Int),
    (30, 1, Held::Int),
];

/// Holds the data of a constant against its shape and type. Fewer values than the shape asks for are
/// ordinary: the last one is repeated.
pub(super) fn check(tensor: &Tensor) -> Result<(), String> {
    let fields = [
        (Held::Float, tensor.float_val),
        (Held::Double, tensor.double_val),
        (Held::Int, tensor.int_val),
        (Held::Text, tensor.string_val),
        (Held::Complex, tensor.scomplex_val),
        (Held::Long, tensor.int64_val),
        (Held::Bool, tensor.bool_val),
        (Held::DoubleComplex, tensor.dcomplex_val),
        (Held::Half, tensor.half_val),
        (Held::Unsigned, tensor.uint32_val),
        (Held::UnsignedLong, tensor.uint64_val),
        (Held::Float8, tensor.float8_val),
    ];
    let present: Vec<(Held, u64)> = fields.into_iter().filter(|(_, count)| *count > 0).collect();
    let values = values(tensor)?;
    let number = tensor.dtype;
    let Some(&(_, size, held)) = TYPES.iter().find(|(known, ..)| *known == number) else {
        return Err(format!("its data type {number} is unknown or none of constants"));
    };
    let content = tensor.tensor_content;
    match present.as_slice() {
        [] => {}
        &[(field, _)] if field != held => {
            return Err("its data is in the field of another type".to_owned());
        }
        _ if content > 0 || present.len() > 1 => {
            return Err("it has data in two fields: two readers would see two tensors".to_owned());
        }
        &[(_, count), ..] => {
            let pair = matches!(held, Held::Complex | Held::DoubleComplex);
            let most = values.checked_mul(if pair { 2 } else { 1 });
            if most.is_some_and(|most| count > most) {
                return Err(format!("its data has {count} values, and its shape {values}"));
            }
        }
    }
    // Strings have no size of their own there.
    let needed = values.checked_mul(size).ok_or_else(|| "its size overflows".to_owned())?;
    if content > 0 && held != Held::Text && content != needed {
        return Err(format!("its content has {content} bytes, and it needs {needed}"));
    }
    Ok(())
}

/// How many values the shape has.
fn values(tensor: &Tensor) -> Result<u64, String> {
    let Some(shape) = &tensor.shape else { return Ok(1) };
    if shape.unknown_rank != 0 || shape.dim.len() > RANK {
        return Err("its rank is unknown or too high".to_owned());
    }
    let mut values = 1_u64;
    for dim in &shape.dim {
        let size = u64::try_from(dim.size).map_err(|_| format!("a dimension is {}", dim.size))?;
        let product = values.checked_mul(size);
        values = product.ok_or_else(|| "its number of values overflows".to_owned())?;
    }
    Ok(values)
}
