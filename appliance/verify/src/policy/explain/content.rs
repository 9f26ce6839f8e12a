//! `[content]` in plain words.

use std::collections::BTreeSet;

use super::super::sizes::show_size;
use super::super::{ContentLimits, ContentRules, Names, RemoteCode, ScannerRules};
use super::listed;

/// Formats that are pickles or carry some.
const PICKLES: [&str; 7] =
    ["pickle", "pytorch", "torchscript", "torch-legacy", "joblib", "numpy", "npz"];
/// Formats of TensorFlow graphs.
const TENSORFLOW: [&str; 2] = ["savedmodel", "graphdef"];
/// Formats of Keras models.
const KERAS: [&str; 2] = ["keras", "hdf5"];

/// The paragraph.
pub(super) fn content(rules: &ContentRules) -> String {
    let mut sentences = Vec::new();
    match &rules.allow {
        None => sentences.push("Content. Not restricted: files of any format pass.".to_owned()),
        Some(formats) if formats.is_empty() => {
            sentences.push("Content. No format is allowed, so that no model passes.".to_owned());
        }
        Some(formats) => {
            sentences.push(format!(
                "Content. Only these formats pass, told by what is inside and never by a file's \
                 name: {}. A file that is two formats at once, none that is known, or breaks the \
                 rules of its format is refused.",
                formats.join(", ")
            ));
            sentences.push(match rules.names {
                Names::Agree => {
                    "A file whose name promises another format than it has is refused.".to_owned()
                }
                Names::Any => "A file's name may promise another format.".to_owned(),
            });
        }
    }
    sentences.push(match rules.remote_code {
        RemoteCode::Reject => "A model that brings code to be run is refused.".to_owned(),
        RemoteCode::Allow => "A model that brings code to be run may pass.".to_owned(),
    });
    let allowed = rules.allow.as_deref().unwrap_or_default();
    let some_of = |formats: &[&str]| allowed.iter().any(|one| formats.contains(&one.as_str()));
    if some_of(&PICKLES) {
        let most = only("Pickles may import and call", "name", &rules.pickle_globals);
        sentences.push(most.unwrap_or("Pickles that import anything are refused.".to_owned()));
    }
    if some_of(&["onnx"]) {
        let most = only("ONNX models may use operators of", "domain", &rules.onnx_domains);
        sentences.push(most.unwrap_or("ONNX models with operators are refused.".to_owned()));
        sentences.push("Their weights must lie in files that are signed with them.".to_owned());
    }
    if some_of(&TENSORFLOW) {
        let most = only("TensorFlow graphs may use", "operator", &rules.tensorflow_operators);
        sentences.push(most.unwrap_or("TensorFlow graphs with operators are refused.".to_owned()));
    }
    if some_of(&["tflite"]) {
        let beyond = "Beside the operators of TFLite itself, models may use";
        let most = only(beyond, "operator", &rules.tflite_operators);
        sentences.push(most.unwrap_or("Custom operators of TFLite are refused.".to_owned()));
    }
    if some_of(&KERAS) {
        let most = only("Keras models may be built from", "class", &rules.keras_classes);
        sentences.push(most.unwrap_or("Keras models with layers are refused.".to_owned()));
    }
    if some_of(&["gguf", "json", "text"]) {
        sentences.push(match rules.template_digests.len() {
            0 => "A template of prompts may only lay out text.".to_owned(),
            1 => "A template of prompts may only lay out text, save one that is named by its \
                  SHA-256."
                .to_owned(),
            many => format!(
                "A template of prompts may only lay out text, save {many} that are named by their \
                 SHA-256."
            ),
        });
    }
    sentences.push(limits(rules.limits));
    sentences.push(scanner(&rules.scanner));
    sentences.join(" ")
}

fn limits(limits: ContentLimits) -> String {
    format!(
        "Of a JSON file at most {} are read, of a text at most {}; what is packed may unpack to {} \
         times its size beyond what is small.",
        show_size(limits.json_bytes),
        show_size(limits.text_bytes),
        limits.archive_ratio
    )
}

fn scanner(rules: &ScannerRules) -> String {
    if !rules.required {
        return "No virus scanner is asked for; what one finds is refused.".to_owned();
    }
    let all = "A virus scanner must have read every file from its first to its last byte and found \
               nothing";
    match rules.skip.as_slice() {
        [] => format!("{all}."),
        formats => format!("{all}, save files of these formats: {}.", formats.join(", ")),
    }
}

/// "Pickles may import and call only these 2 names: a, b." None for no name.
fn only(may: &str, what: &str, names: &BTreeSet<String>) -> Option<String> {
    let plural = if what.ends_with('s') { "es" } else { "s" };
    let names: Vec<String> = names.iter().cloned().collect();
    match names.as_slice() {
        [] => None,
        [_] => Some(format!("{may} only this {what}: {}.", listed(&names))),
        many => Some(format!("{may} only these {} {what}{plural}: {}.", many.len(), listed(many))),
    }
}
