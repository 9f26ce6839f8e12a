//! Tests of the daemon: the real one, with hot folders, which needs no root.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test helper does not find is a failed test"
)]

mod booted;
mod comings;
mod crafted;
mod crowds;
mod devices;
mod escapes;
mod hsm;
mod manager;
mod served;
mod station;
mod still;
mod stopped;
mod unit;
mod unwell;
