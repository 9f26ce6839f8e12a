//! An entry as one file: POSIX tar (ustar, with pax headers where a name or a size needs one), the
//! same bytes for the same files.
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

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes of a name in a header.
const NAME: usize = 100;
/// The first size that 11 octal digits do not hold.
const LARGE: u64 = 1 << 33;
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
    // The end of an archive is two empty blocks.
    out.write_all(&[0; 2 * BLOCK])
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
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    names.sort_by(|one, other| (rank(one), one).cmp(&(rank(other), other)));
    Ok(names)
}

fn member(out: &mut dyn Write, name: &str, size: u64, content: File) -> io::Result<()> {
    if name.len() > NAME || !name.is_ascii() || size >= LARGE {
        let records = [record("path", name), record("size", &size.to_string())].concat();
        out.write_all(&header("pax", records.len() as u64, b'x'))?;
        out.write_all(records.as_bytes())?;
        pad(out, records.len() as u64)?;
    }
    out.write_all(&header(name, size, b'0'))?;
    let copied = io::copy(&mut content.take(size), out)?;
    if copied != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    pad(out, size)
}

/// A record of a pax header: its own length in bytes, which counts its own digits, comes first.
fn record(key: &str, value: &str) -> String {
    let rest = key.len().saturating_add(value.len()).saturating_add(" =\n".len());
    let mut length = rest;
    while length != rest.saturating_add(length.to_string().len()) {
        length = rest.saturating_add(length.to_string().len());
    }
    format!("{length} {key}={value}\n")
}

fn pad(out: &mut dyn Write, size: u64) -> io::Result<()> {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    let missing = if over == 0 { 0 } else { BLOCK.saturating_sub(over) };
    out.write_all([0; BLOCK].get(..missing).unwrap_or_default())
}

/// The header of a member. A name or a size that does not fit stands in the pax header before it.
fn header(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let fitting = name.as_bytes().get(..name.len().min(NAME)).unwrap_or_default();
    let size = if size < LARGE { size } else { 0 };
    let mut block = Vec::with_capacity(BLOCK);
    block.extend_from_slice(fitting);
    block.resize(NAME, 0);
    block.extend_from_slice(b"0000640\0"); // mode
    block.extend_from_slice(b"0000000\0"); // owner
    block.extend_from_slice(b"0000000\0"); // group
    block.extend_from_slice(format!("{size:011o}\0").as_bytes());
    block.extend_from_slice(b"00000000000\0"); // time
    let place = block.len();
    block.extend_from_slice(b"        "); // the sum is taken over spaces in its own place
    block.push(kind);
    block.resize(block.len().saturating_add(NAME), 0); // no link
    block.extend_from_slice(b"ustar\x0000");
    block.resize(BLOCK, 0);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    if let Some(field) = block.get_mut(place..place.saturating_add(sum.len())) {
        field.copy_from_slice(sum.as_bytes());
    }
    block
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

    #[test]
    fn a_size_of_more_than_eleven_digits_stands_before_the_header() {
        assert_eq!(record("size", "8589934592"), "19 size=8589934592\n");
        // 99 bytes with two digits would be 100 with three: the length counts itself.
        for length in 80..120 {
            let record = record("path", &"x".repeat(length));
            let stated: usize = record.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(stated, record.len());
        }
        assert_eq!(&header("x", LARGE, b'0')[124..136], b"00000000000\0");
        assert_eq!(&header("x", LARGE - 1, b'0')[124..136], b"77777777777\0");
    }
}
