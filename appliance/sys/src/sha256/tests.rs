//! The kernels against `sha2`, against published answers, and against themselves when they lie.

mod against_sha2;
mod faults;
mod vectors;

use super::choice::pays_from;
use super::kernels::Candidates;
use super::{Kernel, Lanes};

/// Every way of hashing on this machine: what it would choose, and each kernel by itself.
fn every_choice() -> Vec<(&'static str, Lanes)> {
    let kernels =
        [Kernel::Avx512x16, Kernel::Avx2x8, Kernel::ShaNix2, Kernel::Single, Kernel::Assembly];
    let mut choices = vec![("chosen", of_this_machine())];
    for kernel in kernels {
        match Lanes::only(kernel) {
            Some(lanes) => choices.push((kernel.name(), lanes)),
            None => eprintln!("NOT TESTED: this CPU cannot run {}", kernel.name()),
        }
    }
    choices
}

fn of_this_machine() -> Lanes {
    Lanes::tested(&Candidates::of_this_machine(), &pays_from).unwrap()
}

/// The digest that `sha2` gives.
fn expected(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}
