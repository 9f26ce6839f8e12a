//! Calls of what is no imported name, and of names that a list admits for what they are given.

use super::build::{BUILD, HARMLESS, Pickle, REDUCE, TUPLE1, TUPLE2, TUPLE3};
use crate::Case;

fn case(name: &'static str, says: &'static str, hostile: Vec<u8>, twin: Vec<u8>) -> Case {
    Case::one(name, ("pickle-call", says), "model.pkl", hostile, twin)
}

/// A `numpy.dtype` of `code` with the flags that its state says.
fn dtype(pickle: Pickle, code: &str, flags: u8) -> Pickle {
    let minus = &[b'J', 0xff, 0xff, 0xff, 0xff];
    let pickle = pickle.global("numpy", "dtype").text(code).raw(b"\x89\x88").raw(TUPLE3);
    let pickle = pickle.raw(REDUCE).raw(b"(").int(3).text("|").raw(b"NNN").raw(minus).raw(minus);
    pickle.int(flags).raw(b"t").raw(BUILD)
}

/// An empty array, as numpy starts one.
fn reconstructed(pickle: Pickle) -> Pickle {
    let pickle = pickle.global("numpy.core.multiarray", "_reconstruct").global("numpy", "ndarray");
    pickle.int(0).raw(TUPLE1).text("b").raw(TUPLE3).raw(REDUCE)
}

/// An array of one element with these bytes.
fn array(code: &str, flags: u8) -> Vec<u8> {
    let pickle = reconstructed(Pickle::new(3)).raw(b"(").int(1).int(1).raw(TUPLE1);
    let pickle = dtype(pickle, code, flags).raw(b"\x89");
    pickle.raw(b"C\x08AAAAAAAA").raw(b"t").raw(BUILD).stop()
}

fn scalar(code: &str, flags: u8) -> Vec<u8> {
    let pickle = Pickle::new(3).global("numpy.core.multiarray", "scalar");
    dtype(pickle, code, flags).raw(b"C\x08AAAAAAAA").raw(TUPLE2).raw(REDUCE).stop()
}

/// An array of that many objects, with a list of one.
fn objects(count: u8) -> Vec<u8> {
    let pickle = reconstructed(Pickle::new(3)).raw(b"(").int(1).int(count).raw(TUPLE1);
    let pickle = dtype(pickle, "O8", 63).raw(b"\x89](Ne");
    pickle.raw(b"t").raw(BUILD).stop()
}

/// An array of one number on the memory that `owner` gives.
fn view(owner: impl Fn(Pickle) -> Pickle) -> Vec<u8> {
    let pickle = owner(Pickle::new(5).global("numpy._core.numeric", "_frombuffer").raw(b"("));
    dtype(pickle, "f8", 0).int(1).raw(TUPLE1).text("C").raw(b"t").raw(REDUCE).stop()
}

pub(super) fn cases() -> Vec<Case> {
    let made = || Pickle::new(2).call(HARMLESS);
    let named = || Pickle::new(2).global("collections", "OrderedDict");
    vec![
        case(
            "pickle-calls-what-a-call-gave",
            "calls what a call of collections.OrderedDict gave",
            made().argument("id").raw(REDUCE).stop(),
            made().argument("id").raw(TUPLE2).stop(),
        ),
        case(
            "pickle-changes-a-class-for-all",
            "changes collections.OrderedDict itself",
            named().raw(b"N}").text("copy").raw(b"Ns").raw(TUPLE2).raw(BUILD).stop(),
            made().raw(b"N}").text("copy").raw(b"Ns").raw(TUPLE2).raw(BUILD).stop(),
        ),
        case(
            "pickle-sets-an-item-of-a-class",
            "puts values into collections.OrderedDict",
            named().text("key").raw(b"Ns").stop(),
            made().text("key").raw(b"Ns").stop(),
        ),
        case(
            "pickle-persistent-id-for-an-unknown-loader",
            "a persistent id of its own",
            Pickle::new(2).argument("id").raw(b"Q").stop(),
            Pickle::new(2).argument("id").stop(),
        ),
        case(
            "pickle-persistent-id-in-a-line",
            "a persistent id of its own",
            Pickle::old().raw(b"Pid\n").raw(TUPLE1).stop(),
            Pickle::old().raw(b"Vid\n").raw(TUPLE1).stop(),
        ),
        // numpy believes a dtype's flags: without those of objects it takes bytes for pointers.
        case(
            "pickle-dtype-denies-that-it-holds-objects",
            "gives numpy.dtype \"O8\" a state that is not followed",
            array("O8", 0),
            array("f8", 0),
        ),
        // numpy reads on behind the end of the list.
        case(
            "pickle-array-of-more-objects-than-its-list-has",
            "gives an array a state that does not fill it",
            objects(2),
            objects(1),
        ),
        case(
            "pickle-array-on-the-memory-of-another",
            "calls numpy._core.numeric._frombuffer as numpy does not",
            view(reconstructed),
            view(|pickle| pickle.raw(b"C\x08AAAAAAAA")),
        ),
        case(
            "pickle-array-that-has-elements-before-its-state",
            "calls numpy.core.multiarray._reconstruct as numpy does not",
            {
                let made = Pickle::new(3).global("numpy.core.multiarray", "_reconstruct");
                let made = made.global("numpy", "ndarray").int(9).raw(TUPLE1).text("O");
                made.raw(TUPLE3).raw(REDUCE).stop()
            },
            reconstructed(Pickle::new(3)).stop(),
        ),
        // What is put in can tell by an attribute that it lies anywhere in memory.
        case(
            "pickle-puts-items-into-an-array",
            "puts values into what numpy.core.multiarray._reconstruct gave",
            reconstructed(Pickle::new(3)).raw(b"N").call(HARMLESS).raw(b"s").stop(),
            reconstructed(Pickle::new(3)).raw(b"N").call(HARMLESS).raw(TUPLE3).stop(),
        ),
        case(
            "pickle-dtype-of-fields-that-are-not-checked",
            "calls numpy.dtype as numpy does not",
            Pickle::new(2)
                .global("numpy", "dtype")
                .raw(b"(]")
                .text("a")
                .text("O")
                .raw(TUPLE2)
                .raw(b"a\x89\x88t")
                .raw(REDUCE)
                .stop(),
            dtype(Pickle::new(2), "f8", 0).stop(),
        ),
        case(
            "pickle-array-over-bytes-of-the-file",
            "calls numpy.ndarray as numpy does not",
            Pickle::new(2)
                .global("numpy", "ndarray")
                .int(1)
                .raw(TUPLE1)
                .text("O")
                .text("AAAAAAAA")
                .raw(TUPLE3)
                .raw(REDUCE)
                .stop(),
            reconstructed(Pickle::new(2)).stop(),
        ),
        case(
            "pickle-scalar-object-over-bytes-of-the-file",
            "calls numpy.core.multiarray.scalar as numpy does not",
            scalar("O8", 63),
            scalar("f8", 0),
        ),
    ]
}
