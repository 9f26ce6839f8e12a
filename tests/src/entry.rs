//! Looking into an entry of outbound without the appliance's own code.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Where an entry's verdict is.
pub fn verdict(entry: &Path) -> PathBuf {
    entry.join("verdict.sigstore.json")
}

/// Every file below a folder, relative to it, in order.
///
/// # Panics
/// When the folder cannot be read.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display())) {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The bytes that a bundle signs.
///
/// # Panics
/// When it is no bundle.
pub fn signed_bytes(bundle: &Path) -> Vec<u8> {
    let bundle: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
    BASE64_STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap()
}

/// The payload of an entry's verdict.
///
/// # Panics
/// When there is none.
pub fn payload(entry: &Path) -> Value {
    serde_json::from_slice(&signed_bytes(&verdict(entry))).unwrap()
}

/// The station's own detail in a verdict's payload.
pub fn detail(payload: &Value) -> &Value {
    &payload["predicate"]["urn:oms-appliance:verdict:1"]
}

/// Changes a file of JSON.
///
/// # Panics
/// When it is none.
pub fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Changes the payload of a bundle and leaves its signature as it is.
///
/// # Panics
/// When it is no bundle.
pub fn edit_payload(bundle: &Path, change: impl FnOnce(&mut Value)) {
    let mut payload: Value = serde_json::from_slice(&signed_bytes(bundle)).unwrap();
    change(&mut payload);
    edit(bundle, |bundle| {
        bundle["dsseEnvelope"]["payload"] = BASE64_STANDARD.encode(payload.to_string()).into();
    });
}
