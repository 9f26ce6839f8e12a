//! Rules that contradict each other: a policy that could never be met is an error when it is read
//! and not a refusal years later.

use std::collections::BTreeSet;

use super::error::{Place, PolicyError, PolicyErrorKind};
use super::raw::{Located, RawMethod, RawPolicy, RawSigner};
use super::{Method, SignerRule};
use crate::hash::Sha256Digest;

/// Checks that whatever asks for a trusted timestamp can get one.
pub(super) fn check_times(policy: &RawPolicy) -> Result<(), PolicyError> {
    let time = &policy.time;
    if !time.timestamp_anchors.is_empty() {
        return Ok(());
    }
    let fail = |place: &Place, cause| {
        Err(place.clone().error(PolicyErrorKind::NoTimestampAnchors { cause }))
    };
    let is_sigstore = |signer: &RawSigner| matches!(signer.method, RawMethod::Sigstore { .. });
    let is_key = |signer: &RawSigner| matches!(signer.method, RawMethod::Key { .. });
    // Sigstore brings its own trusted time, and no other method does.
    if !policy.all_signers().all(is_sigstore) {
        if let Some(Located { value: true, place }) = &time.require_timestamp {
            return fail(place, "a required timestamp");
        }
        for excuse in [&time.expired_certificates, &time.revoked_certificates] {
            match excuse {
                Some(Located { value, place }) if value.is_excused() => {
                    return fail(place, "\"with-timestamp\"");
                }
                _ => {}
            }
        }
    }
    for signer in policy.all_signers().filter(|signer| is_key(signer)) {
        if let Some(age) = signer.max_signature_age.as_ref().or(time.max_signature_age.as_ref()) {
            return fail(&age.place, "the age of a signature by the method \"key\"");
        }
    }
    Ok(())
}

/// Checks that the rules could admit as many distinct signers as are required.
pub(super) fn check_threshold(
    require: &Located<usize>,
    rules: &[SignerRule],
) -> Result<(), PolicyError> {
    let mut keys: BTreeSet<Sha256Digest> = BTreeSet::new();
    let mut most = 0usize;
    for rule in rules {
        let admits = match &rule.method {
            Method::Key { key, .. } => Some(usize::from(keys.insert(key.fingerprint()))),
            Method::Certificate { identity, .. } => identity.most_signers(),
            Method::Sigstore { identity, .. } => (!identity.has_wildcard()).then_some(1),
        };
        let Some(admits) = admits else { return Ok(()) };
        most = most.saturating_add(admits);
    }
    if require.value <= most {
        return Ok(());
    }
    Err(require.place.clone().error(PolicyErrorKind::Unreachable { require: require.value, most }))
}
