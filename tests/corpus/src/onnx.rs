//! ONNX: data elsewhere, operators that are not computation, and files that two readers read in two
//! ways.

use crate::Case;
use crate::protobuf::{bytes, number, varint};

const FILE: &str = "model.onnx";
const WEIGHTS: &str = "weights.bin.safetensors";

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// A model of IR 8 around `graph`, with operator set 17 and what else is in `rest`.
fn model(graph: &[Vec<u8>], rest: &[Vec<u8>]) -> Vec<u8> {
    let head = [number(1, 8), bytes(8, operators("", 17)), bytes(7, graph.concat())];
    [head.concat(), rest.concat()].concat()
}

fn operators(domain: &str, version: i64) -> Vec<u8> {
    [bytes(1, domain), number(2, version)].concat()
}

/// A graph's node of the default domain.
fn node(operator: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    node_of("", operator, attributes)
}

fn node_of(domain: &str, operator: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes.iter().flat_map(|one| bytes(5, one)).collect();
    let head = [bytes(1, "x"), bytes(2, "y"), bytes(3, "n"), bytes(4, operator)];
    bytes(1, [head.concat(), attributes, bytes(7, domain)].concat())
}

/// An attribute of the type `kind` whose value is in `field`.
fn attribute(name: &str, kind: i64, field: Vec<u8>) -> Vec<u8> {
    [bytes(1, name), field, number(20, kind)].concat()
}

/// An attribute that is a graph.
fn branch(graph: &[Vec<u8>]) -> Vec<u8> {
    attribute("then_branch", 5, bytes(6, graph.concat()))
}

fn tensor(dims: &[i64], kind: i64, rest: &[Vec<u8>]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&size| number(1, size)).collect();
    [dims, number(2, kind), bytes(8, "w"), rest.concat()].concat()
}

/// Two floats that are there.
fn sound() -> Vec<u8> {
    tensor(&[2], FLOAT, &[bytes(9, [0; 8])])
}

/// Two floats that lie where `entries` say.
fn elsewhere(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| bytes(13, [bytes(1, key), bytes(2, value)].concat());
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    tensor(&[2], FLOAT, &[entries, number(14, 1)])
}

fn at(location: &str) -> Vec<u8> {
    elsewhere(&[("location", location)])
}

fn initializer(tensor: &[u8]) -> Vec<u8> {
    bytes(5, tensor)
}

/// A function `Own` of the domain `my.domain`.
fn function(nodes: &[Vec<u8>], imports: &[Vec<u8>]) -> Vec<u8> {
    function_of("Own", nodes, imports)
}

fn function_of(name: &str, nodes: &[Vec<u8>], imports: &[Vec<u8>]) -> Vec<u8> {
    // In a function nodes are field 7, and in a graph field 1.
    let renumber =
        |node: &Vec<u8>| [varint(7 << 3 | 2), node.iter().copied().skip(1).collect()].concat();
    let nodes: Vec<u8> = nodes.iter().flat_map(renumber).collect();
    let imports: Vec<u8> = imports.iter().flat_map(|one| bytes(9, one)).collect();
    bytes(25, [bytes(1, name), nodes, imports, bytes(10, "my.domain")].concat())
}

/// A case of one model.
fn one(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    hostile: Vec<u8>,
    twin: Vec<u8>,
) -> Case {
    Case::one(name, (code, says), FILE, hostile, twin)
}

/// A case of a model whose weights lie in a file beside it.
fn beside(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    hostile: Vec<u8>,
    twin: Vec<u8>,
) -> Case {
    // The file is a sound one of its own, since raw weights have no format.
    let weights = [&2_u64.to_le_bytes()[..], b"{}"].concat();
    let files = |model| vec![(FILE, model), (WEIGHTS, weights.clone())];
    Case { name, code, says, files: files(hostile), twin: files(twin) }
}

/// The first graph with this tensor as its initializer.
fn with(tensor: &[u8]) -> Vec<u8> {
    model(&[initializer(tensor)], &[])
}

pub(crate) fn cases() -> Vec<Case> {
    [external(), weights(), hidden(), domains(), structure(), tensors()].concat()
}

