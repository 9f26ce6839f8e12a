//! DER by hand, and the time stamps of the instance (RFC 3161, section 2.4.2).

use const_oid::ObjectIdentifier;
use der::Encode as _;
use rcgen::SigningKey as _;

use super::instance::{Entity, sha256};
use crate::time::UnixTime;

/// One element around these parts.
pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match u16::try_from(content.len()).unwrap() {
        short @ 0..0x80 => vec![u8::try_from(short).unwrap()],
        long => [&[0x82][..], &long.to_be_bytes()].concat(),
    };
    // DER wants the shortest form of the length.
    let length = match length.as_slice() {
        [0x82, 0, short] => vec![0x81, *short],
        _ => length,
    };
    [&[tag][..], &length, &content].concat()
}

/// What is inside of an element.
pub(super) fn content(element: &[u8]) -> &[u8] {
    &element[header(element)..]
}

/// The first of several elements.
pub(super) fn first_element(elements: &[u8]) -> &[u8] {
    let header = header(elements);
    let length = match elements[1] {
        short @ 0..0x80 => usize::from(short),
        _ => elements[2..header].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    };
    &elements[..header + length]
}

fn header(element: &[u8]) -> usize {
    match element[1] {
        0..0x80 => 2,
        long => 2 + usize::from(long & 0x7f),
    }
}

/// A certificate in PEM, as Rekor keeps it.
pub(super) fn pem(certificate: &[u8]) -> String {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, certificate).unwrap()
}

fn oid(text: &str) -> Vec<u8> {
    text.parse::<ObjectIdentifier>().unwrap().to_der().unwrap()
}

/// A token of this time, in seconds, over `signature`.
pub(super) fn token(authority: &Entity, time: i64, signature: &[u8]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| der(0x30, parts);
    let sha_256 = sequence(&[&oid("2.16.840.1.101.3.4.2.1")]);
    let imprint = sequence(&[&sha_256, &der(4, &[&sha256(&[signature])])]);
    let time: String = UnixTime(time).to_string().chars().filter(|c| !"-T:".contains(*c)).collect();
    let (one, three) = (der(2, &[&[1]]), der(2, &[&[3]]));
    let policy = oid("1.3.6.1.4.1.99999.1");
    let info = sequence(&[&one, &policy, &imprint, &one, &der(0x18, &[time.as_bytes()])]);
    let content_type = oid("1.2.840.113549.1.9.16.1.4");
    let attribute = |kind: &str, value: &[u8]| sequence(&[&oid(kind), &der(0x31, &[value])]);
    let attributes = [
        attribute("1.2.840.113549.1.9.3", &content_type),
        attribute("1.2.840.113549.1.9.4", &der(4, &[&sha256(&[&info])])),
    ]
    .concat();
    let signed = authority.key.sign(&der(0x31, &[&attributes])).unwrap();
    let decoded: x509_cert::Certificate = der::Decode::from_der(&authority.der).unwrap();
    let tbs = decoded.tbs_certificate();
    let place =
        sequence(&[&tbs.issuer().to_der().unwrap(), &tbs.serial_number().to_der().unwrap()]);
    let signer = sequence(&[
        &one,
        &place,
        &sha_256,
        &der(0xa0, &[&attributes]),
        &sequence(&[&oid("1.2.840.10045.4.3.2")]),
        &der(4, &[&signed]),
    ]);
    let data = sequence(&[
        &three,
        &der(0x31, &[&sha_256]),
        &sequence(&[&content_type, &der(0xa0, &[&der(4, &[&info])])]),
        &der(0x31, &[&signer]),
    ]);
    sequence(&[&oid("1.2.840.113549.1.7.2"), &der(0xa0, &[&data])])
}
