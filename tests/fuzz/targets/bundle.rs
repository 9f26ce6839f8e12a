//! The fuzz target `bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oms_fuzz::bundle(data));
