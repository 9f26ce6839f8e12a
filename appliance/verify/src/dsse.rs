//! DSSE: the envelope and its pre-authentication encoding (DSSE v1.0, protocol.md).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE_IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope as it was read: the payload is an allegation until the signature is verified.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
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

/// The envelope in JSON. Unknown fields are refused, as the OMS schema says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawEnvelope {
    pub(crate) payload: String,
    pub(crate) payload_type: String,
    #[serde(deserialize_with = "crate::json::at_most::<64, _, _>")]
    pub(crate) signatures: Vec<RawSignature>,
}

/// `keyid` may be absent, empty or null and is not used (OMS v1.0, section 4.1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignature {
    pub(crate) sig: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keyid: Option<String>,
}

impl RawEnvelope {
    pub(crate) fn new(payload: &[u8], signature: &[u8]) -> Self {
        RawEnvelope {
            payload: encode(payload),
            payload_type: PAYLOAD_TYPE_IN_TOTO.to_owned(),
            signatures: vec![RawSignature { sig: encode(signature), keyid: Some(String::new()) }],
        }
    }

    pub(crate) fn decode(self) -> Result<Envelope, EnvelopeError> {
        let [signature] = self.signatures.as_slice() else {
            return Err(EnvelopeError::SignatureCount(self.signatures.len()));
        };
        let signature = decode_some(&signature.sig).ok_or(EnvelopeError::Signature)?;
        let payload = decode_some(&self.payload).ok_or(EnvelopeError::Payload)?;
        Ok(Envelope { payload_type: self.payload_type, payload, signature })
    }
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
    let mut bytes =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
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
            payload: STANDARD.encode("x"),
            payload_type: String::new(),
            signatures: (0..n)
                .map(|_| RawSignature { sig: STANDARD.encode("s"), keyid: None })
                .collect(),
        };
        assert!(raw(1).decode().is_ok());
        assert_eq!(raw(0).decode().unwrap_err(), EnvelopeError::SignatureCount(0));
        assert_eq!(raw(2).decode().unwrap_err(), EnvelopeError::SignatureCount(2));
    }
}
