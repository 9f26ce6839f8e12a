//! Sigstore bundles: those of the public vectors, and those of an instance made here.

mod evidence;
mod instance;
mod private;
mod roots;
mod tokens;
mod vectors;

use serde_json::{Value, json};

use super::TrustedRoot;

/// The trusted root that is shipped, as policies call it.
pub(crate) fn public_good(name: &str) -> TrustedRoot {
    let text = include_bytes!("../../../../../firmware-roots/sigstore/public-good.json");
    TrustedRoot::parse(name, text).unwrap()
}

/// A log entry that has everything and proves nothing.
pub(crate) fn hollow_entry() -> Value {
    let digest = "A".repeat(43) + "=";
    json!({
        "logIndex": "0",
        "logId": {"keyId": digest},
        "kindVersion": {"kind": "dsse", "version": "0.0.1"},
        "integratedTime": "1",
        "canonicalizedBody": "e30=",
    })
}
