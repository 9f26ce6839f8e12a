//! The files that `cert verify` is given: bounded in number and size, PEM or DER by what is in
//! them. Nothing but regular files is opened.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{self, Anchor, Certificate, CertificateError, Crl, manifest};
use oms_verify::reason::{Code, Reason};
use serde::Serialize;

use super::Purpose;
use crate::bounded;

/// Files of one option.
const MOST_FILES: usize = 1024;
/// Certificates of one option.
const MOST_CERTIFICATES: usize = 1024;
/// Bytes of all certificates of one option.
const CERTIFICATE_BYTES: u64 = 4 << 20;
/// Bytes of all CRLs.
const CRL_BYTES: u64 = 1 << 30;

/// Reads files, and keeps a list of what could not be used.
#[derive(Debug, Default)]
pub(super) struct Reader {
    skipped: Vec<Skipped>,
}

/// Something that was given and could not be used.
#[derive(Debug, Serialize)]
pub(super) struct Skipped {
    /// The file.
    pub(super) file: String,
    /// What it was given as.
    pub(super) what: Kind,
    /// Why it could not be used.
    pub(super) why: String,
}

/// What a file is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Root,
    Intermediate,
    Crl,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Root => "root",
            Kind::Intermediate => "intermediate",
            Kind::Crl => "CRL",
        }
    }
}

impl Reader {
    /// What was skipped, in the order in which it was met.
    pub(super) fn into_skipped(self) -> Vec<Skipped> {
        self.skipped
    }

    /// The leaf, and what follows it: at most one certificate more than the budget allows in a
    /// path's chain, which then says so.
    ///
    /// # Errors
    /// When there is no such file, or its first certificate is malformed.
    pub(super) fn chain(
        &mut self,
        path: &Path,
        budget: &Budget,
    ) -> Result<Vec<Certificate>, Reason> {
        let shown = path.display().to_string();
        let bytes = match bounded::read(path, CERTIFICATE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(Reason::new(Code::SignaturePathBudget, error.to_string()).about(shown));
            }
            Err(error) => return Err(unusable(path, &error)),
        };
        let mut parsed = certificates(&bytes).take(budget.certificates.saturating_add(1));
        let leaf = parsed.next().unwrap_or(Err(CertificateError::NoPemBlock));
        let leaf =
            leaf.map_err(|error| Reason::new(error.code(), error.to_string()).about(&shown))?;
        let mut chain = vec![leaf];
        for certificate in parsed {
            match certificate {
                Ok(certificate) => chain.push(certificate),
                Err(error) => self.skip(path, Kind::Intermediate, error),
            }
        }
        Ok(chain)
    }

    /// Every anchor in files and folders. All of them count, whatever they were installed for,
    /// but for those of a folder with a `roots.toml`, which says what each is for.
    ///
    /// # Errors
    /// When something that is named does not exist or cannot be looked at.
    pub(super) fn anchors(
        &mut self,
        paths: &[PathBuf],
        purpose: Purpose,
    ) -> Result<Vec<Anchor>, Reason> {
        let (manifests, plain): (Vec<_>, Vec<_>) =
            paths.iter().partition(|path| path.join(manifest::FILE_NAME).is_file());
        let mut anchors = Vec::new();
        for folder in manifests {
            anchors.extend(self.manifest(folder, purpose));
        }
        let plain: Vec<PathBuf> = plain.into_iter().cloned().collect();
        for (path, certificate) in self.certificates(&plain, Kind::Root)? {
            anchors.push(Anchor {
                name: path,
                file_sha256: Sha256Digest::of(certificate.der()),
                certificate,
                purposes: BTreeSet::new(),
                provenance: String::new(),
            });
        }
        Ok(anchors)
    }

    /// Every certificate in files and folders.
    ///
    /// # Errors
    /// As [`Reader::anchors`].
    pub(super) fn intermediates(&mut self, paths: &[PathBuf]) -> Result<Vec<Certificate>, Reason> {
        let found = self.certificates(paths, Kind::Intermediate)?;
        Ok(found.into_iter().map(|(_, certificate)| certificate).collect())
    }

    /// Every CRL in files and folders.
    ///
    /// # Errors
    /// As [`Reader::anchors`].
    pub(super) fn crls(&mut self, paths: &[PathBuf], budget: &Budget) -> Result<Vec<Crl>, Reason> {
        let mut crls = Vec::new();
        let mut left = CRL_BYTES;
        for path in files(paths)? {
            match bounded::read(&path, left.min(budget.crl_bytes)) {
                Err(error) => self.skip(&path, Kind::Crl, error),
                Ok(bytes) => {
                    left = left.saturating_sub(bytes.len() as u64);
                    for block in blocks(&bytes, "X509 CRL") {
                        match Crl::parse(block) {
                            Ok(parsed) => crls.extend(parsed),
                            Err(error) => self.skip(&path, Kind::Crl, error),
                        }
                    }
                }
            }
        }
        Ok(crls)
    }

    /// The anchors of a folder with a manifest that are for `purpose`.
    fn manifest(&mut self, folder: &Path, purpose: Purpose) -> Vec<Anchor> {
        let path = folder.join(manifest::FILE_NAME);
        let text = bounded::read(&path, CERTIFICATE_BYTES)
            .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let entries = text
            .map_err(|error| error.to_string())
            .and_then(|text| manifest::parse(&text).map_err(|error| error.to_string()));
        let entries = match entries {
            Ok(entries) => entries,
            Err(why) => {
                self.skip(&path, Kind::Root, why);
                return Vec::new();
            }
        };
        let fits = |entry: &manifest::Entry| match purpose {
            Purpose::CodeSigning => entry.purposes.contains(&pki::Purpose::CodeSigning),
            Purpose::Any => !entry.purposes.contains(&pki::Purpose::Sigstore),
        };
        let mut anchors = Vec::new();
        for entry in entries.iter().filter(|entry| fits(entry)) {
            let path = folder.join(&entry.file);
            let anchor = bounded::read(&path, CERTIFICATE_BYTES)
                .map_err(|error| error.to_string())
                .and_then(|bytes| Anchor::read(entry, &bytes).map_err(|error| error.to_string()));
            match anchor {
                Ok(anchor) => anchors.push(anchor),
                Err(why) => self.skip(&path, Kind::Root, why),
            }
        }
        anchors
    }

    /// Every certificate in files and folders, with the path of its file.
    fn certificates(
        &mut self,
        paths: &[PathBuf],
        kind: Kind,
    ) -> Result<Vec<(String, Certificate)>, Reason> {
        let mut found = Vec::new();
        let mut left = CERTIFICATE_BYTES;
        for path in files(paths)? {
            let bytes = match bounded::read(&path, left) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.skip(&path, kind, error);
                    continue;
                }
            };
            left = left.saturating_sub(bytes.len() as u64);
            for certificate in certificates(&bytes) {
                match certificate {
                    _ if found.len() == MOST_CERTIFICATES => {
                        let why = format!("there are more than {MOST_CERTIFICATES} certificates");
                        self.skip(&path, kind, why);
                        return Ok(found);
                    }
                    Ok(certificate) => found.push((path.display().to_string(), certificate)),
                    Err(error) => self.skip(&path, kind, error),
                }
            }
        }
        Ok(found)
    }

    fn skip(&mut self, path: &Path, what: Kind, why: impl ToString) {
        // A folder of rubbish is told by its first files.
        if self.skipped.len() < MOST_FILES {
            let file = path.display().to_string();
            self.skipped.push(Skipped { file, what, why: why.to_string() });
        }
    }
}

