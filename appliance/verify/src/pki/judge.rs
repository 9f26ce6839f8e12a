//! The verdict about one candidate path: every check that is not about finding it.

use super::comparisons::Comparisons;
use super::explain::{CheckName, Record};
use super::issued::{self, Issued};
use super::moment::{Moment, check_validity};
use super::path::{PathInput, VerifiedPath};
use super::rfc5280;
use super::{Anchor, Certificate, PathError, RevocationMode, RevocationStatus};
use super::{form, revocation, usage};
use crate::key::PublicKey;
use crate::signature::algorithm_name;

/// Judges `path`, leaf first, whose last certificate is that of `anchor`, and records each check.
///
/// A pinned self-signed leaf stands alone in `path`.
pub(super) fn judge(
    input: &PathInput<'_>,
    path: &[&Certificate],
    anchor: &Anchor,
    issued: &Issued,
    comparisons: &mut Comparisons,
    record: &mut Record,
) -> Result<VerifiedPath, PathError> {
    let leaf = path.first().ok_or(PathError::Empty)?;
    let moment = Moment::of(input, path);
    check_signatures(path, issued, record)?;
    for (at, certificate) in path.iter().enumerate() {
        let valid = check_validity(certificate, moment.effective).map(|()| validity(moment));
        record.step(at, CheckName::Validity, valid)?;
    }
    let key = check_leaf(input, leaf, record)?;
    check_issuers(input, path, record)?;
    let reads_crls = input.revocation.mode != RevocationMode::Off;
    rfc5280::check(path, input.policies, reads_crls, comparisons, record)?;
    for (at, certificate) in path.iter().enumerate() {
        if input.profile.strict_form {
            let is_anchor = at > 0 && at.saturating_add(1) == path.len();
            let formed = form::check(certificate, is_anchor, issued);
            record.step(at, CheckName::Form, formed)?;
        } else {
            record.not_asked(at, CheckName::Form, "only the purpose any asks for it");
        }
    }
    let statuses = check_revocation(input, path, issued, comparisons, record)?;
    Ok(VerifiedPath {
        anchor: anchor.clone(),
        leaf: (*leaf).clone(),
        key: key.clone(),
        certificates: path.iter().copied().cloned().collect(),
        revocation: statuses,
    })
}

/// Every signature of the path again. The search has checked these very signatures, and none of
/// them counts twice; nothing is accepted that was not checked here.
fn check_signatures(
    path: &[&Certificate],
    issued: &Issued,
    record: &mut Record,
) -> Result<(), PathError> {
    let last = path.len().saturating_sub(1);
    for (at, (certificate, issuer)) in path.iter().zip(path.iter().skip(1)).enumerate() {
        record.step(at, CheckName::Signature, signature(certificate, issuer, issued))?;
    }
    match path {
        [pinned] => record.step(0, CheckName::Signature, signature(pinned, pinned, issued)),
        _ => {
            record.not_asked(last, CheckName::Signature, "the anchor is trusted as it is");
            Ok(())
        }
    }
}

fn signature(
    certificate: &Certificate,
    issuer: &Certificate,
    issued: &Issued,
) -> Result<String, PathError> {
    match issued.check(certificate, issuer) {
        Ok(()) => {
            let algorithm = certificate.signature_algorithm();
            let name = algorithm.map(|found| algorithm_name(&found.oid)).unwrap_or_default();
            Ok(format!("the issuer's signature verifies ({name})"))
        }
        Err(cause) => Err(issued::error(certificate, issuer, cause)),
    }
}

fn validity(moment: Moment) -> String {
    if moment.is_past() {
        format!("valid at {}, the trusted time of the signature", moment.effective)
    } else {
        format!("valid at {}", moment.now)
    }
}

fn check_leaf<'a>(
    input: &PathInput<'_>,
    leaf: &'a Certificate,
    record: &mut Record,
) -> Result<&'a PublicKey, PathError> {
    let profile = input.profile;
    let purpose = usage::check_leaf_purpose(leaf, profile.usage);
    record.step(0, CheckName::ExtendedKeyUsage, purpose)?;
    record.step(0, CheckName::KeyUsage, usage::check_leaf_key_usage(leaf, profile.usage))?;
    record.step(0, CheckName::BasicConstraints, usage::check_leaf_is_no_ca(leaf, profile))?;
    match usage::check_leaf_key(leaf, profile) {
        Ok((key, sentence)) => {
            record.passed(0, CheckName::Key, sentence);
            Ok(key)
        }
        Err(error) => Err(record.failed(0, CheckName::Key, error)),
    }
}

fn check_issuers(
    input: &PathInput<'_>,
    path: &[&Certificate],
    record: &mut Record,
) -> Result<(), PathError> {
    let usage = input.profile.usage;
    for (at, issuer) in path.iter().enumerate().skip(1) {
        record.step(at, CheckName::Key, usage::check_issuer_key(issuer, usage))?;
        let purpose = usage::check_issuer_purpose(issuer, usage);
        record.step(at, CheckName::ExtendedKeyUsage, purpose)?;
    }
    Ok(())
}

fn check_revocation(
    input: &PathInput<'_>,
    path: &[&Certificate],
    issued: &Issued,
    comparisons: &mut Comparisons,
    record: &mut Record,
) -> Result<Vec<RevocationStatus>, PathError> {
    let mut statuses = Vec::with_capacity(path.len());
    for at in 0..path.len().saturating_sub(1) {
        match revocation::status(input, path, at, issued, comparisons) {
            Ok(status) => {
                match status {
                    RevocationStatus::Good { .. } | RevocationStatus::RevokedSince { .. } => {
                        record.passed(at, CheckName::Revocation, status.to_string());
                    }
                    _ => record.not_asked(at, CheckName::Revocation, status.to_string()),
                }
                statuses.push(status);
            }
            Err(error) => return Err(record.failed(at, CheckName::Revocation, error)),
        }
    }
    let last = path.len().saturating_sub(1);
    record.not_asked(last, CheckName::Revocation, "only an officer can revoke an anchor");
    statuses.push(RevocationStatus::Anchor);
    Ok(statuses)
}
