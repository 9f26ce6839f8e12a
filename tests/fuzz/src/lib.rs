//! What is fuzzed: each function takes any bytes and must come back, whatever they are.
//!
//! The programs in `targets` hand them the inputs of libFuzzer (`cargo xtask fuzz`); a test hands
//! them good inputs and cut ones. A finding is a panic, an overflow, a wait, or memory that grows.

mod attestation;
mod bundle;
mod certificate;
mod crl;
mod device;
mod inspect;
mod path;
mod pieces;
mod policy;
mod sigstore;
mod tar;
mod timestamp;

pub use attestation::{ABOUT, attestation};
pub use bundle::{bundle, statement};
pub use certificate::certificate;
pub use crl::crl;
pub use device::{superblock, uevent};
pub use inspect::{FORMATS, inspect, template};
pub use path::path;
pub use pieces::join;
pub use policy::policy;
pub use sigstore::sigstore;
pub use tar::tar;
pub use timestamp::timestamp;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 26] = [
    ("bundle", bundle),
    ("statement", statement),
    ("certificate", certificate),
    ("path", path),
    ("crl", crl),
    ("policy", policy),
    ("timestamp", timestamp),
    ("sigstore", sigstore),
    ("attestation", attestation),
    ("tar", tar),
    ("superblock", superblock),
    ("uevent", uevent),
    ("inspect-safetensors", inspect),
    ("inspect-gguf", inspect),
    ("inspect-json", inspect),
    ("inspect-tokenizer", inspect),
    ("inspect-zip", inspect),
    ("inspect-pickle", inspect),
    ("inspect-numpy", inspect),
    ("inspect-onnx", inspect),
    ("inspect-hdf5", inspect),
    ("inspect-keras", inspect),
    ("inspect-tensorflow", inspect),
    ("inspect-tflite", inspect),
    ("inspect-identify", inspect),
    ("inspect-template", template),
];

#[cfg(test)]
mod tests;
