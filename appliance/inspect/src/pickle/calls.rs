//! What imports and calls: every opcode that can make Python run something.
//!
//! An import alone already runs a module, so each is reported, called or not. A call of an imported
//! name adds nothing to that: a policy lists only names that do no harm whatever they are given. What
//! is called otherwise (what a call gave, what nobody can tell) is reported as such.
//!
//! `BUILD` calls `__setstate__`, or sets attributes, of what a call gave:
//!
//! - `collections.OrderedDict` and other Python classes get attributes. A first state can set
//!   `__setstate__` on the instance and a second one call it: only with a callable that was imported,
//!   which is reported, or one that a call gave, which does no more than its class.
//! - `numpy.ndarray` checks bytes of its state against the shape, but trusts its dtype, and reads as many
//!   objects from a list as the shape says. So the list must have them.
//! - `numpy.dtype` trusts its state: flags that deny the objects of an object dtype make numpy take
//!   bytes of the file for pointers. So its state must be one that numpy writes.
//! - On the imported name itself `BUILD` would change the class for the whole process.

use std::io::{Read, Seek};

use super::input::{self, is_name};
use super::machine::Machine;
use super::value::{NAME, Value};
use super::{Loader, joblib, names};
use crate::finding::{Kind, Place};
use crate::malformed::{Fault, shown};
use crate::source::Scan;

impl Machine<'_> {
    /// The opcodes GLOBAL and INST, which name what they import in two lines.
    pub(super) fn import_lines<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        let start = scan.at();
        let module = input::line(scan)?;
        let middle = scan.at();
        let name = input::line(scan)?;
        let target = match (module.name(), name.name()) {
            (Some(module), Some(name)) => {
                // Where a frame ends in a line, _pickle.c forgets what stands before.
                let ends = [self.forgotten(start, module), self.forgotten(middle, name)];
                if ends != [module, name] {
                    self.import(ends[0], ends[1], at);
                }
                self.import(module, name, at)
            }
            _ => {
                let detail = format!("imports what is not UTF-8 or longer than {NAME} bytes");
                self.call_finding(at, detail);
                Value::Unknown
            }
        };
        if opcode == b'i' {
            let items = self.stack.pop_mark(at)?;
            let made = self.call(&target, &items, at)?;
            self.stack.push(made, at)?;
        } else {
            self.stack.push(target, at)?;
        }
        if name.cut {
            scan.need(1)?;
        }
        Ok(())
    }

    /// What is left of the line at `start` if the frame ends in it.
    fn forgotten<'l>(&self, start: u64, line: &'l str) -> &'l str {
        let cut = self.frame_end.and_then(|end| end.checked_sub(start));
        cut.and_then(|cut| line.get(usize::try_from(cut).ok()?..)).unwrap_or(line)
    }

    /// The opcodes that take from the stack what they import or call.
    pub(super) fn act<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        let made = match opcode {
            0x93 => {
                let name = self.stack.pop(at)?;
                let module = self.stack.pop(at)?;
                self.stack_global(&module, &name, at)?
            }
            b'b' => {
                let state = self.stack.pop(at)?;
                let target = self.stack.top(at)?.clone();
                self.called |= self.imported;
                return self.build(&target, &state, at, scan);
            }
            b'o' => {
                let items = self.stack.pop_mark(at)?;
                let Some((class, items)) = items.split_first() else {
                    return Err(super::broken_at(at, "OBJ has no class"));
                };
                self.call(class, items, at)?
            }
            _ => {
                if opcode == 0x92 {
                    self.stack.pop(at)?;
                }
                let arguments = self.stack.pop(at)?;
                let target = self.stack.pop(at)?;
                self.call(&target, arguments.items().unwrap_or_default(), at)?
            }
        };
        Ok(self.stack.push(made, at)?)
    }

    /// What is surely no text makes both unpicklers stop.
    fn stack_global(&mut self, module: &Value, name: &Value, at: u64) -> Result<Value, Fault> {
        let (Value::Text(module), Value::Text(name)) = (module, name) else {
            if !(module.may_be_text() && name.may_be_text()) {
                return Err(super::broken_at(at, "a name is no text"));
            }
            self.imported = true;
            self.called = true;
            self.call_finding(at, "imports a name that cannot be told before it runs".to_owned());
            return Ok(Value::Unknown);
        };
        if module.is_bytes || name.is_bytes {
            self.odd(at, "a name is written as bytes");
        }
        Ok(self.import(&module.text, &name.text, at))
    }

    /// Reports an import under the name that is written and the one that Python 3 makes of it.
    fn import(&mut self, module: &str, name: &str, at: u64) -> Value {
        self.imported |= is_name(module) && is_name(name);
        let subject = subject(module, name);
        self.global(&subject, at, format!("imports {}", shown(&subject)));
        let Some((module, name)) = names::today(module, name).filter(|_| self.protocol < 3) else {
            return self.keeper.global(&subject);
        };
        let today = format!("{module}.{name}");
        let detail = format!("imports {today}, written as {}", shown(&subject));
        self.global(&today, at, detail);
        self.keeper.global(&today)
    }

    fn global(&mut self, subject: &str, at: u64, detail: String) {
        self.notes.add(Kind::PickleGlobal, subject, Place::Offset(at), detail);
    }

    /// Calls `target` with what is known of its arguments; what that gives. What surely cannot be
    /// called makes both unpicklers stop.
    fn call(&mut self, target: &Value, arguments: &[Value], at: u64) -> Result<Value, Fault> {
        if !target.may_be_called() {
            return Err(super::broken_at(at, "what is called is no function or class"));
        }
        self.called |= self.imported;
        let Value::Global(name) = target else {
            self.call_finding(at, format!("calls {}", target.words()));
            return Ok(Value::Unknown);
        };
        if !is_followed(&name.text, arguments) {
            let detail = format!("calls {} as numpy does not", name.text);
            self.call_finding(at, detail);
            return Ok(Value::Unknown);
        }
        let special = match (&*name.text, arguments) {
            ("numpy.dtype", [Value::Text(code), ..]) => Some(Value::Dtype(code.clone())),
            ("torch._utils._rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => {
                Some(tensor.clone())
            }
            (name, arguments) => self.tensor(name, arguments, at),
        };
        Ok(special.unwrap_or_else(|| self.keeper.instance(&name.text)))
    }

    fn build<R: Read + Seek>(
        &mut self,
        target: &Value,
        state: &Value,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        match target {
            Value::Dtype(code) if is_ordinary(&code.text, state) => {}
            Value::Dtype(code) => {
                let code = shown(&code.text);
                let detail = format!("gives numpy.dtype {code:?} a state that is not followed");
                self.call_finding(at, detail);
            }
            Value::Instance(name) if &*name.text == "numpy.dtype" => {
                let detail = "gives a numpy.dtype that cannot be told a state".to_owned();
                self.call_finding(at, detail);
            }
            Value::Instance(name)
                if matches!(&*name.text, RECONSTRUCT | CORE_RECONSTRUCT) && !is_full(state) =>
            {
                let detail = "gives an array a state that does not fill it".to_owned();
                self.call_finding(at, detail);
            }
            Value::Instance(name) if &*name.text == joblib::WRAPPER => {
                self.joblib = true;
                if self.loader == Loader::Joblib {
                    let array = joblib::array(self, state, at, scan)?;
                    self.stack.replace_top(array);
                }
            }
            Value::Instance(_) | Value::Tensor(_) => {}
            Value::Global(name) => {
                self.call_finding(at, format!("changes {} itself", shown(&name.text)));
            }
            Value::Unknown | Value::Storage(_) => {
                self.call_finding(at, format!("sets the state of {}", target.words()));
            }
            _ => self.odd(at, "a state is set of what has none"),
        }
        Ok(())
    }

    /// A persistent id: what it means is the loader's own; here only PyTorch's storages are known.
    pub(super) fn persistent<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        let storage = if opcode == b'P' {
            input::line(scan)?;
            None
        } else {
            let id = self.stack.pop(at)?;
            self.storage(&id, at)
        };
        self.called |= self.imported;
        let value = storage.unwrap_or_else(|| {
            self.call_finding(at, "hands the loader a persistent id of its own".to_owned());
            Value::Unknown
        });
        Ok(self.stack.push(value, at)?)
    }
}

