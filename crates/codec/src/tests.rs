//! Tests of the crate's functions over both codecs.
#![cfg_attr(not(all(feature = "lz4", feature = "zstd")), allow(dead_code))]

use std::mem::MaybeUninit;
use std::sync::Mutex;

use floe_runtime::Executor;

use super::*;

const ALL: [Compression; 5] = [
    Compression::Lz4,
    Compression::Zstd { level: -5 },
    Compression::Zstd { level: 0 },
    Compression::Zstd { level: 3 },
    Compression::Zstd { level: 19 },
];

fn enabled() -> impl Iterator<Item = Compression> {
    ALL.into_iter().filter(|compression| compression.check().is_ok())
}

/// Random bytes (SplitMix64).
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 42u64;
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(len / 8 + 1).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// Random letters: entropy to save, but nothing repeats.
pub(crate) fn letters(len: usize) -> Vec<u8> {
    noise(len).into_iter().map(|byte| b'a' + byte % 26).collect()
}

/// Small random `i64`s.
pub(crate) fn ints(len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        noise(len / 8 + 1).into_iter().flat_map(|byte| i64::from(byte).to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

pub(crate) fn patterns(len: usize) -> [Vec<u8>; 4] {
    [vec![0; len], noise(len), letters(len), ints(len)]
}

/// Decompresses into memory with guards on both sides, twice over different old contents.
pub(crate) fn unpack(codec: Codec, frame: &[u8], len: usize) -> Result<Vec<u8>> {
    const GUARD: usize = 64;
    let run = |old: u8| {
        let mut memory = vec![MaybeUninit::new(old); GUARD + len + GUARD];
        let result = decompress(codec, frame, &mut memory[GUARD..GUARD + len]);
        // SAFETY: every byte was written when the memory was made.
        let memory: Vec<u8> = memory.into_iter().map(|byte| unsafe { byte.assume_init() }).collect();
        let outside = memory[..GUARD].iter().chain(&memory[GUARD + len..]);
        assert!(outside.into_iter().all(|byte| *byte == old), "written out of bounds");
        result.map(|()| memory[GUARD..GUARD + len].to_vec())
    };
    let (a, b) = (run(0xAA), run(0x55));
    assert_eq!(a, b, "the result depends on what memory held before");
    a
}

fn pack(compression: Compression, input: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    compress_always(compression, input, &mut frame).unwrap();
    frame
}

#[test]
fn round_trips() {
    let lens = [0, 1, 7, 8, 9, 63, 64, 65, 4096, 65_535, 65_536, 65_537, (256 << 10) + 1, 5 << 20];
    for compression in enabled() {
        let slow = compression == Compression::Zstd { level: 19 };
        for len in lens.into_iter().filter(|len| !slow || *len < 100_000) {
            for input in patterns(len) {
                let codec = compression.codec();
                let frame = pack(compression, &input);
                assert!(unpack(codec, &frame, len).as_ref() == Ok(&input), "{compression:?} {len}");
                assert!(max_decompressed_len(codec, &frame) >= u64::try_from(len).unwrap());
                assert!(unpack(codec, &frame, len + 1).is_err(), "{compression:?} {len}: holds fewer");
                assert!(
                    len == 0 || unpack(codec, &frame, len - 1).is_err(),
                    "{compression:?} {len}: holds more"
                );
                assert!(len == 0 || unpack(codec, &frame, 0).is_err(), "{compression:?} {len}: holds more");

                let mut out = b"before".to_vec();
                let kept = compress(compression, &input, &mut out).unwrap();
                assert_eq!(&out[..6], b"before");
                assert_eq!(out.len() > 6, kept);
                assert!(!kept || out[6..] == frame);
                assert!(kept || len >= 256 << 10, "{compression:?} {len}");
            }
        }
    }
}

#[test]
fn incompressible_input_leaves_out_as_it_was() {
    for compression in enabled() {
        let asked = !matches!(compression, Compression::Zstd { level: 19 });
        for len in [300_000, 1 << 20] {
            let mut out = b"before".to_vec();
            assert_eq!(compress(compression, &noise(len), &mut out), Ok(!asked), "{compression:?} {len}");
            assert!(!asked || out == b"before");
        }
    }
}

#[test]
fn truncated_frames_and_trailing_bytes_are_errors() {
    for compression in enabled() {
        for input in patterns(700) {
            let frame = pack(compression, &input);
            let codec = compression.codec();
            for cut in 0..frame.len() {
                let part = &frame[..cut];
                assert!(unpack(codec, part, input.len()).is_err(), "{compression:?} cut at {cut}");
                let _ = max_decompressed_len(codec, part);
            }
            for more in [&[0][..], &[0; 8], &frame] {
                let long = [&frame, more].concat();
                assert!(unpack(codec, &long, input.len()).is_err(), "{compression:?} with more behind it");
            }
            // ZSTD data is one frame or several, an LZ4 buffer is one.
            let twice = unpack(codec, &frame.repeat(2), 2 * input.len());
            match codec {
                Codec::Lz4 => assert!(twice.is_err()),
                Codec::Zstd => assert_eq!(twice, Ok(input.repeat(2))),
            }
        }
    }
}

#[test]
fn damaged_frames_do_no_harm() {
    for compression in enabled() {
        let codec = compression.codec();
        for input in patterns(900) {
            let frame = pack(compression, &input);
            for at in 0..frame.len() {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut bad = frame.clone();
                    bad[at] ^= flip;
                    // `unpack` checks bounds and old memory; the outcome may be either.
                    let _ = unpack(codec, &bad, input.len());
                    let _ = max_decompressed_len(codec, &bad);
                }
                if at % 16 == 0 {
                    assert_eq!(
                        unpack(codec, &frame, input.len()).as_ref(),
                        Ok(&input),
                        "after damage at {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn noise_is_no_frame() {
    for codec in [Codec::Lz4, Codec::Zstd] {
        for len in 0..200 {
            assert!(unpack(codec, &noise(len), 100).is_err());
        }
    }
}

#[test]
fn absurd_claims_exceed_the_bound() {
    let input = vec![0; 5 << 20];
    for compression in enabled() {
        let frame = pack(compression, &input);
        let bound = max_decompressed_len(compression.codec(), &frame);
        assert!((5 << 20..1 << 40).contains(&bound), "{bound}");
    }
    // A ZSTD frame that states 2^60 bytes is held to what its blocks can make.
    let mut liar = 0xFD2F_B528_u32.to_le_bytes().to_vec();
    liar.push(0b1110_0000);
    liar.extend((1u64 << 60).to_le_bytes());
    liar.extend([1, 0, 0]);
    assert!(max_decompressed_len(Codec::Zstd, &liar) <= 5 * (128 << 10));
    for codec in [Codec::Lz4, Codec::Zstd] {
        assert!(max_decompressed_len(codec, &[]) < 1 << 20);
    }
}

#[test]
fn frames_do_not_depend_on_what_came_before() {
    let inputs: Vec<_> = [100, 5000, 70_000, 600_000].into_iter().flat_map(patterns).collect();
    for compression in enabled().filter(|c| *c != Compression::Zstd { level: 19 }) {
        let fresh = |input: Vec<u8>| std::thread::spawn(move || pack(compression, &input)).join().unwrap();
        let expected: Vec<_> = inputs.iter().map(|input| fresh(input.clone())).collect();
        for step in [1, 3, 7] {
            for i in 0..inputs.len() {
                let i = i * step % inputs.len();
                // Different capacities, addresses and neighbours.
                let mut out = Vec::with_capacity(step * 1000);
                out.extend(std::iter::repeat_n(9, step));
                compress_always(compression, &inputs[i], &mut out).unwrap();
                assert!(out[step..] == expected[i], "{compression:?} input {i}");
            }
        }
    }
}

#[test]
fn threads_do_not_meet() {
    std::thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                for round in 0..50 {
                    let input = &ints(40_000)[seed * 500 + round..];
                    for compression in enabled().take(4) {
                        let frame = pack(compression, input);
                        let back = unpack(compression.codec(), &frame, input.len());
                        assert!(back.is_ok_and(|back| back == input));
                        assert!(unpack(compression.codec(), &frame[..frame.len() - 1], input.len()).is_err());
                    }
                }
            });
        }
    });
}

/// A thread's destructors run in no certain order: the codecs work in all of them.
#[test]
fn works_while_a_thread_ends() {
    struct AtEnd(Compression);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let input = ints(1000);
            let frame = pack(self.0, &input);
            assert_eq!(unpack(self.0.codec(), &frame, 1000), Ok(input));
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) });
    for compression in enabled() {
        for before in [false, true] {
            let run = move || {
                if before {
                    pack(compression, &[0; 100]);
                }
                LATE.with(|late| *late.borrow_mut() = Some(AtEnd(compression)));
                pack(compression, &[0; 100]);
            };
            std::thread::spawn(run).join().unwrap();
        }
    }
}

