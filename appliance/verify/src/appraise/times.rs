//! When a bundle was signed, by whose word, and what the policy makes of it.

use crate::bundle::{Bundle, Material};
use crate::pki::Proof;
use crate::policy::{Policy, SignerRule};
use crate::reason::{Code, Reason};
use crate::time::UnixTime;
use crate::timestamp::{self, Stamped, TimestampTrust, TrustedTimestamp};

use super::TrustContext;

/// A moment at which a signature existed, by the word of somebody whom the policy trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureTime {
    /// The moment.
    pub time: UnixTime,
    /// Whose word it is, such as `timestamp:CN=TSA,O=Corp (corp-tsa)`.
    pub source: String,
}

impl From<&TrustedTimestamp> for SignatureTime {
    fn from(timestamp: &TrustedTimestamp) -> Self {
        let source = format!("timestamp:{} ({})", timestamp.authority(), timestamp.anchor());
        SignatureTime { time: timestamp.time(), source }
    }
}

/// What the timestamps of one bundle come to under a policy. They are verified once, whatever the
/// number of rules, and only when the policy names authorities.
pub(crate) struct Timestamps {
    trusted: Option<TrustedTimestamp>,
    refused: Vec<Reason>,
}

impl Timestamps {
    /// Verifies the timestamps of `bundle` under the authorities that `policy` names. Those of a
    /// Sigstore bundle are for its trusted root to judge.
    pub(crate) fn of(policy: &Policy, bundle: &Bundle, context: &TrustContext<'_>) -> Self {
        let anchors = &policy.time.timestamp_anchors;
        if anchors.is_empty() || matches!(bundle.material(), Material::Sigstore(_)) {
            return Timestamps { trusted: None, refused: Vec::new() };
        }
        let trust = TimestampTrust {
            anchors,
            crls: context.crls,
            revocation: &policy.revocation,
            time: context.time,
            budget: &policy.budget,
        };
        let Stamped { trusted, refused } =
            timestamp::earliest(bundle.timestamps(), bundle.signature_bytes(), &trust);
        let refused = refused
            .into_iter()
            .map(|(index, error)| {
                let detail = format!("timestamp {index} of the bundle: {error}");
                Reason::new(error.code(), detail).by_rule("time.timestamp-anchors")
            })
            .collect();
        Timestamps { trusted, refused }
    }

    /// The earliest trusted time.
    pub(super) fn time(&self) -> Option<SignatureTime> {
        self.trusted.as_ref().map(SignatureTime::from)
    }

    /// What the earliest trusted time proves, and what it may excuse under the policy.
    pub(super) fn proof(&self, policy: &Policy) -> Option<Proof> {
        self.trusted.as_ref().map(|timestamp| Proof {
            time: timestamp.time(),
            excuses_expiry: policy.time.expired_certificates.is_excused(),
            excuses_revocation: policy.time.revoked_certificates.is_excused(),
        })
    }

    /// Why timestamps of the bundle `file` do not count.
    pub(super) fn refused(&self, file: &str) -> Vec<Reason> {
        self.refused.iter().map(|reason| reason.clone().by_default_about(file)).collect()
    }

    /// `reason`, and why no timestamp of the bundle helps against it.
    pub(super) fn with(&self, reason: Reason) -> Vec<Reason> {
        let mut reasons = vec![reason];
        if self.trusted.is_none() {
            reasons.extend(self.refused.iter().cloned());
        }
        reasons
    }

    /// Why a signature by certificate lacks the time that the policy requires.
    pub(super) fn missing(&self, policy: &Policy) -> Option<Vec<Reason>> {
        if !policy.time.require_timestamp || self.trusted.is_some() {
            return None;
        }
        if !self.refused.is_empty() {
            return Some(self.refused.clone());
        }
        let detail = "the bundle has no timestamp over its signature";
        let reason = Reason::new(Code::TimestampMissing, detail);
        Some(vec![reason.by_rule("time.require-timestamp")])
    }
}

/// From when a signature's age counts.
pub(super) enum Since {
    /// From a trusted time.
    Trusted(UnixTime),
    /// From the first moment of the certificate, which is never later than the signature.
    Certificate(UnixTime),
    /// From no known moment.
    Unknown,
}

/// Whether a signature is too old, by the rule or by the policy as a whole.
pub(super) fn check_age(
    policy: &Policy,
    rule: &SignerRule,
    since: &Since,
    now: UnixTime,
) -> Option<Reason> {
    let limits = [
        (rule.max_signature_age, format!("{}.max-signature-age", rule.name)),
        (policy.time.max_signature_age, "time.max-signature-age".to_owned()),
    ];
    limits.into_iter().find_map(|(limit, rule)| {
        let limit = limit?;
        let detail = match since {
            Since::Trusted(since) | Since::Certificate(since)
                if now.since(*since) <= limit.seconds =>
            {
                return None;
            }
            Since::Trusted(since) => format!("the signature is of {since}, more than {limit} ago"),
            Since::Certificate(since) => {
                format!("the certificate is valid since {since}, more than {limit} ago")
            }
            Since::Unknown => "no trusted time tells the signature's age".to_owned(),
        };
        Some(Reason::new(Code::SignatureTooOld, detail).by_rule(rule))
    })
}
