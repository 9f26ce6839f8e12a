//! What a value on the stack is known to be, and how much of it is kept.
//!
//! Only what can end in a name, a storage or an array is kept, and all of it together only up to a
//! limit: past that a text is one that cannot be told. Values do not hold one another in circles, and
//! only two deep, so that to drop one takes no deep recursion.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use crate::malformed::shown;

/// As much of a text as is kept: no name of a module is longer.
pub(super) const NAME: usize = 1024;
/// As many items of a tuple or entries of a dictionary as are kept.
const ITEMS: usize = 16;

/// One value, as far as it is known.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A number, bytes, or a container of which nothing is kept.
    Data,
    /// A list, and how many items it has at the least: what is put into it by another way than the top of
    /// the stack is not counted.
    List(u64),
    Set,
    /// A dictionary; with what it holds under texts, where that is kept.
    Dict(Option<Kept<Dict>>),
    /// A tuple; with its items, where they are few.
    Tuple(Option<Kept<Tuple>>),
    Text(Kept<Text>),
    /// A text of which nothing is kept.
    LongText,
    /// What an import gave.
    Global(Kept<Text>),
    /// What a call of the import of that name gave.
    Instance(Kept<Text>),
    /// A `numpy.dtype` made of that code.
    Dtype(Kept<Text>),
    Storage(Kept<Storage>),
    Tensor(Kept<Tensor>),
    /// It could be anything.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: Box<str>,
    /// Written as bytes, which no name may be.
    pub(super) is_bytes: bool,
}

/// A few items. Those that hold more than flat tuples are kept as [`Value::Data`].
#[derive(Debug)]
pub(super) struct Tuple {
    pub(super) items: Box<[Value]>,
    flat: bool,
}

pub(super) type Dict = RefCell<Vec<(Kept<Text>, Value)>>;

/// A storage of PyTorch, which a persistent id names.
#[derive(Debug)]
pub(super) struct Storage {
    /// The type's name, `torch.FloatStorage`.
    pub(super) class: Box<str>,
    /// How many elements.
    pub(super) elements: u64,
}

/// A tensor of PyTorch.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) dtype: &'static str,
    pub(super) shape: Vec<u64>,
    pub(super) bytes: u64,
}

/// Classes whose instances are no texts.
const NO_TEXTS: &[&str] =
    &["collections.OrderedDict", "joblib.numpy_pickle.NumpyArrayWrapper", "numpy.ndarray"];

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) if !text.is_bytes => Some(&text.text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Bool(truth) => Some(i64::from(*truth)),
            _ => None,
        }
    }

    /// The items of a tuple that is kept.
    pub(super) fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Tuple(Some(tuple)) => Some(&tuple.items),
            _ => None,
        }
    }

    /// The numbers of a tuple that holds nothing else, none of them negative.
    pub(super) fn sizes(&self) -> Option<Vec<u64>> {
        let items = self.items()?.iter();
        items.map(|item| u64::try_from(item.int()?).ok()).collect()
    }

    /// Whether it could be a text that nobody knows.
    pub(super) fn may_be_text(&self) -> bool {
        match self {
            Value::Instance(class) => !NO_TEXTS.contains(&&*class.text),
            other => matches!(other, Value::Text(_) | Value::LongText | Value::Unknown),
        }
    }

    pub(super) fn may_be_called(&self) -> bool {
        matches!(self, Value::Global(_) | Value::Instance(_) | Value::Unknown)
    }

    /// What it is, in words, after "calls" and the like.
    pub(super) fn words(&self) -> String {
        match self {
            Value::Global(name) => shown(&name.text),
            Value::Instance(name) => format!("what a call of {} gave", shown(&name.text)),
            Value::Dtype(_) => "a numpy.dtype".to_owned(),
            Value::Storage(_) | Value::Tensor(_) => "a tensor".to_owned(),
            _ => "what cannot be told before it runs".to_owned(),
        }
    }

    /// Whether it holds no other values.
    fn is_leaf(&self) -> bool {
        !matches!(self, Value::Dict(Some(_)) | Value::Tuple(Some(_)))
    }
}

/// Something that is counted as long as it is kept, and shared.
#[derive(Debug)]
pub(super) struct Kept<T>(Rc<Counted<T>>);

