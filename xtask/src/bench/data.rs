//! Models to measure with: safetensors files with pseudo-random weights, the same in each run.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oms_testkit::files;
use sha2::{Digest, Sha256};

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

/// A model of `count` small files in the folder `dir`, a thousand in each folder; gives for each
/// file its path inside the model and its SHA-256. Names are filled up to `name_bytes`.
pub(super) fn small_files(
    dir: &Path,
    count: u64,
    bytes: u64,
    name_bytes: usize,
) -> Result<Vec<(String, [u8; 32])>, Failure> {
    let mut made = Vec::new();
    for number in 0..count {
        let folder = format!("part-{:04}", number / FOLDER);
        if number.is_multiple_of(FOLDER) {
            files::folder(dir.join(&folder));
        }
        let name = format!("item-{number:07}");
        let path = format!("{folder}/{name:x<name_bytes$}.safetensors");
        let digest = file(&dir.join(&path), number, bytes)?;
        made.push((path, digest));
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

/// Writes a file of `bytes` bytes, and gives its SHA-256. Its weights are a function of `seed`.
fn file(path: &Path, seed: u64, bytes: u64) -> Result<[u8; 32], Failure> {
    let write = || -> io::Result<[u8; 32]> {
        let mut file = File::create(path)?;
        let mut hash = Sha256::new();
        let mut put = |block: &[u8]| {
            // Large files are hashed by those who are measured; here it would only take time.
            if bytes <= BLOCK as u64 {
                hash.update(block);
            }
            file.write_all(block)
        };
        put(&header(bytes))?;
        let mut numbers = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut left = bytes.saturating_sub(HEADER);
        let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        while left > 0 {
            block.truncate(usize::try_from(left).unwrap_or(BLOCK));
            numbers.fill(&mut block);
            put(&block)?;
            left = left.saturating_sub(block.len() as u64);
        }
        Ok(hash.finalize().into())
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
    fn small_files_come_with_their_digests_and_long_names() {
        let dir = tempfile::tempdir().unwrap();
        let made = small_files(dir.path(), 1_001, 4_096, 40).unwrap();
        assert_eq!(made.len(), 1_001);
        let (path, digest) = &made[1_000];
        assert!(path.starts_with("part-0001/item-0001000xxx"), "{path}");
        let bytes = std::fs::read(dir.path().join(path)).unwrap();
        assert_eq!((bytes.len(), <[u8; 32]>::from(Sha256::digest(&bytes))), (4_096, *digest));
    }
}
