//! Each rule of a time stamp with a token that breaks it.

mod authority;
pub(crate) mod maker;
mod signer;
mod structure;
