//! The limit on the size of files: running into it is an error of one write.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;

/// From now on a write past the process's limit (`RLIMIT_FSIZE`) fails with `EFBIG`, which is then
/// reported and cleaned up after like a full disk. By default a signal ends the process there.
///
/// # Errors
/// When the signal cannot be caught.
pub fn make_an_error() -> io::Result<()> {
    // Nobody looks at the flag: that something handles the signal is all that is needed.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}
