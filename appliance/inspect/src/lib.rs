//! What is inside a model file, told by its bytes and never by its name.
//!
//! ```text
//!   bytes --> claims ------> one sure claim      One(format)
//!   (head,    (each format   several             Ambiguous(formats)
//!    tail)     looks once)   none: JSON, text    One(Json | Text) or Unknown
//! ```
//!
//! The crate is pure over [`Read`] and [`Seek`]: no file system, no network, no unsafe code. Every
//! byte is taken as hostile. Sizes, counts, depth and time are bounded by a [`Budget`], and nothing
//! is allocated by a length that the file claims for itself.

mod budget;
mod checks;
mod claim;
mod contents;
mod document;
mod finding;
mod flatbuffer;
mod format;
mod gguf;
mod hdf5;
#[cfg(test)]
mod hostile;
mod image;
mod index;
mod json;
mod keras;
mod magic;
mod malformed;
mod model;
mod named;
mod names;
mod notes;
mod numpy;
mod onnx;
mod pickle;
mod protobuf;
mod regex;
mod safetensors;
#[cfg(test)]
mod sample;
mod shards;
mod source;
mod strict;
mod template;
mod tensorflow;
mod text;
mod tflite;
mod tokenizer;
mod tokens;
mod yaml;
mod zip;

use std::io::{self, Read, Seek};

use claim::Decided;
use notes::Notes;

pub use budget::Budget;
pub use checks::{CHECKS, Check};
pub use contents::{Contents, Entry, Member, Template, Tensor};
pub use finding::{Finding, Kind, Link, Place};
pub use format::{Format, Identified};
pub use malformed::Malformed;
pub use model::Model;
pub use named::named;
pub use names::Names;

/// What was found out about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What the file is.
    pub format: Identified,
    /// The first break of the format's structure, if there is one.
    pub malformed: Option<Malformed>,
    /// What a text would be refused for if its name says that it is a template; see [`named()`].
    pub template: Option<Finding>,
    /// What a text would be refused for if its name says that it is YAML; see [`named()`].
    pub yaml: Option<Finding>,
    /// What else was found; at most some thousand.
    pub findings: Vec<Finding>,
    /// What the file says about other files of its model, for [`Model`].
    pub links: Vec<Link>,
    /// Stable names of the checks that ran, all listed in [`CHECKS`].
    pub checks: &'static [&'static str],
}

/// Why a file could not be inspected. Bad content is never an error, it is a finding.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The reader failed, or ended before the length that the caller gave.
    #[error("the file could not be read: {0}")]
    Read(#[from] io::Error),
}

/// Identifies `reader` and checks the structure of what it found.
///
/// `length` is the file's length in bytes; the reader must hold at least as many, and what lies
/// beyond is not looked at. The reader's position does not matter and is not kept.
///
/// Weights are not read: of safetensors, GGUF and ONNX only the headers and the tail. JSON, text,
/// pickles and tokenizers are streamed once, and so is a zip, for the checksums of its members. A text that starts like JSON or like a pickle is
/// read a second time, up to where that breaks.
///
/// # Errors
///
/// [`InspectError::Read`] when the reader fails or is shorter than `length`.
pub fn inspect<R: Read + Seek>(
    reader: &mut R,
    length: u64,
    budget: &Budget,
) -> Result<Inspection, InspectError> {
    let mut source = source::Source::open(reader, length)?;
    let mut notes = Notes::default();
    let decided = claim::decide(&mut source, budget, &mut notes)?;
    Ok(finish(decided, notes).0)
}

/// The same, with what a person wants to see of what is inside.
///
/// # Errors
///
/// As [`inspect`].
pub fn describe<R: Read + Seek>(
    reader: &mut R,
    length: u64,
    budget: &Budget,
) -> Result<(Inspection, Contents), InspectError> {
    let mut source = source::Source::open(reader, length)?;
    let mut notes = Notes::with_contents();
    let decided = claim::decide(&mut source, budget, &mut notes)?;
    let (inspection, contents) = finish(decided, notes);
    Ok((inspection, contents.unwrap_or_default()))
}

fn finish(decided: Decided, mut notes: Notes) -> (Inspection, Option<Contents>) {
    let (template, yaml) = (notes.take_template(), notes.take_yaml());
    let (findings, links, contents) = notes.finish();
    let Decided { format, malformed } = decided;
    let checks = checks::ran(&format);
    (Inspection { format, malformed, template, yaml, findings, links, checks }, contents)
}
