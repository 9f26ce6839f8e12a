//! The fuzz target `path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oms_fuzz::path(data));
