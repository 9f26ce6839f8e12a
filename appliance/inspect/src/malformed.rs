//! The ways in which a file can break the structure of its format.

use std::io;

use crate::finding::Place;

/// One break of a structure. Names out of the file are shortened before they are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field runs past the end of the file or of the part that holds it.
    #[error("{needed} bytes are needed at offset {at}, and the file or its part has fewer")]
    Truncated {
        /// Where the field starts, in bytes.
        at: u64,
        /// How many bytes it claims.
        needed: u64,
    },
    /// A rule of the format is broken at a place.
    #[error("{place}: {detail}")]
    Rule {
        /// Where.
        place: Place,
        /// What is wrong there.
        detail: String,
    },
    /// There are more findings than are kept.
    #[error("there are more than {limit} different findings")]
    Findings {
        /// The most that are kept.
        limit: usize,
    },
    /// A name is longer than the budget allows.
    #[error("a name is longer than {limit} bytes")]
    NameTooLong {
        /// The most that is allowed, in bytes.
        limit: usize,
    },

    /// A JSON string or number is longer than the budget allows.
    #[error("a JSON string or number is longer than {limit} bytes")]
    JsonToken {
        /// The most that is allowed, in bytes.
        limit: usize,
    },
    /// The JSON is larger than the budget allows.
    #[error("the JSON is larger than {limit} bytes")]
    JsonTooLarge {
        /// The most that is allowed, in bytes.
        limit: u64,
    },
    /// The bytes are no JSON (RFC 8259).
    #[error("not valid JSON at line {line}, column {column}")]
    JsonSyntax {
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Column of the first wrong byte.
        column: usize,
    },
    /// A JSON value has another type than its place requires.
    #[error("a JSON value of the wrong type or range at line {line}, column {column}")]
    JsonType {
        /// Line of the value, from 1.
        line: usize,
        /// Column of the value.
        column: usize,
    },
    /// The JSON ends before its last bracket.
    #[error("the JSON ends too early")]
    JsonEnd,
    /// Something follows the JSON value.
    #[error("bytes follow the JSON value")]
    JsonTrailing,
    /// An object has the same key twice: two readers could see two different values.
    #[error("the JSON key {key:?} occurs twice in one object")]
    JsonDuplicateKey {
        /// The key.
        key: String,
    },
    /// Objects and arrays are nested deeper than the budget allows.
    #[error("the JSON is nested deeper than {limit}")]
    JsonDepth {
        /// The most that is allowed.
        limit: usize,
    },
    /// There are more keys than the budget allows.
    #[error("the JSON has more than {limit} keys")]
    JsonKeys {
        /// The most that is allowed.
        limit: usize,
    },
    /// A byte order mark stands before the JSON (RFC 8259, section 8.1).
    #[error("a byte order mark stands before the JSON")]
    JsonByteOrderMark,

    /// The text is larger than the budget allows.
    #[error("the text is larger than {limit} bytes")]
    TextTooLarge {
        /// The most that is allowed, in bytes.
        limit: u64,
    },

    /// The header is larger than the budget allows.
    #[error("the safetensors header claims {claimed} bytes, more than {limit}")]
    SafetensorsHeaderTooLarge {
        /// What the file claims, in bytes.
        claimed: u64,
        /// The most that is allowed, in bytes.
        limit: u64,
    },
    /// The header does not start with `{`.
    #[error("the safetensors header does not start with a brace")]
    SafetensorsStart,
    /// Something else than spaces follows the header's JSON.
    #[error("the safetensors header is padded with something else than spaces")]
    SafetensorsPadding,
    /// There is more metadata than the budget allows.
    #[error("the safetensors header has more than {limit} entries of metadata")]
    SafetensorsMetadata {
        /// The most that is allowed.
        limit: usize,
    },
    /// There are more tensors than the budget allows.
    #[error("the safetensors header has more than {limit} tensors")]
    SafetensorsTensors {
        /// The most that is allowed.
        limit: usize,
    },
    /// The element type is not known.
    #[error("tensor {tensor:?} has the unknown element type {dtype:?}")]
    SafetensorsDtype {
        /// The tensor.
        tensor: String,
        /// The type as written.
        dtype: String,
    },
    /// A tensor has a field that the format does not know.
    #[error("tensor {tensor:?} has the unknown field {field:?}")]
    SafetensorsField {
        /// The tensor.
        tensor: String,
        /// The field.
        field: String,
    },
    /// A tensor lacks a field.
    #[error("tensor {tensor:?} has no {field}")]
    SafetensorsMissing {
        /// The tensor.
        tensor: String,
        /// The field.
        field: &'static str,
    },
    /// The size of a tensor does not fit in 64 bits.
    #[error("the size of tensor {tensor:?} overflows")]
    SafetensorsOverflow {
        /// The tensor.
        tensor: String,
    },
    /// The elements of a tensor do not fill whole bytes.
    #[error("the elements of tensor {tensor:?} do not fill whole bytes")]
    SafetensorsPartialByte {
        /// The tensor.
        tensor: String,
    },
    /// Shape and element type ask for another size than the range has.
    #[error("tensor {tensor:?} needs {needed} bytes, and its range is {begin}..{end}")]
    SafetensorsSize {
        /// The tensor.
        tensor: String,
        /// What shape and type ask for, in bytes.
        needed: u64,
        /// Start of its range.
        begin: u64,
        /// End of its range.
        end: u64,
    },
    /// The ranges leave a hole or overlap.
    #[error("the data has a hole or an overlap: a range starts at {found} instead of {expected}")]
    SafetensorsGap {
        /// Where the next range should start.
        expected: u64,
        /// Where it does start.
        found: u64,
    },
    /// The ranges do not end where the file ends.
    #[error("the tensors describe {described} bytes of data, and the file has {present}")]
    SafetensorsEnd {
        /// End of the last range.
        described: u64,
        /// Bytes after the header.
        present: u64,
    },

    /// The version is neither 2 nor 3.
    #[error("GGUF version {version} is not supported")]
    GgufVersion {
        /// The version, read as little-endian.
        version: u32,
    },
    /// A count is larger than the budget or the rest of the file allows.
    #[error("the GGUF header claims {claimed} {what}, and at most {most} are possible")]
    GgufCount {
        /// What is counted.
        what: &'static str,
        /// What the file claims.
        claimed: u64,
        /// The most that is possible.
        most: u64,
    },
    /// A key or tensor name is empty, not UTF-8, or together they exceed the budget.
    #[error("a GGUF name at offset {at} is empty, not UTF-8, or one too many")]
    GgufName {
        /// Where the name starts.
        at: u64,
    },
    /// A key or tensor name occurs twice.
    #[error("the GGUF name {name:?} occurs twice")]
    GgufDuplicate {
        /// The key or tensor.
        name: String,
    },
    /// The type of a value is not known.
    #[error("GGUF key {key:?} has the unknown value type {kind}")]
    GgufValueType {
        /// The key.
        key: String,
        /// The type as written.
        kind: u32,
    },
    /// A truth value is neither 0 nor 1.
    #[error("GGUF key {key:?} has a truth value that is neither 0 nor 1")]
    GgufBool {
        /// The key.
        key: String,
    },
    /// An array holds arrays.
    #[error("GGUF key {key:?} is an array of arrays")]
    GgufNestedArray {
        /// The key.
        key: String,
    },
    /// `general.alignment` is not a 32-bit power of two.
    #[error("general.alignment is not a power of two of type uint32")]
    GgufAlignment,
    /// A tensor has more dimensions than four, or one that does not fit.
    #[error("the shape of GGUF tensor {tensor:?} is not possible")]
    GgufShape {
        /// The tensor.
        tensor: String,
    },
    /// The element type of a tensor is not known.
    #[error("GGUF tensor {tensor:?} has the unknown element type {kind}")]
    GgufTensorType {
        /// The tensor.
        tensor: String,
        /// The type as written.
        kind: u32,
    },
    /// A tensor is not aligned or does not lie inside the file.
    #[error("GGUF tensor {tensor:?} at data offset {offset} is not aligned or runs past the file")]
    GgufRange {
        /// The tensor.
        tensor: String,
        /// Its offset in the data.
        offset: u64,
    },

    /// The zip has no end of central directory that agrees with the file.
    #[error("the zip has no valid end of central directory")]
    ZipEnd,
    /// Something stands before the zip.
    #[error("{bytes} bytes stand before the zip")]
    ZipPrefix {
        /// How many bytes.
        bytes: u64,
    },
    /// Something follows the zip.
    #[error("{bytes} bytes follow the zip")]
    ZipTrailing {
        /// How many bytes.
        bytes: u64,
    },

    /// A byte is no opcode, or its argument is wrong.
    #[error("byte {opcode:#04x} at offset {at} is no valid pickle operation")]
    PickleOpcode {
        /// Where it stands.
        at: u64,
        /// The byte.
        opcode: u8,
    },
    /// An operation needs more than the stack holds.
    #[error("the pickle operation at offset {at} needs more than the stack holds")]
    PickleStack {
        /// Where it stands.
        at: u64,
    },
    /// The stream is longer or deeper than the budget allows.
    #[error("the pickle stream has more operations or open marks than allowed at offset {at}")]
    PickleBudget {
        /// Where the budget ended.
        at: u64,
    },
    /// Something follows the pickle.
    #[error("{bytes} bytes follow the pickle")]
    PickleTrailing {
        /// How many bytes.
        bytes: u64,
    },

    /// A field is not one of a SentencePiece model.
    #[error("the tokenizer has a wrong field before offset {at}")]
    TokenizerField {
        /// Where the field ends, or where reading it failed.
        at: u64,
    },
    /// A field is not one of an ONNX model, or there are too many.
    #[error("the ONNX model has a wrong field before offset {at}")]
    OnnxField {
        /// Where reading it failed.
        at: u64,
    },
    /// There are more pieces than the budget allows.
    #[error("the tokenizer has more than {limit} pieces")]
    TokenizerPieces {
        /// The most that is allowed.
        limit: u64,
    },
}

