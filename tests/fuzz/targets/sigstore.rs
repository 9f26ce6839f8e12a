//! The fuzz target `sigstore`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oms_fuzz::sigstore(data));
