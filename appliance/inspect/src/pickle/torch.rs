//! PyTorch: persistent ids name storages, and functions of `torch._utils` make tensors of them.

use std::collections::BTreeMap;

use super::Loader;
use super::machine::Machine;
use super::value::{self, Value};
use crate::contents;
use crate::malformed::shown;

/// Tensors that are shown to a person.
const SHOWN: usize = 65_536;

/// The storages that a pickle of PyTorch names, and how many bytes each has.
#[derive(Debug, Default)]
pub(crate) struct Storages(pub(crate) BTreeMap<String, Extent>);

/// How large a storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// In elements of its type.
    pub(crate) elements: u64,
    /// In bytes.
    pub(crate) bytes: u64,
}

/// Storage types, the type of their elements, and its bytes. Before untyped storages each type of
/// elements had one of its own (`torch/storage.py`).
const CLASSES: &[(&str, &str, u64)] = &[
    ("torch.BFloat16Storage", "bfloat16", 2),
    ("torch.BoolStorage", "bool", 1),
    ("torch.ByteStorage", "uint8", 1),
    ("torch.CharStorage", "int8", 1),
    ("torch.ComplexDoubleStorage", "complex128", 16),
    ("torch.ComplexFloatStorage", "complex64", 8),
    ("torch.DoubleStorage", "float64", 8),
    ("torch.FloatStorage", "float32", 4),
    ("torch.HalfStorage", "float16", 2),
    ("torch.IntStorage", "int32", 4),
    ("torch.LongStorage", "int64", 8),
    ("torch.QInt32Storage", "qint32", 4),
    ("torch.QInt8Storage", "qint8", 1),
    ("torch.QUInt2x4Storage", "quint2x4", 1),
    ("torch.QUInt4x2Storage", "quint4x2", 1),
    ("torch.QUInt8Storage", "quint8", 1),
    ("torch.ShortStorage", "int16", 2),
    ("torch.UntypedStorage", "bytes", 1),
    ("torch.storage.UntypedStorage", "bytes", 1),
];

/// Types of elements that have no storage type of their own, and their bytes.
const DTYPES: &[(&str, &str, u64)] = &[
    ("torch.float8_e4m3fn", "float8_e4m3fn", 1),
    ("torch.float8_e4m3fnuz", "float8_e4m3fnuz", 1),
    ("torch.float8_e5m2", "float8_e5m2", 1),
    ("torch.float8_e5m2fnuz", "float8_e5m2fnuz", 1),
    ("torch.float8_e8m0fnu", "float8_e8m0fnu", 1),
    ("torch.uint16", "uint16", 2),
    ("torch.uint32", "uint32", 4),
    ("torch.uint64", "uint64", 8),
];

