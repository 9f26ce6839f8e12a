//! Arrays and storages: joblib, PyTorch before 1.6, NumPy.

use super::build::{BUILD, HARMLESS, NEWOBJ, Pickle, REDUCE, SYSTEM, TUPLE1, TUPLE2, TUPLE3};
use crate::Case;
use crate::archive::build::{Member, zip};

const MALFORMED: &str = "malformed";
const RUNS: (&str, &str) = ("pickle-global", "imports os.system");

/// A tuple of joblib: an array of bytes that is said to have that many, and what `next` adds.
fn joblib(size: u8, data: &[u8], next: impl Fn(Pickle) -> Pickle) -> Vec<u8> {
    next(wrapped(size, "u1").raw(data)).raw(TUPLE2).stop()
}

/// joblib's stand-in for an array, up to where the array follows.
fn wrapped(size: u8, code: &str) -> Pickle {
    let pickle = Pickle::new(2).global("joblib.numpy_pickle", "NumpyArrayWrapper");
    let pickle = pickle.raw(b")").raw(NEWOBJ).raw(b"}(").text("shape").int(size).raw(TUPLE1);
    let pickle = pickle.text("dtype").global("numpy", "dtype").text(code).raw(b"\x89\x88");
    pickle.raw(TUPLE3).raw(REDUCE).raw(b"u").raw(BUILD)
}

fn joblibs() -> Vec<Case> {
    let none = |pickle: Pickle| pickle.raw(b"N");
    let case = |name, why, hostile, twin| Case::one(name, why, "model.joblib", hostile, twin);
    let opcodes = Pickle::old().call(SYSTEM).stop();
    let size = opcodes.len() as u8;
    let objects = |inner: Pickle| wrapped(1, "O8").raw(&inner.stop()).stop();
    vec![
        case(
            "joblib-calls-behind-an-array",
            RUNS,
            joblib(4, b"\0\0\0\0", |pickle| pickle.call(SYSTEM)),
            joblib(4, b"\0\0\0\0", |pickle| pickle.call(HARMLESS)),
        ),
        case(
            "joblib-array-that-python-itself-would-run",
            RUNS,
            joblib(size, &opcodes, none),
            joblib(size, &vec![0; opcodes.len()], none),
        ),
        case(
            "joblib-objects-are-another-pickle",
            RUNS,
            objects(Pickle::new(2).call(SYSTEM)),
            objects(Pickle::new(2).call(HARMLESS)),
        ),
        case(
            "joblib-array-longer-than-the-file",
            (MALFORMED, "200 bytes are needed"),
            joblib(200, b"\0\0\0\0", none),
            joblib(4, b"\0\0\0\0", none),
        ),
        case(
            "joblib-array-of-unknown-type",
            (MALFORMED, "shape and type cannot be told"),
            wrapped(4, "x9").raw(b"\0\0\0\0").stop(),
            wrapped(4, "u1").raw(b"\0\0\0\0").stop(),
        ),
    ]
}

/// What PyTorch saved before 1.6, with one tensor.
struct Legacy {
    system: Pickle,
    /// The first part of the persistent id.
    kind: &'static str,
    /// Elements of the tensor.
    size: u8,
    /// Key and elements of the storage as the rest of the file has it.
    key: &'static str,
    elements: u64,
    after: &'static [u8],
}

impl Legacy {
    fn new() -> Legacy {
        let system = Pickle::new(2).raw(b"}");
        Legacy { system, kind: "storage", size: 2, key: "0", elements: 2, after: b"" }
    }

    fn bytes(self) -> Vec<u8> {
        let id = Pickle::new(2).global("torch._utils", "_rebuild_tensor_v2").raw(b"((");
        let id = id.text(self.kind).global("torch", "FloatStorage").text("0").text("cpu");
        let tensor = id.int(2).raw(b"NtQ").int(0).int(self.size).raw(TUPLE1).int(1).raw(TUPLE1);
        let object = tensor.raw(b"\x89").call(HARMLESS).raw(b"t").raw(REDUCE);
        let magic = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
        [
            Pickle::new(2).raw(magic).stop(),
            Pickle::new(2).raw(b"M\xe9\x03").stop(),
            self.system.stop(),
            object.stop(),
            Pickle::new(2).raw(b"]").text(self.key).raw(b"a").stop(),
            self.elements.to_le_bytes().to_vec(),
            vec![0; 8],
            self.after.to_vec(),
        ]
        .concat()
    }
}