/// Files that are nothing but weights, and that are not.
fn weights() -> Vec<Case> {
    let case = |name, hostile: &[u8]| {
        let data = b"\x01\x80\x00\x3f\x02\x80\x00\x3f";
        let files = |weights: Vec<u8>| vec![(FILE, with(&at("w.bin"))), ("w.bin", weights)];
        let (files, twin) = (files([&data[..], hostile].concat()), files(data.to_vec()));
        Case { name, code: "unknown", says: "", files, twin }
    };
    let mut far = vec![0; 65_536];
    far.extend(b"\x01\x02\x03");
    let stray = Case {
        files: vec![(FILE, with(&at("w.bin"))), ("w.bin", vec![1; 8]), ("v.bin", vec![1; 8])],
        ..case("onnx-weights-that-nothing-names", b"")
    };
    vec![case("onnx-weights-behind-which-something-lies", &far), stray]
}

/// External data that is not a file of the model.
fn external() -> Vec<Case> {
    let beside = |name, says, location| {
        beside(name, "external-data", says, with(&at(location)), with(&at(WEIGHTS)))
    };
    let numbers = |name, code, says, offset, length| {
        let entries = [("location", WEIGHTS), ("offset", offset), ("length", length)];
        let twin = [("location", WEIGHTS), ("offset", "2"), ("length", "8")];
        self::beside(name, code, says, with(&elsewhere(&entries)), with(&elsewhere(&twin)))
    };
    vec![
        // CVE-2022-25882, CVE-2024-27318
        beside("onnx-external-data-in-a-folder-above", "leads out", "../../../etc/passwd"),
        beside("onnx-external-data-below-and-above", "leads out", "a/../../etc/passwd"),
        beside("onnx-external-data-at-an-absolute-path", "leads out", "/etc/passwd"),
        beside("onnx-external-data-on-a-drive", "leads out", "C:\\secret.bin"),
        beside("onnx-external-data-behind-backslashes", "leads out", "..\\weights.bin"),
        beside("onnx-external-data-in-a-process", "leads out", "/proc/self/fd/3"),
        beside("onnx-external-data-that-is-not-signed", "not a file of the signed", "weights.bin"),
        beside("onnx-external-data-behind-a-zero", "leads out", "weights.bin\0.safetensors"),
        one(
            "onnx-external-data-in-the-memory-of-the-runtime",
            "malformed",
            "memory of the runtime",
            with(&elsewhere(&[("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096")])),
            with(&sound()),
        ),
        numbers("onnx-external-data-past-the-end", "external-data", "past the end", "4", "8"),
        numbers(
            "onnx-external-data-whose-end-overflows",
            "external-data",
            "past the end",
            "18446744073709551615",
            "8",
        ),
        numbers(
            "onnx-external-data-at-an-offset-below-zero",
            "malformed",
            "no plain number",
            "-1",
            "8",
        ),
        numbers("onnx-external-data-longer-than-its-shape", "malformed", "needs 8", "0", "9"),
        self::beside(
            "onnx-external-data-with-two-locations",
            "malformed",
            "\"location\" twice",
            with(&elsewhere(&[("location", WEIGHTS), ("location", "/etc/passwd")])),
            with(&at(WEIGHTS)),
        ),
        self::beside(
            "onnx-external-data-with-a-key-for-an-attribute-of-the-reader",
            "malformed",
            "unknown key \"__class__\"",
            with(&elsewhere(&[("location", WEIGHTS), ("__class__", "x")])),
            with(&elsewhere(&[("location", WEIGHTS), ("checksum", "x")])),
        ),
        self::beside(
            "onnx-external-data-beside-data",
            "malformed",
            "both here and elsewhere",
            with(&[at(WEIGHTS), bytes(9, [0; 8])].concat()),
            with(&at(WEIGHTS)),
        ),
        one(
            "onnx-external-data-of-a-tensor-that-says-it-has-none",
            "malformed",
            "its location says",
            with(&[sound(), bytes(13, [bytes(1, "location"), bytes(2, "/a")].concat())].concat()),
            with(&[sound(), number(14, 0)].concat()),
        ),
    ]
}

