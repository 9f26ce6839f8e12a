//! What is fuzzed: each function takes any bytes and must come back, whatever they are.
//!
//! The programs in `targets` hand them the inputs of libFuzzer (`cargo xtask fuzz`); a test hands
//! them good inputs and cut ones. A finding is a panic, an overflow, a wait, or memory that grows.

mod bundle;
mod certificate;
mod crl;
mod path;
mod pieces;
mod policy;

pub use bundle::{bundle, statement};
pub use certificate::certificate;
pub use crl::crl;
pub use path::path;
pub use pieces::join;
pub use policy::policy;

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 6] = [
    ("bundle", bundle),
    ("statement", statement),
    ("certificate", certificate),
    ("path", path),
    ("crl", crl),
    ("policy", policy),
];

#[cfg(test)]
mod tests;
