//! SHA-256 of many streams side by side on one core.
//!
//! One stream cannot be split, but a core can hash sixteen different ones in the time that three or
//! four take one after another: each 32-bit part of a vector register belongs to another stream.
//!
//! ```text
//!   Job: stream ◀─ bytes ─┐                          ┌─▶ avx512  sixteen lanes
//!   Job: stream ◀─ bytes ─┼─▶ Lanes::update ─ blocks ┼─▶ avx2    eight lanes
//!   Job: stream ◀─ bytes ─┘   (schedule)             ├─▶ shani   two streams, interleaved
//!                                                    └─▶ single  one stream
//! ```
//!
//! A kernel is used only after it has given known answers ([`Lanes::of_this_machine`]); there is no
//! way to hash without that, since only [`Lanes::start`] makes a stream.
//!
//! Without x86-64 one stream runs at a time, on aarch64 through its extension for SHA-256.

mod assembly;
mod choice;
mod kernels;
mod lanes;
mod schedule;
mod self_test;
mod single;
mod stream;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod constants;
#[cfg(target_arch = "x86_64")]
mod shani;

pub use self::lanes::{Job, Lanes};
pub use self::stream::Sha256;

/// The bytes that the compression function takes at a time.
type Block = [u8; 64];

/// What the compression function carries from block to block.
type Value = [u32; 8];

/// A kernel for one stream: absorbs the blocks.
type Single = fn(&mut Value, &[Block]);

/// A kernel for `N` streams: absorbs from each as many blocks as the shortest has.
type Wide<const N: usize> = fn(&mut [Value; N], &[&[Block]; N]);

/// A way to compress blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Sixteen streams in AVX-512 registers.
    Avx512x16,
    /// Eight streams in AVX2 registers.
    Avx2x8,
    /// Two streams by turns through the SHA extension of x86-64.
    ShaNix2,
    /// One stream through the `sha2` crate, which uses what extension for SHA-256 the CPU has.
    Single,
    /// One stream through plain assembly for x86-64: for CPUs without the SHA extension, and the
    /// second opinion when the others are tested.
    Assembly,
}

impl Kernel {
    /// How many streams one call takes.
    pub fn streams(self) -> usize {
        match self {
            Kernel::Avx512x16 => 16,
            Kernel::Avx2x8 => 8,
            Kernel::ShaNix2 => 2,
            Kernel::Single | Kernel::Assembly => 1,
        }
    }

    /// A short name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Avx512x16 => "avx512-x16",
            Kernel::Avx2x8 => "avx2-x8",
            Kernel::ShaNix2 => "sha-ni-x2",
            Kernel::Single => "single",
            Kernel::Assembly => "assembly",
        }
    }
}

/// What became of a kernel on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelStatus {
    /// The kernel.
    pub kernel: Kernel,
    /// Whether it is used, and if not, why.
    pub status: Status,
}

/// Whether a kernel is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It gave the right answers and is used.
    Used,
    /// It gave the right answers; another one is faster on this CPU.
    Spare,
    /// This CPU cannot run it.
    NotOnThisCpu,
    /// It gave a wrong answer, and is not used: the machine or the program is damaged.
    Failed,
}

/// This machine cannot be trusted to hash: nothing may be decided on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "SHA-256 gives wrong answers on this machine: have its processor and memory tested, and install the program again"
)]
pub struct Unusable;

#[cfg(test)]
mod tests;
