//! What a model file holds, as a person wants to see it.

use serde::Serialize;

/// What is inside one file, in the order of the file. Bounded as the inspection is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Key and value, as text.
    pub metadata: Vec<Entry>,
    /// The tensors.
    pub tensors: Vec<Tensor>,
    /// Names that pickles import, `module.name`.
    pub globals: Vec<String>,
    /// Operators that graphs use, with their domain where the format has domains.
    pub operators: Vec<String>,
    /// Classes from which a model is built (Keras).
    pub classes: Vec<String>,
    /// Templates of prompts.
    pub templates: Vec<Template>,
    /// The members of an archive.
    pub members: Vec<Member>,
}

/// One entry of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value as text; long ones are shortened and end in an ellipsis.
    pub value: String,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The type of the elements, in the format's own words.
    pub dtype: String,
    /// The dimensions in the order of the file.
    pub shape: Vec<u64>,
    /// Bytes in the file.
    pub bytes: u64,
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Template {
    /// Where it stands.
    pub place: String,
    /// SHA-256 of its UTF-8, in hex.
    pub sha256: String,
    /// The template itself.
    pub text: String,
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Bytes when it is unpacked.
    pub bytes: u64,
    /// What it is; several names where it is ambiguous, none where it is unknown.
    pub formats: Vec<&'static str>,
}
