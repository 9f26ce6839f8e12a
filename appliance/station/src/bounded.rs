//! Reading a file that an operator names, with a limit on its size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads the regular file at `path`, at most `limit` bytes of it.
///
/// # Errors
/// When it cannot be read, is no regular file, or is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Looking first keeps a FIFO from blocking; it is the operator's own path.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("the file has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}
