//! The question that path validation answers, and the only way to a [`VerifiedPath`].

use const_oid::ObjectIdentifier;

use super::{
    Anchor, Certificate, CrlSet, PathError, Profile, Revocation, RevocationStatus, explain,
};
use crate::budget::Budget;
use crate::key::PublicKey;
use crate::time::UnixTime;

/// The inputs of RFC 5280, section 6.1.1, steps c to g.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitialPolicies {
    /// user-initial-policy-set; any policy when empty.
    pub acceptable: Vec<ObjectIdentifier>,
    /// initial-explicit-policy.
    pub require_explicit: bool,
    /// initial-policy-mapping-inhibit.
    pub inhibit_mapping: bool,
    /// initial-any-policy-inhibit.
    pub inhibit_any: bool,
}

/// A moment at which what the leaf signed is known to have existed, by the word of somebody who
/// is trusted to tell the time, and what the policy lets it excuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The moment.
    pub time: UnixTime,
    /// Whether a certificate may have expired since.
    pub excuses_expiry: bool,
    /// Whether a certificate may have been revoked since, for a reason that does not put its key
    /// in doubt.
    pub excuses_revocation: bool,
}

/// Everything that path validation depends on.
#[derive(Clone, Copy, Debug)]
pub struct PathInput<'a> {
    /// The leaf first; the rest is untrusted and in any order. The budget limits how many.
    pub chain: &'a [Certificate],
    /// More certificates that may be issuers, from the operator and not from the carrier: any
    /// number, each within the budget's size. Untrusted all the same.
    pub intermediates: &'a [Certificate],
    /// The anchors that may vouch for the leaf. The caller has chosen them by purpose.
    pub anchors: &'a [Anchor],
    /// The CRLs at hand, of any issuer.
    pub crls: &'a CrlSet,
    /// What to do about revocation.
    pub revocation: &'a Revocation,
    /// The validation time.
    pub time: UnixTime,
    /// A trusted time of the leaf's signature, if there is one.
    pub proof: Option<Proof>,
    /// What the work may cost.
    pub budget: &'a Budget,
    /// What the leaf is for.
    pub profile: Profile,
    /// What is asked of certificate policies; the defaults of the standard when absent.
    pub policies: Option<&'a InitialPolicies>,
}

/// A path that validated. Only [`validate`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedPath {
    pub(super) anchor: Anchor,
    pub(super) leaf: Certificate,
    pub(super) key: PublicKey,
    /// Leaf to anchor, with what is known about each certificate's revocation.
    pub(super) certificates: Vec<Certificate>,
    pub(super) revocation: Vec<RevocationStatus>,
}

impl VerifiedPath {
    /// The certificate that signs.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The leaf's key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The anchor that the path leads to.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// From the leaf to the anchor. A pinned self-signed leaf is both, and stands here once.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The revocation status of each of [`VerifiedPath::certificates`], in the same order.
    pub fn revocation(&self) -> &[RevocationStatus] {
        &self.revocation
    }
}

/// Finds a certification path from the leaf to an anchor and validates it (RFC 5280, section 6.1,
/// and the profile of the design, section 5).
///
/// # Errors
/// When no candidate path validates: the most telling of their errors. When the budget is used up
/// before every candidate was tried: [`PathError::Budget`].
pub fn validate(input: &PathInput<'_>) -> Result<VerifiedPath, PathError> {
    explain(input).into_result()
}
