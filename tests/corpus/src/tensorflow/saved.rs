//! SavedModels: what stands around their graphs.

use super::{Case, STRING, constant, function, graph, node, tensor};
use crate::protobuf::{bytes, number};

const FILE: &str = "saved_model.pb";
const ASSET: &str = "assets/vocabulary.txt";

/// A SavedModel of one graph that is served, with what else is in its `MetaGraphDef`.
fn model(graph: &[u8], rest: &[Vec<u8>]) -> Vec<u8> {
    let info = bytes(1, [bytes(4, "serve"), bytes(5, "2.20.0")].concat());
    let meta = [info, bytes(2, graph), rest.concat()].concat();
    [number(1, 1), bytes(2, meta)].concat()
}

/// A graph that does nothing.
fn idle() -> Vec<u8> {
    graph(&[node("NoOp", &[])], &[])
}

fn one(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    hostile: Vec<u8>,
    twin: Vec<u8>,
) -> Case {
    Case::one(name, (code, says), FILE, hostile, twin)
}

/// A case of a model that comes with one asset.
fn asset(
    name: &'static str,
    says: &'static str,
    place: impl Fn(&str) -> Vec<u8>,
    file: &str,
) -> Case {
    let files = |model| vec![(FILE, model), (ASSET, b"a\nb\n".to_vec())];
    let twin = files(place("vocabulary.txt"));
    Case { name, code: "external-data", says, files: files(place(file)), twin }
}

/// An asset where TensorFlow 2 keeps it.
fn listed(file: &str) -> Vec<u8> {
    model(&idle(), &[bytes(6, [bytes(1, bytes(1, "Const:0")), bytes(2, file)].concat())])
}

/// An asset where TensorFlow 1 keeps it: in a collection, packed by its type.
fn collected(file: &str) -> Vec<u8> {
    let kind = "type.googleapis.com/tensorflow.AssetFileDef";
    let asset = [bytes(1, bytes(1, "Const:0")), bytes(2, file)].concat();
    let list = bytes(5, bytes(1, [bytes(1, kind), bytes(2, asset)].concat()));
    model(&idle(), &[bytes(4, [bytes(1, "saved_model_assets"), bytes(2, list)].concat())])
}

/// An object of the object graph.
fn object(fields: &[Vec<u8>]) -> Vec<u8> {
    model(&idle(), &[bytes(7, bytes(1, fields.concat()))])
}

pub(super) fn cases() -> Vec<Case> {
    let user = |identifier, metadata: &str| {
        let metadata = if metadata.is_empty() { Vec::new() } else { bytes(3, metadata) };
        object(&[bytes(4, [bytes(1, identifier), metadata].concat())])
    };
    let lambda = r#"{"class_name":"Lambda","config":{"function":{"class_name":"__lambda__"}}}"#;
    let twice = |op| {
        let second = bytes(
            2,
            [bytes(1, bytes(4, "train")), bytes(2, graph(&[node(op, &[])], &[]))].concat(),
        );
        [model(&idle(), &[]), second].concat()
    };
    vec![
        asset("savedmodel-asset-in-a-folder-above", "leads out", listed, "../../../etc/passwd"),
        asset("savedmodel-asset-at-an-absolute-path", "leads out", listed, "/etc/passwd"),
        asset(
            "savedmodel-asset-that-is-not-signed",
            "not a file of the signed",
            listed,
            "other.txt",
        ),
        asset(
            "savedmodel-asset-of-a-collection-in-a-folder-above",
            "leads out",
            collected,
            "../../a",
        ),
        one(
            "savedmodel-reads-a-file-in-a-function",
            "operator",
            "uses the operator \"ReadFile\"",
            model(&graph(&[], &[function("__inference_f_1", &[node("ReadFile", &[])])]), &[]),
            model(&graph(&[], &[function("__inference_f_1", &[node("Identity", &[])])]), &[]),
        ),
        one(
            "savedmodel-writes-a-file-in-its-second-graph",
            "operator",
            "uses the operator \"WriteFile\"",
            twice("WriteFile"),
            twice("Identity"),
        ),
        {
            // The function is in the library of the other graph.
            let call = |name| {
                let own = graph(&[node("NoOp", &[])], &[function("__inference_f_1", &[])]);
                let other = bytes(2, graph(&[node(name, &[])], &[]));
                [model(&own, &[]), bytes(2, other)].concat()
            };
            one(
                "savedmodel-calls-a-function-of-another-graph",
                "operator",
                "uses the operator \"__inference_f_1\"",
                call("__inference_f_1"),
                call("NoOp"),
            )
        },
        one(
            "savedmodel-keras-lambda-in-an-object",
            "class",
            "SavedUserObject.metadata",
            user("_tf_keras_layer", lambda),
            user("_tf_keras_layer", ""),
        ),
        one(
            "savedmodel-object-of-a-registered-class",
            "class",
            "Site>Loader",
            object(&[bytes(13, "Site>Loader")]),
            object(&[bytes(10, bytes(1, "/cpu:0"))]),
        ),
        one(
            "savedmodel-two-graphs-that-parsers-merge",
            "malformed",
            "MetaGraphDef.graph_def occurs twice",
            model(&idle(), &[bytes(2, graph(&[node("Identity", &[])], &[]))]),
            model(&graph(&[node("NoOp", &[]), node("Identity", &[])], &[]), &[]),
        ),
        one(
            "savedmodel-constant-of-a-text-with-a-size-that-overflows",
            "malformed",
            "number of values overflows",
            {
                let dim = bytes(2, number(1, i64::MAX));
                let shape = bytes(2, [dim.clone(), dim.clone(), dim].concat());
                let tensor = [number(1, STRING), shape, bytes(8, "a")].concat();
                model(&graph(&[constant(tensor)], &[]), &[])
            },
            model(&graph(&[constant(tensor(STRING, 1, &[bytes(8, "a")]))], &[]), &[]),
        ),
        one(
            "savedmodel-that-is-an-onnx-model-too",
            "ambiguous",
            "onnx and as savedmodel",
            [
                number(1, 1),
                bytes(2, bytes(2, graph(&[node("ReadFile", &[])], &[]))),
                bytes(7, bytes(2, "graph")),
            ]
            .concat(),
            model(&idle(), &[]),
        ),
    ]
}
