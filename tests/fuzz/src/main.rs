//! The program of `cargo xtask fuzz`: the target that `OMS_FUZZ_TARGET` names, under libFuzzer.
//!
//! A target may hold 64 MiB at a time more than there was before it; an allocation past that fails,
//! which ends the program and keeps the input. The sanitizers' own limit is not in a stable compiler.
#![no_main]

use std::alloc::System;
use std::sync::LazyLock;

use cap::Cap;
use oms_fuzz::{TARGETS, Target};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes that a target may hold.
const MOST: usize = 64 << 20;

libfuzzer_sys::fuzz_target!(init: LazyLock::force(&TARGET), |data: &[u8]| {
    limit(MEMORY.allocated().saturating_add(MOST));
    (TARGET)(data);
    limit(usize::MAX);
});

fn limit(bytes: usize) {
    if MEMORY.set_limit(bytes).is_err() {
        std::process::abort();
    }
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("OMS_FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("error: OMS_FUZZ_TARGET={wanted:?} names no target");
        std::process::exit(2);
    };
    *target
});
