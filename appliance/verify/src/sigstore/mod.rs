//! Sigstore bundles, offline: the only module that knows the Sigstore crates.
//!
//! ```text
//!  Bundle ── Evidence: leaf, log entries, time stamps ─┐
//!  TrustedRoot (pinned by the policy) ─────────────────┤ verify ──▶ SigstoreSigner
//!  time, budget ───────────────────────────────────────┘
//!     log     each entry: a known log's key, its checkpoint, the inclusion proof
//!     times   integrated times and RFC 3161 time stamps, none later than `time`
//!     path    leaf to Fulcio's root at each of those times, with our own path validation
//!     library all of it once more with `sigstore-verify`, and what only it does:
//!             the SCT, the log's promise (SET), and that each entry is about this signature
//! ```
//!
//! The library looks at the system's clock to refuse times in the future. That can only add a
//! refusal: every time is also compared with the `time` of validation, which is an argument.
//! Who may sign is not decided here: the policy judges the identity and the issuer.

mod error;
mod evidence;
mod library;
mod log;
mod names;
mod root;
mod signer;
#[cfg(test)]
pub(crate) mod tests;
mod times;

pub use error::{SigstoreError, TrustedRootError};
pub(crate) use evidence::RawLogEntry;
pub use evidence::{Evidence, EvidenceError, LogEntry};
pub use names::{Identity, NamesError};
pub use root::{TrustedRoot, TrustedRootSummary};
pub use signer::{SigstoreSigner, verify};
pub use times::{TimeSource, TrustedTime};
