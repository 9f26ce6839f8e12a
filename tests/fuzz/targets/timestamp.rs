//! The fuzz target `timestamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oms_fuzz::timestamp(data));
