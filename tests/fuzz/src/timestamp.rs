//! Time stamps by authorities (RFC 3161).

use oms_verify::budget::Budget;
use oms_verify::pki::{Anchor, Certificate, CrlSet, Purpose, Revocation, RevocationMode};
use oms_verify::time::UnixTime;
use oms_verify::timestamp::{TimestampTrust, verify};

use crate::pieces::split;

/// A token, the signature that it is about, and certificates that are trusted, in pieces; and all
/// of the input as a token.
pub fn timestamp(data: &[u8]) {
    let pieces = split(data);
    let mut pieces = pieces.into_iter();
    let (token, signature) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
    let anchors: Vec<Anchor> = pieces
        .filter_map(|piece| Certificate::from_der(piece).ok())
        .map(|certificate| Anchor {
            name: "authority".to_owned(),
            file_sha256: certificate.fingerprint(),
            certificate,
            purposes: [Purpose::Timestamping].into(),
            provenance: String::new(),
        })
        .collect();
    let trust = TimestampTrust {
        anchors: &anchors,
        crls: &CrlSet::default(),
        revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
        time: UnixTime(1_893_456_000),
        budget: &Budget::default(),
    };
    for token in [token, data] {
        match verify(token, signature, &trust) {
            Ok(stamp) => assert!(!anchors.is_empty() && stamp.time() <= trust.time),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
