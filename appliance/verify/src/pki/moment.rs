//! When a path is validated: now, or at a moment in the past that somebody trusted vouches for.

use super::path::{PathInput, Proof};
use super::{Certificate, PathError};
use crate::time::UnixTime;

/// The times that the validation of one path goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The validation time that was asked for.
    pub(super) now: UnixTime,
    /// The time at which every certificate of the path must be valid: `now`, or the earlier time
    /// of the proof when that excuses what has expired since.
    pub(super) effective: UnixTime,
}

impl Moment {
    /// For a path of `certificates`, the anchor included.
    ///
    /// The time of a proof is taken only when a certificate has expired by now, the proof excuses
    /// it and every certificate was valid then. A certificate that is not valid yet is never
    /// excused: none was valid before, and now decides.
    pub(super) fn of(input: &PathInput<'_>, certificates: &[&Certificate]) -> Self {
        let now = input.time;
        let expired = certificates.iter().any(|c| now > c.not_after());
        let effective = proof_for(input, certificates)
            .filter(|proof| expired && proof.excuses_expiry)
            .map_or(now, |proof| proof.time);
        Moment { now, effective }
    }

    /// Whether the path is validated at a time of the past because it has expired since.
    pub(super) fn is_past(self) -> bool {
        self.effective != self.now
    }
}

/// The proof, if every one of `certificates` was valid at its time: a signature from before a
/// certificate began was not made under it, and so proves nothing about it.
pub(super) fn proof_for(input: &PathInput<'_>, certificates: &[&Certificate]) -> Option<Proof> {
    let valid_at = |time| certificates.iter().all(|c| check_validity(c, time).is_ok());
    input.proof.filter(|proof| proof.time <= input.time && valid_at(proof.time))
}

/// Checks that `time` lies in the certificate's validity, both ends included
/// (RFC 5280, section 4.1.2.5).
pub(super) fn check_validity(certificate: &Certificate, time: UnixTime) -> Result<(), PathError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if time > not_after {
        return Err(PathError::Expired { subject: certificate.subject(), not_after, time });
    }
    if time < not_before {
        return Err(PathError::NotYetValid { subject: certificate.subject(), not_before, time });
    }
    Ok(())
}