/// External data where a check of the graph's initializers does not look.
fn hidden() -> Vec<Case> {
    let away = "/etc/shadow";
    let case = |name, place: fn(Vec<u8>) -> Vec<u8>| {
        one(name, "external-data", "leads out", place(at(away)), place(sound()))
    };
    vec![
        case("onnx-external-data-in-an-attribute", |tensor| {
            let value = attribute("value", 4, bytes(5, tensor));
            model(&[node("Constant", &[value])], &[])
        }),
        case("onnx-external-data-in-a-list-of-tensors", |tensor| {
            let value = attribute("values", 9, [bytes(10, sound()), bytes(10, tensor)].concat());
            model(&[node("Constant", &[value])], &[])
        }),
        case("onnx-external-data-in-a-branch-of-a-branch", |tensor| {
            let inner = node("If", &[branch(&[initializer(&tensor)])]);
            model(&[node("If", &[branch(&[inner])])], &[])
        }),
        case("onnx-external-data-in-one-of-a-list-of-graphs", |tensor| {
            let graphs = [bytes(11, b""), bytes(11, initializer(&tensor))].concat();
            model(&[node("If", &[attribute("branches", 10, graphs)])], &[])
        }),
        case("onnx-external-data-in-a-function", |tensor| {
            let value = attribute("value", 4, bytes(5, tensor));
            let function = function(&[node("Constant", &[value])], &[operators("", 17)]);
            model(&[], &[function])
        }),
        case("onnx-external-data-in-a-default-of-a-function", |tensor| {
            let value = attribute("value", 4, bytes(5, tensor));
            let function = [bytes(1, "Own"), bytes(10, "my.domain"), bytes(11, value)].concat();
            model(&[], &[bytes(25, function)])
        }),
        case("onnx-external-data-in-the-start-of-a-training", |tensor| {
            model(&[], &[bytes(20, bytes(1, initializer(&tensor)))])
        }),
        case("onnx-external-data-in-a-step-of-a-training", |tensor| {
            model(&[], &[bytes(20, bytes(2, initializer(&tensor)))])
        }),
        case("onnx-external-data-in-values-of-a-sparse-tensor", |tensor| {
            model(&[bytes(15, sparse(&tensor, &[1, 3]))], &[])
        }),
        case("onnx-external-data-in-a-sparse-attribute", |tensor| {
            let value = attribute("sparse_value", 11, bytes(22, sparse(&tensor, &[1, 3])));
            model(&[node("Constant", &[value])], &[])
        }),
    ]
}

/// A sparse tensor of two values in a shape of four.
fn sparse(values: &[u8], indices: &[u8]) -> Vec<u8> {
    let count = indices.len() as i64;
    let indices = tensor(&[count], INT64, &[bytes(7, indices)]);
    [bytes(1, values), bytes(2, indices), number(3, 4)].concat()
}

