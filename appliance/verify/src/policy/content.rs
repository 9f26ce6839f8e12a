//! `[content]`: what may be inside the files, found by content.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Rules for what is inside the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRules {
    /// The formats that may pass, none when empty. `None` is `allow = "any"`: content is not
    /// restricted.
    pub allow: Option<Vec<String>>,
    /// What happens to a model that brings code to be run.
    pub remote_code: RemoteCode,
    /// What happens to a file whose name promises another format than it has.
    pub names: Names,
    /// `[content.pickle] globals`: names that pickles may import, each as `module.name`.
    pub pickle_globals: BTreeSet<String>,
    /// `[content.onnx] domains`: domains whose operators ONNX models may use.
    pub onnx_domains: BTreeSet<String>,
    /// `[content.tensorflow] operators`: operators that TensorFlow graphs may use.
    pub tensorflow_operators: BTreeSet<String>,
    /// `[content.tflite] operators`: custom operators that TFLite models may use.
    pub tflite_operators: BTreeSet<String>,
    /// `[content.keras] classes`: classes and functions that Keras models may be built from.
    pub keras_classes: BTreeSet<String>,
    /// `[content.templates] digests`: SHA-256 of templates that may do more than lay out text, in
    /// lowercase hex.
    pub template_digests: BTreeSet<String>,
    /// `[content.limits]`: how much of a file is looked into.
    pub limits: ContentLimits,
    /// `[content.scanner]`: what a virus scanner must have said.
    pub scanner: ScannerRules,
}

/// The domains of the operators that the ONNX standard defines.
pub(super) const ONNX_DOMAINS: [&str; 2] = ["ai.onnx", "ai.onnx.ml"];

impl ContentRules {
    /// Rules that allow these formats and of each only what can do no harm.
    pub(super) fn new(allow: Option<Vec<String>>) -> Self {
        ContentRules {
            allow,
            remote_code: RemoteCode::Reject,
            names: Names::Agree,
            pickle_globals: BTreeSet::new(),
            onnx_domains: ONNX_DOMAINS.map(str::to_owned).into(),
            tensorflow_operators: BTreeSet::new(),
            tflite_operators: BTreeSet::new(),
            keras_classes: BTreeSet::new(),
            template_digests: BTreeSet::new(),
            limits: ContentLimits::default(),
            scanner: ScannerRules::default(),
        }
    }
}

/// How much of a file is looked into. A file that goes beyond is refused as malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentLimits {
    /// Bytes of a JSON file, from 64 KiB to 1 GiB.
    pub json_bytes: u64,
    /// Bytes of a text file, from 64 KiB to 1 TiB.
    pub text_bytes: u64,
    /// Bytes that the members of an archive may unpack to for each byte that they take, beyond the
    /// first ones, from 1 to 10,000.
    pub archive_ratio: u64,
}

impl Default for ContentLimits {
    fn default() -> Self {
        ContentLimits { json_bytes: 64 << 20, text_bytes: 1 << 30, archive_ratio: 100 }
    }
}

/// What happens to a model that brings code to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteCode {
    /// The model is refused.
    Reject,
    /// It may pass.
    Allow,
}

/// What happens to a file whose name promises another format than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The model is refused.
    Agree,
    /// It may pass.
    Any,
}

/// What a virus scanner must have said of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannerRules {
    /// Whether a file passes only if a scanner has read all of it and found nothing.
    pub required: bool,
    /// Formats that need not have been scanned: those in which there is nothing that a scanner knows.
    pub skip: Vec<String>,
}
