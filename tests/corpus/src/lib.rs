//! Hostile models and their harmless twins, made by the tests themselves.
//!
//! Each case is a model of one file or a few. It must be refused with one code, and its twin, which
//! differs as little as possible, must pass, both under the widest rules that are shipped,
//! those of `policies/frameworks.toml`: what passes there at all is refused for what it does, not for
//! what it is.
//! The same files are the seeds of `cargo xtask fuzz` and what `cargo xtask scanners` shows to other
//! scanners.

#![expect(clippy::indexing_slicing, reason = "only tests call it, and a wrong index fails them")]

mod archive;
mod gguf;
mod json;
mod keras;
mod onnx;
mod other;
mod pickle;
mod protobuf;
mod rules;
mod safetensors;
mod template;
mod tensorflow;

pub use rules::{Refusal, Rules};

/// A file of a model: its path and its bytes.
pub type File = (&'static str, Vec<u8>);

/// A hostile model and what must become of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What the model does, in words joined by hyphens, after the format's name. Unique.
    pub name: &'static str,
    /// The code of the refusal, without `content.`.
    pub code: &'static str,
    /// Words that the place, subject or detail of the finding must hold.
    pub says: &'static str,
    /// The hostile model.
    pub files: Vec<File>,
    /// The model that passes.
    pub twin: Vec<File>,
}

impl Case {
    /// A case of one file called `file`.
    pub fn one(
        name: &'static str,
        (code, says): (&'static str, &'static str),
        file: &'static str,
        hostile: Vec<u8>,
        twin: Vec<u8>,
    ) -> Case {
        Case { name, code, says, files: vec![(file, hostile)], twin: vec![(file, twin)] }
    }
}

/// Makes the checksums of an HDF5 file right again after a change, so that the change is seen.
pub fn reseal_hdf5(bytes: &mut [u8]) {
    keras::reseal(bytes);
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [
        archive::cases(),
        gguf::cases(),
        json::cases(),
        keras::cases(),
        onnx::cases(),
        other::cases(),
        pickle::cases(),
        safetensors::cases(),
        template::cases(),
        tensorflow::cases(),
    ]
    .concat()
}
