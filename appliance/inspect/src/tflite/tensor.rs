//! Tensors of TFLite: their types, and whether data agrees with them.

/// `TensorType`: its name and the bits of a value; 0 where values have no size of their own.
const TYPES: &[(&str, u64)] = &[
    ("FLOAT32", 32),
    ("FLOAT16", 16),
    ("INT32", 32),
    ("UINT8", 8),
    ("INT64", 64),
    ("STRING", 0),
    ("BOOL", 8),
    ("INT16", 16),
    ("COMPLEX64", 64),
    ("INT8", 8),
    ("FLOAT64", 64),
    ("COMPLEX128", 128),
    ("UINT64", 64),
    ("RESOURCE", 0),
    ("VARIANT", 0),
    ("UINT32", 32),
    ("UINT16", 16),
    ("INT4", 4),
    ("BFLOAT16", 16),
];

/// The type of that number.
pub(super) fn dtype(number: u8) -> Option<(&'static str, u64)> {
    TYPES.get(usize::from(number)).copied()
}

/// Bytes that the values of a tensor take; `None` where that overflows.
pub(super) fn bytes(shape: &[u64], bits: u64) -> Option<u64> {
    let values = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))?;
    values.checked_mul(bits).map(|bits| bits.div_ceil(8))
}
