//! Looks at the attestations of a model whose signed manifest is known: each is read once, and the
//! bytes that a rule accepts are the ones that are kept.

use std::sync::Arc;

use oms_sys::beneath::{BeneathError, RegularFile, Root};
use oms_verify::appraise::Admitted;
use oms_verify::attestation::{AttestationOutcome, AttestationSource, published_name};
use oms_verify::reason::{Class, Code, Reason};

use crate::intake::{Pulse, Quarantine, Reading, Source, alone, read_through, refusal_or_failure};
use crate::media::{Attestations, Candidate, InPlace, Lying};
use crate::pipeline::Terms;
use crate::progress::Progress;

/// Where a model's attestations may be.
#[derive(Clone, Copy, Debug)]
pub enum Whereabouts<'a> {
    /// On a carrier, with the candidate that is the model.
    Carrier(&'a Arc<Root>, &'a Candidate, &'a Attestations),
    /// Where they lie.
    InPlace(&'a InPlace),
}

impl<'a> Whereabouts<'a> {
    /// At most `most` of them and how many more there are, when the model is in the `other` place
    /// of this number. Those `beside` it are left out unless they are asked for.
    fn of(self, other: Option<usize>, beside: bool, most: usize) -> (Vec<Lying<'a>>, usize) {
        match self {
            Whereabouts::Carrier(root, candidate, all) => {
                all.of(root, candidate.place(other), beside, most)
            }
            Whereabouts::InPlace(files) => files.first(most),
        }
    }
}

/// What the policy makes of each attestation of the model that `admitted` lists and that is at
/// `source`, and how many more there are than it lets be looked at. The accepted ones are copied to
/// `copies`, if given.
///
/// Without an `[[attestation]]` in the policy, what lies beside a model is nobody's: only a signed
/// subject could tell whose.
///
/// # Errors
/// When carrier or station fail, so that nothing can be said about the model.
pub fn look_at(
    whereabouts: Whereabouts<'_>,
    other: Option<usize>,
    source: &Source,
    admitted: &Admitted,
    terms: Terms<'_>,
    copies: Option<&Quarantine>,
    reading: &Reading<'_>,
) -> Result<(Vec<AttestationOutcome>, usize), Reason> {
    let policy = &terms.trust.policy;
    let statement = admitted.statement();
    let beside = !policy.attestations.is_empty();
    let (files, mut left) = whereabouts.of(other, beside, policy.budget.attestations);
    let mut outcomes = Vec::with_capacity(files.len());
    let mut accepted = 0usize;
    let mut taken = 0u64;
    for Lying { root, path, in_model } in files {
        // What the manifest lists is a file of the model, whatever its name.
        if in_model.as_ref().is_some_and(|path| source.lists(statement.manifest(), path)) {
            continue;
        }
        if taken >= policy.budget.attestations_bytes {
            left = left.saturating_add(1);
            continue;
        }
        let file = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let place = AttestationSource { file, in_model };
        let limit = policy.budget.attestation_bytes;
        let read = {
            let (root, path) = (Arc::clone(root), path.clone());
            move |pulse: &Pulse| content(root.file(&path), &path, limit, pulse)
        };
        let read = alone(reading, read).map_err(|mut reason| {
            reason.file.get_or_insert(path);
            reason
        });
        let bytes = match read? {
            Ok(bytes) => bytes,
            Err(reason) => {
                outcomes.push(AttestationOutcome::unread(policy, place, reason));
                continue;
            }
        };
        taken = taken.saturating_add(bytes.len() as u64);
        let context = terms.context();
        let outcome = AttestationOutcome::of(policy, statement.root(), &bytes, place, &context);
        if let Some(attestation) = outcome.accepted() {
            accepted = accepted.saturating_add(1);
            if let Some(copies) = copies {
                let name = published_name(accepted, attestation.digest());
                copies.keep_attestation(&name, &bytes)?;
            }
        }
        outcomes.push(outcome);
    }
    Ok((outcomes, left))
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
