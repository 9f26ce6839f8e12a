//! Bad input: each kind is refused, or is a clear error, with its stable code and exit code. No
//! model goes out; for a refusal, its signed verdict does.

mod bundle;
mod carrier;
mod files;
mod names;
mod signer;
mod statement;
mod station;
mod trust;
