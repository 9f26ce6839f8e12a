//! TFLite: operators that are not built in, and FlatBuffers that lead astray.

use super::Case;

/// What a field of a table holds.
#[derive(Clone)]
enum Value {
    Byte(u8),
    Number(i32),
    Long(u64),
    Text(&'static str),
    Bytes(Vec<u8>),
    Numbers(Vec<i32>),
    Table(Fields),
    Tables(Vec<Fields>),
    /// An offset as it stands.
    Offset(u32),
    /// A vector of as many offsets to one table.
    Same(usize, Fields),
}

use Value::{Byte, Bytes, Long, Number, Numbers, Offset, Same, Table, Tables, Text};

/// The fields of a table by their numbers.
type Fields = Vec<(usize, Value)>;

/// Writes a table and what it holds; where it starts.
fn table(out: &mut Vec<u8>, fields: &Fields) -> usize {
    let count = fields.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
    align(out, 2);
    let vtable = out.len();
    out.resize(vtable + 4 + 2 * count, 0);
    align(out, 8);
    let at = out.len();
    // Each field has eight bytes, whatever it needs.
    let size = 8 + 8 * fields.len();
    put(out, vtable, &(4 + 2 * count as u16).to_le_bytes());
    put(out, vtable + 2, &(size as u16).to_le_bytes());
    out.resize(at + size, 0);
    put(out, at, &((at - vtable) as i32).to_le_bytes());
    for (index, (number, value)) in fields.iter().enumerate() {
        let slot = at + 8 + 8 * index;
        put(out, vtable + 4 + 2 * number, &((slot - at) as u16).to_le_bytes());
        let target = match value {
            Byte(byte) => {
                put(out, slot, &[*byte]);
                continue;
            }
            Number(number) => {
                put(out, slot, &number.to_le_bytes());
                continue;
            }
            Long(number) => {
                put(out, slot, &number.to_le_bytes());
                continue;
            }
            Offset(offset) => {
                put(out, slot, &offset.to_le_bytes());
                continue;
            }
            Text(text) => vector(out, text.len(), &[text.as_bytes(), &[0]].concat()),
            Bytes(bytes) => vector(out, bytes.len(), bytes),
            Numbers(numbers) => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|one| one.to_le_bytes()).collect();
                vector(out, numbers.len(), &bytes)
            }
            Table(fields) => table(out, fields),
            Tables(tables) => {
                let start = vector(out, tables.len(), &vec![0; 4 * tables.len()]);
                for (place, fields) in (start + 4..).step_by(4).zip(tables) {
                    let target = table(out, fields);
                    put(out, place, &((target - place) as u32).to_le_bytes());
                }
                start
            }
            Same(count, fields) => {
                let start = vector(out, *count, &vec![0; 4 * count]);
                let target = table(out, fields);
                for place in (start + 4..).step_by(4).take(*count) {
                    put(out, place, &((target - place) as u32).to_le_bytes());
                }
                start
            }
        };
        put(out, slot, &((target - slot) as u32).to_le_bytes());
    }
    at
}

