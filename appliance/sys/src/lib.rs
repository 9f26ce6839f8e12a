//! What the appliance asks of the kernel, in a form that the other crates can use without care.
//!
//! This is the only crate that may hold `unsafe`, one operation to a block, each with its reason.

pub mod beneath;
pub mod block;
pub mod channel;
pub mod confine;
pub mod device;
pub mod direct;
pub mod durable;
pub mod mount;
pub mod notify;
pub mod pkcs11;
#[cfg(feature = "probe")]
pub mod probe;
pub mod ring;
pub mod sealed;
pub mod sha256;
pub mod signal;
pub mod superblock;
pub mod uevent;
