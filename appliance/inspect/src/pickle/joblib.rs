//! joblib: where the state of a `NumpyArrayWrapper` is set, the array itself follows in the stream.
//!
//! ```text
//!   ... state BUILD | length of padding, padding | elements                ...
//!   ... state BUILD | a pickle of its own, where the elements are objects  ...
//! ```

use std::io::{Read, Seek};

use super::calls::Element;
use super::machine::Machine;
use super::value::{self, Value};
use super::{Loader, broken_at};
use crate::budget::Budget;
use crate::malformed::Fault;
use crate::source::Scan;

/// The class whose instances stand for arrays.
pub(super) const WRAPPER: &str = "joblib.numpy_pickle.NumpyArrayWrapper";

/// Passes over the array that follows, and gives what takes the wrapper's place.
pub(super) fn array<R: Read + Seek>(
    machine: &mut Machine<'_>,
    state: &Value,
    at: u64,
    scan: &mut Scan<'_, R>,
) -> Result<Value, Fault> {
    if machine.frame_end.is_some_and(|end| end != scan.at()) {
        machine.odd(at, "an array follows inside a frame");
    }
    machine.frame_end = None;
    let Value::Dict(Some(state)) = state else {
        return Err(broken_at(at, "an array follows of which nothing is told"));
    };
    let shape = value::get(state, "shape").and_then(|shape| shape.sizes());
    let element = match value::get(state, "dtype") {
        Some(Value::Dtype(code)) => Element::of(&code.text),
        _ => None,
    };
    let (Some(shape), Some(element)) = (shape, element) else {
        return Err(broken_at(at, "an array follows of which shape and type cannot be told"));
    };
    match element.bytes() {
        None => objects(machine, scan)?,
        Some(width) => {
            let alignment = value::get(state, "numpy_array_alignment_bytes");
            if !matches!(alignment, None | Some(Value::None)) {
                padding(at, scan)?;
            }
            let count = shape.iter().try_fold(width, |bytes, size| bytes.checked_mul(*size));
            let bytes = count.ok_or_else(|| broken_at(at, "the size of an array overflows"))?;
            scan.skip(bytes)?;
        }
    }
    Ok(machine.keeper.instance("numpy.ndarray"))
}

fn padding<R: Read + Seek>(at: u64, scan: &mut Scan<'_, R>) -> Result<(), Fault> {
    let count = scan.byte()?;
    if scan.vec(u64::from(count))?.iter().any(|&byte| byte != 0xff) {
        return Err(broken_at(at, "the padding before an array is not that of joblib"));
    }
    Ok(())
}

/// Python's own unpickler reads them, with a memo and a stack of its own.
fn objects<R: Read + Seek>(machine: &mut Machine<'_>, scan: &mut Scan<'_, R>) -> Result<(), Fault> {
    let budget = Budget {
        pickle_kept: machine.budget.pickle_kept / 4,
        pickle_memo: machine.budget.pickle_memo / 4,
        pickle_values: machine.budget.pickle_values / 4,
        ..machine.budget.clone()
    };
    let mut inner = Machine::new(Loader::Python, &budget, machine.notes);
    let ran = inner.run(scan);
    let (imported, called, wrong) = (inner.imported, inner.called, inner.wrong());
    drop(inner);
    machine.imported |= imported;
    machine.called |= called;
    ran?;
    wrong.map_or(Ok(()), |cause| Err(cause.into()))
}
