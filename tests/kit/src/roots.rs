//! A site's roots folder: `roots.toml` and the anchors' files.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files;

/// One trust anchor of a roots folder.
#[derive(Clone, Debug, Serialize)]
pub struct Anchor {
    name: String,
    file: String,
    sha256: String,
    purpose: Vec<String>,
    provenance: String,
    #[serde(skip)]
    content: Vec<u8>,
}

impl Anchor {
    /// The anchor `name`, in the file `name.pem`, with its purposes, such as `code-signing` and
    /// `verdict`.
    pub fn new(name: &str, pem: &str, purpose: &[&str]) -> Anchor {
        Anchor {
            name: name.to_owned(),
            file: format!("{name}.pem"),
            sha256: files::sha256_hex(pem.as_bytes()),
            purpose: purpose.iter().map(|purpose| (*purpose).to_owned()).collect(),
            provenance: "made by the test kit".to_owned(),
            content: pem.as_bytes().to_vec(),
        }
    }

    /// The same in another file, which may be in a folder below.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Anchor {
        self.file = file.to_owned();
        self
    }

    /// The same with this provenance.
    #[must_use]
    pub fn with_provenance(mut self, provenance: &str) -> Anchor {
        self.provenance = provenance.to_owned();
        self
    }

    /// The same with another digest in `roots.toml`, to try a file that was changed.
    #[must_use]
    pub fn with_sha256(mut self, digest: &str) -> Anchor {
        self.sha256 = digest.to_owned();
        self
    }
}

/// Writes a roots folder; one that is there is replaced as far as the names are the same.
///
/// # Panics
/// When a file cannot be written.
pub fn write(dir: impl AsRef<Path>, anchors: &[Anchor]) -> PathBuf {
    #[derive(Serialize)]
    struct Roots<'a> {
        anchor: &'a [Anchor],
    }

    let dir = files::folder(dir.as_ref());
    for anchor in anchors {
        let file = dir.join(&anchor.file);
        file.parent().map(files::folder);
        files::public(file, &anchor.content);
    }
    let text = toml::to_string(&Roots { anchor: anchors }).expect("anchors as TOML");
    files::public(dir.join("roots.toml"), text);
    dir
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[Anchor::new("corp-root", "PEM", &["code-signing", "verdict"])]);
        let text = std::fs::read_to_string(dir.path().join("roots.toml")).unwrap();
        let roots: toml::Table = text.parse().unwrap();
        let anchor = &roots["anchor"][0];
        assert_eq!(anchor["file"].as_str(), Some("corp-root.pem"));
        let file = std::fs::read(dir.path().join("corp-root.pem")).unwrap();
        assert_eq!(anchor["sha256"].as_str(), Some(files::sha256_hex(&file).as_str()));
        assert_eq!(anchor["purpose"][1].as_str(), Some("verdict"));
    }
}
