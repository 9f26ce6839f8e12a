//! Time stamps (RFC 3161): the word of a trusted authority that a signature existed at a moment.
//!
//! ```text
//!  token (hostile) ── Token::parse ──▶ authenticate: the certificate that signed the token
//!  anchors, CRLs, time ── pki::validate ──▶ path of the authority, now and at the stamped time
//!  signature ── messageImprint ──▶ TrustedTimestamp
//! ```
//!
//! A bundle's tokens count only under anchors that the policy names. What a token may then prove
//! is for the caller to say; see [`Proof`](crate::pki::Proof).

mod authenticate;
mod error;
mod info;
mod signing_certificate;
#[cfg(test)]
pub(crate) mod tests;
mod token;

pub use error::{Part, TimestampError};

use self::token::Token;
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::pki::{self, Anchor, CrlSet, PathError, PathInput, Profile, Revocation, VerifiedPath};
use crate::time::UnixTime;

/// What trust in a time stamping authority is decided with.
#[derive(Clone, Copy, Debug)]
pub struct TimestampTrust<'a> {
    /// The authorities' anchors, which the policy names.
    pub anchors: &'a [Anchor],
    /// The CRLs at hand. Those inside a token are not used.
    pub crls: &'a CrlSet,
    /// What to do about revocation of the authority's certificates.
    pub revocation: &'a Revocation,
    /// The validation time.
    pub time: UnixTime,
    /// What the work may cost.
    pub budget: &'a Budget,
}

/// A moment at which a signature existed, by the word of an authority that the policy trusts. Only
/// [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct TrustedTimestamp {
    time: UnixTime,
    sha256: Sha256Digest,
    path: Box<VerifiedPath>,
}

impl TrustedTimestamp {
    /// The moment at which the signature certainly existed: `genTime` plus the accuracy that the
    /// authority claims, in whole seconds, rounded up; never after the validation time.
    pub fn time(&self) -> UnixTime {
        self.time
    }

    /// SHA-256 of the token as it was found.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// The authority's distinguished name (RFC 4514).
    pub fn authority(&self) -> String {
        self.path.leaf().subject()
    }

    /// The name of the anchor that vouches for the authority.
    pub fn anchor(&self) -> &str {
        &self.path.anchor().name
    }

    /// The path from the authority's certificate to the anchor.
    pub fn path(&self) -> &VerifiedPath {
        &self.path
    }
}

/// Verifies `token`, a TimeStampToken or a TimeStampResp in DER, as a time stamp over the bytes
/// of `signature`.
///
/// The authority's certificates must be valid at the stamped time and at the validation time:
/// whoever gets the key of an expired certificate, which no CRL lists any more, could stamp any
/// time in its validity. For the same reason a revoked authority proves nothing, whatever the
/// reason for the revocation.
///
/// # Errors
/// The first rule of RFC 3161, RFC 5816 or RFC 5652 that it breaks, or why the authority is not
/// trusted.
pub fn verify(
    token: &[u8],
    signature: &[u8],
    trust: &TimestampTrust<'_>,
) -> Result<TrustedTimestamp, TimestampError> {
    let limit = trust.budget.timestamp_bytes;
    if token.len() > limit {
        return Err(TimestampError::TooLarge { size: token.len(), limit });
    }
    let parsed = Token::parse(token)?;
    let info = parsed.info()?;
    let certificates = parsed.certificates(trust.anchors);
    let authority = authenticate::authority(&parsed, &certificates)?;
    info.check_authority(authority)?;
    let stamped = info.time()?;
    if stamped.earliest > trust.time {
        return Err(TimestampError::Future { stamped: stamped.earliest, time: trust.time });
    }

    let others = parsed.certificates(&[]).into_iter().filter(|other| other != authority);
    let chain: Vec<_> = [authority.clone()].into_iter().chain(others).collect();
    let path = pki::validate(&PathInput {
        chain: &chain,
        intermediates: &[],
        anchors: trust.anchors,
        crls: trust.crls,
        revocation: trust.revocation,
        time: trust.time,
        proof: None,
        budget: trust.budget,
        profile: Profile::TIMESTAMPING,
        policies: None,
    })?;
    // Valid now and begun by then is valid then: the stamped time is not after now.
    if let Some(young) = path.certificates().iter().find(|c| stamped.earliest < c.not_before()) {
        let (subject, not_before) = (young.subject(), young.not_before());
        let time = stamped.earliest;
        return Err(PathError::NotYetValid { subject, not_before, time }.into());
    }
    info.check_imprint(signature)?;
    Ok(TrustedTimestamp {
        time: stamped.latest.min(trust.time),
        sha256: Sha256Digest::of(token),
        path: Box::new(path),
    })
}

/// What the tokens of one bundle come to.
#[derive(Clone, Debug, Default)]
pub struct Stamped {
    /// The earliest time stamp that can be trusted.
    pub trusted: Option<TrustedTimestamp>,
    /// Why the others cannot be, each with its place in the bundle, from 0.
    pub refused: Vec<(usize, TimestampError)>,
}

/// Verifies each of `tokens` as [`verify`] does. The earliest trusted one counts: each of them
/// proves that the signature existed at its time. One that is not trusted takes nothing away from
/// the others, since anybody could have added it.
pub fn earliest(tokens: &[Vec<u8>], signature: &[u8], trust: &TimestampTrust<'_>) -> Stamped {
    let mut stamped = Stamped::default();
    for (index, token) in tokens.iter().take(trust.budget.timestamps).enumerate() {
        match verify(token, signature, trust) {
            Ok(new) if stamped.trusted.as_ref().is_none_or(|old| new.time < old.time) => {
                stamped.trusted = Some(new);
            }
            Ok(_) => {}
            Err(error) => stamped.refused.push((index, error)),
        }
    }
    stamped
}
