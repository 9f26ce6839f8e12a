//! Models to measure with: safetensors files with pseudo-random weights, the same in each run.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oms_testkit::files;

use crate::failure::Failure;

/// Bytes of a safetensors file before its weights, so that these are aligned.
const HEADER: u64 = 128;
/// Bytes that are made at a time.
const BLOCK: usize = 1 << 20;
/// Files in a folder of a model with many.
const FOLDER: u64 = 1_000;

/// A model of `count` files of `bytes` bytes in the folder `dir`; gives the files.
pub(super) fn large_files(dir: &Path, count: u64, bytes: u64) -> Result<Vec<PathBuf>, Failure> {
    files::folder(dir);
    let name = |number| dir.join(format!("model-{number:05}-of-{count:05}.safetensors"));
    let paths: Vec<PathBuf> = (1..=count).map(name).collect();
    for (path, number) in paths.iter().zip(1..) {
        file(path, number, bytes)?;
    }
    Ok(paths)
}

/// A model of `count` small files in the folder `dir`, a thousand in each folder; gives the files.
/// Names are filled up to `name_bytes`.
pub(super) fn small_files(
    dir: &Path,
    count: u64,
    bytes: u64,
    name_bytes: usize,
) -> Result<Vec<PathBuf>, Failure> {
    let mut made = Vec::new();
    for number in 0..count {
        let folder = dir.join(format!("part-{:04}", number / FOLDER));
        if number.is_multiple_of(FOLDER) {
            files::folder(&folder);
        }
        let name = format!("item-{number:07}");
        let path = folder.join(format!("{name:x<name_bytes$}.safetensors"));
        file(&path, number, bytes)?;
        made.push(path);
    }
    Ok(made)
}

/// A file of `bytes` bytes whose weights are a hole: it takes no room, and reads as zeros.
pub(super) fn sparse_file(path: &Path, bytes: u64) -> Result<(), Failure> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(&header(bytes))?;
        file.set_len(bytes)
    };
    write().map_err(|source| Failure::Write { path: path.to_owned(), source })
}

/// Writes a file of `bytes` bytes. Its weights are a function of `seed`.
fn file(path: &Path, seed: u64, bytes: u64) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&header(bytes))?;
        let mut numbers = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut left = bytes.saturating_sub(HEADER);
        let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        while left > 0 {
            block.truncate(usize::try_from(left).unwrap_or(BLOCK));
            numbers.fill(&mut block);
            file.write_all(&block)?;
            left = left.saturating_sub(block.len() as u64);
        }
        Ok(())
    };
    write().map_err(|source| Failure::Write { path: path.to_owned(), source })
}

/// The header of a safetensors file of `bytes` bytes with one tensor.
fn header(bytes: u64) -> Vec<u8> {
    let weights = bytes.saturating_sub(HEADER);
    let json = format!(
        "{{\"weights\":{{\"dtype\":\"U8\",\"shape\":[{weights}],\"data_offsets\":[0,{weights}]}}}}"
    );
    let json_bytes = HEADER - 8;
    let mut header = json_bytes.to_le_bytes().to_vec();
    header.extend_from_slice(json.as_bytes());
    header.resize(HEADER as usize, b' ');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_size_are_no_zeros_and_are_the_same_in_each_run() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| large_files(&dir.path().join(name), 2, 3_000_000).unwrap();
        let read = |path: &PathBuf| std::fs::read(path).unwrap();
        let (one, two) = (make("1"), make("2"));
        let bytes: Vec<_> = one.iter().map(read).collect();
        assert_eq!(bytes, two.iter().map(read).collect::<Vec<_>>());
        assert_ne!(bytes[0], bytes[1]);
        assert!(bytes.iter().all(|bytes| bytes.len() == 3_000_000));
        let zeros = bytes[0].iter().filter(|byte| **byte == 0).count();
        assert!(zeros < 3_000_000 / 128, "{zeros}");
        let length = usize::from(bytes[0][0]);
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes[0][8..8 + length]).is_ok());
    }

    #[test]
    fn small_files_lie_in_folders_of_a_thousand_and_have_long_names() {
        let dir = tempfile::tempdir().unwrap();
        let made = small_files(dir.path(), 1_001, 4_096, 40).unwrap();
        assert_eq!(made.len(), 1_001);
        let path = made[1_000].strip_prefix(dir.path()).unwrap().to_str().unwrap();
        assert!(path.starts_with("part-0001/item-0001000xxx"), "{path}");
        assert_eq!(std::fs::metadata(&made[1_000]).unwrap().len(), 4_096);
    }
}