/// Operators that come from elsewhere.
fn domains() -> Vec<Case> {
    let custom = |domain| bytes(8, operators(domain, 1));
    let relu = || node("Relu", &[]);
    let own = || node_of("my.domain", "Own", &[]);
    let set = || custom("my.domain");
    vec![
        one(
            "onnx-python-operator",
            "operator-domain",
            "ai.onnx.contrib",
            model(&[node_of("ai.onnx.contrib", "PyOp", &[])], &[custom("ai.onnx.contrib")]),
            model(&[node_of("ai.onnx.ml", "Scaler", &[])], &[custom("ai.onnx.ml")]),
        ),
        one(
            "onnx-operator-of-a-custom-domain-in-a-branch-of-a-branch",
            "operator-domain",
            "my.domain uses the operator \"Own\"",
            model(&[node("If", &[branch(&[node("If", &[branch(&[own()])])])])], &[set()]),
            model(&[node("If", &[branch(&[node("If", &[branch(&[relu()])])])])], &[]),
        ),
        one(
            "onnx-operator-of-a-custom-domain-in-a-training",
            "operator-domain",
            "my.domain uses the operator",
            model(&[], &[set(), bytes(20, bytes(2, own()))]),
            model(&[], &[bytes(20, bytes(2, relu()))]),
        ),
        one(
            "onnx-operator-of-a-custom-domain-in-a-function-of-the-model",
            "operator-domain",
            "com.example uses the operator",
            model(
                &[own()],
                &[
                    set(),
                    function(&[node_of("com.example", "Run", &[])], &[operators("com.example", 1)]),
                ],
            ),
            model(&[own()], &[set(), function(&[relu()], &[operators("", 17)])]),
        ),
        one(
            "onnx-operator-beside-the-functions-of-its-domain",
            "operator-domain",
            "uses the operator \"Other\"",
            model(
                &[own(), node_of("my.domain", "Other", &[])],
                &[set(), function(&[relu()], &[operators("", 17)])],
            ),
            model(&[own(), own()], &[set(), function(&[relu()], &[operators("", 17)])]),
        ),
        one(
            "onnx-function-in-the-place-of-an-operator-of-the-runtime",
            "operator-domain",
            "com.microsoft",
            {
                let own = [bytes(1, "FusedConv"), bytes(10, "com.microsoft")].concat();
                let node = node_of("com.microsoft", "FusedConv", &[]);
                model(&[node], &[custom("com.microsoft"), bytes(25, own)])
            },
            model(&[own()], &[set(), function(&[], &[])]),
        ),
        one(
            "onnx-operator-of-a-domain-that-is-not-imported",
            "malformed",
            "no such operators are imported",
            model(&[own()], &[]),
            model(&[relu()], &[]),
        ),
        one(
            "onnx-function-with-a-domain-that-only-the-model-imports",
            "malformed",
            "no such operators are imported",
            model(&[own()], &[set(), function(&[relu()], &[])]),
            model(&[own()], &[set(), function(&[relu()], &[operators("", 17)])]),
        ),
        {
            let calls = |operator| {
                let node = if operator == "Own" { own() } else { node(operator, &[]) };
                let sets = [operators("", 17), operators("my.domain", 1)];
                model(&[own()], &[set(), function(&[node], &sets)])
            };
            one(
                "onnx-function-that-calls-itself",
                "malformed",
                "the function \"Own\" calls itself",
                calls("Own"),
                calls("Relu"),
            )
        },
        {
            // Each calls the one before it twice.
            let chain = |length: usize| {
                let sets = [operators("", 17), operators("my.domain", 1)];
                let name = |at: usize| format!("Own{at}");
                let step = |at: usize| {
                    let node = match at.checked_sub(1) {
                        Some(before) => node_of("my.domain", &name(before), &[]),
                        None => relu(),
                    };
                    function_of(&name(at), &[node.clone(), node], &sets)
                };
                let functions: Vec<Vec<u8>> = (0..length).map(step).collect();
                let last = node_of("my.domain", &name(length - 1), &[]);
                model(&[last], &[set(), functions.concat()])
            };
            one(
                "onnx-functions-that-double-one-another",
                "malformed",
                "its functions lay out 18446744073709551615 nodes",
                chain(64),
                chain(16),
            )
        },
        one(
            "onnx-two-versions-of-one-domain",
            "malformed",
            "two versions of the same operators",
            model(&[relu()], &[custom("ai.onnx")]),
            model(&[relu()], &[bytes(8, operators("ai.onnx", 17))]),
        ),
    ]
}

