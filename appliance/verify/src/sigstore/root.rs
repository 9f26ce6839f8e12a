//! The trusted root of a Sigstore instance: its authorities and logs, each with the time in which
//! it counts (`TrustedRoot` of Sigstore's protobuf-specs).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use sigstore_verify::Verifier;
use sigstore_verify::crypto::VerificationKey;
use sigstore_verify::trust_root::{CertificateAuthority, TrustedRoot as Library};
use sigstore_verify::types::{TimeRange, TsaAuthority};

use super::TrustedRootError;
use crate::hash::Sha256Digest;
use crate::json;
use crate::pki::{Anchor, Certificate, Purpose};
use crate::time::UnixTime;

/// Bytes of a trusted root. The public-good one has 6 KiB.
const ROOT_LIMIT: usize = 1 << 20;
/// Nesting of its JSON.
const ROOT_DEPTH: usize = 16;

/// The media types that are read.
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

/// A trusted root that was installed by an officer or built in. Cheap to clone.
#[derive(Clone)]
pub struct TrustedRoot {
    /// The name by which policies refer to it.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    parsed: Arc<Parsed>,
}

/// What a trusted root holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRootSummary {
    /// The subjects of the certificate authorities' roots (RFC 4514).
    pub authorities: Vec<String>,
    /// The identifiers of the transparency logs, in hexadecimal digits.
    pub logs: Vec<String>,
    /// How many authorities of time stamps there are.
    pub timestamp_authorities: usize,
}

struct Parsed {
    verifier: Verifier,
    authorities: Vec<Authority>,
    logs: BTreeMap<[u8; 32], Log>,
    timestamping: Vec<TsaAuthority>,
}

/// A certificate authority: Fulcio.
pub(super) struct Authority {
    pub(super) anchor: Anchor,
    pub(super) intermediates: Vec<Certificate>,
    window: Window,
}

/// A transparency log: Rekor.
pub(super) struct Log {
    pub(super) key: VerificationKey,
    window: Window,
}

/// `validFor`: both ends included, open where absent.
#[derive(Clone, Copy)]
struct Window(Option<TimeRange>);

impl Window {
    fn contains(self, time: UnixTime) -> bool {
        let Ok(time) = Timestamp::from_second(time.0) else { return false };
        self.0.is_none_or(|range| range.contains(time))
    }

    /// The last moment that counts; `None` when no end is known.
    fn end(self) -> Option<UnixTime> {
        self.0?.end.map(|end| UnixTime(end.as_second()))
    }
}

impl Authority {
    pub(super) fn is_valid_at(&self, time: UnixTime) -> bool {
        self.window.contains(time)
    }
}

impl Log {
    pub(super) fn is_valid_at(&self, time: UnixTime) -> bool {
        self.window.contains(time)
    }
}

