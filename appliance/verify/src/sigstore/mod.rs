//! Sigstore: whom its bundles may be trusted under.

mod trusted_root;

pub use trusted_root::{TrustedRoot, TrustedRootError};
