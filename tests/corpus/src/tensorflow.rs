//! TensorFlow: graphs whose operators touch more than numbers, wherever they hide.

use crate::Case;
use crate::protobuf::{bytes, number};

mod lite;
mod saved;

/// `DataType`.
const FLOAT: i64 = 1;
const STRING: i64 = 7;

/// A `NodeDef`.
fn node(op: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    [bytes(1, "n"), bytes(2, op), attributes.concat()].concat()
}

/// An attribute of a node: field 5, a map of names to values.
fn attribute(key: &str, value: Vec<u8>) -> Vec<u8> {
    bytes(5, [bytes(1, key), bytes(2, value)].concat())
}

/// An attribute that is a function.
fn calls(key: &str, function: &str) -> Vec<u8> {
    attribute(key, bytes(10, bytes(1, function)))
}

/// A `FunctionDef` of these nodes.
fn function(name: &str, nodes: &[Vec<u8>]) -> Vec<u8> {
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| bytes(3, node)).collect();
    bytes(1, [bytes(1, bytes(1, name)), nodes].concat())
}

/// A `GraphDef` of these nodes, with a library.
fn graph(nodes: &[Vec<u8>], library: &[Vec<u8>]) -> Vec<u8> {
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| bytes(1, node)).collect();
    [nodes, bytes(2, library.concat()), bytes(4, number(1, 1882))].concat()
}

/// A constant's `TensorProto` of one dimension.
fn tensor(kind: i64, size: i64, data: &[Vec<u8>]) -> Vec<u8> {
    [number(1, kind), bytes(2, bytes(2, number(1, size))), data.concat()].concat()
}

fn constant(tensor: Vec<u8>) -> Vec<u8> {
    node("Const", &[attribute("value", bytes(8, tensor))])
}

pub(crate) fn cases() -> Vec<Case> {
    [lite::cases(), saved::cases(), alone(), hidden(), structure()].concat()
}

/// A case of one graph.
fn one(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    hostile: Vec<u8>,
    twin: Vec<u8>,
) -> Case {
    Case::one(name, (code, says), "frozen.pb", hostile, twin)
}

/// Operators that are no computation, one of each kind.
fn alone() -> Vec<Case> {
    let case = |name, says, op, twin| {
        one(name, "operator", says, graph(&[node(op, &[])], &[]), graph(&[node(twin, &[])], &[]))
    };
    vec![
        case("graphdef-reads-a-file", "uses the operator \"ReadFile\"", "ReadFile", "Identity"),
        case("graphdef-lists-a-folder", "\"MatchingFiles\"", "MatchingFiles", "StringJoin"),
        case("graphdef-prints-to-a-file", "\"PrintV2\"", "PrintV2", "StringFormat"),
        case("graphdef-calls-python-eagerly", "\"EagerPyFunc\"", "EagerPyFunc", "PartitionedCall"),
        case(
            "graphdef-reads-records-over-the-network",
            "\"TFRecordDataset\"",
            "TFRecordDataset",
            "Range",
        ),
        case(
            "graphdef-starts-a-service",
            "\"DataServiceDatasetV4\"",
            "DataServiceDatasetV4",
            "Range",
        ),
        case(
            "graphdef-loads-a-table-from-a-file",
            "\"InitializeTableFromTextFileV2\"",
            "InitializeTableFromTextFileV2",
            "LookupTableImportV2",
        ),
        case("graphdef-sends-to-another-machine", "\"_HostSend\"", "_HostSend", "Identity"),
        case("graphdef-operator-of-a-library", "\"Custom>Run\"", "Custom>Run", "Identity"),
        case(
            "graphdef-operator-that-differs-in-one-letter",
            "\"Identitу\"",
            "Identitу",
            "Identity",
        ),
    ]
}

/// The same where a list of the graph's own nodes does not show them.
fn hidden() -> Vec<Case> {
    let case = |name, says, op, place: fn(&str) -> Vec<u8>| {
        one(name, "operator", says, place(op), place("Identity"))
    };
    vec![
        case("graphdef-reads-a-file-in-a-function", "\"ReadFile\"", "ReadFile", |op| {
            let body = function("__inference_f_1", &[node(op, &[])]);
            graph(&[node("__inference_f_1", &[])], &[body])
        }),
        case(
            "graphdef-writes-a-file-in-a-branch-of-a-branch",
            "\"WriteFile\"",
            "WriteFile",
            |op| {
                let inner = function("__inference_inner_1", &[node(op, &[])]);
                let branch = calls("then_branch", "__inference_inner_1");
                let outer = function("__inference_outer_1", &[node("StatelessIf", &[branch])]);
                let branch = calls("then_branch", "__inference_outer_1");
                graph(&[node("If", &[branch])], &[outer, inner])
            },
        ),
        case("graphdef-calls-python-in-a-gradient", "\"PyFunc\"", "PyFunc", |op| {
            let body = function("__inference_f_1", &[node("Identity", &[])]);
            let gradient = function("__inference_g_1", &[node(op, &[])]);
            let pair =
                bytes(2, [bytes(1, "__inference_f_1"), bytes(2, "__inference_g_1")].concat());
            graph(&[node("__inference_f_1", &[])], &[body, gradient, pair])
        }),
        case(
            "graphdef-calls-python-in-a-registered-gradient",
            "\"PyFuncStateless\"",
            "PyFuncStateless",
            |op| {
                let gradient = function("__inference_g_1", &[node(op, &[])]);
                let registered =
                    bytes(3, [bytes(1, "__inference_g_1"), bytes(2, "CustomGradient-1")].concat());
                graph(&[node("NoOp", &[])], &[gradient, registered])
            },
        ),
        case(
            "graphdef-reads-a-file-in-a-function-that-nothing-calls",
            "\"ReadFile\"",
            "ReadFile",
            |op| graph(&[node("NoOp", &[])], &[function("__inference_f_1", &[node(op, &[])])]),
        ),
        case("graphdef-calls-what-its-library-lacks", "\"ReadFile\"", "ReadFile", |op| {
            graph(&[node("PartitionedCall", &[calls("f", op)])], &[])
        }),
        case("graphdef-calls-one-of-a-list-of-functions", "\"ReadFile\"", "ReadFile", |op| {
            let functions = [bytes(9, bytes(1, "Identity")), bytes(9, bytes(1, op))].concat();
            graph(&[node("Case", &[attribute("branches", bytes(1, functions))])], &[])
        }),
        case("graphdef-function-in-the-place-of-an-operator", "\"ReadFile\"", "ReadFile", |op| {
            graph(&[node(op, &[])], &[function(op, &[node("Identity", &[])])])
        }),
        case("graphdef-calls-python-in-an-argument-of-a-function", "\"PyFunc\"", "PyFunc", |op| {
            let inner = bytes(2, [bytes(1, "g"), bytes(2, bytes(10, bytes(1, op)))].concat());
            let outer = bytes(10, [bytes(1, "Identity"), inner].concat());
            graph(&[node("PartitionedCall", &[attribute("f", outer)])], &[])
        }),
    ]
}

