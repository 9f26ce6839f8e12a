//! Decides about OMS bundles. Pure: no file, no network, no clock, no process.
//!
//! ```text
//!  bytes ──Bundle::parse──▶ Bundle                            an allegation
//!  time stamps ──timestamp::verify──▶ Proof                   since when it has been signed
//!  anchors, CRLs, time ──pki::validate────┐
//!  trusted root, time ──sigstore::verify──┴▶ TrustedSigner    whom to believe
//!  Bundle::open(signer) ──▶ Statement                         the signed manifest
//!  other bundles ──AttestationOutcome::of──▶ Attestation      what others say about the model
//!  Statement + attestations + observed files + findings ──decide──▶ Verdict
//! ```
//!
//! Each step takes the type that the one before made, and only that step can make it. A refusal
//! is a value ([`reason::Reason`] in a verdict), never a panic.

pub mod appraise;
pub mod attestation;
pub mod budget;
pub mod bundle;
pub mod dsse;
pub mod hash;
mod json;
pub mod key;
pub mod known_answers;
pub mod name;
pub mod observe;
pub mod pki;
pub mod policy;
pub mod reason;
mod signature;
pub mod sigstore;
pub mod statement;
pub mod tar;
pub mod time;
pub mod timestamp;
pub mod verdict;
