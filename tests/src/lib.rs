//! What the tests of the whole program share: a station with a PKI and a carrier, bundles forged
//! with a valid signature, and the checks that every outcome goes through.
//!
//! The tests themselves are in `tests/tests/appliance`, one file a subject. They run the real binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a fixture fails its test by panicking, as an assertion does"
)]

pub mod attest;
pub mod clamd;
pub mod dice;
pub mod disk;
pub mod entry;
pub mod forge;
pub mod fuse;
pub mod hsm;
pub mod image;
pub mod journal;
pub mod json;
pub mod mounts;
pub mod peak;
pub mod root;
pub mod scene;
pub mod tsa;
pub mod watch;
