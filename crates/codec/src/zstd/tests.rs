//! Frames and how they are read; how they are made is tested beside what decides it.

use super::*;
use crate::tests::{BACKWARDS, ints, letters, unpack};
use crate::{Codec, max_decompressed_len};

fn decoded(frames: &[u8], len: usize, executor: &dyn Executor) -> Result<Vec<u8>> {
    let mut out = vec![MaybeUninit::new(0); len];
    decompress_with(frames, &mut out, executor)?;
    // SAFETY: all of it was initialised above.
    Ok(unsafe { uninit::written(&out, len) }.to_vec())
}

/// Appends the frames of `input` at a level.
pub(super) fn append_at(level: i32, input: &[u8], out: &mut Vec<u8>, executor: &dyn Executor) {
    let (strategy, _) = choose(level, input).unwrap();
    strategy.append(input, out, executor).unwrap();
}

/// A frame that does not say how many bytes it holds.
fn unsized_frame(input: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    let mut frame = vec![0; zstd_safe::compress_bound(input.len())];
    let len = context.compress2(&mut frame[..], input).unwrap();
    frame.truncate(len);
    assert_eq!(content_len(&frame), None);
    frame
}

#[test]
fn large_inputs_become_frames_that_any_decoder_joins() {
    for (level, extra) in [(3, 1), (1, PIECE_BYTES), (8, 300_000), (-5, 5)] {
        for input in [ints(MIN_SPLIT_BYTES + extra), letters(MIN_SPLIT_BYTES + extra)] {
            let len = input.len();
            let mut frames = [Vec::new(), b"before".to_vec()];
            append_at(level, &input, &mut frames[0], &Serial);
            append_at(level, &input, &mut frames[1], &BACKWARDS);
            let [frames, other] = frames;
            assert!(other[6..] == frames);
            assert_eq!(content_len(&frames), Some(4 << 20), "the first piece");
            assert_eq!(stated_len(&frames), Some(u64::try_from(len).unwrap()));
            assert_eq!(max_decompressed_len(Codec::Zstd, &frames), u64::try_from(len).unwrap());
            assert!(unpack(Codec::Zstd, &frames, len).is_ok_and(|found| found == input));
            assert!(decoded(&frames, len, &BACKWARDS).is_ok_and(|found| found == input));
            let mut theirs = vec![0; len];
            assert_eq!(zstd_safe::decompress(&mut theirs[..], &frames), Ok(len));
            assert!(theirs == input);
            for wrong in [len - 1, len + 1, 4 << 20, 0] {
                assert_eq!(decoded(&frames, wrong, &BACKWARDS), Err(wrong_len(wrong)));
            }
        }
    }
}

#[test]
fn what_is_not_large_or_of_a_high_level_is_one_frame() {
    for (level, len) in [(3, MIN_SPLIT_BYTES), (MAX_SPLIT_LEVEL + 1, MIN_SPLIT_BYTES + 1)] {
        let mut frame = Vec::new();
        append_at(level, &vec![7; len], &mut frame, &Serial);
        assert_eq!(split(&frame).unwrap().len(), 1);
    }
}

#[test]
fn frames_of_other_writers_follow_each_other_too() {
    let input = ints(300_000);
    let (one, rest) = input.split_at(100_000);
    let sized = |input| {
        let mut frame = Vec::new();
        append_at(3, input, &mut frame, &Serial);
        frame
    };
    for frames in [
        [unsized_frame(one), unsized_frame(rest)].concat(),
        [sized(one), unsized_frame(rest)].concat(),
        [unsized_frame(one), sized(rest)].concat(),
        [sized(&[]), sized(one), sized(&[]), sized(rest)].concat(),
    ] {
        assert!(decoded(&frames, input.len(), &BACKWARDS).is_ok_and(|found| found == input));
        assert!(max_decompressed_len(Codec::Zstd, &frames) >= 300_000);
        for wrong in [input.len() - 1, input.len() + 1, one.len(), 0] {
            assert!(decoded(&frames, wrong, &BACKWARDS).is_err(), "{wrong}");
        }
        let skippable = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9];
        let more = [&frames[..], &skippable].concat();
        assert!(decoded(&more, input.len(), &BACKWARDS).unwrap_err().to_string().contains("50, 2a, 4d, 18"));
        for cut in 1..40 {
            assert!(decoded(&frames[..frames.len() - cut], input.len(), &BACKWARDS).is_err(), "{cut}");
        }
    }
}

#[test]
fn damage_is_the_same_error_in_any_order() {
    let input = letters(3_000);
    let mut frames = Vec::new();
    input.chunks(1_000).for_each(|piece| append_at(3, piece, &mut frames, &Serial));
    for at in 0..frames.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bad = frames.clone();
            bad[at] ^= flip;
            let serial = decoded(&bad, input.len(), &Serial);
            assert_eq!(decoded(&bad, input.len(), &BACKWARDS), serial, "byte {at}");
            assert_eq!(unpack(Codec::Zstd, &bad, input.len()), serial);
        }
    }
}