#[cfg(feature = "zstd")]
#[test]
fn levels_out_of_range_are_named() {
    for level in [23, 100, i32::MAX, -131_073, i32::MIN] {
        let mut out = vec![1];
        for input in [&[][..], &[0; 100]] {
            let error = compress(Compression::Zstd { level }, input, &mut out).unwrap_err().to_string();
            assert!(error.contains(&level.to_string()) && error.contains("-131072"), "{error}");
            assert!(error.contains("22"), "{error}");
        }
        assert_eq!(out, [1]);
    }
}

#[test]
fn codecs_that_are_off_say_so() {
    for (compression, feature, on) in [
        (Compression::Lz4, "`lz4`", cfg!(feature = "lz4")),
        (Compression::Zstd { level: 1 }, "`zstd`", cfg!(feature = "zstd")),
    ] {
        let mut out = Vec::new();
        let errors = [
            compress(compression, &[0; 100], &mut out).err(),
            compress_always(compression, &[0; 100], &mut out).err(),
            decompress(compression.codec(), &[], &mut []).err(),
        ];
        for error in errors {
            assert_eq!(error.is_some_and(|error| error.to_string().contains(feature)), !on);
        }
    }
}

/// An executor that is a function.
pub(crate) struct By(pub(crate) fn(usize, &(dyn Fn(usize) + Sync)));

