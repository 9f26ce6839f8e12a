//! Policies: their text, their names, and what is told about them.

use std::collections::BTreeMap;

use oms_verify::policy::{Inputs, RawPolicy, Vocabulary, explain};

/// The text of a policy. Every key file that it names holds a good key; no anchor is installed.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let vocabulary =
        Vocabulary { formats: &["safetensors", "gguf", "json", "text", "tokenizer", "pickle"] };
    match RawPolicy::parse(text, &vocabulary) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(raw) => {
            let keys: BTreeMap<_, _> =
                raw.key_files().map(|name| (name.to_owned(), KEY.to_vec())).collect();
            match raw.resolve(&Inputs { anchors: &[], keys: &keys, trusted_roots: &[] }) {
                Ok(policy) => assert!(!explain(&policy).is_empty()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

/// A public key: of P-256.
const KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";