/// Graphs that two readers read in two ways, that exhaust one, or whose constants are not what they say.
fn structure() -> Vec<Case> {
    let malformed = |name, says, hostile, twin| one(name, "malformed", says, hostile, twin);
    let constants = |name, says, tensor: Vec<u8>| {
        let twin = self::tensor(FLOAT, 2, &[bytes(4, [0; 8])]);
        one(name, "malformed", says, graph(&[constant(tensor)], &[]), graph(&[constant(twin)], &[]))
    };
    let nested = |depth: usize| {
        let call = (0..depth).fold(bytes(1, "Identity"), |inner, _| {
            let argument = bytes(2, [bytes(1, "g"), bytes(2, bytes(10, inner))].concat());
            [bytes(1, "Identity"), argument].concat()
        });
        graph(&[node("PartitionedCall", &[attribute("f", bytes(10, call))])], &[])
    };
    let content = || bytes(4, [0; 8]);
    vec![
        malformed(
            "graphdef-two-operators-in-one-node",
            "NodeDef.op occurs twice",
            graph(&[node("Identity", &[bytes(2, "NoOp")])], &[]),
            graph(&[node("Identity", &[bytes(4, "/cpu:0")])], &[]),
        ),
        malformed(
            "graphdef-attribute-that-occurs-twice",
            "attribute \"f\" occurs twice",
            graph(&[node("NoOp", &[calls("f", "Identity"), calls("f", "NoOp")])], &[]),
            graph(&[node("NoOp", &[calls("f", "Identity"), calls("g", "NoOp")])], &[]),
        ),
        malformed(
            "graphdef-attribute-of-two-types",
            "AttrValue.func is a second choice",
            graph(
                &[node(
                    "NoOp",
                    &[attribute("f", [number(3, 1), bytes(10, bytes(1, "NoOp"))].concat())],
                )],
                &[],
            ),
            graph(&[node("NoOp", &[attribute("f", number(3, 1))])], &[]),
        ),
        malformed(
            "graphdef-function-that-is-defined-twice",
            "defined twice",
            graph(&[node("NoOp", &[])], &[function("f", &[]), function("f", &[node("NoOp", &[])])]),
            graph(&[node("NoOp", &[])], &[function("f", &[]), function("g", &[node("NoOp", &[])])]),
        ),
        malformed("graphdef-functions-without-end", "nest deeper than", nested(200), nested(20)),
        malformed(
            "graphdef-node-in-a-field-that-no-version-has",
            "GraphDef has no such field",
            [graph(&[node("NoOp", &[])], &[]), bytes(9, node("NoOp", &[]))].concat(),
            [graph(&[node("NoOp", &[])], &[]), bytes(1, node("NoOp", &[]))].concat(),
        ),
        constants(
            "graphdef-constant-with-more-content-than-its-shape",
            "needs 4",
            tensor(FLOAT, 1, &[content()]),
        ),
        constants(
            "graphdef-constant-with-a-dimension-below-zero",
            "a dimension is -1",
            tensor(FLOAT, -1, &[content()]),
        ),
        constants(
            "graphdef-constant-whose-size-overflows",
            "size overflows",
            tensor(FLOAT, i64::MAX, &[bytes(5, [0; 4])]),
        ),
        constants(
            "graphdef-constant-with-data-in-two-fields",
            "data in two fields",
            tensor(FLOAT, 2, &[content(), bytes(5, [0; 4])]),
        ),
        constants(
            "graphdef-constant-that-is-a-handle-of-a-process",
            "what no file can hold",
            tensor(20, 1, &[bytes(14, bytes(3, "x"))]),
        ),
        constants(
            "graphdef-constant-that-is-decoded-by-its-type",
            "what no file can hold",
            tensor(21, 1, &[bytes(15, bytes(1, "tensorflow::WrappedDatasetVariant"))]),
        ),
    ]
}
