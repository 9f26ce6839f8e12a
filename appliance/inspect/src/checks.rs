//! The names of the checks, as verdicts carry them.

use crate::format::{Format, Identified};

/// One check that an inspection can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The stable name.
    pub name: &'static str,
    /// What it establishes, in one sentence.
    pub meaning: &'static str,
}

/// All checks. A name keeps its meaning for ever; a deeper check gets a new name.
pub const CHECKS: &[Check] = &[
    Check {
        name: "identify",
        meaning: "The format follows from bytes and structure, never from the name.",
    },
    Check {
        name: "polyglot",
        meaning: "No second format claims the file from its start or from its end.",
    },
    Check {
        name: "safetensors-structure",
        meaning: "The header is strict JSON and its tensors fill the file without holes or overlap.",
    },
    Check {
        name: "safetensors-names",
        meaning: "No name of a tensor is empty, has control characters or comes twice in any spelling.",
    },
    Check {
        name: "gguf-structure",
        meaning: "Keys, values and tensor descriptions are whole, unique and lie inside the file.",
    },
    Check {
        name: "gguf-layout",
        meaning: "The tensors follow one another to the end of the file, and what pads them is zero.",
    },
    Check {
        name: "gguf-keys",
        meaning: "Standard keys have their types, arrays for tokens are long enough, and templates are judged.",
    },
    Check {
        name: "json-strict",
        meaning: "The file is exactly one JSON object or array without duplicate keys, within size and depth.",
    },
    Check {
        name: "json-code",
        meaning: "Keys and names that make a loader run code are reported.",
    },
    Check {
        name: "json-templates",
        meaning: "Templates of prompts and regular expressions of tokenizers are taken apart.",
    },
    Check {
        name: "json-index",
        meaning: "What lists tensors with their files names files of the model that hold these tensors and no others.",
    },
    Check {
        name: "text-encoding",
        meaning: "The whole file is UTF-8 without control characters other than tab, line feed, form feed and carriage return.",
    },
    Check {
        name: "tokenizer-structure",
        meaning: "The file is a SentencePiece model from its first to its last byte.",
    },
    Check {
        name: "zip-directory",
        meaning: "The end of the central directory is there and its offsets agree with the file.",
    },
    Check {
        name: "zip-members",
        meaning: "The directory, local headers and descriptors agree, members fill the file, and their bytes have their checksums.",
    },
    Check {
        name: "zip-inside",
        meaning: "Each member is inspected as a file of its own, and belongs to the format of the archive.",
    },
    Check {
        name: "pickle-stream",
        meaning: "The opcodes lead from the first byte to STOP at the last.",
    },
    Check {
        name: "hdf5-structure",
        meaning: "Every object from the root on is understood, no two parts overlap, and nothing leads out of the file.",
    },
    Check {
        name: "keras-config",
        meaning: "Every class and function from which a Keras model is built is reported.",
    },
    Check {
        name: "pickle-calls",
        meaning: "All that a pickle imports and calls is known by name and reported.",
    },
    Check {
        name: "joblib-arrays",
        meaning: "Arrays stand in the stream in the size that their shape and type tell.",
    },
    Check {
        name: "torch-storages",
        meaning: "The storages that the object names, and nothing else, fill the rest of the file.",
    },
    Check {
        name: "numpy-structure",
        meaning: "The header is what numpy writes and tells the size of all that follows it.",
    },
    Check {
        name: "onnx-fields",
        meaning: "The fields at the top are those of an ONNX model, to the last byte.",
    },
    Check {
        name: "image-structure",
        meaning: "The picture's parts lead from its first byte to its end, which is the file's.",
    },
    Check {
        name: "document-macros",
        meaning: "The parts of a compound file or OOXML package that hold macros or programs are reported.",
    },
    Check {
        name: "onnx-graph",
        meaning: "Every field of every graph and function is known, operators are of reported domains, and data agrees with shape and type or lies in a file of the model.",
    },
    Check {
        name: "tensorflow-graph",
        meaning: "Every field of every graph and function is known, all operators are reported, and constants agree with shape and type.",
    },
    Check {
        name: "tflite-graph",
        meaning: "Every table, vector and string lies in the file and leads to what is there, and operators that are not built in are reported.",
    },
];

/// The checks that ran for a file that turned out to be `found`.
pub(crate) fn ran(found: &Identified) -> &'static [&'static str] {
    let Identified::One(format) = found else {
        return &["identify", "polyglot"];
    };
    match format {
        Format::Safetensors => {
            &["identify", "polyglot", "safetensors-structure", "safetensors-names"]
        }
        Format::Gguf => &["identify", "polyglot", "gguf-structure", "gguf-layout", "gguf-keys"],
        Format::Json | Format::Notebook => {
            &["identify", "polyglot", "json-strict", "json-code", "json-templates", "json-index"]
        }
        Format::Text => &["identify", "polyglot", "text-encoding"],
        Format::Tokenizer => &["identify", "polyglot", "tokenizer-structure"],
        Format::Zip | Format::Pytorch | Format::Torchscript | Format::Npz => {
            &["identify", "polyglot", "zip-directory", "zip-members", "zip-inside"]
        }
        Format::Keras => &[
            "identify",
            "polyglot",
            "zip-directory",
            "zip-members",
            "zip-inside",
            "hdf5-structure",
            "keras-config",
        ],
        Format::Onnx => &["identify", "polyglot", "onnx-fields", "onnx-graph"],
        Format::Pickle => &["identify", "polyglot", "pickle-stream", "pickle-calls"],
        Format::Joblib => {
            &["identify", "polyglot", "pickle-stream", "pickle-calls", "joblib-arrays"]
        }
        Format::TorchLegacy => {
            &["identify", "polyglot", "pickle-stream", "pickle-calls", "torch-storages"]
        }
        Format::Numpy => &["identify", "polyglot", "numpy-structure", "pickle-calls"],
        Format::SavedModel | Format::GraphDef => &["identify", "polyglot", "tensorflow-graph"],
        Format::Tflite => &["identify", "polyglot", "tflite-graph"],
        Format::Empty => &["identify"],
        Format::Hdf5 => &["identify", "polyglot", "hdf5-structure", "keras-config"],
        Format::Elf
        | Format::Pe
        | Format::MachO
        | Format::Java
        | Format::Wasm
        | Format::Bitcode
        | Format::Script
        | Format::Bytecode
        | Format::Shortcut
        | Format::Archive
        | Format::Pdf
        | Format::Html
        | Format::Svg
        | Format::Audio => &["identify", "polyglot"],
        Format::Image => &["identify", "polyglot", "image-structure"],
        Format::Document => &["identify", "polyglot", "document-macros"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_that_can_run_is_listed_once() {
        let outcomes = Format::ALL.iter().map(|&format| Identified::One(format));
        for found in outcomes.chain([Identified::Unknown]) {
            for name in ran(&found) {
                assert_eq!(CHECKS.iter().filter(|check| check.name == *name).count(), 1, "{name}");
            }
        }
    }
}
