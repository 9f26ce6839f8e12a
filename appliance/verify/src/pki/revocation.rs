//! Revocation by CRLs that the site imported (RFC 5280, section 6.3).
//!
//! ```text
//!  CRLs of the issuer's name ── scope, time ── signer ── floor ── entry, freshness ──▶ status
//!  (newest first)               (scope)        (signer)            (lookup)
//! ```
//!
//! Complete, direct CRLs alone can make a status good. A delta CRL or one for some reasons only
//! is no proof that a certificate is not revoked; what it lists is believed all the same. Indirect
//! CRLs are not used.

mod lookup;
mod scope;
mod signer;

use std::cell::RefCell;
use std::fmt;

use self::lookup::{Found, Link, Lookup};
use super::comparisons::Comparisons;
use super::error::{PathError, WhyUnknown};
use super::issued::Issued;
use super::moment::proof_for;
use super::path::PathInput;
use super::{Certificate, RevocationReason};
use crate::hash::Sha256Digest;
use crate::time::{Span, UnixTime};

/// What the policy asks about revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationMode {
    /// A certificate passes only with a fresh CRL that does not list it.
    Require,
    /// A revoked certificate is refused; a missing, unusable or stale CRL is not.
    IfAvailable,
    /// CRLs are not looked at.
    Off,
}

/// As a policy writes it: `require`, `if-available`, `off`.
impl fmt::Display for RevocationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RevocationMode::Require => "require",
            RevocationMode::IfAvailable => "if-available",
            RevocationMode::Off => "off",
        })
    }
}

/// How revocation is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What must be known.
    pub mode: RevocationMode,
    /// The greatest age of a CRL, counted from thisUpdate; no limit but nextUpdate when absent.
    pub max_crl_age: Option<Span>,
}

/// What is known about the revocation of one certificate of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// A fresh CRL covers it and does not list it.
    Good {
        /// SHA-256 of the CRL in DER.
        crl: Sha256Digest,
        /// When the CRL was issued.
        this_update: UnixTime,
    },
    /// It was revoked after the proven time of the signature, for a reason that leaves its key
    /// sound, which the policy excuses.
    RevokedSince {
        /// SHA-256 of the CRL in DER.
        crl: Sha256Digest,
        /// The revocation date.
        date: UnixTime,
        /// The reason.
        reason: RevocationReason,
    },
    /// The policy does not ask.
    Off,
    /// No CRL could be used, which the policy allows.
    NotChecked(WhyUnknown),
    /// The newest CRL is too old, which the policy allows. It does not list the certificate.
    Stale {
        /// SHA-256 of the CRL in DER.
        crl: Sha256Digest,
        /// When the CRL was issued.
        this_update: UnixTime,
    },
    /// It is the anchor, which only an officer can revoke, by removing it.
    Anchor,
}

/// A word, and what it rests on: `good (CRL of 2026-03-01T00:00:00Z)`.
impl fmt::Display for RevocationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RevocationStatus::Good { this_update, .. } => write!(f, "good (CRL of {this_update})"),
            RevocationStatus::RevokedSince { date, reason, .. } => {
                write!(f, "revoked at {date} ({reason}), after the signature")
            }
            RevocationStatus::Off => f.write_str("not checked (off)"),
            RevocationStatus::NotChecked(why) => write!(f, "not checked ({why})"),
            RevocationStatus::Stale { this_update, .. } => {
                write!(f, "stale (CRL of {this_update})")
            }
            RevocationStatus::Anchor => f.write_str("anchor"),
        }
    }
}

/// Establishes the status of the certificate at `at` in `path`, which leads from a leaf to an
/// anchor.
///
/// An older CRL than one that was verified before never counts. Unless another of the issuer's
/// CRLs is good, it refuses in every mode but `Off`: somebody took the newer one away.
///
/// # Errors
/// When it is revoked and nothing excuses that, and in mode `Require` also when that is unknown or
/// the CRL stale. When the budget of signature checks is used up.
pub(super) fn status(
    input: &PathInput<'_>,
    path: &[&Certificate],
    at: usize,
    issued: &Issued,
    comparisons: &mut Comparisons,
) -> Result<RevocationStatus, PathError> {
    let Some([certificate, above @ ..]) = path.get(at..) else { return Err(PathError::Empty) };
    let Some(issuer) = above.first() else { return Ok(RevocationStatus::Anchor) };
    let required = match input.revocation.mode {
        RevocationMode::Off => return Ok(RevocationStatus::Off),
        RevocationMode::IfAvailable => false,
        RevocationMode::Require => true,
    };
    let subject = || certificate.subject();
    let (proof, comparisons) = (proof_for(input, path), RefCell::new(comparisons));
    let lookup = Lookup { input, above, proof, issued, comparisons };
    match lookup.find(Link { certificate, issuer })? {
        Found::Revoked { date, reason } => {
            Err(PathError::Revoked { subject: subject(), date, reason })
        }
        Found::RolledBack { this_update } => {
            Err(PathError::RevocationRolledBack { subject: subject(), this_update })
        }
        Found::Unknown(why) if required => {
            Err(PathError::RevocationUnknown { subject: subject(), why })
        }
        Found::Unknown(why) => Ok(RevocationStatus::NotChecked(why)),
        Found::Stale(crl) if required => Err(PathError::RevocationStale {
            subject: subject(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
        }),
        Found::Stale(crl) => {
            Ok(RevocationStatus::Stale { crl: crl.sha256(), this_update: crl.this_update() })
        }
        Found::Good(crl) => {
            Ok(RevocationStatus::Good { crl: crl.sha256(), this_update: crl.this_update() })
        }
        Found::Excused { crl, date, reason } => {
            Ok(RevocationStatus::RevokedSince { crl: crl.sha256(), date, reason })
        }
    }
}

#[cfg(test)]
mod tests;
