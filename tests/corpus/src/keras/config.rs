//! What a Keras model is built from: classes and functions by name, code, files to be read.

use super::file::{File, attribute, file, text_attribute};
use crate::Case;
use crate::archive::build::{Member, zip};

/// A `.keras` archive with this configuration.
fn archive(config: &str) -> Vec<u8> {
    zip(&[
        Member::stored("metadata.json", br#"{"keras_version": "3.9.0", "date_saved": "now"}"#),
        Member::stored("config.json", config.as_bytes()),
        Member::stored("model.weights.h5", &file(&[])),
    ])
}

/// The configuration of a model of one layer.
fn model(layer: &str) -> String {
    format!(
        r#"{{"module": "keras", "class_name": "Sequential", "config": {{"name": "m", "layers": [{layer}]}}, "registered_name": null}}"#
    )
}

/// The configuration of a model of one layer, as HDF5 has it.
fn old_model(layer: &str) -> String {
    format!(r#"{{"class_name": "Sequential", "config": {{"name": "m", "layers": [{layer}]}}}}"#)
}

/// A layer, or anything else that Keras builds.
fn built(module: &str, class: &str, config: &str) -> String {
    format!(
        r#"{{"module": "{module}", "class_name": "{class}", "config": {config}, "registered_name": null}}"#
    )
}

/// A dense layer.
fn dense() -> String {
    built("keras.layers", "Dense", r#"{"units": 1}"#)
}

/// A dense layer whose activation is `activation`.
fn active(activation: &str) -> String {
    built("keras.layers", "Dense", &format!(r#"{{"units": 1, "activation": {activation}}}"#))
}

/// A function by name.
fn function(module: &str, name: &str) -> String {
    format!(
        r#"{{"module": "{module}", "class_name": "function", "config": "{name}", "registered_name": "{name}"}}"#
    )
}

/// `lambda x: x`, marshalled and in base64, shortened.
const CODE: &str = "4wEAAAAAAAAAAAAAAAEAAAADAAAA";

/// A case of one `.keras` archive, by the configurations of the hostile model and its twin.
fn whole(
    name: &'static str,
    expected: (&'static str, &'static str),
    hostile: &str,
    twin: &str,
) -> Case {
    Case::one(name, expected, "model.keras", archive(hostile), archive(twin))
}

/// The same by one layer.
fn one(
    name: &'static str,
    expected: (&'static str, &'static str),
    hostile: &str,
    twin: &str,
) -> Case {
    whole(name, expected, &model(hostile), &model(twin))
}

/// A case of one HDF5 model, by an attribute.
fn old(
    name: &'static str,
    expected: (&'static str, &'static str),
    key: &str,
    [hostile, twin]: [&str; 2],
) -> Case {
    let model = |value: &str| file(&[text_attribute(key, value)]);
    Case::one(name, expected, "model.h5", model(hostile), model(twin))
}

pub(super) fn cases() -> Vec<Case> {
    [code(), functions(), files(), names(), loose(), places(), syntax(), legacy()].concat()
}

/// Layers that hold code or load it.
fn code() -> Vec<Case> {
    let lambda = |function: &str| {
        built(
            "keras.layers",
            "Lambda",
            &format!(r#"{{"function": {function}, "arguments": {{}}}}"#),
        )
    };
    let marshalled = format!(
        r#"{{"class_name": "__lambda__", "config": {{"value": "{CODE}", "defaults": null, "closure": null}}}}"#
    );
    vec![
        // CVE-2024-3660.
        one(
            "keras-lambda-layer-holds-code",
            ("class", "__lambda__"),
            &lambda(&marshalled),
            &dense(),
        ),
        one(
            "keras-lambda-layer-calls-by-name",
            ("class", "keras.layers.Lambda"),
            &lambda(&function("keras.activations", "relu")),
            &active(&function("keras.activations", "relu")),
        ),
        // CVE-2025-49655.
        one(
            "keras-torch-layer-holds-a-pickle",
            ("class", "keras.layers.TorchModuleWrapper"),
            &built(
                "keras.layers",
                "TorchModuleWrapper",
                r#"{"module": {"class_name": "__bytes__", "config": {"value": "UEsDBA=="}}}"#,
            ),
            &dense(),
        ),
        one(
            "keras-layer-loads-a-savedmodel",
            ("link", "/mnt/share/saved"),
            &built(
                "keras.layers",
                "TFSMLayer",
                r#"{"filepath": "/mnt/share/saved", "call_endpoint": "serve"}"#,
            ),
            &built("keras.layers", "InputLayer", r#"{"name": "/mnt/share/saved"}"#),
        ),
        one(
            "keras-operation-loops-over-a-function",
            ("class", "keras.src.ops.core.WhileLoop"),
            &built("keras.src.ops.core", "WhileLoop", "{}"),
            &built("keras.src.ops.numpy", "Multiply", "{}"),
        ),
    ]
}

/// Functions that loading looks up, and models then call.
fn functions() -> Vec<Case> {
    vec![
        // CVE-2025-1550.
        one(
            "keras-activation-is-os-system",
            ("class", "os.system"),
            &active(&function("os", "system")),
            &active(&function("keras.activations", "relu")),
        ),
        one(
            "keras-activation-is-eval",
            ("class", "builtins.eval"),
            &active(&function("builtins", "eval")),
            &active(&function("builtins", "relu")),
        ),
        // CVE-2025-8747.
        one(
            "keras-activation-downloads-a-file",
            ("class", "keras.utils.get_file"),
            &active(&function("keras.utils", "get_file")),
            &active(&function("keras.activations", "gelu")),
        ),
        // CVE-2025-12060: a tar whose paths lead out is unpacked.
        one(
            "keras-initializer-unpacks-an-archive",
            ("class", "keras.src.utils.file_utils.extract_archive"),
            &built(
                "keras.layers",
                "Dense",
                &format!(
                    r#"{{"units": 1, "kernel_initializer": {}}}"#,
                    function("keras.src.utils.file_utils", "extract_archive")
                ),
            ),
            &built(
                "keras.layers",
                "Dense",
                &format!(
                    r#"{{"units": 1, "kernel_initializer": {}}}"#,
                    built("keras.initializers", "Zeros", "{}")
                ),
            ),
        ),
        // CVE-2025-9906.
        one(
            "keras-layer-switches-the-safe-mode-off",
            ("class", "keras.config.enable_unsafe_deserialization"),
            &active(&function("keras.config", "enable_unsafe_deserialization")),
            &active(&function("keras.activations", "linear")),
        ),
    ]
}

/// Arguments that name files.
fn files() -> Vec<Case> {
    let lookup = |class: &str, vocabulary: &str| {
        built("keras.layers", class, &format!(r#"{{"vocabulary": {vocabulary}}}"#))
    };
    vec![
        // CVE-2025-12058.
        one(
            "keras-vocabulary-is-a-file",
            ("link", "/etc/passwd"),
            &lookup("StringLookup", r#""/etc/passwd""#),
            &lookup("StringLookup", r#"["/etc/passwd"]"#),
        ),
        one(
            "keras-vocabulary-is-on-the-network",
            ("link", "gs://bucket/words"),
            &lookup("TextVectorization", r#""gs://bucket/words""#),
            &lookup("TextVectorization", "null"),
        ),
    ]
}

/// Names that say one thing to a reader of `class_name` and another to Keras.
fn names() -> Vec<Case> {
    vec![
        one(
            "keras-class-of-a-module-beside-the-model",
            ("class", "modeling_evil.Dense"),
            &built("modeling_evil", "Dense", "{}"),
            &dense(),
        ),
        one(
            "keras-class-registered-under-another-name",
            ("class", "Evil>Dense"),
            &dense().replace(r#""registered_name": null"#, r#""registered_name": "Evil>Dense""#),
            &dense().replace(r#""registered_name": null"#, r#""registered_name": "Dense""#),
        ),
        one(
            "keras-class-name-is-escaped",
            ("class", "keras.layers.Lambda"),
            &built("keras.layers", r"\u004cambda", "{}"),
            &built("keras.layers", r"\u0044ense", "{}"),
        ),
        one(
            "keras-type-by-another-key",
            ("class", "evil.Spec"),
            r#"{"class_name": "__typespec__", "spec_name": "Spec", "module": "evil", "registered_name": null, "config": []}"#,
            r#"{"class_name": "__tensor__", "config": {"value": [], "dtype": "float32"}}"#,
        ),
    ]
}

/// A configuration without an archive around it, from which `model_from_json` and loaders of unpacked
/// archives build a model.
fn loose() -> Vec<Case> {
    let case = |name, expected, hostile: String, twin: String| {
        Case::one(name, expected, "config.json", hostile.into_bytes(), twin.into_bytes())
    };
    vec![
        case(
            "keras-config-beside-its-weights",
            ("class", "os.system"),
            model(&active(&function("os", "system"))),
            model(&active(&function("keras.activations", "relu"))),
        ),
        // Keras walks over what is no object of its own and builds what is below.
        case(
            "keras-config-below-another-object",
            ("class", "keras.layers.Lambda"),
            format!(r#"{{"a": [{}]}}"#, built("keras.layers", "Lambda", "{}")),
            format!(r#"{{"a": [{}]}}"#, dense()),
        ),
    ]
}

/// Places where a walk through the layers would not look.
fn places() -> Vec<Case> {
    let with = |key: &str, value: &str| {
        let model = model(&dense());
        let open = model.strip_suffix('}').unwrap_or_default();
        format!(r#"{open}, "{key}": {value}}}"#)
    };
    let optimizer = |module: &str| {
        format!(r#"{{"optimizer": {}}}"#, built(module, "Adam", r#"{"learning_rate": 0.1}"#))
    };
    let nested = |inner: &str| {
        let mut layer = inner.to_owned();
        for _ in 0..6 {
            layer = built("keras.layers", "TimeDistributed", &format!(r#"{{"layer": {layer}}}"#));
        }
        layer
    };
    vec![
        whole(
            "keras-class-in-the-compile-config",
            ("class", "evil.optimizers.Adam"),
            &with("compile_config", &optimizer("evil.optimizers")),
            &with("compile_config", &optimizer("keras.optimizers")),
        ),
        whole(
            "keras-class-in-the-build-config",
            ("class", "subprocess.Popen"),
            &with(
                "build_config",
                &format!(r#"{{"shapes": [{}]}}"#, built("subprocess", "Popen", "{}")),
            ),
            &with("build_config", r#"{"input_shape": [null, 4]}"#),
        ),
        one(
            "keras-class-deep-in-wrappers",
            ("class", "keras.layers.Lambda"),
            &nested(&built("keras.layers", "Lambda", "{}")),
            &nested(&dense()),
        ),
        one(
            "keras-module-without-a-class",
            ("class", "names the module \"evil\""),
            &dense().replace(r#""units""#, r#""extra": {"module": "evil"}, "units""#),
            &dense().replace(r#""units""#, r#""extra": {"modules": "evil"}, "units""#),
        ),
    ]
}

/// Configurations that two parsers read as two.
fn syntax() -> Vec<Case> {
    let twice = |first: &str, second: &str| {
        format!(
            r#"{{"module": "keras.layers", "class_name": "Dense", "{first}": "{second}", "config": {{}}}}"#
        )
    };
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        built("keras.layers", "Dense", &format!(r#"{{"units": {open}{close}}}"#))
    };
    vec![
        one(
            "keras-class-name-stands-twice",
            ("malformed", "\"class_name\" occurs twice"),
            &twice("class_name", "Lambda"),
            &twice("name", "Lambda"),
        ),
        one(
            "keras-module-is-a-list",
            ("malformed", "\"module\" is not a name"),
            r#"{"module": ["os"], "class_name": "Dense", "config": {}}"#,
            r#"{"module": "keras.layers", "class_name": "Dense", "config": {}}"#,
        ),
        one("keras-config-is-too-deep", ("malformed", "nested deeper"), &deep(80), &deep(8)),
    ]
}

/// HDF5, where `safe_mode` did not count.
fn legacy() -> Vec<Case> {
    let bare =
        |class: &str, config: &str| format!(r#"{{"class_name": "{class}", "config": {config}}}"#);
    let plain = old_model(&bare("Dense", r#"{"units": 1, "activation": "relu"}"#));
    let lambda = old_model(&bare(
        "Lambda",
        &format!(
            r#"{{"function": ["{CODE}", null, null], "function_type": "lambda", "module": "__main__"}}"#
        ),
    ));
    let in_heap = |config: &str| {
        let mut file = File::new();
        let weights = file.weights();
        let heap = file.global_heap(config.as_bytes());
        // Text of variable length: of characters of one byte.
        let text = (3, b"\x19\x01\x01\0\x10\0\0\0\x10\0\0\0\x01\0\0\0\0\0\x08\0".to_vec());
        let mut place = (config.len() as u32).to_le_bytes().to_vec();
        place.extend(heap.to_le_bytes());
        place.extend(1_u32.to_le_bytes());
        file.group(&[weights, attribute("model_config", &text, &place)])
    };
    let operation = |function: &str| {
        let config = format!(r#"{{"function": "{function}"}}"#);
        old_model(&bare(if function == "relu" { "Activation" } else { "TFOpLambda" }, &config))
    };
    let training = |optimizer: &str| {
        format!(
            r#"{{"loss": "mse", "optimizer_config": {}}}"#,
            bare(optimizer, r#"{"learning_rate": 0.1}"#)
        )
    };
    vec![
        // CVE-2025-9905.
        old(
            "keras-lambda-layer-in-hdf5",
            ("class", "loads the class Lambda"),
            "model_config",
            [&lambda, &plain],
        ),
        Case::one(
            "keras-lambda-layer-in-a-global-heap",
            ("class", "loads the class Lambda"),
            "model.h5",
            in_heap(&lambda),
            in_heap(&plain),
        ),
        old(
            "keras-operation-of-tensorflow-writes-a-file",
            ("class", "TFOpLambda"),
            "model_config",
            [&operation("io.write_file"), &operation("relu")],
        ),
        old(
            "keras-optimizer-of-a-training-config",
            ("class", "EvilOptimizer"),
            "training_config",
            [&training("EvilOptimizer"), &training("Adam")],
        ),
        old(
            "keras-config-with-a-second-value",
            ("malformed", "bytes follow the JSON value"),
            "model_config",
            [&format!("{plain} {lambda}"), &format!("{plain} ")],
        ),
    ]
}
