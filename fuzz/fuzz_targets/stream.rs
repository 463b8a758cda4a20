//! Any bytes, read as a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| floe_fuzz::read::stream(bytes));
