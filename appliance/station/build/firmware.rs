//! The rules of the folder of built-in anchors: every entry of its manifest is backed by the very
//! file that it pins, and no other file lies there.
//!
//! Compiled into the build script, and into `cargo xtask firmware-roots`, which tests it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::manifest::{self, Entry, FILE_NAME, ManifestError};

/// What is wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A file or folder cannot be read.
    #[error("{}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The manifest breaks a rule.
    #[error("{FILE_NAME}, {0}")]
    Manifest(#[from] ManifestError),
    /// An entry's file is not a plain file.
    #[error("{0} is not a plain file")]
    NotPlain(String),
    /// An entry's file has other bytes than the manifest pins.
    #[error("the SHA-256 of {file} is {found}, {FILE_NAME} says {expected}")]
    Digest { file: String, found: String, expected: String },
    /// An entry does not say where it came from.
    #[error("the anchor {0:?} has no provenance: say where it came from and who checked it")]
    NoProvenance(String),
    /// A file lies there that no entry names.
    #[error("{} is there and no anchor of {FILE_NAME} names it", .0.display())]
    Unnamed(PathBuf),
}

/// Checks a folder of anchors and gives the entries of its manifest.
///
/// # Errors
/// Every fault that is found.
pub(crate) fn check(folder: &Path) -> Result<Vec<Entry>, Vec<Fault>> {
    let entries = read_manifest(folder).map_err(|fault| vec![fault])?;
    let mut faults: Vec<Fault> =
        entries.iter().filter_map(|entry| check_entry(folder, entry).err()).collect();
    match unnamed(folder, &entries) {
        Ok(unnamed) => faults.extend(unnamed.into_iter().map(Fault::Unnamed)),
        Err(fault) => faults.push(fault),
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

fn read_manifest(folder: &Path) -> Result<Vec<Entry>, Fault> {
    let path = folder.join(FILE_NAME);
    let text = fs::read_to_string(&path).map_err(|source| Fault::Unreadable { path, source })?;
    Ok(manifest::parse(&text)?)
}

fn check_entry(folder: &Path, entry: &Entry) -> Result<(), Fault> {
    let path = folder.join(&entry.file);
    let unreadable = |source| Fault::Unreadable { path: path.clone(), source };
    if !fs::symlink_metadata(&path).map_err(unreadable)?.is_file() {
        return Err(Fault::NotPlain(entry.file.clone()));
    }
    let found = sha256_hex(&fs::read(&path).map_err(unreadable)?);
    if found != entry.sha256 {
        let (file, expected) = (entry.file.clone(), entry.sha256.clone());
        return Err(Fault::Digest { file, found, expected });
    }
    if entry.provenance.trim().is_empty() {
        return Err(Fault::NoProvenance(entry.name.clone()));
    }
    Ok(())
}

/// What lies in the folder and in those below, and is neither the manifest nor an entry's file.
fn unnamed(folder: &Path, entries: &[Entry]) -> Result<Vec<PathBuf>, Fault> {
    let mut named: BTreeSet<PathBuf> =
        entries.iter().map(|entry| folder.join(&entry.file)).collect();
    named.insert(folder.join(FILE_NAME));
    let mut pending = vec![folder.to_owned()];
    let mut unnamed = Vec::new();
    while let Some(folder) = pending.pop() {
        let unreadable = |source| Fault::Unreadable { path: folder.clone(), source };
        for found in fs::read_dir(&folder).map_err(unreadable)? {
            let found = found.map_err(unreadable)?;
            if found.file_type().map_err(unreadable)?.is_dir() {
                pending.push(found.path());
            } else if !named.contains(&found.path()) {
                unnamed.push(found.path());
            }
        }
    }
    unnamed.sort();
    Ok(unnamed)
}

/// SHA-256 in hexadecimal digits, as a manifest has it.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the anchor `root` in `ca/root.pem`, whose manifest is changed.
    fn folder(change: impl FnOnce(String) -> String) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ca")).unwrap();
        fs::write(dir.path().join("ca/root.pem"), "root").unwrap();
        let manifest = format!(
            "[[anchor]]\nname = \"root\"\nfile = \"ca/root.pem\"\nsha256 = \"{}\"\n\
             purpose = [\"verdict\"]\nprovenance = \"minutes 17\"\n",
            sha256_hex(b"root")
        );
        fs::write(dir.path().join(FILE_NAME), change(manifest)).unwrap();
        dir
    }

    /// What is found, in words.
    fn found(dir: &tempfile::TempDir) -> String {
        let faults = check(dir.path()).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_folder_that_is_as_its_manifest_says_is_good() {
        let dir = folder(|text| text);
        let [entry] = check(dir.path()).unwrap().try_into().unwrap();
        assert_eq!((entry.name.as_str(), entry.file.as_str()), ("root", "ca/root.pem"));
    }

    #[test]
    fn a_file_with_other_bytes_is_found() {
        let dir = folder(|text| text);
        fs::write(dir.path().join("ca/root.pem"), "Root").unwrap();
        let found = found(&dir);
        assert!(found.contains("the SHA-256 of ca/root.pem is "), "{found}");
    }

    #[test]
    fn a_file_that_is_missing_or_a_link_is_found() {
        let dir = folder(|text| text);
        let file = dir.path().join("ca/root.pem");
        fs::rename(&file, dir.path().join("ca/other.pem")).unwrap();
        assert!(found(&dir).contains("No such file"), "{}", found(&dir));
        std::os::unix::fs::symlink("other.pem", &file).unwrap();
        assert!(found(&dir).contains("ca/root.pem is not a plain file"), "{}", found(&dir));
    }

    #[test]
    fn a_file_that_no_entry_names_is_found() {
        for extra in ["extra.pem", "ca/extra.pem", ".hidden"] {
            let dir = folder(|text| text);
            fs::write(dir.path().join(extra), "").unwrap();
            let found = found(&dir);
            assert!(found.contains(extra) && found.contains("no anchor"), "{found}");
        }
    }

    #[test]
    fn an_entry_says_where_it_came_from() {
        let dir = folder(|text| text.replace("minutes 17", " "));
        assert!(found(&dir).contains("\"root\" has no provenance"), "{}", found(&dir));
    }

    #[test]
    fn the_rules_of_the_manifest_hold() {
        for (from, to, words) in [
            ("ca/root.pem", "../root.pem", "no plain relative path"),
            ("verdict", "verdicts", "the purpose \"verdicts\" is unknown"),
            ("provenance", "origin", "line 6, column 1"),
        ] {
            let dir = folder(|text| text.replace(from, to));
            assert!(found(&dir).contains(words), "{}", found(&dir));
        }
        let dir = folder(|text| format!("{text}{text}"));
        assert!(found(&dir).contains("is there twice"), "{}", found(&dir));
    }
}
