//! Looks at the attestations of a model whose signed manifest is known: each is read once, and the
//! bytes that a rule accepts are the ones that are kept.

use std::sync::Arc;

use oms_sys::beneath::{BeneathError, RegularFile};
use oms_verify::appraise::Admitted;
use oms_verify::attestation::{AttestationOutcome, published_name};
use oms_verify::reason::{Class, Code, Reason};

use crate::intake::{Pulse, Reading, alone, read_through, refusal_or_failure};
use crate::media::Lying;
use crate::pipeline::{Access, Terms};
use crate::progress::Progress;

/// What the policy makes of each attestation of the model that `admitted` lists, and how many more
/// there are than it lets be looked at. The accepted ones are kept by `access`.
///
/// Without an `[[attestation]]` in the policy, what lies beside a model is nobody's: only a signed
/// subject could tell whose.
///
/// # Errors
/// When carrier or station fail, so that nothing can be said about the model.
pub fn look_at(
    access: &mut impl Access,
    admitted: &Admitted,
    terms: Terms<'_>,
) -> Result<(Vec<AttestationOutcome>, usize), Reason> {
    let policy = &terms.trust.policy;
    let budget = &policy.budget;
    let statement = admitted.statement();
    let beside = !policy.attestations.is_empty();
    let (places, mut left) = access.attestations(beside, budget.attestations)?;
    let mut outcomes = Vec::with_capacity(places.len());
    let mut accepted = 0usize;
    let mut taken = 0u64;
    for (number, place) in places.into_iter().enumerate() {
        if taken >= budget.attestations_bytes {
            left = left.saturating_add(1);
            continue;
        }
        let bytes = match access.attestation(number, budget.attestation_bytes)? {
            Ok(bytes) => bytes,
            Err(reason) => {
                outcomes.push(AttestationOutcome::unread(policy, place, reason));
                continue;
            }
        };
        taken = taken.saturating_add(bytes.as_ref().len() as u64);
        let context = terms.context();
        let root = statement.root();
        let outcome = AttestationOutcome::of(policy, root, bytes.as_ref(), place, &context);
        if let Some(attestation) = outcome.accepted() {
            accepted = accepted.saturating_add(1);
            access.keep_attestation(&published_name(accepted, attestation.digest()), bytes)?;
        }
        outcomes.push(outcome);
    }
    Ok((outcomes, left))
}

/// The bytes of an attestation, or why the model has none there.
///
/// # Errors
/// When what holds it fails.
pub fn read(
    lying: &Lying<'_>,
    limit: u64,
    reading: &Reading<'_>,
) -> Result<Result<Vec<u8>, Reason>, Reason> {
    let work = {
        let (root, path) = (Arc::clone(lying.root), lying.path.clone());
        move |pulse: &Pulse| content(root.file(&path), &path, limit, pulse)
    };
    alone(reading, work).map_err(|mut reason| {
        reason.file.get_or_insert_with(|| lying.path.clone());
        reason
    })
}

/// The bytes of an attestation, or why they are not at hand.
fn content(
    opened: Result<RegularFile, BeneathError>,
    path: &str,
    limit: u64,
    pulse: &Pulse,
) -> Result<Result<Vec<u8>, Reason>, Reason> {
    let file = match opened {
        Ok(file) => file,
        Err(error) => match refusal_or_failure(error, path) {
            refusal if refusal.code.class() == Class::Refusal => return Ok(Err(refusal)),
            failure => return Err(failure),
        },
    };
    if file.size() > limit {
        let detail = format!("the file has {} bytes, the limit is {limit}", file.size());
        return Ok(Err(Reason::new(Code::AttestationInvalid, detail)));
    }
    let mut bytes = Vec::new();
    let keep = |part: &[u8]| {
        bytes.extend_from_slice(part);
        pulse.go_on()
    };
    match read_through(&file, &Progress::hidden(), keep) {
        Ok(()) => Ok(Ok(bytes)),
        Err(changed) if changed.code == Code::MediaChanged => Ok(Err(changed)),
        Err(failure) => Err(failure.about(path)),
    }
}
