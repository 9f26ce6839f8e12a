//! Block devices as carriers: loop devices with real images, as root.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test by panicking"
)]

mod mounting;
