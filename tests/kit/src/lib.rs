//! What tests and the demo need around the appliance: a PKI, a model, an HSM, a station's files.
//!
//! Everything here is made anew at each run, in a folder that the caller gives. A step that fails
//! ends the test by a panic that says what failed, as an assertion does.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a fixture fails its test by panicking, as an assertion does"
)]

pub mod files;
pub mod model;
pub mod peak;
pub mod peer;
pub mod pki;
pub mod roots;
pub mod run;
pub mod schemas;
pub mod softhsm;
pub mod station;
pub mod vectors;
