//! What name constraints and policies cost: every name is compared with every subtree, and every
//! policy with every policy above. Hostile certificates make that quadratic, so it has a budget.

use x509_cert::ext::pkix::{CertificatePolicies, NameConstraints, PolicyMappings};

use super::Certificate;
use super::error::{Limit, PathError, Violation};
use super::name_constraints;
use super::rfc5280::violation;

/// Comparisons that one search may cost. A CA with 200 subtrees stays within it.
const MOST: usize = 50_000;

/// What is left of the budget of one search.
pub(super) struct Comparisons {
    left: usize,
}

impl Comparisons {
    /// The whole budget.
    pub(super) fn new() -> Self {
        Comparisons { left: MOST }
    }
}

/// Pays for the names and policies of `path`, leaf first.
pub(super) fn spend(path: &[&Certificate], budget: &mut Comparisons) -> Result<(), PathError> {
    let (mut subtrees, mut policies, mut cost) = (0_usize, 0_usize, 0_usize);
    for certificate in path.iter().rev() {
        let malformed = |_| violation(certificate, Violation::Encoding);
        let constraints = certificate.extension::<NameConstraints>().map_err(malformed)?;
        let own_subtrees =
            constraints.as_ref().map_or(0, |all| name_constraints::subtrees(all).count());
        let own_policies = certificate
            .extension::<CertificatePolicies>()
            .map_err(malformed)?
            .map_or(0, |all| all.0.len());
        let mappings = certificate
            .extension::<PolicyMappings>()
            .map_err(malformed)?
            .map_or(0, |all| all.0.len());
        let names = certificate
            .general_names()
            .len()
            .saturating_add(certificate.tbs().subject().len())
            .saturating_add(own_subtrees);
        let own_policies = own_policies.saturating_add(mappings);
        policies = policies.saturating_add(own_policies);
        subtrees = subtrees.saturating_add(own_subtrees);
        cost = cost
            .saturating_add(names.saturating_mul(subtrees))
            .saturating_add(own_policies.saturating_mul(policies));
    }
    budget.left = budget.left.checked_sub(cost).ok_or(PathError::Budget(Limit::Comparisons))?;
    Ok(())
}
