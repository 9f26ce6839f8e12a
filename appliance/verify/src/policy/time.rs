//! `[time]`: which word about a signature's time counts, and what for.

use crate::pki::Anchor;
use crate::time::Span;

/// Rules for the times of signatures. Without the table nothing is excused and any age passes.
#[derive(Clone, Debug, Default)]
pub struct TimeRules {
    /// The anchors of the time stamping authorities (RFC 3161) that count, all for timestamping.
    pub timestamp_anchors: Vec<Anchor>,
    /// Whether a signature by certificate needs a trusted time.
    pub require_timestamp: bool,
    /// What happens when a certificate has expired since it signed.
    pub expired_certificates: Afterwards,
    /// What happens when a certificate was revoked after it signed, for a reason that does not
    /// put its key in doubt.
    pub revoked_certificates: Afterwards,
    /// How old any signature may be; a signer's own limit counts as well.
    pub max_signature_age: Option<Span>,
}

/// What happens to a signature whose certificate lost its validity afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Afterwards {
    /// It is refused.
    #[default]
    Refuse,
    /// It passes when a trusted timestamp shows that it was made before.
    WithTimestamp,
}

impl Afterwards {
    /// Whether a trusted timestamp excuses it.
    pub fn is_excused(self) -> bool {
        self == Afterwards::WithTimestamp
    }
}
