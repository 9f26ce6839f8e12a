//! DSSE: the envelope and its pre-authentication encoding (DSSE v1.0, protocol.md).

use std::borrow::Cow;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE_IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope as it was read: the payload is an allegation until the signature is verified.
///
/// It holds the payload once, at the end of the message that is signed: a bundle may be large.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) message: Message,
}

/// A payload at the end of the message that is signed, its pre-authentication encoding: one copy
/// for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
    payload_start: usize,
}

impl Message {
    /// The message of an in-toto statement that is to be signed.
    pub fn of_statement(mut payload: Vec<u8>) -> Self {
        let start = pae_start(PAYLOAD_TYPE_IN_TOTO, payload.len());
        let payload_start = start.len();
        payload.splice(..0, start);
        Message { bytes: payload, payload_start }
    }

    /// What is signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload as it stands.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_start..).unwrap_or_default()
    }
}

/// Why an envelope is not one that OMS allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// the payload is not base64, or empty
    #[error("the payload is not base64 (RFC 4648, section 4)")]
    Payload,
    /// the signature is not base64, or empty
    #[error("the signature is not base64 (RFC 4648, section 4)")]
    Signature,
    /// there is not exactly one signature
    #[error("the envelope holds {0} signatures instead of one")]
    SignatureCount(usize),
}

/// The envelope in JSON. Unknown fields are refused, as the OMS schema says. Base64 is borrowed
/// from the input where it stands there without escapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawEnvelope<'a> {
    #[serde(borrow)]
    pub(crate) payload: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) payload_type: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "crate::json::at_most::<64, _, _>")]
    pub(crate) signatures: Vec<RawSignature<'a>>,
}

/// `keyid` may be absent, empty or null and is not used (OMS v1.0, section 4.1).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignature<'a> {
    #[serde(borrow)]
    pub(crate) sig: Cow<'a, str>,
    #[serde(default, rename = "keyid")]
    pub(crate) _keyid: Option<String>,
}

/// An envelope to be written. Base64 goes out as it is made, so that a payload is never held as
/// text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewEnvelope<'a> {
    #[serde(serialize_with = "as_base64")]
    payload: &'a [u8],
    payload_type: &'static str,
    signatures: [NewSignature<'a>; 1],
}

#[derive(Serialize)]
struct NewSignature<'a> {
    #[serde(serialize_with = "as_base64")]
    sig: &'a [u8],
    keyid: &'static str,
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

impl<'a> NewEnvelope<'a> {
    /// The envelope of an in-toto statement.
    pub(crate) fn new(payload: &'a [u8], signature: &'a [u8]) -> Self {
        let signatures = [NewSignature { sig: signature, keyid: "" }];
        NewEnvelope { payload, payload_type: PAYLOAD_TYPE_IN_TOTO, signatures }
    }
}

impl RawEnvelope<'_> {
    pub(crate) fn decode(self) -> Result<Envelope, EnvelopeError> {
        let [signature] = self.signatures.as_slice() else {
            return Err(EnvelopeError::SignatureCount(self.signatures.len()));
        };
        let signature = decode_some(&signature.sig).ok_or(EnvelopeError::Signature)?;
        let length = decoded_length(&self.payload).filter(|length| *length > 0);
        let length = length.ok_or(EnvelopeError::Payload)?;
        let mut bytes = pae_start(&self.payload_type, length);
        let payload_start = bytes.len();
        // The decoder asks for whole groups of three bytes.
        bytes.reserve_exact(length.saturating_add(2));
        STANDARD
            .decode_vec(self.payload.as_bytes(), &mut bytes)
            .ok()
            .filter(|()| bytes.len() - payload_start == length)
            .ok_or(EnvelopeError::Payload)?;
        let payload_type = self.payload_type.into_owned();
        Ok(Envelope { payload_type, signature, message: Message { bytes, payload_start } })
    }
}

/// Bytes that padded base64 stands for.
fn decoded_length(text: &str) -> Option<usize> {
    let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    (text.len() / 4).checked_mul(3)?.checked_sub(padding)
}

