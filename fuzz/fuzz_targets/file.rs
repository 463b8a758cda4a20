//! Any bytes, read as a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_fuzz::read::file(bytes));