/// Module and name as allow-lists have them. What cannot be seen in a name is written as an escape,
/// so that no such name looks like an ordinary one.
fn subject(module: &str, name: &str) -> String {
    let mut subject = String::with_capacity(module.len().saturating_add(name.len()));
    for character in module.chars().chain(['.']).chain(name.chars()) {
        if character.is_alphanumeric() || character.is_ascii_graphic() {
            subject.push(character);
        } else {
            subject.extend(character.escape_unicode());
        }
    }
    subject
}

/// Whether calling `name` may give an array, which no pickler fills by items.
pub(super) fn is_array(name: &str) -> bool {
    name.starts_with("numpy.") || name.starts_with("torch.")
}

/// Whether an array that gets `state` has no more objects than the list that brings them: numpy reads on
/// behind its end. Shape, dtype, order and data come last, behind a version or not.
fn is_full(state: &Value) -> bool {
    let ([_, shape, dtype, _, data] | [shape, dtype, _, data]) = state.items().unwrap_or_default()
    else {
        return false;
    };
    let is_object = match dtype {
        Value::Dtype(code) => Element::of(&code.text) == Some(Element::Object),
        _ => return false,
    };
    let needed = || shape.sizes()?.into_iter().try_fold(1, u64::checked_mul);
    match data {
        Value::List(count) => is_object && needed().is_some_and(|needed| needed <= *count),
        _ => !is_object,
    }
}

