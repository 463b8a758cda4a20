//! Frames of every writer, whole and damaged, beside what liblz4's own decoder makes of them.

use std::ptr::null_mut;
use std::sync::Mutex;

use floe_runtime::Serial;
use lz4_sys::{
    LZ4F_VERSION, LZ4F_createDecompressionContext, LZ4F_decompress, LZ4F_freeDecompressionContext,
    LZ4FDecompressionContext,
};

use super::*;
use crate::tests::{BACKWARDS, By, ints, patterns, unpack};
use crate::{Codec, decompress_each, max_decompressed_len};

fn decompress_with(frame: &[u8], dst: &mut [MaybeUninit<u8>], executor: &dyn Executor) -> Result<()> {
    decompress_each(Codec::Lz4, frame, dst, executor, &|_, _| ())
}

/// Every kind of frame that another writer may choose.
fn variants() -> Vec<LZ4FPreferences> {
    let mut all = Vec::new();
    for linked in [false, true] {
        for sums in [false, true] {
            for sized in [0, 1] {
                for small in [false, true] {
                    let mut prefs = preferences();
                    let info = &mut prefs.frame_info;
                    info.content_size = sized;
                    if linked {
                        info.block_mode = BlockMode::Linked;
                    }
                    if sums {
                        info.content_checksum_flag = ContentChecksum::ChecksumEnabled;
                        info.block_checksum_flag = BlockChecksum::BlockChecksumEnabled;
                    }
                    if small {
                        info.block_size_id = BlockSize::Max64KB;
                    }
                    all.push(prefs);
                }
            }
        }
    }
    all
}

/// The output of liblz4's own frame decoder, if `frame` is one whole frame of `len` bytes.
pub(crate) fn reference(frame: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut context = LZ4FDecompressionContext(null_mut());
    // One more, to see a frame that holds more.
    let mut out = vec![0; len + 1];
    let (mut out_len, mut frame_len) = (out.len(), frame.len());
    // SAFETY: pointers and lengths are those of live slices; the context is created, used and freed here.
    let code = unsafe {
        assert_eq!(LZ4F_createDecompressionContext(&mut context, LZ4F_VERSION), 0);
        let (dst, src) = (out.as_mut_ptr(), frame.as_ptr());
        let code = LZ4F_decompress(context, dst, &mut out_len, src, &mut frame_len, std::ptr::null());
        LZ4F_freeDecompressionContext(context);
        code
    };
    out.truncate(out_len);
    (code == 0 && frame_len == frame.len() && out_len == len).then_some(out)
}

#[test]
fn frames_of_other_writers() {
    for prefs in variants() {
        for len in [0, 1, 1000, 65_536, 65_537, 300_000] {
            for input in patterns(len) {
                let mut frame = Vec::new();
                append_with(&prefs, &input, &mut frame).unwrap();
                assert_eq!(unpack(Codec::Lz4, &frame, len).as_ref(), Ok(&input), "{prefs:?}");
                assert!(max_decompressed_len(Codec::Lz4, &frame) >= u64::try_from(len).unwrap());
                assert!(unpack(Codec::Lz4, &frame, len + 1).is_err());
                assert!(len == 0 || unpack(Codec::Lz4, &frame, len - 1).is_err());
            }
        }
    }
}

#[test]
fn blocks_are_decoded_at_once_or_one_after_another() {
    for prefs in variants() {
        for len in [
            MIN_PARALLEL_BYTES - 1,
            MIN_PARALLEL_BYTES,
            MIN_PARALLEL_BYTES + 1,
            3 * MIN_PARALLEL_BYTES + 70_000,
        ] {
            let input = ints(len);
            let mut frame = Vec::new();
            append_with(&prefs, &input, &mut frame).unwrap();
            let mut out = vec![MaybeUninit::new(0); len];
            decompress_with(&frame, &mut out, &BACKWARDS).unwrap();
            // SAFETY: all of it was initialised above.
            assert!(unsafe { uninit::written(&out, len) } == input, "{prefs:?}");
            let mut short = vec![MaybeUninit::new(0); len - 1];
            assert!(decompress_with(&frame, &mut short, &BACKWARDS).is_err());
            for at in (0..frame.len()).step_by(frame.len() / 50) {
                let mut broken = frame.clone();
                broken[at] ^= 0x55;
                let serial = decompress(&broken, &mut out);
                assert_eq!(decompress_with(&broken, &mut out, &BACKWARDS), serial, "byte {at}");
            }
            frame.truncate(frame.len() - 5);
            assert!(decompress_with(&frame, &mut out, &BACKWARDS).is_err());
        }
    }
}

