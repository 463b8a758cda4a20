//! Choices of which a stream and a file are made that claim far more than they have.
#![no_main]

use floe_fuzz::choices::Choices;
use floe_fuzz::hostile::hostile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for is_file in [false, true] {
        let mut choices = Choices::new(bytes);
        let mut choose = |below: usize| usize::from(u16::from_le_bytes(choices.array())) % below;
        let made = hostile(&mut choose, is_file);
        if is_file {
            floe_fuzz::read::file(&made);
        } else {
            floe_fuzz::read::stream(&made);
        }
    }
});
