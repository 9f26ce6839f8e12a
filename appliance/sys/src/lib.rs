//! What the appliance asks of the kernel, in a form that the other crates can use without care.
//!
//! This is the only crate that may hold `unsafe`; so far the kernel's interfaces that it needs
//! have safe wrappers, and it holds none.

pub mod beneath;
pub mod durable;
pub mod sha256;
