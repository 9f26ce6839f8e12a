//! `TSTInfo` (RFC 3161, section 2.4.2): what the authority says, about which data, at what time.

use der::asn1::{IntRef, ObjectIdentifier, OctetStringRef};
use der::{AnyRef, DateTime, Decode, Sequence, Tag, Tagged};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;

use super::{Part, TimestampError};
use crate::pki::Certificate;
use crate::time::UnixTime;

#[derive(Sequence)]
struct Raw<'a> {
    version: u8,
    policy: ObjectIdentifier,
    imprint: Imprint<'a>,
    serial_number: IntRef<'a>,
    /// GeneralizedTime with a fraction, which the certificates' profile of the type has not.
    time: AnyRef<'a>,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    #[asn1(optional = "true")]
    nonce: Option<IntRef<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    authority: Option<GeneralName>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// `MessageImprint`.
#[derive(Sequence)]
struct Imprint<'a> {
    algorithm: AlgorithmIdentifierOwned,
    digest: &'a OctetStringRef,
}

/// `Accuracy`.
#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// The content of a token, with nothing in it that would have to be understood and is not.
pub(super) struct Info<'a>(Raw<'a>);

/// Between which moments the time stamp was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StampedTime {
    /// `genTime`, rounded down to a second.
    pub(super) earliest: UnixTime,
    /// `genTime` and the claimed accuracy, rounded up to a second.
    pub(super) latest: UnixTime,
}

impl<'a> Info<'a> {
    /// Reads version 1 without critical extensions, none of which are defined.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, TimestampError> {
        let raw = Raw::from_der(der).or(Err(TimestampError::Malformed(Part::Info)))?;
        if raw.version != 1 {
            return Err(TimestampError::Malformed(Part::Info));
        }
        let critical = raw.extensions.iter().flatten().find(|extension| extension.critical);
        if let Some(extension) = critical {
            return Err(TimestampError::CriticalExtension(extension.extn_id));
        }
        Ok(Info(raw))
    }

    /// Checks that the authority which is named, if one is, has `certificate`.
    pub(super) fn check_authority(&self, certificate: &Certificate) -> Result<(), TimestampError> {
        match &self.0.authority {
            Some(name) if !certificate.bears(name) => {
                Err(TimestampError::OtherAuthority { subject: certificate.subject() })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the time stamp is over `data`.
    pub(super) fn check_imprint(&self, data: &[u8]) -> Result<(), TimestampError> {
        let Imprint { algorithm, digest: stamped } = &self.0.imprint;
        let digest = digest(algorithm, data)?;
        if digest == stamped.as_bytes() { Ok(()) } else { Err(TimestampError::OtherData) }
    }

    /// When it was made.
    pub(super) fn time(&self) -> Result<StampedTime, TimestampError> {
        const MICROS: u64 = 1_000_000;
        let (seconds, fraction) =
            generalized_time(self.0.time).ok_or(TimestampError::Malformed(Part::Time))?;
        let accuracy = match &self.0.accuracy {
            None => 0,
            Some(accuracy) => accuracy.micros().ok_or(TimestampError::Malformed(Part::Accuracy))?,
        };
        let late = accuracy.saturating_add(fraction).div_ceil(MICROS);
        let late = i64::try_from(late).unwrap_or(i64::MAX);
        Ok(StampedTime {
            earliest: UnixTime(seconds),
            latest: UnixTime(seconds.saturating_add(late)),
        })
    }
}

impl Accuracy {
    /// The whole of it in microseconds; `None` when a part is not between 1 and 999.
    fn micros(&self) -> Option<u64> {
        let part = |value: Option<u16>| match value {
            None => Some(0),
            Some(value) => Some(u64::from(value)).filter(|value| (1..=999).contains(value)),
        };
        let seconds = u64::from(self.seconds.unwrap_or(0)).checked_mul(1_000_000)?;
        let millis = part(self.millis)?.checked_mul(1000)?;
        seconds.checked_add(millis)?.checked_add(part(self.micros)?)
    }
}

/// The digest of `data` by a hash of SHA-2 without parameters.
pub(super) fn digest(
    algorithm: &AlgorithmIdentifierOwned,
    data: &[u8],
) -> Result<Vec<u8>, TimestampError> {
    use const_oid::db::rfc5912::{ID_SHA_256, ID_SHA_384, ID_SHA_512};
    let plain = algorithm.parameters.as_ref().is_none_or(|any| any.is_null());
    match algorithm.oid {
        ID_SHA_256 if plain => Ok(Sha256::digest(data).to_vec()),
        ID_SHA_384 if plain => Ok(Sha384::digest(data).to_vec()),
        ID_SHA_512 if plain => Ok(Sha512::digest(data).to_vec()),
        other => Err(TimestampError::Hash(other)),
    }
}

/// Reads `YYYYMMDDhhmmss[.f...]Z` as DER has it (X.690, section 11.7): seconds since 1970, and the
/// fraction in microseconds, rounded up.
fn generalized_time(any: AnyRef<'_>) -> Option<(i64, u64)> {
    if any.tag() != Tag::GeneralizedTime {
        return None;
    }
    let text = std::str::from_utf8(any.value()).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        None => (text, ""),
        Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some(parts) => parts,
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let two = |at: usize| whole.get(at..at.checked_add(2)?)?.parse::<u8>().ok();
    let year = whole.get(..4)?.parse().ok()?;
    let date = DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?).ok()?;
    let seconds = i64::try_from(date.unix_duration().as_secs()).ok()?;
    let (micros, rest) = fraction.split_at_checked(6).unwrap_or((fraction, ""));
    let micros = format!("{micros:0<6}").parse::<u64>().ok()?;
    Some((seconds, micros.saturating_add(u64::from(!rest.is_empty()))))
}