#[derive(Debug)]
struct Counted<T> {
    value: T,
    bytes: usize,
    live: Rc<Cell<usize>>,
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.live.set(self.live.get().saturating_sub(self.bytes));
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Kept(Rc::clone(&self.0))
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// Keeps values, and counts what they take.
#[derive(Debug)]
pub(super) struct Keeper {
    live: Rc<Cell<usize>>,
    limit: usize,
}

/// What the count, the reference and the allocator add to a value, in bytes.
const OVERHEAD: usize = 96;

impl Keeper {
    pub(super) fn new(limit: usize) -> Self {
        Keeper { live: Rc::new(Cell::new(0)), limit }
    }

    /// Keeps `value`, which takes `bytes`, if there is room.
    fn keep<T>(&self, value: T, bytes: usize) -> Option<Kept<T>> {
        let bytes = bytes.saturating_add(OVERHEAD);
        let total = self.live.get().saturating_add(bytes);
        if total > self.limit {
            return None;
        }
        self.live.set(total);
        Some(Kept(Rc::new(Counted { value, bytes, live: Rc::clone(&self.live) })))
    }

    /// Whether what can be told otherwise should no longer be kept.
    pub(super) fn is_crowded(&self) -> bool {
        self.live.get() > self.limit / 2
    }

    fn short(&self, text: &str, is_bytes: bool) -> Option<Kept<Text>> {
        self.keep(Text { text: text.into(), is_bytes }, text.len())
    }

    pub(super) fn text(&self, text: &str) -> Value {
        self.short(text, false).map_or(Value::LongText, Value::Text)
    }

    pub(super) fn bytes(&self, text: &str) -> Value {
        self.short(text, true).map_or(Value::Data, Value::Text)
    }

    /// What the import of `name` gave. Without room nobody can tell what is called later.
    pub(super) fn global(&self, name: &str) -> Value {
        self.short(name, false).map_or(Value::Unknown, Value::Global)
    }

    pub(super) fn instance(&self, name: &str) -> Value {
        self.short(name, false).map_or(Value::Unknown, Value::Instance)
    }

    pub(super) fn dict(&self) -> Value {
        let entry = size_of::<(Kept<Text>, Value)>();
        Value::Dict(self.keep(RefCell::default(), ITEMS.saturating_mul(entry)))
    }

    pub(super) fn tuple(&self, items: &[Value]) -> Value {
        if items.len() > ITEMS {
            return Value::Tuple(None);
        }
        let kept = |item: &Value| match item {
            Value::Tuple(Some(tuple)) if !tuple.flat => Value::Data,
            Value::Dict(_) => Value::Dict(None),
            item => item.clone(),
        };
        let items: Box<[Value]> = items.iter().map(kept).collect();
        let flat = items.iter().all(Value::is_leaf);
        let bytes = items.len().saturating_mul(size_of::<Value>());
        Value::Tuple(self.keep(Tuple { items, flat }, bytes))
    }

    pub(super) fn storage(&self, class: &str, elements: u64) -> Value {
        let storage = Storage { class: class.into(), elements };
        self.keep(storage, class.len()).map_or(Value::Unknown, Value::Storage)
    }

    pub(super) fn tensor(&self, tensor: Tensor) -> Option<Value> {
        let bytes = tensor.shape.len().saturating_mul(8).saturating_add(size_of::<Tensor>());
        self.keep(tensor, bytes).map(Value::Tensor)
    }
}

/// Sets `key` to `value` in `dict`, where both are kept.
pub(super) fn set(dict: &Dict, key: &Value, value: &Value) {
    let Value::Text(key) = key else { return };
    let mut entries = dict.borrow_mut();
    let value = match value {
        Value::Dict(_) => Value::Dict(None),
        Value::Tuple(Some(tuple)) if !tuple.flat => Value::Data,
        value => value.clone(),
    };
    if let Some((_, old)) = entries.iter_mut().find(|(known, _)| known.text == key.text) {
        *old = value;
    } else if entries.len() < ITEMS {
        entries.push((key.clone(), value));
    }
}

/// The value under `key` in `dict`, where it is kept.
pub(super) fn get(dict: &Dict, key: &str) -> Option<Value> {
    let entries = dict.borrow();
    entries.iter().find(|(known, _)| &*known.text == key).map(|(_, value)| value.clone())
}