fn legacies() -> Vec<Case> {
    let case = |name, why, hostile: Legacy| {
        Case::one(name, why, "pytorch_model.bin", hostile.bytes(), Legacy::new().bytes())
    };
    vec![
        case(
            "torch-legacy-calls-before-the-object",
            RUNS,
            Legacy { system: Pickle::new(2).call(SYSTEM), ..Legacy::new() },
        ),
        case(
            "torch-legacy-persistent-id-is-no-storage",
            ("pickle-call", "a persistent id of its own"),
            Legacy { kind: "module", ..Legacy::new() },
        ),
        case(
            "torch-legacy-tensor-past-its-storage",
            (MALFORMED, "reaches past the end of its storage"),
            Legacy { size: 3, ..Legacy::new() },
        ),
        case(
            "torch-legacy-storage-that-no-tensor-has",
            (MALFORMED, "\"1\" is not one that the object has"),
            Legacy { key: "1", ..Legacy::new() },
        ),
        case(
            "torch-legacy-storage-of-another-size",
            (MALFORMED, "has another size in the object"),
            Legacy { elements: 3, ..Legacy::new() },
        ),
        case(
            "torch-legacy-something-behind-the-storages",
            (MALFORMED, "17 bytes follow the last storage"),
            Legacy { after: b"cos\nsystem\n(I0\ntR", ..Legacy::new() },
        ),
    ]
}

/// A zip of PyTorch with one tensor of two floats, whose pickle names a storage so.
struct Zipped {
    kind: &'static str,
    key: &'static str,
    elements: u8,
    /// Elements of the tensor, and where they start.
    size: u8,
    offset: u8,
    storage: usize,
}

impl Zipped {
    fn new() -> Zipped {
        Zipped { kind: "storage", key: "0", elements: 2, size: 2, offset: 0, storage: 8 }
    }

    fn bytes(self) -> Vec<u8> {
        let id = Pickle::new(2).raw(b"}").text("weight");
        let id = id.global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text(self.kind);
        let id = id.global("torch", "FloatStorage").text(self.key).text("cpu").int(self.elements);
        let tensor = id.raw(b"tQ").int(self.offset).int(self.size).raw(TUPLE1).int(1).raw(TUPLE1);
        let object = tensor.raw(b"\x89").call(HARMLESS).raw(b"t").raw(REDUCE).raw(b"s");
        zip(&[
            Member::described("model/data.pkl", &object.stop()),
            Member::described("model/data/0", &vec![0; self.storage]),
            Member::described("model/version", b"3\n"),
        ])
    }
}

fn zips() -> Vec<Case> {
    let case = |name, why, hostile: Zipped| {
        Case::one(name, why, "model.pt", hostile.bytes(), Zipped::new().bytes())
    };
    vec![
        case(
            "pytorch-persistent-id-is-no-storage",
            ("pickle-call", "a persistent id of its own"),
            Zipped { kind: "module", ..Zipped::new() },
        ),
        case(
            "pytorch-storage-is-missing",
            (MALFORMED, "storage \"7\", which the pickle names, is missing"),
            Zipped { key: "7", ..Zipped::new() },
        ),
        case(
            // PyTorch reads as many bytes as the pickle says from where the member is.
            "pytorch-storage-shorter-than-the-pickle-says",
            (MALFORMED, "names 200 bytes of storage, and it has 8"),
            Zipped { elements: 50, ..Zipped::new() },
        ),
        case(
            "pytorch-tensor-past-its-storage",
            (MALFORMED, "reaches past the end of its storage"),
            Zipped { offset: 1, ..Zipped::new() },
        ),
    ]
}

/// A NumPy array with that header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
}

fn numpys() -> Vec<Case> {
    let objects = |descr: &str, inner: Pickle| npy(&header(descr, "(1,)"), &inner.stop());
    let floats = npy(&header("'<f4'", "(2,)"), &[0; 8]);
    let case = |name, why, hostile, twin| Case::one(name, why, "array.npy", hostile, twin);
    let refused =
        |name, says, text: &str| case(name, (MALFORMED, says), npy(text, &[0; 8]), floats.clone());
    vec![
        case(
            "numpy-objects-are-a-pickle",
            RUNS,
            objects("'|O'", Pickle::new(3).call(SYSTEM)),
            objects("'|O'", Pickle::new(3).call(HARMLESS)),
        ),
        case(
            "numpy-objects-in-a-field",
            RUNS,
            objects("[('a', '<f4'), ('b', '|O', (2,))]", Pickle::new(3).call(SYSTEM)),
            objects("[('a', '<f4'), ('b', '|O', (2,))]", Pickle::new(3).call(HARMLESS)),
        ),
        case(
            "numpy-data-behind-the-array",
            (MALFORMED, "need 8 bytes, and 12 follow"),
            npy(&header("'<f4'", "(2,)"), &[0; 12]),
            floats.clone(),
        ),
        refused(
            "numpy-array-longer-than-the-file",
            "need 4000000 bytes, and 8 follow",
            &header("'<f4'", "(1000, 1000)"),
        ),
        refused(
            "numpy-header-with-code",
            "no plain literal",
            &header("__import__('os').system('id')", "(2,)"),
        ),
        refused(
            "numpy-shape-twice",
            "the key \"shape\" twice",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000,), 'shape': (2,), }",
        ),
        refused("numpy-shape-of-truth-values", "no tuple of sizes", &header("'<f4'", "(True, 2)")),
        refused(
            "numpy-size-that-overflows",
            "size of the array overflows",
            &header("'<f4'", "(4294967296, 4294967296)"),
        ),
        refused(
            "numpy-type-by-a-name-that-python-resolves",
            "descr is no type",
            &header("'float32'", "(2,)"),
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [joblibs(), legacies(), zips(), numpys()].concat()
}
