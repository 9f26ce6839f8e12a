//! station
pub mod bounded;
pub mod intake;
pub mod keys;
pub mod media;
pub mod progress;
pub mod signer;
pub mod trust;
