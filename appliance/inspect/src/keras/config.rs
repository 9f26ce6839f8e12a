//! The configuration: JSON in which an object with `class_name` or `module`, at any depth, is
//! something that Keras builds or looks up.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read, Seek};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::budget::Budget;
use crate::finding::{Kind, Place};
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::source::{Scan, Source};
use crate::strict::{Name, Slot, fault, refuse};
use crate::tokens::Tokens;

/// Reads the configuration of `size` bytes at `at`, which people know as `name`. The caller has bounded
/// the size.
pub(crate) fn config<R: Read + Seek>(
    source: &mut Source<'_, R>,
    (at, size): (u64, u64),
    name: &str,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let mut scan = source.scan(at)?;
    scan.limit(size);
    let mut state = State {
        budget,
        notes,
        slot: None,
        keys: 0,
        held: 0,
        pointer: if name.is_empty() { String::new() } else { format!("{name}:") },
        classes: HashSet::new(),
    };
    parse(scan, &mut state).map_err(|fault| match fault {
        Fault::Broken(cause @ Malformed::Rule { .. }) => Fault::Broken(cause),
        Fault::Broken(cause) if !name.is_empty() => {
            broken(Place::Key(name.to_owned()), cause.to_string())
        }
        fault => fault,
    })
}

fn parse<R: Read + Seek>(scan: Scan<'_, R>, state: &mut State<'_>) -> Result<(), Fault> {
    let tokens = Tokens::new(scan, state.budget.json_token);
    let mut parser = serde_json::Deserializer::from_reader(io::BufReader::new(tokens));
    let seed = Node { state, depth: 0 };
    if let Err(error) = seed.deserialize(&mut parser) {
        return Err(fault(error, state.slot.take()));
    }
    parser.end().map_err(|error| match fault(error, None) {
        Fault::Broken(_) => Malformed::JsonTrailing.into(),
        read => read,
    })
}

/// The parser has a limit of its own, a little above this, and would call it broken syntax.
const DEEPEST: usize = 120;

/// Names of classes and files up to this many bytes are kept; longer ones are nobody's.
const LONGEST: usize = 1024;

/// Bytes that the keys of the open objects may take: what a configuration has in one is little.
const HELD: usize = 8 * 1024 * 1024;
/// What a key takes beside its text.
const ENTRY: usize = 64;

/// Different classes that people are shown.
const MOST_SHOWN: usize = 4096;

/// Bytes of a pointer to a place. Past that the last keys are left out.
const POINTER: usize = 1024;

/// Arguments of layers and others that name a file, which Keras would open.
const FILES: [&str; 12] = [
    "cache_dir",
    "directory",
    "fname",
    "file_path",
    "filename",
    "filepath",
    "idf_weights",
    "merges",
    "path",
    "url",
    "vocabulary",
    "vocabulary_file",
];

struct State<'b> {
    budget: &'b Budget,
    notes: &'b mut Notes,
    slot: Slot,
    keys: usize,
    /// Bytes that the keys of the open objects take.
    held: usize,
    /// Where the walk is.
    pointer: String,
    /// What people were shown.
    classes: HashSet<String>,
}

impl State<'_> {
    fn place(&self) -> Place {
        Place::Key(self.pointer.clone())
    }

    /// Reports that the object here is or loads `subject`.
    fn class(&mut self, subject: &str, detail: &str) {
        let place = self.place();
        self.notes.add(Kind::Class, subject, place, detail.to_owned());
        if self.notes.shows()
            && self.classes.len() < MOST_SHOWN
            && self.classes.insert(subject.to_owned())
        {
            self.notes.show(|contents| contents.classes.push(subject.to_owned()));
        }
    }

    /// Walks on at the step `step`.
    fn at<T>(&mut self, step: &dyn fmt::Display, walk: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        if length < POINTER {
            self.pointer = format!("{}/{step}", self.pointer);
        }
        let result = walk(self);
        self.pointer.truncate(length);
        result
    }
}

/// As much of a value as an object asks of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Null,
    Text(String),
    LongText,
    Other,
}

/// The fields of one object that say what Keras makes of it.
#[derive(Default)]
struct Object {
    class_name: Option<String>,
    module: Option<String>,
    registered_name: Option<String>,
    spec_name: Option<String>,
    /// `config` where it is a text: the name of a function.
    function: Option<String>,
    /// A field beside `class_name` that should be a name and is not.
    odd: Option<String>,
}