impl Machine<'_> {
    /// The storage that `id` names: its type, its key, where it was, and how many elements it has.
    pub(super) fn storage(&mut self, id: &Value, at: u64) -> Option<Value> {
        let (class, key, elements) = match (self.loader, id.items()?) {
            (Loader::Torch, [kind, Value::Global(class), key, location, elements])
            | (
                Loader::TorchLegacy,
                [kind, Value::Global(class), key, location, elements, Value::None],
            ) if kind.text() == Some("storage") && location.text().is_some() => {
                (class.clone(), key.text()?, u64::try_from(elements.int()?).ok()?)
            }
            (
                Loader::TorchLegacy,
                [kind, Value::Global(class), key, location, elements, Value::Tuple(Some(view))],
            ) if kind.text() == Some("storage")
                && location.text().is_some()
                && is_view(&view.items) =>
            {
                (class.clone(), key.text()?, u64::try_from(elements.int()?).ok()?)
            }
            _ => return None,
        };
        let size = CLASSES.iter().find(|(known, ..)| *known == &*class.text);
        match size.and_then(|(.., size)| elements.checked_mul(*size)) {
            Some(bytes) => self.keep_storage(key, Extent { elements, bytes }, at),
            None => {
                let class = shown(&class.text);
                self.odd(at, format!("{class} is no storage type of which the size is known"));
            }
        }
        Some(self.keeper.storage(&class.text, elements))
    }

    fn keep_storage(&mut self, key: &str, extent: Extent, at: u64) {
        let known = &mut self.storages.0;
        match known.get(key) {
            Some(old) if *old != extent => {
                let key = shown(key);
                self.odd(at, format!("storage {key:?} has two sizes"));
            }
            Some(_) => {}
            None if known.len() >= self.budget.pickle_storages => {
                let limit = self.budget.pickle_storages;
                self.odd(at, format!("there are more than {limit} storages"));
            }
            None => _ = known.insert(key.to_owned(), extent),
        }
    }

    /// The tensor that `torch._utils` makes, if `name` is one of its functions and all is known.
    pub(super) fn tensor(&mut self, name: &str, arguments: &[Value], at: u64) -> Option<Value> {
        let function = name.strip_prefix("torch._utils._rebuild_")?;
        if !matches!(function, "tensor" | "tensor_v2" | "tensor_v3" | "qtensor") {
            return None;
        }
        let [Value::Storage(storage), offset, size, stride, rest @ ..] = arguments else {
            return None;
        };
        let (_, mut dtype, mut width) =
            *CLASSES.iter().find(|(class, ..)| *class == &*storage.class)?;
        let mut elements = storage.elements;
        if function == "tensor_v3" {
            // The storage is untyped: storage, offset, size, stride, gradient, hooks, type.
            let [_, _, Value::Global(own), ..] = rest else { return None };
            (dtype, width) = dtype_of(&own.text)?;
            elements = elements.checked_div(width)?;
        }
        let offset = u64::try_from(offset.int()?).ok();
        let (Some(offset), Some(shape), Some(stride)) = (offset, size.sizes(), stride.sizes())
        else {
            self.odd(at, "a tensor's offset, shape or stride is no number of elements");
            return None;
        };
        if !reaches(elements, offset, &shape, &stride) {
            self.odd(at, "a tensor reaches past the end of its storage");
        }
        let count = shape.iter().try_fold(1_u64, |count, size| count.checked_mul(*size))?;
        let bytes = count.checked_mul(width)?;
        self.keeper.tensor(value::Tensor { dtype, shape, bytes })
    }

    /// Shows a tensor that is kept under a text.
    pub(super) fn name_tensor(&mut self, key: &Value, value: &Value) {
        let (Some(name), Value::Tensor(tensor)) = (key.text(), value) else { return };
        self.notes.show(|contents| {
            if contents.tensors.len() < SHOWN {
                let value::Tensor { dtype, shape, bytes } = &**tensor;
                let (name, dtype) = (shown(name), (*dtype).to_owned());
                let (shape, bytes) = (shape.clone(), *bytes);
                contents.tensors.push(contents::Tensor { name, dtype, shape, bytes });
            }
        });
    }
}

/// The key of a view of a storage, where it starts and how many elements it has.
fn is_view(items: &[Value]) -> bool {
    match items {
        [key, offset, size] => {
            key.text().is_some()
                && offset.int().is_some_and(|offset| offset >= 0)
                && size.int().is_some_and(|size| size >= 0)
        }
        _ => false,
    }
}

fn dtype_of(name: &str) -> Option<(&'static str, u64)> {
    let new = DTYPES.iter().find(|(known, ..)| *known == name);
    let old = || {
        let plain = name.strip_prefix("torch.")?;
        CLASSES.iter().find(|(_, dtype, _)| *dtype == plain)
    };
    new.or_else(old).map(|(_, dtype, width)| (*dtype, *width))
}

/// Whether the last element of a tensor lies in a storage of that many elements.
fn reaches(elements: u64, offset: u64, shape: &[u64], stride: &[u64]) -> bool {
    if shape.len() != stride.len() {
        return false;
    }
    if shape.contains(&0) {
        return true;
    }
    let steps = shape.iter().zip(stride).try_fold(offset, |last, (size, step)| {
        last.checked_add(size.checked_sub(1)?.checked_mul(*step)?)
    });
    steps.is_some_and(|last| last < elements)
}
