//! The inputs of certificate policy processing (RFC 5280, section 6.1.1, steps c to g), with what
//! the anchor says about policies (RFC 5937, section 3).

use certval::CertificationPathSettings;
use const_oid::db::rfc5280::ANY_POLICY;
use x509_cert::ext::pkix::{CertificatePolicies, InhibitAnyPolicy, PolicyConstraints};

use super::Certificate;
use super::error::{PathError, Violation};
use super::path::InitialPolicies;
use super::rfc5280::{policy_settings, violation};

/// The settings for `path`, leaf first, and how many of its certificates are processed: the
/// anchor is one of them when it limits the policies itself.
pub(super) fn settings(
    path: &[&Certificate],
    initial: Option<&InitialPolicies>,
) -> Result<(CertificationPathSettings, usize), PathError> {
    let none = InitialPolicies::default();
    let initial = initial.unwrap_or(&none);
    let (Some((anchor, below)), true) = (path.split_last(), path.len() > 1) else {
        return Ok((with(initial, false, false, false), path.len()));
    };
    if limits_policies(anchor)? {
        return Ok((with(initial, false, false, false), path.len()));
    }
    // A root asserts no policies of its own, which processing would take for none; its
    // constraints hold for what follows.
    let steps = below.iter().filter(|certificate| !certificate.is_self_issued()).count();
    let within = |skip: Option<u32>| {
        skip.is_some_and(|skip| usize::try_from(skip).is_ok_and(|skip| skip <= steps))
    };
    let constraints = anchor
        .extension::<PolicyConstraints>()
        .map_err(|_| violation(anchor, Violation::Encoding))?;
    let inhibit_any = anchor
        .extension::<InhibitAnyPolicy>()
        .map_err(|_| violation(anchor, Violation::Encoding))?
        .map(|inhibit| inhibit.0);
    let explicit = constraints.as_ref().and_then(|all| all.require_explicit_policy);
    let mapping = constraints.as_ref().and_then(|all| all.inhibit_policy_mapping);
    Ok((with(initial, within(explicit), within(mapping), within(inhibit_any)), below.len()))
}

fn with(
    initial: &InitialPolicies,
    explicit: bool,
    mapping: bool,
    any: bool,
) -> CertificationPathSettings {
    policy_settings(
        &initial.acceptable,
        initial.require_explicit || explicit,
        initial.inhibit_mapping || mapping,
        initial.inhibit_any || any,
    )
}

/// Whether the anchor names policies, and not every one.
fn limits_policies(anchor: &Certificate) -> Result<bool, PathError> {
    let policies = anchor
        .extension::<CertificatePolicies>()
        .map_err(|_| violation(anchor, Violation::Encoding))?;
    Ok(policies.is_some_and(|all| all.0.iter().all(|one| one.policy_identifier != ANY_POLICY)))
}
