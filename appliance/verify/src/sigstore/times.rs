//! When a signature was made, by the word of a log or of a time stamping authority.

use std::fmt;

use sigstore_verify::tsa::verify_timestamp_for_authority;
use sigstore_verify::types::{SignatureBytes, TimestampToken};

use super::{Evidence, SigstoreError, TrustedRoot};
use crate::time::UnixTime;

/// Who told a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// A time stamping authority of the trusted root (RFC 3161).
    TimestampAuthority,
    /// A Rekor v1 log, when it took the entry in.
    Log,
}

/// In words.
impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeSource::TimestampAuthority => "time stamping authority",
            TimeSource::Log => "transparency log",
        })
    }
}

/// A moment at which the signature was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedTime {
    /// The moment.
    pub time: UnixTime,
    /// Who told it.
    pub source: TimeSource,
}

/// The times of all time stamps and log entries. Every time stamp must be good; the promises that
/// the times of entries stand in are left to the library.
///
/// # Errors
/// When a time stamp does not verify, a time is later than `now`, or there is none.
pub(super) fn collect(
    evidence: &Evidence,
    tokens: &[Vec<u8>],
    signature: &[u8],
    root: &TrustedRoot,
    now: UnixTime,
) -> Result<Vec<TrustedTime>, SigstoreError> {
    let mut times = Vec::new();
    for token in tokens {
        let time = stamped(token, signature, root)?;
        times.push(TrustedTime { time, source: TimeSource::TimestampAuthority });
    }
    for entry in evidence.entries() {
        let Some(time) = entry.promised_time() else { continue };
        times.push(TrustedTime { time, source: TimeSource::Log });
    }
    if times.is_empty() {
        return Err(SigstoreError::NoTime);
    }
    match times.iter().map(|found| found.time).max().filter(|latest| *latest > now) {
        Some(found) => Err(SigstoreError::Future { found, time: now }),
        None => Ok(times),
    }
}

/// The time in a token of one of the root's authorities, within the time that the authority has.
fn stamped(token: &[u8], signature: &[u8], root: &TrustedRoot) -> Result<UnixTime, SigstoreError> {
    let token = TimestampToken::from_bytes(token);
    let signature = SignatureBytes::from_bytes(signature);
    let mut problem = "the trusted root names no time stamping authority".to_owned();
    for authority in root.timestamping() {
        match verify_timestamp_for_authority(&token, &signature, authority) {
            Ok(time) => return Ok(UnixTime(time.as_second())),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(SigstoreError::Time(format!("a time stamp does not verify: {problem}")))
}
