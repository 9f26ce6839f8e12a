//! The verdict: the decision, and how it is written down and checked.
//!
//! [`decide`] is the only place where a model passes. It starts from refusal: a model passes when
//! there is an admitted signer, every listed file was observed with the signed digest, and no rule
//! of the policy gave a reason against it.

mod again;
mod content;
mod decide;
mod decision;
mod distinct;
mod error;
mod files;
mod judge;
mod payload;
mod receive;
mod schema;

pub use again::Given;
pub use decide::{BundleOutcome, Case, Mode, Verdict, decide};
pub use decision::Decision;
pub use error::VerdictError;
pub use files::{FileEntry, FilesOf, Serialization};
pub use payload::{
    ClockStatus, Ledger, Resigned, StationFacts, VERDICT_EXTENSION, VERDICT_PREDICATE_TYPE,
    compose, subject,
};
pub use receive::{ReceivedAttestation, ReceivedVerdict, VerdictTrust, receive};
pub use schema::{
    AttestationDetail, BundleDetail, CertificateDetail, InputDetail, PolicyDetail, Protection,
    ReasonDetail, SignedDetail, SignerDetail,
};

#[cfg(test)]
mod tests;