/// A callback's changes to a chunk stay, and no chunk is left out, in every way in which frames are decoded.
#[test]
fn stretches_are_seen_when_they_are_written() {
    for prefs in variants() {
        for len in [0, 1, 300_000, MIN_PARALLEL_BYTES, 3 * MIN_PARALLEL_BYTES + 70_000] {
            let input = ints(len);
            let mut frame = Vec::new();
            append_with(&prefs, &input, &mut frame).unwrap();
            let mut out = vec![MaybeUninit::new(0); len];
            let seen = Mutex::new(0);
            let each = |start: usize, bytes: &mut [u8]| {
                assert_eq!(start % (64 << 10), 0);
                assert!(bytes == &input[start..start + bytes.len()]);
                bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
                *seen.lock().unwrap() += bytes.len();
            };
            decompress_each(Codec::Lz4, &frame, &mut out, &BACKWARDS, &each).unwrap();
            assert_eq!(seen.into_inner().unwrap(), len, "{prefs:?}");
            // SAFETY: all of it was initialised above.
            let out = unsafe { uninit::written(&out, len) };
            assert!(out.iter().zip(&input).all(|(out, input)| out ^ 0x55 == *input), "{prefs:?}");
        }
    }
}

#[test]
fn blocks_that_were_flushed_early_are_decoded_too() {
    // As many blocks as there would be full ones, but others: 300,000 bytes, then the rest.
    let mut prefs = preferences();
    prefs.frame_info.block_size_id = BlockSize::Max1MB;
    let input = ints(MIN_PARALLEL_BYTES);
    let mut frame = Vec::new();
    append_with(&prefs, &input[..300_000], &mut frame).unwrap();
    frame.truncate(frame.len() - LZ4_END.len());
    let mut rest = Vec::new();
    append_with(&prefs, &input[300_000..], &mut rest).unwrap();
    frame.extend_from_slice(&rest[LZ4_HEAD.len()..]);
    let mut out = vec![MaybeUninit::new(0); MIN_PARALLEL_BYTES];
    let each = |_: usize, bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    decompress_each(Codec::Lz4, &frame, &mut out, &Serial, &each).unwrap();
    // SAFETY: all of it was initialised above.
    let out = unsafe { uninit::written(&out, MIN_PARALLEL_BYTES) };
    assert!(out.iter().zip(&input).all(|(out, input)| out ^ 0x55 == *input), "each byte was changed once");
}

#[test]
fn pieces_make_one_frame() {
    for extra in [1, 65_536, 300_000, PIECE_BYTES] {
        let len = MIN_SPLIT_BYTES + extra;
        let input = ints(len);
        let mut frames = [Vec::new(), Vec::new()];
        let (strategy, _) = choose(&input).unwrap();
        strategy.append(&input, &mut frames[0], &Serial).unwrap();
        strategy
            .append(
                &input,
                &mut frames[1],
                &By(|n, work| {
                    std::thread::scope(|scope| (0..n).for_each(|i| drop(scope.spawn(move || work(i)))));
                }),
            )
            .unwrap();
        assert!(frames[0] == frames[1]);
        assert!(reference(&frames[0], len).is_some_and(|found| found == input), "{len}");
        assert!(unpack(Codec::Lz4, &frames[0], len).is_ok_and(|found| found == input), "{len}");
    }
}

#[test]
fn agrees_with_liblz4_on_damaged_frames() {
    let input = ints(600);
    for prefs in variants() {
        let mut frame = Vec::new();
        append_with(&prefs, &input, &mut frame).unwrap();
        for at in 0..frame.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut frame = frame.clone();
                frame[at] ^= flip;
                let ours = unpack(Codec::Lz4, &frame, input.len()).ok();
                assert_eq!(ours, reference(&frame, input.len()), "byte {at} ^ {flip:#x} of {prefs:?}");
            }
        }
    }
}

/// An offset of 0 is invalid, but liblz4 does not refuse it: it must not show what memory held before.
#[test]
fn offset_zero_shows_no_old_memory() {
    let block = [&[0x1F, b'x', 0, 0, 20, 0x50][..], b"final"].concat();
    let mut frame = vec![0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
    frame.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
    frame.extend(&block);
    frame.extend([0; 4]);
    let len = 1 + 19 + 20 + 5;
    let [a, b] = [0xAA, 0x55].map(|old| {
        let mut dst = vec![MaybeUninit::new(old); len];
        decompress(&frame, &mut dst).map(|()| {
            // SAFETY: all of `dst` was written when it was made.
            unsafe { uninit::written(&dst, len) }.to_vec()
        })
    });
    assert!(a.is_ok(), "{a:?}");
    assert_eq!(a, b);
}

#[test]
fn headers_are_refused_by_name() {
    let error = |frame: &[u8]| unpack(Codec::Lz4, frame, 5).unwrap_err().to_string();
    assert!(error(&[]).contains("truncated in its header"));
    assert!(error(b"\x28\xb5\x2f\xfd0000").contains("not an LZ4 frame"));
    assert!(error(b"\x50\x2a\x4d\x18\0\0\0\0").contains("not an LZ4 frame"), "skippable");
    assert!(error(&[0x04, 0x22, 0x4D, 0x18, 0x61, 0x40, 0, 0, 0, 0, 0]).contains("dictionary"));
    assert!(error(&[0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x83]).contains("checksum"));
}
