//! One stream through the `sha2` crate: by the SHA extension of x86-64 or aarch64 where the CPU has
//! it, in plain Rust elsewhere.

use super::{Block, Value};

/// Absorbs the blocks.
pub(super) fn compress(value: &mut Value, blocks: &[Block]) {
    sha2::block_api::compress256(value, blocks);
}