/// Files that two readers read in two ways, or that exhaust one.
fn structure() -> Vec<Case> {
    let relu = || node("Relu", &[]);
    let deep = |depth: usize| {
        let nodes = (0..depth).fold(relu(), |inner, _| node("If", &[branch(&[inner])]));
        model(&[nodes], &[])
    };
    let both = [relu(), node("Sigmoid", &[])].concat();
    vec![
        one(
            "onnx-two-graphs-that-parsers-merge",
            "malformed",
            "ModelProto.graph occurs twice",
            model(&[relu()], &[bytes(7, node("Sigmoid", &[]))]),
            model(&[both], &[]),
        ),
        one(
            "onnx-two-operators-in-one-node",
            "malformed",
            "NodeProto.op_type occurs twice",
            model(&[bytes(1, [bytes(4, "Relu"), bytes(4, "Sigmoid")].concat())], &[]),
            model(&[bytes(1, bytes(4, "Relu"))], &[]),
        ),
        one(
            "onnx-attribute-with-another-value-than-its-type",
            "malformed",
            "another value than its type",
            model(
                &[node("If", &[[attribute("a", 2, number(3, 1)), bytes(6, relu())].concat()])],
                &[],
            ),
            model(&[node("If", &[attribute("a", 2, number(3, 1))])], &[]),
        ),
        one(
            "onnx-attribute-that-occurs-twice",
            "malformed",
            "attribute \"a\" occurs twice",
            model(
                &[node("If", &[attribute("a", 2, number(3, 1)), attribute("a", 2, number(3, 2))])],
                &[],
            ),
            model(
                &[node("If", &[attribute("a", 2, number(3, 1)), attribute("b", 2, number(3, 2))])],
                &[],
            ),
        ),
        one(
            "onnx-graph-in-a-field-that-no-version-has",
            "malformed",
            "GraphProto has no field 99",
            model(&[relu(), bytes(99, relu())], &[]),
            model(&[relu(), bytes(10, "for people")], &[]),
        ),
        one("onnx-branches-without-end", "malformed", "nest deeper than", deep(400), deep(20)),
        one(
            "onnx-types-without-end",
            "malformed",
            "nest deeper than",
            model(&[typed(400)], &[]),
            model(&[typed(20)], &[]),
        ),
        one(
            "onnx-number-that-never-ends",
            "malformed",
            "bytes are needed",
            model(&[initializer(&[&[0x08][..], &[0xff; 10]].concat())], &[]),
            model(&[relu()], &[]),
        ),
        one(
            "onnx-node-that-runs-past-its-graph",
            "malformed",
            "bytes are needed",
            model(&[relu(), vec![0x0a, 0x7f]], &[bytes(2, [b'p'; 120])]),
            model(&[relu()], &[bytes(2, [b'p'; 120])]),
        ),
        one(
            "onnx-operator-whose-name-is-not-text",
            "malformed",
            "NodeProto.op_type is not UTF-8",
            model(&[bytes(1, bytes(4, b"Rel\xff"))], &[]),
            model(&[bytes(1, bytes(4, "Rel\u{fc}"))], &[]),
        ),
        one(
            "onnx-two-initializers-of-one-name",
            "malformed",
            "two initializers of its graph",
            model(&[initializer(&sound()), initializer(&sound())], &[]),
            model(&[initializer(&sound()), node("If", &[branch(&[initializer(&sound())])])], &[]),
        ),
    ]
}

/// An input whose type is a sequence of sequences.
fn typed(depth: usize) -> Vec<u8> {
    let number = bytes(1, number(1, FLOAT));
    let kind = (0..depth).fold(number, |inner, _| bytes(4, bytes(1, inner)));
    bytes(11, [bytes(1, "x"), bytes(2, kind)].concat())
}

/// Tensors whose data is not what they say.
fn tensors() -> Vec<Case> {
    let case = |name, says, dims: &[i64], kind, data: Vec<u8>| {
        one(name, "malformed", says, with(&tensor(dims, kind, &[data])), with(&sound()))
    };
    let raw = || bytes(9, [0; 8]);
    vec![
        case("onnx-tensor-with-less-data-than-its-shape", "needs 12", &[3], FLOAT, raw()),
        case("onnx-tensor-with-a-dimension-below-zero", "a dimension is -2", &[-2], FLOAT, raw()),
        case(
            "onnx-tensor-whose-size-overflows",
            "number of values overflows",
            &[1 << 33, 1 << 33],
            FLOAT,
            raw(),
        ),
        case("onnx-tensor-of-an-unknown-type", "type 4294967297", &[2], (1 << 32) | 1, raw()),
        case(
            "onnx-tensor-with-data-in-two-fields",
            "data in two fields",
            &[2],
            FLOAT,
            [raw(), bytes(4, [0; 8])].concat(),
        ),
        case(
            "onnx-tensor-with-data-in-the-field-of-another-type",
            "not in the field for FLOAT",
            &[2],
            FLOAT,
            bytes(7, [0; 2]),
        ),
        case("onnx-tensor-in-segments", "no field 3", &[2], FLOAT, [raw(), bytes(3, "")].concat()),
        one(
            "onnx-sparse-tensor-with-more-indices-than-values",
            "malformed",
            "do not fit its values",
            model(&[bytes(15, sparse(&sound(), &[1, 2, 3]))], &[]),
            model(&[bytes(15, sparse(&sound(), &[1, 3]))], &[]),
        ),
    ]
}
