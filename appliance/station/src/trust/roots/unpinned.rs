//! What lies in a folder of anchors and is none: a file that somebody put there and that no entry
//! of the manifest names. Nothing reads it, so it may be meant as trust that does not work.

use std::io;
use std::path::{Path, PathBuf};

use oms_verify::pki::manifest::FILE_NAME;
use oms_verify::reason::{Code, Reason};

/// The most that is looked at.
const MOST_ENTRIES: usize = 16_384;
/// The deepest folder that is looked into; no entry can name a file below.
const DEEPEST: usize = 4;

/// Files and links in `folder`, and in the folders below it, that are neither the manifest nor one
/// of `named`, paths as the manifest has them. What begins with a dot is left out. Sorted.
///
/// # Errors
/// [`Code::TrustAnchor`] when a folder cannot be read or holds too much.
pub fn unpinned(folder: &Path, named: &[&str]) -> Result<Vec<PathBuf>, Reason> {
    let wrong = |path: &Path, detail: String| {
        Reason::new(Code::TrustAnchor, detail).about(path.display().to_string())
    };
    // A link may stand for the folder of a file that is named.
    let is_named = |inside: &Path| {
        inside == Path::new(FILE_NAME)
            || named.iter().any(|file| Path::new(file).starts_with(inside))
    };
    let mut pending = vec![(folder.to_owned(), 1_usize)];
    let (mut seen, mut found) = (0_usize, Vec::new());
    while let Some((below, depth)) = pending.pop() {
        let unreadable = |error: io::Error| wrong(&below, error.to_string());
        for entry in std::fs::read_dir(&below).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            seen = seen.saturating_add(1);
            if seen > MOST_ENTRIES {
                return Err(wrong(folder, format!("it holds more than {MOST_ENTRIES} files")));
            }
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
            if is_folder && depth < DEEPEST {
                pending.push((path, depth.saturating_add(1)));
            } else if !path.strip_prefix(folder).is_ok_and(is_named) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_no_entry_names_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("tsa/b/c/d/e")).unwrap();
        std::fs::create_dir(at("empty")).unwrap();
        for file in ["roots.toml", "good.pem", "tsa/good.pem", "tsa/roots.toml", "x.pem", ".git"] {
            std::fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink("tsa", at("link")).unwrap();
        std::os::unix::fs::symlink("tsa", at("other")).unwrap();
        let named = ["good.pem", "tsa/good.pem", "link/good.pem"];
        let found = unpinned(dir.path(), &named).unwrap();
        assert_eq!(found, ["other", "tsa/b/c/d", "tsa/roots.toml", "x.pem"].map(at));
    }
}