/// Writes a count and what is counted; where it starts.
fn vector(out: &mut Vec<u8>, count: usize, bytes: &[u8]) -> usize {
    align(out, 4);
    let at = out.len();
    out.extend((count as u32).to_le_bytes());
    out.extend(bytes);
    at
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in out.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

/// A file whose root is this table.
fn file(model: &Fields) -> Vec<u8> {
    let mut out = b"\0\0\0\0TFL3".to_vec();
    let root = table(&mut out, model);
    put(&mut out, 0, &(root as u32).to_le_bytes());
    out
}

/// The parts of a model, each to be changed.
struct Model {
    code: Fields,
    tensor: Fields,
    operator: Fields,
    buffer: Fields,
    rest: Fields,
}

/// One operator that takes two floats from a buffer.
fn sound() -> Model {
    Model {
        code: vec![(0, Byte(0)), (1, Text("")), (2, Number(1)), (3, Number(0))],
        tensor: vec![(0, Numbers(vec![2])), (1, Byte(0)), (2, Number(1)), (3, Text("w"))],
        operator: vec![(0, Number(0)), (1, Numbers(vec![0, -1])), (2, Numbers(vec![0]))],
        buffer: vec![(0, Bytes(vec![0; 8]))],
        rest: Vec::new(),
    }
}

impl Model {
    fn bytes(self) -> Vec<u8> {
        let subgraph = vec![
            (0, Tables(vec![self.tensor])),
            (1, Numbers(vec![0])),
            (2, Numbers(vec![0])),
            (3, Tables(vec![self.operator])),
            (4, Text("main")),
        ];
        let mut model = vec![
            (0, Number(3)),
            (1, Tables(vec![self.code])),
            (2, Tables(vec![subgraph])),
            (4, Tables(vec![Vec::new(), self.buffer])),
        ];
        model.extend(self.rest);
        file(&model)
    }
}

fn one(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    hostile: Model,
    twin: Model,
) -> Case {
    Case::one(name, (code, says), "model.tflite", hostile.bytes(), twin.bytes())
}

pub(super) fn cases() -> Vec<Case> {
    [operators(), leads(), numbers()].concat()
}

/// Operators that a runtime takes from elsewhere.
fn operators() -> Vec<Case> {
    let code = |name, says, old: u8, custom, new| {
        let code = vec![(0, Byte(old)), (1, Text(custom)), (3, Number(new))];
        one(name, "operator", says, Model { code, ..sound() }, sound())
    };
    let two = vec![(0, Byte(0)), (1, Text("")), (3, Number(32))];
    vec![
        code("tflite-custom-operator", "\"Run\"", 32, "Run", 32),
        code("tflite-custom-operator-for-old-readers-only", "\"Run\"", 32, "Run", 0),
        code("tflite-operator-of-tensorflow", "\"FlexReadFile\"", 32, "FlexReadFile", 32),
        code("tflite-operator-of-a-delegate", "\"DELEGATE\"", 51, "", 51),
        code("tflite-call-of-a-custom-target", "\"STABLEHLO_CUSTOM_CALL\"", 127, "", 173),
        one(
            "tflite-operator-that-old-and-new-readers-read-differently",
            "malformed",
            "to old readers and 32 to new ones",
            Model { code: two, ..sound() },
            sound(),
        ),
        one(
            "tflite-custom-operator-whose-name-ends-twice",
            "malformed",
            "ends before its end",
            Model { code: vec![(0, Byte(32)), (1, Text("A\0B")), (3, Number(32))], ..sound() },
            sound(),
        ),
    ]
}

/// Offsets and sizes that lead out of the file, or to too much.
fn leads() -> Vec<Case> {
    let malformed = |name, says, hostile| one(name, "malformed", says, hostile, sound());
    let bytes = |name, says, change: fn(Vec<u8>) -> Vec<u8>| {
        Case::one(
            name,
            ("malformed", says),
            "model.tflite",
            change(sound().bytes()),
            sound().bytes(),
        )
    };
    let flood = |count| {
        // Each of the subgraphs that are one holds as many tensors that are one.
        let tensor: Fields = vec![(0, Numbers(vec![2]))];
        file(&vec![
            (0, Number(3)),
            (2, Same(count, vec![(0, Same(count, tensor))])),
            (4, Tables(vec![Vec::new()])),
        ])
    };
    vec![
        bytes("tflite-vtable-outside-of-the-file", "vtable outside", |mut bytes| {
            let root = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
            put(&mut bytes, root, &i32::MIN.to_le_bytes());
            bytes
        }),
        bytes("tflite-vtable-larger-than-the-file", "impossible size", |mut bytes| {
            put(&mut bytes, 8, &0xfffe_u16.to_le_bytes());
            bytes
        }),
        bytes("tflite-string-without-its-zero", "does not end in a zero", |mut bytes| {
            let at = bytes.windows(5).position(|part| part == b"main\0").unwrap_or(0);
            put(&mut bytes, at + 4, b"x");
            bytes
        }),
        malformed(
            "tflite-offset-to-itself",
            "leads to itself",
            Model { rest: vec![(7, Offset(0))], ..sound() },
        ),
        malformed(
            "tflite-vector-past-the-end",
            "bytes are needed",
            Model { rest: vec![(7, Offset(0x7fff_fff4))], ..sound() },
        ),
        Case::one(
            "tflite-few-tables-that-many-offsets-lead-to",
            ("malformed", "more than 262144 tables"),
            "model.tflite",
            flood(600),
            flood(60),
        ),
        malformed(
            "tflite-table-with-a-field-that-no-version-has",
            "unknown field 3",
            Model { buffer: vec![(0, Bytes(vec![0; 8])), (3, Number(1))], ..sound() },
        ),
        one(
            "tflite-buffer-behind-the-end-of-the-file",
            "malformed",
            "bytes are needed at offset 64",
            Model { buffer: vec![(1, Long(64)), (2, Long(1 << 40))], ..sound() },
            Model { buffer: vec![(1, Long(64)), (2, Long(8))], ..sound() },
        ),
        malformed(
            "tflite-buffer-whose-end-overflows",
            "bytes are needed",
            Model { buffer: vec![(1, Long(u64::MAX)), (2, Long(8))], ..sound() },
        ),
        malformed(
            "tflite-buffer-with-data-in-two-places",
            "data in two places",
            Model { buffer: vec![(0, Bytes(vec![0; 8])), (1, Long(64)), (2, Long(8))], ..sound() },
        ),
        Case::one(
            "tflite-with-a-zip-at-its-end",
            ("ambiguous", "tflite"),
            "model.tflite",
            [sound().bytes(), b"PK\x05\x06".to_vec(), vec![0; 18]].concat(),
            [sound().bytes(), vec![0; 22]].concat(),
        ),
    ]
}

/// Numbers that stand for what is not there, and tensors whose data is not what they say.
fn numbers() -> Vec<Case> {
    let malformed = |name, says, hostile| one(name, "malformed", says, hostile, sound());
    let tensor = |fields: &[(usize, Value)]| Model { tensor: fields.to_vec(), ..sound() };
    let operator =
        |rest: &[(usize, Value)]| Model { operator: [&[(0, Number(0))], rest].concat(), ..sound() };
    let options = |index| operator(&[(3, Byte(92)), (4, Table(vec![(0, Number(index))]))]);
    vec![
        malformed(
            "tflite-tensor-of-a-buffer-that-is-not-there",
            "buffer 2 is not there",
            tensor(&[(0, Numbers(vec![2])), (2, Number(2))]),
        ),
        malformed(
            "tflite-tensor-with-less-data-than-its-shape",
            "needs 12",
            tensor(&[(0, Numbers(vec![3])), (2, Number(1))]),
        ),
        malformed(
            "tflite-tensor-with-a-dimension-below-zero",
            "a dimension is -2",
            tensor(&[(0, Numbers(vec![-2])), (2, Number(1))]),
        ),
        malformed(
            "tflite-tensor-whose-size-overflows",
            "its size overflows",
            tensor(&[(0, Numbers(vec![i32::MAX; 3])), (2, Number(0))]),
        ),
        malformed(
            "tflite-tensor-of-an-unknown-type",
            "type 99 is unknown",
            tensor(&[(0, Numbers(vec![2])), (1, Byte(99))]),
        ),
        malformed(
            "tflite-operator-that-reads-a-tensor-that-is-not-there",
            "the index 1 leads to nothing",
            operator(&[(1, Numbers(vec![1]))]),
        ),
        malformed(
            "tflite-operator-that-writes-before-the-tensors",
            "the index -2 leads to nothing",
            operator(&[(2, Numbers(vec![-2]))]),
        ),
        malformed(
            "tflite-operator-whose-code-is-not-there",
            "the code 1",
            Model { operator: vec![(0, Number(1))], ..sound() },
        ),
        one(
            "tflite-branch-to-a-subgraph-that-is-not-there",
            "malformed",
            "the subgraph 1, which is not there",
            options(1),
            options(0),
        ),
        malformed(
            "tflite-metadata-in-a-buffer-that-is-not-there",
            "buffer 9 of metadata is not there",
            Model {
                rest: vec![(6, Tables(vec![vec![(0, Text("m")), (1, Number(9))]]))],
                ..sound()
            },
        ),
        malformed(
            "tflite-signature-of-a-subgraph-that-is-not-there",
            "subgraph is not there",
            Model { rest: vec![(7, Tables(vec![vec![(4, Number(1))]]))], ..sound() },
        ),
    ]
}