impl Object {
    /// Takes note of a field. What must be a name is one, or nothing.
    fn field(&mut self, key: &str, value: Value) {
        let place = match key {
            "class_name" => &mut self.class_name,
            "module" => &mut self.module,
            "registered_name" => &mut self.registered_name,
            "spec_name" => &mut self.spec_name,
            "config" => {
                if let Value::Text(text) = value {
                    self.function = Some(text);
                }
                return;
            }
            _ => return,
        };
        match value {
            Value::Text(text) => *place = Some(text),
            Value::Null => {}
            Value::LongText | Value::Other => self.odd = Some(key.to_owned()),
        }
    }

    /// What is wrong with the object as a whole.
    fn wrong(&self) -> Option<String> {
        let odd = self.odd.as_deref()?;
        // A container under another name is a container: what is inside of it is walked over.
        let named = self.class_name.is_some() || odd == "class_name";
        named.then(|| format!("{odd:?} is not a name"))
    }

    fn report(self, state: &mut State<'_>) {
        let Object { class_name, module, registered_name, spec_name, function, .. } = self;
        let full = |name: &str| match &module {
            Some(module) => format!("{module}.{name}"),
            None => name.to_owned(),
        };
        let own = match class_name.as_deref() {
            None => {
                if let Some(module) = &module {
                    state.class(module, &format!("names the module {module:?}"));
                }
                None
            }
            Some("__lambda__") => {
                state.class("__lambda__", "holds the code of a Python function");
                None
            }
            Some("function") => {
                let name = function.unwrap_or_else(|| "function".to_owned());
                let full = full(&name);
                state.class(&full, &format!("loads the function {full}"));
                Some(name)
            }
            Some("__typespec__") => {
                let name = spec_name.unwrap_or_else(|| "__typespec__".to_owned());
                let full = full(&name);
                state.class(&full, &format!("loads the class {full}"));
                Some(name)
            }
            Some(name) => {
                let full = full(name);
                state.class(&full, &format!("loads the class {full}"));
                Some(name.to_owned())
            }
        };
        // What a program registered under another name is found first.
        if let Some(registered) = registered_name
            && own.as_ref() != Some(&registered)
            && class_name.as_ref() != Some(&registered)
        {
            state.class(&registered, &format!("loads what is registered as {registered}"));
        }
    }
}

/// One value at `depth` containers.
struct Node<'s, 'b> {
    state: &'s mut State<'b>,
    depth: usize,
}

impl Node<'_, '_> {
    /// The depth inside of this container.
    fn inside<E: Error>(&mut self) -> Result<usize, E> {
        let limit = self.state.budget.json_depth.min(DEEPEST);
        if self.depth >= limit {
            return Err(refuse(&mut self.state.slot, Malformed::JsonDepth { limit }));
        }
        Ok(self.depth.saturating_add(1))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(if text.len() > LONGEST { Value::LongText } else { Value::Text(text.to_owned()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        for index in 0_usize.. {
            let item =
                self.state.at(&index, |state| items.next_element_seed(Node { state, depth }));
            if item?.is_none() {
                break;
            }
        }
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let state = self.state;
        let limit = state.budget.name_bytes;
        let held = state.held;
        let mut keys: HashSet<Box<str>> = HashSet::new();
        let mut object = Object::default();
        while let Some(key) = entries.next_key_seed(Name { limit, slot: &mut state.slot })? {
            state.keys = state.keys.saturating_add(1);
            state.held = state.held.saturating_add(key.len()).saturating_add(ENTRY);
            if state.keys > state.budget.json_keys || state.held > HELD {
                let limit = state.budget.json_keys;
                return Err(refuse(&mut state.slot, Malformed::JsonKeys { limit }));
            }
            let value = state.at(&shown(&key), |state| {
                let value = entries.next_value_seed(Node { state: &mut *state, depth })?;
                if FILES.contains(&key.as_str()) {
                    file(state, &key, &value);
                }
                Ok(value)
            })?;
            object.field(&key, value);
            if keys.contains(key.as_str()) {
                let key = shown(&key);
                return Err(refuse(&mut state.slot, Malformed::JsonDuplicateKey { key }));
            }
            keys.insert(key.into_boxed_str());
        }
        state.held = held;
        if let Some(detail) = object.wrong() {
            let place = state.place();
            return Err(refuse(&mut state.slot, Malformed::Rule { place, detail }));
        }
        object.report(state);
        Ok(Value::Other)
    }
}

/// Reports an argument that names a file.
fn file(state: &mut State<'_>, key: &str, value: &Value) {
    let target = match value {
        Value::Text(text) if !text.is_empty() => shown(text),
        Value::LongText => String::new(),
        _ => return,
    };
    let place = state.place();
    let detail = format!("the argument {key:?} names a file");
    state.notes.add(Kind::Link, &target, place, detail);
}