impl TrustedRoot {
    /// Reads the JSON of a trusted root, which policies will call `name`.
    ///
    /// # Errors
    /// When the bytes are not strict JSON of a trusted root, it names no certificate authority or
    /// no transparency log, or something in it cannot be used.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, TrustedRootError> {
        if bytes.len() > ROOT_LIMIT {
            return Err(TrustedRootError::TooLarge { size: bytes.len(), limit: ROOT_LIMIT });
        }
        let Header { media_type } = json::from_slice(bytes, ROOT_DEPTH)?;
        if !MEDIA_TYPES.contains(&&*media_type) {
            return Err(TrustedRootError::MediaType(media_type.chars().take(128).collect()));
        }
        let library = str::from_utf8(bytes)
            .map_err(unusable)
            .and_then(|text| Library::from_json(text).map_err(unusable))?;
        if library.certificate_authorities.is_empty() {
            return Err(TrustedRootError::Nothing("certificate authority"));
        }
        if library.tlogs.is_empty() {
            return Err(TrustedRootError::Nothing("transparency log"));
        }
        let authorities = library.certificate_authorities.iter();
        let authorities =
            authorities.map(|ca| Authority::new(name, ca)).collect::<Result<_, _>>()?;
        let parsed = Parsed {
            // Refuses keys and certificates that it cannot use, doubled logs, and windows that end
            // before they begin.
            verifier: Verifier::new(&library).map_err(unusable)?,
            authorities,
            logs: logs(&library)?,
            timestamping: timestamping(&library),
        };
        let name = name.to_owned();
        Ok(TrustedRoot { name, sha256: Sha256Digest::of(bytes), parsed: Arc::new(parsed) })
    }

    /// What is in it, for people.
    pub fn summary(&self) -> TrustedRootSummary {
        let Parsed { authorities, logs, timestamping, .. } = &*self.parsed;
        TrustedRootSummary {
            authorities: authorities.iter().map(|ca| ca.anchor.certificate.subject()).collect(),
            logs: logs.keys().map(|id| Sha256Digest(*id).to_hex()).collect(),
            timestamp_authorities: timestamping.len(),
        }
    }

    /// The last moment for which any certificate authority vouches. What was signed until then
    /// still counts afterwards; nothing later does, until the instance's newer root is installed.
    pub fn vouches_until(&self) -> UnixTime {
        let end = |authority: &Authority| {
            let not_after = authority.anchor.certificate.not_after();
            authority.window.end().map_or(not_after, |end| end.min(not_after))
        };
        self.parsed.authorities.iter().map(end).max().unwrap_or(UnixTime(i64::MIN))
    }

    pub(super) fn verifier(&self) -> &Verifier {
        &self.parsed.verifier
    }

    pub(super) fn authorities(&self) -> &[Authority] {
        &self.parsed.authorities
    }

    pub(super) fn log(&self, id: &[u8; 32]) -> Option<&Log> {
        self.parsed.logs.get(id)
    }

    pub(super) fn timestamping(&self) -> &[TsaAuthority] {
        &self.parsed.timestamping
    }
}

impl fmt::Debug for TrustedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedRoot({:?} {})", self.name, self.sha256)
    }
}

/// What is read before the library reads the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    media_type: String,
}

impl Authority {
    /// The last certificate of the authority's chain is the anchor.
    fn new(root: &str, authority: &CertificateAuthority) -> Result<Self, TrustedRootError> {
        let mut chain = authority
            .cert_chain
            .certificates
            .iter()
            .map(|entry| Certificate::from_der(entry.raw_bytes.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let anchor = chain.pop().ok_or(TrustedRootError::Nothing("certificate of an authority"))?;
        let anchor = Anchor {
            name: root.to_owned(),
            purposes: BTreeSet::from([Purpose::Sigstore]),
            provenance: authority.uri.clone(),
            file_sha256: Sha256Digest::of(anchor.der()),
            certificate: anchor,
        };
        Ok(Authority { anchor, intermediates: chain, window: Window(authority.valid_for) })
    }
}

fn logs(root: &Library) -> Result<BTreeMap<[u8; 32], Log>, TrustedRootError> {
    root.tlogs
        .iter()
        .map(|log| {
            let id = log.log_id.key_id.as_bytes().try_into().map_err(unusable)?;
            let key = VerificationKey::from_spki(&log.public_key.raw_bytes).map_err(unusable)?;
            Ok((id, Log { key, window: Window(log.public_key.valid_for) }))
        })
        .collect()
}

/// The authorities of time stamps. The first certificate of a chain signs, the last is the root.
fn timestamping(root: &Library) -> Vec<TsaAuthority> {
    let authority = |tsa: &sigstore_verify::trust_root::TimestampAuthority| {
        let certificates = tsa.cert_chain.certificates.as_slice();
        let (leaf, last) = (certificates.first()?, certificates.last()?);
        let between = certificates.get(1..certificates.len().saturating_sub(1)).unwrap_or_default();
        Some(TsaAuthority::new(
            leaf.raw_bytes.clone(),
            between.iter().map(|certificate| certificate.raw_bytes.clone()).collect(),
            last.raw_bytes.clone(),
            tsa.valid_for,
        ))
    };
    root.timestamp_authorities.iter().filter_map(authority).collect()
}

fn unusable(error: impl fmt::Display) -> TrustedRootError {
    TrustedRootError::Unusable(error.to_string().chars().take(256).collect())
}