/// Encodes base64 with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes base64 that must not be empty.
pub(crate) fn decode_some(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// The bytes that are signed: `DSSEv1`, the lengths, the type and the payload.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = pae_start(payload_type, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// The encoding up to a payload of `length` bytes.
fn pae_start(payload_type: &str, length: usize) -> Vec<u8> {
    format!("DSSEv1 {} {payload_type} {length} ", payload_type.len()).into_bytes()
}

/// What version 0.2 of the Python implementation signed instead: `DSSEV1`, and the payload as
/// Python shows a `bytes` value. The length is the one of the payload before that.
pub(crate) fn pae_legacy(payload: &[u8]) -> Vec<u8> {
    // Python quotes with ' unless the value holds a ' and no ".
    let quote = if payload.contains(&b'\'') && !payload.contains(&b'"') { b'"' } else { b'\'' };
    let mut bytes =
        format!("DSSEV1 {} {PAYLOAD_TYPE_IN_TOTO} {} b", PAYLOAD_TYPE_IN_TOTO.len(), payload.len())
            .into_bytes();
    bytes.push(quote);
    for &byte in payload {
        match byte {
            b'\\' => bytes.extend(b"\\\\"),
            b'\t' => bytes.extend(b"\\t"),
            b'\n' => bytes.extend(b"\\n"),
            b'\r' => bytes.extend(b"\\r"),
            _ if byte == quote => bytes.extend([b'\\', quote]),
            0x20..0x7f => bytes.push(byte),
            _ => bytes.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    bytes.push(quote);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pae_is_the_one_of_the_dsse_protocol() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_message_is_the_encoding_of_its_payload() {
        for payload in [b"".as_slice(), b"x", b"0123456789"] {
            let message = Message::of_statement(payload.to_vec());
            assert_eq!(message.payload(), payload);
            assert_eq!(message.as_bytes(), pae(PAYLOAD_TYPE_IN_TOTO, payload));
        }
    }

    #[test]
    fn legacy_pae_shows_bytes_as_python_does() {
        let tail = |payload: &[u8]| {
            let bytes = pae_legacy(payload);
            String::from_utf8(bytes).unwrap().split_once(" b").unwrap().1.to_owned()
        };
        assert_eq!(tail(b"{\"a\": 'b'}\n"), r#"'{"a": \'b\'}\n'"#);
        assert_eq!(tail(b"it's"), r#""it's""#);
        assert_eq!(tail(b"\\\x00\x7f\xc3\xa9"), r"'\\\x00\x7f\xc3\xa9'");
    }

    #[test]
    fn exactly_one_signature() {
        let raw = |n: usize| RawEnvelope {
            payload: STANDARD.encode("x").into(),
            payload_type: "".into(),
            signatures: (0..n)
                .map(|_| RawSignature { sig: STANDARD.encode("s").into(), _keyid: None })
                .collect(),
        };
        assert!(raw(1).decode().is_ok());
        assert_eq!(raw(0).decode().unwrap_err(), EnvelopeError::SignatureCount(0));
        assert_eq!(raw(2).decode().unwrap_err(), EnvelopeError::SignatureCount(2));
    }

    #[test]
    fn an_envelope_holds_the_message_that_is_signed() {
        let decode = |payload: &str| {
            let text = format!(
                r#"{{"payload":"{payload}","payloadType":"t","signatures":[{{"sig":"cw=="}}]}}"#
            );
            let raw: RawEnvelope<'_> = crate::json::from_slice(text.as_bytes(), 8).unwrap();
            assert!(matches!(raw.payload, Cow::Borrowed(_)) != payload.contains('\\'), "{payload}");
            raw.decode()
        };
        for payload in ["x", "xy", "xyz", "wxyz", "???>>>"] {
            let envelope = decode(&STANDARD.encode(payload)).unwrap();
            assert_eq!(envelope.message.payload(), payload.as_bytes());
            assert_eq!(envelope.message.as_bytes(), pae("t", payload.as_bytes()));
        }
        assert_eq!(
            decode(&STANDARD.encode("???").replace('/', "\\/")).unwrap().message.payload(),
            b"???"
        );
        for bad in [
            "", "=", "==", "====", "eA", "eA=", "eA===", "eB==", "eHk", "e=Hk", "eHk=eHk=",
            "eHk\\n", "eH k",
        ] {
            assert_eq!(decode(bad).unwrap_err(), EnvelopeError::Payload, "{bad}");
        }
    }
}
