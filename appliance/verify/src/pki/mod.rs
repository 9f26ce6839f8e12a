//! X.509 trust: certificates, anchors, CRLs, and the certification path between them.
//!
//! ```text
//!  chain (hostile) ─┐
//!  anchors ─────────┤ search ── candidate ──▶ judge ──▶ VerifiedPath
//!  CRLs, time ──────┘   ▲                      │  validity, leaf profile (ours)
//!                       └── next candidate ◀───┘  RFC 5280 6.1 (certval), revocation (ours)
//! ```
//!
//! The search is ours and bounded by the [`Budget`](crate::budget::Budget); the library never
//! sees a certificate that the search did not place in a path.

mod anchor;
mod canonical;
mod certificate;
mod comparisons;
mod crl;
mod error;
mod explain;
mod extensions;
mod form;
mod host_name;
mod issued;
mod judge;
pub mod manifest;
mod moment;
mod name_constraints;
mod named;
mod path;
mod pem;
mod policies;
mod profile;
mod purpose;
mod review;
mod revocation;
mod rfc5280;
mod search;
mod signature;
#[cfg(test)]
mod tests;
mod usage;

pub use anchor::{Anchor, AnchorError, check_digest};
pub use certificate::{Certificate, CertificateError};
pub use crl::{
    Crl, CrlError, CrlFloors, CrlFloorsError, CrlNumber, CrlSet, RevocationReason, RevokedEntry,
    Unsupported,
};
pub use error::{FormRule, Limit, PathError, Violation, WhyUnknown};
pub use explain::{Check, CheckName, ExplainedCertificate, Explanation, Outcome, Role, explain};
pub(crate) use named::check_signature;
pub use path::{InitialPolicies, PathInput, Proof, VerifiedPath, validate};
pub use profile::{Profile, Usage};
pub use purpose::Purpose;
pub use review::{Remark, Severity, review};
pub use revocation::{Revocation, RevocationMode, RevocationStatus};
