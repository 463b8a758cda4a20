//! Any bytes: where floe and arrow-rs both read them, they read the same values.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    floe_fuzz::peer::compare(bytes);
});
