//! An entry as one file, in the form that [`oms_verify::tar`] fixes.
//!
//! ```text
//!  verdict.sigstore.json model.sig source.sig report.html attestations/… model/…
//! ```
//!
//! The verdict comes first, so that a reader knows what else is to come. Times, owners and folders
//! are left out: nothing signs them.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use oms_verify::tar::{BLOCK, END, header, padding};

/// What comes before all else, in this order.
const FIRST: [&str; 4] = [super::VERDICT, super::RESIGNED, super::SOURCE, super::REPORT];

/// Writes the files of the staged entry in `folder`.
///
/// # Errors
/// When a file cannot be read, changes its size meanwhile, or `out` fails.
pub(super) fn write(folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    for name in names(folder)? {
        let file = File::open(folder.join(&name))?;
        let size = file.metadata()?.len();
        member(out, &name, size, file)?;
    }
    out.write_all(&[0; END])
}

/// The paths of all files, in the order of the archive.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&next))? {
            let entry = entry?;
            let path = next.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let name = path.into_os_string().into_string();
                names.push(name.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?);
            }
        }
    }
    names.sort_by(|one, other| rank(one).cmp(&rank(other)));
    Ok(names)
}

/// By what members are ordered.
pub(crate) fn rank(name: &str) -> (usize, &str) {
    (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), name)
}

fn member(out: &mut dyn Write, name: &str, size: u64, content: File) -> io::Result<()> {
    out.write_all(&header(name, size))?;
    let copied = io::copy(&mut content.take(size), out)?;
    if copied != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    out.write_all([0; BLOCK].get(..padding(size)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_system_s_tar_finds_the_same_files_the_verdict_first() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("entry");
        let long = format!("model/{}/{}", "a".repeat(120), "b".repeat(200));
        let files = ["model/x", "model/\u{fc}", &long, "model.sig", super::super::VERDICT];
        for (at, name) in files.into_iter().enumerate() {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![b'x'; at * 300]).unwrap();
        }
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        write(&folder, &mut bytes).unwrap();
        write(&folder, &mut again).unwrap();
        assert!(bytes == again && bytes.starts_with(b"verdict.sigstore.json\0"));
        let file = dir.path().join("entry.tar");
        std::fs::write(&file, bytes).unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let done = Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&out).output().unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        let mut found = names(&out).unwrap();
        assert_eq!(found, names(&folder).unwrap());
        for name in found.drain(..) {
            let (one, other) = (folder.join(&name), out.join(&name));
            assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap(), "{name}");
        }
    }
}
