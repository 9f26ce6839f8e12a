//! Revocation by CRLs that the site imported (RFC 5280, section 6.3, without delta and indirect
//! CRLs).

use std::fmt;
use std::sync::Arc;

use x509_cert::ext::pkix::CrlDistributionPoints;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use super::crl::Series;
use super::error::{Limit, PathError, WhyUnknown};
use super::moment::Moment;
use super::path::PathInput;
use super::signature::{SignatureChecks, SignatureError};
use super::{Certificate, Crl};
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
            RevocationStatus::Off => f.write_str("not checked (off)"),
            RevocationStatus::NotChecked(why) => write!(f, "not checked ({why})"),
            RevocationStatus::Stale { this_update, .. } => {
                write!(f, "stale (CRL of {this_update})")
            }
            RevocationStatus::Anchor => f.write_str("anchor"),
        }
    }
}

/// Establishes the status of `certificate`, which `issuer`'s key has signed.
///
/// # Errors
/// When it is revoked, and in mode `Require` also when that is unknown or the CRL stale. When the
/// budget of signature checks is used up.
pub(super) fn status(
    input: &PathInput<'_>,
    moment: Moment,
    certificate: &Certificate,
    issuer: &Certificate,
    checks: &Arc<SignatureChecks>,
) -> Result<RevocationStatus, PathError> {
    let required = match input.revocation.mode {
        RevocationMode::Off => return Ok(RevocationStatus::Off),
        RevocationMode::IfAvailable => false,
        RevocationMode::Require => true,
    };
    let subject = || certificate.subject();
    let crl = match newest_usable(input, certificate, issuer, checks)? {
        Ok(crl) => crl,
        Err(why) if required => {
            return Err(PathError::RevocationUnknown { subject: subject(), why });
        }
        Err(why) => return Ok(RevocationStatus::NotChecked(why)),
    };
    // A stale CRL still proves what it lists.
    if let Some(entry) = crl.entry(certificate.serial()) {
        let (date, reason) = (entry.date, entry.reason);
        return Err(PathError::Revoked { subject: subject(), date, reason });
    }
    let (sha256, this_update) = (crl.sha256(), crl.this_update());
    if is_fresh(crl, input.revocation.max_crl_age, moment.now) {
        return Ok(RevocationStatus::Good { crl: sha256, this_update });
    }
    if required {
        let next_update = crl.next_update();
        return Err(PathError::RevocationStale { subject: subject(), this_update, next_update });
    }
    Ok(RevocationStatus::Stale { crl: sha256, this_update })
}

/// The newest CRL that is the issuer's, covers the certificate and is properly signed; or why the
/// newest that came close could not be used. The outer error is the budget's.
fn newest_usable<'a>(
    input: &PathInput<'a>,
    certificate: &Certificate,
    issuer: &Certificate,
    checks: &Arc<SignatureChecks>,
) -> Result<Result<&'a Crl, WhyUnknown>, PathError> {
    let mut why = None;
    for crl in input.crls.of_issuer(certificate.issuer_name()) {
        match usable(input, crl, certificate, issuer, checks)? {
            Ok(()) => return Ok(Ok(crl)),
            Err(problem) => why = why.or(Some(problem)),
        }
    }
    Ok(Err(why.unwrap_or(WhyUnknown::NoCrl)))
}

fn usable(
    input: &PathInput<'_>,
    crl: &Crl,
    certificate: &Certificate,
    issuer: &Certificate,
    checks: &Arc<SignatureChecks>,
) -> Result<Result<(), WhyUnknown>, PathError> {
    if let Some(unsupported) = crl.unsupported() {
        return Ok(Err(WhyUnknown::Unsupported(unsupported)));
    }
    if !covers(crl, certificate) {
        return Ok(Err(WhyUnknown::Scope));
    }
    if crl.this_update() > input.time {
        return Ok(Err(WhyUnknown::NotYetValid));
    }
    if issuer.key_usage().is_some_and(|usage| !usage.crl_sign()) {
        return Ok(Err(WhyUnknown::IssuerMayNotSignCrls));
    }
    match checks.check_once(crl.tbs_der(), crl.signature(), crl.algorithm(), issuer.spki()) {
        Ok(()) => {}
        Err(SignatureError::Budget) => return Err(PathError::Budget(Limit::SignatureChecks)),
        Err(SignatureError::Disagreement) => {
            let what = format!("the signature on the CRL for {}", certificate.subject());
            return Err(PathError::Disagreement { what });
        }
        Err(_) => return Ok(Err(WhyUnknown::BadSignature)),
    }
    let Ok(key) = issuer.public_key() else { return Ok(Err(WhyUnknown::BadSignature)) };
    let series = Series::of(crl, key.fingerprint());
    input.crls.raise(series, crl);
    if input.crls.has_fallen_behind(&series, crl) {
        let (subject, this_update) = (certificate.subject(), crl.this_update());
        return Err(PathError::RevocationRolledBack { subject, this_update });
    }
    Ok(Ok(()))
}

fn is_fresh(crl: &Crl, max_age: Option<Span>, time: UnixTime) -> bool {
    crl.next_update().is_none_or(|next| next >= time)
        && max_age.is_none_or(|age| time.since(crl.this_update()) <= age.seconds)
}

/// Whether the CRL's scope includes the certificate (RFC 5280, section 6.3.3, step b).
fn covers(crl: &Crl, certificate: &Certificate) -> bool {
    let scope = crl.scope();
    if (scope.only_users && certificate.is_ca()) || (scope.only_cas && !certificate.is_ca()) {
        return false;
    }
    match &scope.point {
        None => true,
        Some(names) => names_point(certificate, names),
    }
}

/// Whether the certificate's cRLDistributionPoints has one of `names`, for all reasons and with
/// the CRL signed by the certificate's own issuer.
fn names_point(certificate: &Certificate, names: &[GeneralName]) -> bool {
    let Ok(Some(points)) = certificate.extension::<CrlDistributionPoints>() else { return false };
    points.0.iter().any(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(own)) => {
            point.reasons.is_none()
                && point.crl_issuer.is_none()
                && own.iter().any(|name| names.contains(name))
        }
        _ => false,
    })
}
