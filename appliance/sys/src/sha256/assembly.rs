//! One stream through the plain assembly of the `sha2-asm` crate.
//!
//! It shares nothing with the other kernels, and so is the second opinion about them. Where the CPU
//! has no SHA extension it is also the fastest way to hash one stream.

use super::Single;

/// The kernel, where there is one: it is for x86-64 alone, and Miri runs no assembly.
pub(super) fn kernel() -> Option<Single> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    return Some(sha2_asm::compress256);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    None
}