impl Executor for By {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (self.0)(n, work);
    }
}

pub(crate) const BACKWARDS: By = By(|n, work| (0..n).rev().for_each(work));

/// An executor is safe code of somebody else: it may do nothing, or too much. Decompressed bytes are all written, and
/// compressed ones are whole frames, in spite of that.
#[test]
fn nothing_is_left_out_whoever_runs_the_pieces() {
    let odd = [
        By(|_, _| {}),
        By(|n, work| (0..n).step_by(2).for_each(work)),
        By(|n, work| (0..n).chain(0..n + 3).for_each(work)),
        By(|n, work| {
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..n).for_each(work));
                }
            });
        }),
    ];
    let input = ints(18 << 20);
    for compression in enabled().filter(|one| *one != Compression::Zstd { level: 19 }) {
        let whole = pack(compression, &input);
        for executor in &odd {
            let mut frame = Vec::new();
            compress_always_with(compression, &input, &mut frame, executor).unwrap();
            assert!(frame == whole, "{compression:?}");
            let mut dst = vec![MaybeUninit::new(0xAA); input.len()];
            let seen = Mutex::new(0);
            let each = |_: usize, bytes: &mut [u8]| *seen.lock().unwrap() += bytes.len();
            decompress_each(compression.codec(), &frame, &mut dst, executor, &each).unwrap();
            assert!(seen.into_inner().unwrap() >= input.len());
            // SAFETY: every byte was written when the memory was made.
            let dst: Vec<u8> = dst.into_iter().map(|byte| unsafe { byte.assume_init() }).collect();
            assert!(dst == input, "{compression:?}");
        }
    }
}
