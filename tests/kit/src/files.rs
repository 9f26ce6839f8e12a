//! Files and folders with the access rights that the appliance asks for, whatever the umask is.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Makes the folder `path` and its parents; nobody but the owner may write to it.
///
/// # Panics
/// When the folder cannot be made.
pub fn folder(path: impl Into<PathBuf>) -> PathBuf {
    let path = path.into();
    fs::create_dir_all(&path)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
    set_mode(&path, 0o755);
    path
}

/// Writes a file that all may read and only the owner may change.
///
/// # Panics
/// When the file cannot be written.
pub fn public(path: impl Into<PathBuf>, bytes: impl AsRef<[u8]>) -> PathBuf {
    write(path.into(), bytes.as_ref(), 0o644)
}

/// Writes a file that only the owner may read: a private key or a PIN.
///
/// # Panics
/// When the file cannot be written.
pub fn secret(path: impl Into<PathBuf>, bytes: impl AsRef<[u8]>) -> PathBuf {
    write(path.into(), bytes.as_ref(), 0o600)
}

/// The SHA-256 of `bytes` in lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn write(path: PathBuf, bytes: &[u8], mode: u32) -> PathBuf {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&path)
        .and_then(|mut file| file.write_all(bytes))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    set_mode(&path, mode);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("cannot set the mode of {}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_only_even_when_the_file_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = public(dir.path().join("pin"), "old and longer");
        secret(&path, "1234");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"1234");
    }
}