/// Why a walk through a file stopped early.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file breaks its structure.
    Broken(Malformed),
    /// The reader failed.
    Read(io::Error),
}

/// The fault of a rule that is broken at `place`.
pub(crate) fn broken(place: Place, detail: impl Into<String>) -> Fault {
    Fault::Broken(Malformed::Rule { place, detail: detail.into() })
}

impl From<Malformed> for Fault {
    fn from(cause: Malformed) -> Self {
        Fault::Broken(cause)
    }
}

/// A reader of packed bytes fails by what it reads: then the cause is in the error.
impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        match cause.get_ref().and_then(|inner| inner.downcast_ref::<Malformed>()) {
            Some(malformed) => Fault::Broken(malformed.clone()),
            None => Fault::Read(cause),
        }
    }
}

/// The same as an error of a reader; `Fault` takes it out again.
impl From<Malformed> for io::Error {
    fn from(cause: Malformed) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, cause)
    }
}

/// Parts the finding from the failure: a broken structure is a result, a failing reader is not.
pub(crate) fn finding(walk: Result<(), Fault>) -> io::Result<Option<Malformed>> {
    match walk {
        Ok(()) => Ok(None),
        Err(Fault::Broken(cause)) => Ok(Some(cause)),
        Err(Fault::Read(cause)) => Err(cause),
    }
}

/// Names out of a file are kept up to this many characters in a finding.
const SHOWN: usize = 96;

/// The start of `name`, short enough for a report.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}