/// Whether a function of numpy gets what numpy writes: with other types it would take bytes of the
/// file for pointers to objects. `numpy.ndarray` itself is only named, never called.
fn is_followed(name: &str, arguments: &[Value]) -> bool {
    let plain = |dtype: &Value| match dtype {
        Value::Dtype(code) => Element::of(&code.text).is_some_and(|it| it != Element::Object),
        _ => false,
    };
    match (name, arguments) {
        ("numpy.ndarray", _) => false,
        ("numpy.dtype", [code @ Value::Text(_), align, copy]) => {
            code.text().and_then(Element::of).is_some()
                && (align.int(), copy.int()) == (Some(0), Some(1))
        }
        ("numpy.dtype", _) => false,
        (MULTIARRAY_SCALAR | CORE_SCALAR, [dtype, ..]) => plain(dtype),
        // Bytes out of the file. The memory of another array could be written to as what it is not, and
        // is gone when that array gets a state.
        (NUMERIC_FROMBUFFER | CORE_FROMBUFFER, [bytes, dtype, ..]) => {
            matches!(bytes, Value::Data | Value::Text(_)) && plain(dtype)
        }
        // An array without elements, until its state brings them.
        (RECONSTRUCT | CORE_RECONSTRUCT, [Value::Global(_), shape, _]) => {
            matches!(shape.items(), Some([Value::Int(0)]))
        }
        (
            MULTIARRAY_SCALAR | CORE_SCALAR | NUMERIC_FROMBUFFER | CORE_FROMBUFFER | RECONSTRUCT
            | CORE_RECONSTRUCT,
            _,
        ) => false,
        _ => true,
    }
}

const MULTIARRAY_SCALAR: &str = "numpy._core.multiarray.scalar";
const RECONSTRUCT: &str = "numpy._core.multiarray._reconstruct";
const NUMERIC_FROMBUFFER: &str = "numpy._core.numeric._frombuffer";
/// The same before numpy 2.
const CORE_SCALAR: &str = "numpy.core.multiarray.scalar";
const CORE_RECONSTRUCT: &str = "numpy.core.multiarray._reconstruct";
const CORE_FROMBUFFER: &str = "numpy.core.numeric._frombuffer";

/// Whether `state` is one that numpy gives a dtype of that code, without fields or a subarray:
/// version, byte order, subarray, names, fields, size of an element, alignment and flags.
fn is_ordinary(code: &str, state: &Value) -> bool {
    let Some([version, order, Value::None, Value::None, Value::None, size, align, flags]) =
        state.items()
    else {
        return false;
    };
    let Some(element) = Element::of(code) else { return false };
    let (own_size, own_flags) = match element {
        Element::Object => (None, 63),
        Element::Text(size) => (Some(size), 8),
        Element::Raw(size) => (Some(size), 0),
        Element::Number(_) => (None, 0),
    };
    let size_is_own = match own_size {
        Some(own) => size.int().and_then(|size| u64::try_from(size).ok()) == Some(own),
        None => size.int() == Some(-1),
    };
    version.int() == Some(3)
        && order.text().is_some_and(|order| matches!(order, "<" | ">" | "|" | "="))
        && size_is_own
        && matches!((own_size, align.int()), (None, Some(-1)) | (Some(_), Some(1 | 4)))
        && flags.int() == Some(own_flags)
}

/// What an element of an array is, by the code of its dtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// A reference to an object: the array is pickled.
    Object,
    /// That many bytes of UCS-4.
    Text(u64),
    /// That many bytes.
    Raw(u64),
    /// A number of that many bytes.
    Number(u64),
}

impl Element {
    /// Reads a code without its byte order, `f8`.
    pub(crate) fn of(code: &str) -> Option<Element> {
        let kind = code.chars().next()?;
        let digits = code.strip_prefix(kind)?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() < 10;
        let size = digits.parse::<u64>().ok().filter(|_| is_plain);
        match (kind, size) {
            ('O', _) if matches!(digits, "" | "4" | "8") => Some(Element::Object),
            ('U', Some(size)) => Some(Element::Text(size.checked_mul(4)?)),
            ('S' | 'a' | 'V', Some(size)) => Some(Element::Raw(size)),
            ('b', Some(1)) | ('?', None) if digits.len() < 2 => Some(Element::Number(1)),
            ('i' | 'u', Some(size @ (1 | 2 | 4 | 8)))
            | ('f', Some(size @ (2 | 4 | 8 | 12 | 16)))
            | ('c', Some(size @ (8 | 16 | 24 | 32)))
            | ('M' | 'm', Some(size @ 8)) => Some(Element::Number(size)),
            _ => None,
        }
    }

    /// Bytes of one element in an array that is not pickled.
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Element::Object => None,
            Element::Text(bytes) | Element::Raw(bytes) | Element::Number(bytes) => Some(bytes),
        }
    }
}
