//! The program of `cargo xtask fuzz`: the target that `OMS_FUZZ_TARGET` names, under libFuzzer.
#![no_main]

use std::sync::LazyLock;

use oms_fuzz::{TARGETS, Target};

libfuzzer_sys::fuzz_target!(init: LazyLock::force(&TARGET), |data: &[u8]| (TARGET)(data));

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("OMS_FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("error: OMS_FUZZ_TARGET={wanted:?} names no target");
        std::process::exit(2);
    };
    *target
});
