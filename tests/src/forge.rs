//! Bundles with any content and a valid signature: what a signer could make who holds an admitted
//! key and no good will.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oms_testkit::files::{hex, sha256_hex};
use oms_testkit::pki::Key;
use serde_json::{Value, json};

/// The payload type of OMS.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Signs anything.
pub struct Forger {
    key: Key,
    hint: String,
}

impl Forger {
    /// A forger with this key.
    pub fn new(key: &Key) -> Forger {
        Forger { key: key.clone(), hint: sha256_hex(spki_pem(&key.public_der()).as_bytes()) }
    }

    /// A bundle of the method `key` around these payload bytes.
    pub fn bundle(&self, payload: &[u8]) -> Value {
        self.bundle_of_type(IN_TOTO, payload)
    }

    /// The same with another payload type, which is signed too.
    pub fn bundle_of_type(&self, payload_type: &str, payload: &[u8]) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "publicKey": { "hint": self.hint },
                "tlogEntries": []
            },
            "dsseEnvelope": {
                "payload": BASE64_STANDARD.encode(payload),
                "payloadType": payload_type,
                "signatures": [{ "sig": BASE64_STANDARD.encode(self.sign(payload_type, payload)), "keyid": "" }]
            }
        })
    }

    /// The same with the certificates of a chain, leaf first, instead of the key.
    pub fn bundle_with_chain(&self, payload: &[u8], chain: &[&[u8]]) -> Value {
        let mut bundle = self.bundle(payload);
        let certificates: Vec<_> =
            chain.iter().map(|der| json!({ "rawBytes": BASE64_STANDARD.encode(der) })).collect();
        bundle["verificationMaterial"] =
            json!({ "x509CertificateChain": { "certificates": certificates } });
        bundle
    }

    /// The DSSE signature, over the pre-authentication encoding.
    fn sign(&self, payload_type: &str, payload: &[u8]) -> Vec<u8> {
        let mut pae =
            format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
        pae.extend_from_slice(payload);
        self.key.sign(&pae)
    }
}

/// A statement of OMS v1.0 about these resources: names, and SHA-256 in hexadecimal digits.
pub fn statement(resources: &[(&str, String)]) -> Value {
    let serialization =
        json!({ "method": "files", "hash_type": "sha256", "allow_symlinks": false });
    with_serialization(resources, serialization)
}

/// The same, hashed in shards of this size; the names are `path:start:end`.
pub fn shards(resources: &[(&str, String)], shard_size: u64) -> Value {
    let serialization = json!({
        "method": "shards", "hash_type": "sha256", "allow_symlinks": false,
        "shard_size": shard_size
    });
    with_serialization(resources, serialization)
}

fn with_serialization(resources: &[(&str, String)], serialization: Value) -> Value {
    let listed: Vec<_> = resources
        .iter()
        .map(|(name, digest)| json!({ "name": name, "algorithm": "sha256", "digest": digest }))
        .collect();
    let digests: Vec<u8> = resources.iter().flat_map(|(_, digest)| bytes_of(digest)).collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "forged", "digest": { "sha256": sha256_hex(&digests) } }],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": { "resources": listed, "serialization": serialization }
    })
}

/// The bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    let bytes: Vec<u8> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(hex(&bytes), digits, "lower-case hexadecimal digits");
    bytes
}

/// A SubjectPublicKeyInfo in PEM with 64 columns and a final newline, as OMS hashes it.
fn spki_pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}
