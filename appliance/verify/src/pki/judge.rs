//! The verdict about one candidate path: every check that is not about finding it.

use std::sync::Arc;

use super::path::{PathInput, VerifiedPath};
use super::signature::SignatureChecks;
use super::{Anchor, Certificate, PathError, RevocationStatus};
use super::{profile, revocation, rfc5280};

/// Judges `path`, leaf first, under `anchor`, whose signature on the last one has been checked.
///
/// For a pinned self-signed leaf, `path` is the leaf alone and `anchor` is the same certificate.
pub(super) fn judge(
    input: &PathInput<'_>,
    path: &[&Certificate],
    anchor: &Anchor,
    checks: &Arc<SignatureChecks>,
) -> Result<VerifiedPath, PathError> {
    let (leaf, intermediates) = path.split_first().ok_or(PathError::Empty)?;
    let pinned = **leaf == anchor.certificate;
    for certificate in path.iter().copied().chain([&anchor.certificate]) {
        profile::check_validity(certificate, input.time)?;
    }
    let key = profile::check_leaf(leaf, input.profile)?;
    for issuer in intermediates {
        profile::check_issuer(issuer)?;
    }
    if !pinned {
        profile::check_issuer(&anchor.certificate)?;
    }
    rfc5280::check(path, &anchor.certificate, input.time, checks)?;

    let mut certificates: Vec<Certificate> = path.iter().copied().cloned().collect();
    if !pinned {
        certificates.push(anchor.certificate.clone());
    }
    let mut statuses = Vec::with_capacity(certificates.len());
    for (certificate, issuer) in certificates.iter().zip(certificates.iter().skip(1)) {
        statuses.push(revocation::status(input, certificate, issuer, checks)?);
    }
    statuses.push(RevocationStatus::Anchor);
    Ok(VerifiedPath {
        anchor: anchor.clone(),
        leaf: (*leaf).clone(),
        key: key.clone(),
        certificates,
        revocation: statuses,
    })
}
