//! A folder of trust anchors with its manifest, `roots.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{Anchor, Certificate, Purpose};
use oms_verify::reason::{Code, Reason};
use serde::Deserialize;

use crate::config::toml_fault;

use super::location::{Guard, guarded_read};

/// The name of the manifest in a folder of anchors.
pub const MANIFEST: &str = "roots.toml";

const MANIFEST_LIMIT: u64 = 1 << 20;
const ANCHOR_LIMIT: u64 = 64 << 10;
const MAX_ANCHORS: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    #[serde(default)]
    anchor: Vec<RawAnchor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnchor {
    name: String,
    file: String,
    sha256: String,
    purpose: Vec<String>,
    provenance: String,
}

/// Reads the anchors that `folder/roots.toml` names. A file that the manifest does not name is
/// not an anchor, and one whose digest differs is an error.
///
/// # Errors
/// [`Code::TrustAnchor`] or [`Code::TrustLocation`].
pub fn load_anchors(folder: &Path, guard: &Guard) -> Result<Vec<Anchor>, Reason> {
    let manifest = folder.join(MANIFEST);
    let shown = manifest.display().to_string();
    let wrong = |detail: String| Reason::new(Code::TrustAnchor, detail).about(&shown);
    guard.check_folder(folder, Code::TrustAnchor)?;
    let bytes = guarded_read(&manifest, MANIFEST_LIMIT, guard, Code::TrustAnchor)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let raw: RawManifest =
        toml::from_str(&text).map_err(|error| wrong(toml_fault(&text, &error)))?;
    if raw.anchor.len() > MAX_ANCHORS {
        return Err(wrong(format!("it names more than {MAX_ANCHORS} anchors")));
    }
    let mut names = BTreeSet::new();
    let mut anchors = Vec::new();
    for raw in raw.anchor {
        if !names.insert(raw.name.clone()) {
            return Err(wrong(format!("it names the anchor {:?} twice", raw.name)));
        }
        anchors.push(read_anchor(folder, raw, guard)?);
    }
    Ok(anchors)
}

fn read_anchor(folder: &Path, raw: RawAnchor, guard: &Guard) -> Result<Anchor, Reason> {
    let path = folder.join(&raw.file);
    let shown = path.display().to_string();
    let wrong = |detail: String| Reason::new(Code::TrustAnchor, detail).about(&shown);
    if raw.file.is_empty() || raw.file.contains('/') || raw.file.starts_with('.') {
        return Err(wrong("`file` must be the name of a file beside roots.toml".to_owned()));
    }
    let bytes = guarded_read(&path, ANCHOR_LIMIT, guard, Code::TrustAnchor)?;
    let file_sha256 = Sha256Digest::of(&bytes);
    if file_sha256.to_hex() != raw.sha256 {
        return Err(wrong(format!("its SHA-256 is {file_sha256}, roots.toml says {}", raw.sha256)));
    }
    let certificate = read_one(&bytes).map_err(wrong)?;
    let purposes = raw
        .purpose
        .iter()
        .map(|name| {
            Purpose::from_name(name).ok_or_else(|| {
                let known: Vec<_> = Purpose::ALL.iter().map(|purpose| purpose.name()).collect();
                wrong(format!("the purpose {name:?} is not one of {}", known.join(", ")))
            })
        })
        .collect::<Result<BTreeSet<_>, _>>()?;
    if purposes.is_empty() {
        return Err(wrong("the anchor has no purpose".to_owned()));
    }
    Ok(Anchor { name: raw.name, certificate, purposes, provenance: raw.provenance, file_sha256 })
}

/// One certificate in PEM or DER.
fn read_one(bytes: &[u8]) -> Result<Certificate, String> {
    if !bytes.starts_with(b"-----") && !bytes.is_ascii() {
        return Certificate::from_der(bytes).map_err(|error| error.to_string());
    }
    let certificates = Certificate::many_from_pem(bytes).map_err(|error| error.to_string())?;
    match <[Certificate; 1]>::try_from(certificates) {
        Ok([certificate]) => Ok(certificate),
        Err(several) => Err(format!("it holds {} certificates instead of one", several.len())),
    }
}
