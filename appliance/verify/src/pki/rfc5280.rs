//! RFC 5280, section 6.1, by the library `certval`; the only module that knows it.
//!
//! What it gets: one path, already found, its time, and a signature check that is ours. What it
//! does not get: a store, a search, revocation, or a clock. It checks names, name constraints,
//! basic constraints, path length, key usage, policies and critical extensions, and the
//! signatures again. It requires keyUsage of every issuer, which is stricter than the standard.

use std::sync::Arc;

use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, Error, PDVCertificate,
    PDVTrustAnchorChoice, PathValidationStatus, PkiEnvironment, TimeOfInterest,
    enforce_trust_anchor_constraints, validate_path_rfc5280,
};
use der::asn1::BitString;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::Certificate;
use super::error::{PathError, Violation};
use super::signature::{SignatureChecks, SignatureError};
use crate::time::UnixTime;

/// Validates `path`, leaf first, under `anchor`, whose constraints hold too (RFC 5937).
///
/// When the anchor is the leaf itself, it is not asked to be a CA.
pub(super) fn check(
    path: &[&Certificate],
    anchor: &Certificate,
    time: UnixTime,
    checks: &Arc<SignatureChecks>,
) -> Result<(), PathError> {
    let (leaf, intermediates) = path.split_first().ok_or(PathError::Empty)?;
    if *leaf != anchor && !anchor.is_ca() {
        return Err(violation(anchor, Violation::NotCa));
    }
    let malformed = |certificate: &Certificate| violation(certificate, Violation::Encoding);

    let library_anchor =
        PDVTrustAnchorChoice::try_from(anchor.der()).map_err(|_| malformed(anchor))?;
    // The library orders intermediates from the anchor to the leaf.
    let library_path: Vec<PDVCertificate> = intermediates
        .iter()
        .rev()
        .map(|c| PDVCertificate::try_from(c.der()).map_err(|_| malformed(c)))
        .collect::<Result<_, _>>()?;
    let target = PDVCertificate::try_from(leaf.der()).map_err(|_| malformed(leaf))?;

    let mut settings = settings(time);
    if *leaf != anchor {
        settings = enforce_trust_anchor_constraints(&settings, &library_anchor)
            .map_err(|error| violation(anchor, anchor_violation(&error)))?;
    }
    let environment = environment(checks);
    let candidate = CertificationPath::new(library_anchor, library_path, target);
    let mut results = CertificationPathResults::new();
    let outcome = validate_path_rfc5280(&environment, &settings, &candidate, &mut results);
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => {
            let at_fault = at_fault(path, anchor, results.get_failure_index());
            Err(failure(at_fault, &error))
        }
    }
}

/// The inputs of RFC 5280, section 6.1.1, with the anchor's constraints and validity in force.
fn settings(time: UnixTime) -> CertificationPathSettings {
    let mut settings = CertificationPathSettings::new();
    // Zero would mean no check to the library, and it knows no time before 1970; our own check of
    // every validity period has been made before.
    let moment = u64::try_from(time.0).ok().and_then(|s| TimeOfInterest::from_unix_secs(s).ok());
    settings.set_time_of_interest(moment.unwrap_or_else(TimeOfInterest::disabled));
    settings.set_enforce_trust_anchor_constraints(true);
    settings.set_enforce_trust_anchor_validity(true);
    // There is no store: the anchor comes with the path. With a store the library would accept
    // any leaf that has an anchor's key, unchecked.
    settings.set_require_ta_store(false);
    settings
}

/// An environment that can check signatures and nothing else.
fn environment(checks: &Arc<SignatureChecks>) -> PkiEnvironment {
    let checks = Arc::clone(checks);
    let mut environment = PkiEnvironment::new();
    environment.add_verify_signature_message_callback(
        move |_: &PkiEnvironment,
              message: &[u8],
              signature: &BitString,
              algorithm: &AlgorithmIdentifierOwned,
              spki: &SubjectPublicKeyInfoOwned| {
            // The search has checked these very signatures: none of them counts twice.
            checks.check(message, signature, algorithm, spki).map_err(|_: SignatureError| {
                Error::PathValidation(PathValidationStatus::SignatureVerificationFailure)
            })
        },
    );
    environment
}

/// The certificate that the library means by `index`: 0 is the anchor, then towards the leaf.
fn at_fault<'a>(
    path: &[&'a Certificate],
    anchor: &'a Certificate,
    index: Option<u32>,
) -> &'a Certificate {
    let leaf = path.first().copied().unwrap_or(anchor);
    let Some(index) = index.and_then(|index| usize::try_from(index).ok()) else { return leaf };
    match index {
        0 => anchor,
        _ => path.len().checked_sub(index).and_then(|at| path.get(at)).copied().unwrap_or(leaf),
    }
}

fn violation(certificate: &Certificate, violation: Violation) -> PathError {
    PathError::Rfc5280 { subject: certificate.subject(), violation }
}

fn failure(certificate: &Certificate, error: &Error) -> PathError {
    use PathValidationStatus as Status;
    let Error::PathValidation(status) = error else {
        return violation(certificate, Violation::Other);
    };
    let rule = match status {
        Status::SignatureVerificationFailure => {
            return PathError::BadSignature { subject: certificate.subject() };
        }
        Status::NameChainingFailure => Violation::NameChaining,
        Status::MissingBasicConstraints | Status::InvalidBasicConstraints => Violation::NotCa,
        Status::InvalidPathLength => Violation::PathLength,
        Status::InvalidKeyUsage => Violation::KeyUsage,
        Status::NameConstraintsViolation => Violation::NameConstraints,
        Status::NullPolicySet | Status::InvalidPolicyMapping => Violation::Policy,
        Status::UnprocessedCriticalExtension => Violation::CriticalExtension,
        Status::EncodingError => Violation::Encoding,
        _ => Violation::Other,
    };
    violation(certificate, rule)
}

/// What the library holds against an anchor's own constraints.
fn anchor_violation(error: &Error) -> Violation {
    match error {
        Error::PathValidation(PathValidationStatus::InvalidKeyUsage) => Violation::KeyUsage,
        Error::PathValidation(PathValidationStatus::EncodingError) => Violation::Encoding,
        Error::Unrecognized => Violation::CriticalExtension,
        _ => Violation::Other,
    }
}