/// The files at `paths`: those that are named, and those in folders that are named, in the order
/// of their names and without hidden ones.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Reason> {
    let mut files = Vec::new();
    for path in paths {
        let cannot = |error| unusable(path, &error);
        if path.metadata().map_err(cannot)?.is_dir() {
            let mut inside = Vec::new();
            for entry in path.read_dir().map_err(cannot)?.take(MOST_FILES.saturating_add(1)) {
                let entry = entry.map_err(cannot)?;
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    inside.push(entry.path());
                }
            }
            inside.sort();
            files.extend(inside);
        } else {
            bounded::open(path).map_err(cannot)?;
            files.push(path.clone());
        }
        if files.len() > MOST_FILES {
            let detail = format!("there are more than {MOST_FILES} files");
            return Err(Reason::new(Code::ConfigUsage, detail).about(path.display().to_string()));
        }
    }
    Ok(files)
}

fn unusable(path: &Path, error: &io::Error) -> Reason {
    Reason::new(Code::ConfigUsage, error.to_string()).about(path.display().to_string())
}

/// Every certificate of a file, each by itself, so that one that is malformed spoils no other.
fn certificates(bytes: &[u8]) -> impl Iterator<Item = Result<Certificate, CertificateError>> {
    blocks(bytes, "CERTIFICATE").into_iter().map(|block| {
        if block.first() == Some(&SEQUENCE) {
            return Certificate::from_der(block);
        }
        let mut parsed = Certificate::many_from_pem(block)?;
        parsed.pop().ok_or(CertificateError::NoPemBlock)
    })
}

/// The tag that DER begins with, and no PEM text.
const SEQUENCE: u8 = 0x30;

/// The pieces of a file: one of DER as it stands, or each PEM block with this label. A text without
/// any is one piece, so that something is said about it.
fn blocks<'a>(bytes: &'a [u8], label: &str) -> Vec<&'a [u8]> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    if bytes.first() == Some(&SEQUENCE) {
        return vec![bytes];
    }
    let wanted = [BEGIN, label.as_bytes(), b"-----"].concat();
    let windows = bytes.windows(BEGIN.len()).enumerate();
    let starts = windows.filter(|(_, window)| *window == BEGIN).map(|(at, _)| at);
    let ends = starts.clone().skip(1).chain([bytes.len()]);
    let blocks: Vec<_> = starts
        .zip(ends)
        .filter_map(|(start, end)| bytes.get(start..end))
        .filter(|block| block.starts_with(&wanted))
        .collect();
    if blocks.is_empty() { vec![bytes] } else { blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_text_are_those_with_the_label() {
        let text = b"words\n-----BEGIN A-----\n1\n-----END A-----\n-----BEGIN B-----\n2\n\
                     -----END B-----\n-----BEGIN A-----\ncut off";
        let texts: Vec<_> = blocks(text, "A")
            .into_iter()
            .map(|b| String::from_utf8_lossy(b).into_owned())
            .collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].starts_with("-----BEGIN A-----\n1"), "{texts:?}");
        assert!(texts[1].ends_with("cut off"), "{texts:?}");
        assert_eq!(blocks(text, "C"), [text]);
        assert_eq!(blocks(b"", "A"), [b""]);
        let der = b"\x30-----BEGIN A-----";
        assert_eq!(blocks(der, "A"), [der]);
    }
}
