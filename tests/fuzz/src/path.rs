//! Chains whose signatures are good: the input says what the certificates say, and each gets a
//! fixed key, the name of its issuer, and a signature. So the checks behind the signature are
//! reached, which no change of a signed certificate does.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _};
use oms_verify::pki::{Certificate, CrlSet};

use crate::certificate::{judge, look_at};
use crate::pieces::split;

/// Certificates in pieces, leaf first and the anchor last, to be signed anew.
pub fn path(data: &[u8]) {
    let pieces: Vec<Fields<'_>> =
        split(data).into_iter().take(KEYS).filter_map(Fields::of).collect();
    let mut certificates = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let issuer = pieces.get(at + 1).map_or((at, piece), |issuer| (at + 1, issuer));
        let Some(der) = piece.signed(at, issuer) else { return };
        let Ok(certificate) = Certificate::from_der(&der) else { return };
        look_at(&certificate);
        certificates.push(certificate);
    }
    judge(&certificates, CrlSet::default());
}

/// Fixed keys: for the leaf, for its issuer, and so on.
static PAIRS: LazyLock<Vec<Ed25519KeyPair>> = LazyLock::new(|| {
    let seeds = (1..).map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]));
    seeds.take(KEYS).filter_map(Result::ok).collect()
});

const KEYS: usize = 6;

/// The AlgorithmIdentifier of Ed25519 (RFC 8410, section 3).
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// The fields of a TBSCertificate (RFC 5280, section 4.1) in DER. Those from `subject` to the end
/// follow one another; the key among them is left out.
pub(crate) struct Fields<'a> {
    /// Version, if it is there, and serial number.
    head: Vec<&'a [u8]>,
    validity: &'a [u8],
    subject: &'a [u8],
    /// Unique identifiers and extensions.
    tail: Vec<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(certificate: &'a [u8]) -> Option<Self> {
        const VERSION: u8 = 0xa0;
        let tbs = elements(certificate)?.into_iter().next()?;
        let mut fields = elements(tbs)?.into_iter().peekable();
        let has_version = fields.peek()?.first() == Some(&VERSION);
        let head = fields.by_ref().take(if has_version { 2 } else { 1 }).collect();
        let (_algorithm, _issuer) = (fields.next()?, fields.next()?);
        let (validity, subject, _key) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Fields { head, validity, subject, tail: fields.collect() })
    }

    /// The certificate for the key with this number, by an issuer and the number of its key.
    pub(crate) fn signed(&self, key: usize, issuer: (usize, &Fields<'_>)) -> Option<Vec<u8>> {
        let public = PAIRS.get(key)?.public_key();
        let spki = sequence(&[ED25519, &bit_string(public.as_ref())?])?;
        let mut fields = self.head.clone();
        fields.extend([ED25519, issuer.1.subject, self.validity, self.subject, &spki]);
        fields.extend(&self.tail);
        let tbs = sequence(&fields)?;
        let signature = PAIRS.get(issuer.0)?.sign(&tbs);
        sequence(&[&tbs, ED25519, &bit_string(signature.as_ref())?])
    }
}

/// The elements of a SEQUENCE.
fn elements(der: &[u8]) -> Option<Vec<&[u8]>> {
    let sequence = AnyRef::from_der(der).ok().filter(|any| any.tag() == Tag::Sequence)?;
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes().ok()?);
    }
    Some(elements)
}

fn sequence(elements: &[&[u8]]) -> Option<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &elements.concat()).ok()?.to_der().ok()
}

fn bit_string(bytes: &[u8]) -> Option<Vec<u8>> {
    BitStringRef::from_bytes(bytes).ok()?.to_der().ok()
}
