//! Tests of the whole program: each runs the real binary, or the library in the same process where
//! many cases are tried. One binary holds them all, since each links the appliance.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test helper does not find is a failed test"
)]

mod archives;
mod attestations;
mod certificates;
mod cli;
mod content;
mod crash;
mod doctor;
mod hierarchies;
mod ingest;
mod ledger;
mod means;
mod memory;
mod million;
mod opening;
mod openssl;
mod policies;
mod properties;
mod readme;
mod receive;
mod refusals;
mod resend;
mod roots;
mod scale;
mod scanner;
mod signatures;
mod signing;
mod time;
mod verify;
mod watching;
