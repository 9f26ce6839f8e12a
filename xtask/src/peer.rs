//! `cargo xtask peer`: the Python implementation of OMS in a virtual environment under the target
//! folder, for the tests of interoperability.

use std::path::PathBuf;

use crate::environment;
use crate::failure::Failure;

/// What is installed. `model_signing` needs pyOpenSSL and does not ask for it.
const PACKAGES: [&str; 2] = ["model_signing==1.1.1", "pyopenssl"];

/// Makes the environment if it is not there, and gives its folder.
pub(crate) fn run() -> Result<PathBuf, Failure> {
    environment::install("peer", &PACKAGES)
}
