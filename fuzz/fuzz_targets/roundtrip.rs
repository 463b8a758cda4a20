//! A frame and a way to write it, chosen by the bytes: the frame read equals the one written.
#![no_main]

use std::io::Cursor;

use floe::prelude::*;
use floe_fuzz::choices::Choices;
use floe_fuzz::equal::assert_frames_equal;
use floe_fuzz::frame;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    // How to write comes first: a frame uses up all choices there are.
    let mut how = Choices::new(choices.take(16));
    let df = frame::frame(&mut choices);
    let (file, written) = frame::write(&mut how, &df).expect("a frame that can be written");
    if file {
        let read = IpcReader::new(Cursor::new(&written)).with_parallel(false).finish();
        assert_frames_equal(&df, &read.expect("what was written"));
        assert_frames_equal(&df, &IpcReader::from_bytes(written).finish().expect("what was written"));
    } else {
        let read = IpcStreamReader::new(written.as_slice()).with_parallel(false).finish();
        assert_frames_equal(&df, &read.expect("what was written"));
        assert_frames_equal(&df, &IpcStreamReader::from_bytes(written).finish().expect("what was written"));
    }
});
