//! What a ring says of itself: which reader runs, and why not the other one.

use std::fmt;
use std::io;

/// Which way of reading is asked for, or runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// io_uring where the kernel lets this process use it, else threads.
    #[default]
    Auto,
    /// io_uring, or not at all.
    IoUring,
    /// A few threads with `pread(2)` and `pwrite(2)`.
    Threads,
}

/// Why io_uring does not run.
#[derive(Debug, thiserror::Error)]
pub enum NoUring {
    /// threads were chosen
    #[error("threads were chosen")]
    NotWanted,
    /// the kernel has no io_uring
    #[error("this kernel has no io_uring (ENOSYS)")]
    NotInKernel,
    /// an administrator turned it off
    #[error("io_uring is turned off (kernel.io_uring_disabled = {0})")]
    TurnedOff(u8),
    /// a system call filter or a security module forbids it
    #[error(
        "io_uring is forbidden to this process (EPERM): by a system call filter or a security module"
    )]
    Forbidden,
    /// the kernel is too old for what is needed
    #[error("the io_uring of this kernel is too old: it cannot {0}")]
    TooOld(&'static str),
    /// more is asked for than a ring can do that was made beforehand
    #[error("the rings that were made before the sandbox are too small for so many buffers")]
    TooSmall,
    /// the kernel answered with another error
    #[error("io_uring cannot be set up: {0}")]
    Failed(io::Error),
}

/// Whether the kernel knows a ring's buffers beforehand, which saves it from looking up their
/// pages at each operation.
#[derive(Clone, Copy, Debug)]
pub enum Registration<'a> {
    /// Nothing was registered so far, or there is nothing to register with.
    None,
    /// So many buffers are registered.
    Buffers(usize),
    /// The kernel refused, mostly because the limit of locked memory is reached (`ulimit -l`):
    /// the ring works without.
    Refused(&'a io::Error),
}

/// What a ring says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The reader that runs: never [`Reader::Auto`].
    pub reader: Reader,
    /// Why it is not io_uring, when it is threads.
    pub reason: Option<&'a NoUring>,
    /// Whether buffers are registered.
    pub registration: Registration<'a>,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reader::Auto => "auto",
            Reader::IoUring => "io-uring",
            Reader::Threads => "threads",
        })
    }
}
