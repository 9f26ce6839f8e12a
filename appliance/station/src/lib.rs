//! The station: everything that touches the world, around the pure crates that decide.
//!
//! ```text
//!  media ──▶ intake ──▶ inspection ──▶ (oms-verify decides) ──▶ outbound ──▶ diode
//!    │          │                              ▲                   │
//!  carrier   quarantine              trust: policy, roots, CRLs   keys, journal, report
//! ```
//!
//! [`pipeline`] tells the way of one model from top to bottom. Errors here are
//! [`oms_verify::reason::Reason`]s: a stable code with its class, the file and what to do next.

pub mod archive;
pub mod attestations;
pub mod bounded;
pub mod cancel;
pub mod carriers;
pub mod chain;
pub mod clock;
pub mod commands;
pub mod config;
pub mod crl_memory;
pub mod daemon;
pub mod doctor;
pub mod file_limit;
pub mod handover;
pub mod inspection;
pub mod intake;
pub mod journal;
pub mod keys;
pub mod media;
pub mod opening;
pub mod outbound;
pub mod pipeline;
pub mod present;
pub mod process;
pub mod progress;
pub mod receive;
mod record;
pub mod report;
pub mod sandbox;
pub mod scanner;
pub mod sign;
pub mod signer;
pub mod signing;
mod storage;
pub mod supervisor;
pub mod trust;
