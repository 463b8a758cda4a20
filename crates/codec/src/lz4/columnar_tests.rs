use super::super::Liblz4;
use super::super::block::{TAIL_BYTES, TOKEN_MAX};
use super::*;
use crate::Codec;
use crate::lz4::tests::reference;
use crate::tests::{letters, noise, patterns, unpack};

fn encoders() -> impl Iterator<Item = Columnar> {
    let fixed = [8, 16].map(MatchKey::any_end);
    fixed.into_iter().chain(KEYS.into_iter().flatten().copied()).map(Columnar)
}

fn random(len: usize) -> impl Iterator<Item = u64> {
    let bytes = noise(len + 8);
    (0..len / 8).map(move |i| u64::from_le_bytes(*bytes[i * 8..].first_chunk().unwrap()))
}

fn of(values: impl Iterator<Item = u64>) -> Vec<u8> {
    values.flat_map(u64::to_le_bytes).collect()
}

/// Name, bytes, and the encoder that should be chosen.
type Column = (&'static str, Vec<u8>, Option<Columnar>);

/// Columns of `len` bytes.
fn columns(len: usize) -> Vec<Column> {
    let below = |n: u64| of(random(len).map(|value| value % n));
    let decimals = random(len / 2).flat_map(|value| u128::from(value % (1 << 40)).to_le_bytes());
    let mut offset = 0;
    let offsets = random(len).map(|value| {
        offset += value % 20;
        offset
    });
    let start = 1_600_000_000_000_000;
    let times = (0..).zip(random(len)).map(|(i, value)| start + i * 1_000_000 + value % 1_000_000);
    let days = random(2 * len).flat_map(|value| (8_000 + low(value) % 2_500).to_le_bytes());
    let views = random(2 * len).flat_map(|value| {
        let mut view = [0; 16];
        let text = format!("id{}", value % 100_000);
        view[0] = u8::try_from(text.len()).unwrap();
        view[4..4 + text.len()].copy_from_slice(text.as_bytes());
        view
    });
    #[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
    let float = |value: u64| (value as f64 / u64::MAX as f64).to_bits();
    let prices = random(len).map(|value| (f64::from(low(value) % 100_000) / 100.0).to_bits());
    let before = |width| Some(Columnar(MatchKey::any_end(width)));
    vec![
        ("steps", of(0..len as u64 / 8), before(8)),
        ("offsets", of(offsets), before(8)),
        ("timestamps", of(times), before(8)),
        ("runs", of((0..len as u64 / 8).map(|i| i / 100)), before(8)),
        ("below 1,000", below(1_000), Some(Columnar(key(16, 0, 2, 16)))),
        ("below a million", below(1_000_000), Some(Columnar(key(8, 0, 2, 8)))),
        ("below ten million", below(10_000_000), Some(Columnar(key(8, 0, 2, 8)))),
        ("days", days.take(len).collect(), Some(Columnar(key(8, 0, 2, 8)))),
        ("decimals", decimals.collect(), before(16)),
        ("prices", of(prices), Some(Columnar(key(8, 7, 0, 7)))),
        ("views", views.take(len).collect(), Some(Columnar(key(8, 0, 0, 8)))),
        ("floats", of(random(len).map(float)), None),
        ("letters", letters(len), None),
        ("noise", noise(len), None),
    ]
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap()
}

fn chosen(input: &[u8]) -> Option<Columnar> {
    Columnar::choose(input, &Liblz4).unwrap().0
}

#[test]
fn what_rises_is_found_where_its_high_bytes_are_all_that_repeats() {
    let plan = |values: &[u64]| chosen(&of(values.iter().copied())).is_some();
    let noise: Vec<u64> = random(32_000).collect();
    let rising =
        |step: u64| (0..).zip(&noise).map(|(i, noise)| i * step + noise % (step + 1)).collect::<Vec<_>>();
    assert!(plan(&rising(1)) && plan(&rising(1_001)) && plan(&rising(999_983)));
    assert!(plan(&(0..4_000).collect::<Vec<_>>()), "row numbers");
    assert!(!plan(&(0..4_000).map(|i| i * 60).collect::<Vec<_>>()), "low bytes come again and again");
    assert!(plan(&[7; 4_000]), "one run");
    assert!(!plan(&(0..4_000).map(|i| i << 16).collect::<Vec<_>>()), "low bytes repeat, too");
    assert!(!plan(&rising(1 << 40)), "high bytes do not");
    assert!(!plan(&random(32_000).map(|value| value % 1_000_000).collect::<Vec<_>>()), "any order");
    let mut some = rising(3);
    some[3] = 0;
    assert!(plan(&some), "one falls");
    (0..4_000).step_by(40).for_each(|i| some[i] = 0);
    assert!(!plan(&some), "one in 40 falls");
    let days: Vec<u64> = rising(3).iter().map(|value| value % 2_700).collect();
    assert!(!plan(&days), "the same again and again");
}

/// Checks the rules of the format that decoders rely on, beyond that a block decodes to its input.
fn check_block(block: &[u8], len: usize) {
    fn more(block: &mut &[u8], mut length: usize) -> usize {
        if length == TOKEN_MAX {
            while let Some((byte, rest)) = block.split_first() {
                *block = rest;
                length += usize::from(*byte);
                if *byte < 255 {
                    break;
                }
            }
        }
        length
    }
    let (mut rest, mut at) = (block, 0);
    loop {
        let (token, behind) = rest.split_first().unwrap();
        rest = behind;
        let literals = more(&mut rest, usize::from(token >> 4));
        rest = &rest[literals..];
        at += literals;
        let Some((offset, behind)) = rest.split_first_chunk() else {
            assert_eq!((at, rest.len()), (len, 0));
            assert!(literals >= 5, "the last 5 bytes are literals");
            break;
        };
        rest = behind;
        let offset = usize::from(u16::from_le_bytes(*offset));
        assert!((1..=at).contains(&offset));
        assert!(at + TAIL_BYTES <= len, "the last match begins 12 bytes before the end");
        at += more(&mut rest, usize::from(token & 15)) + MIN_MATCH_BYTES;
    }
}

fn check(encoder: &Columnar, input: &[u8]) {
    let mut frame = vec![7];
    encoder.append(input, &mut frame).unwrap();
    let frame = &frame[1..];
    assert_eq!(unpack(Codec::Lz4, frame, input.len()).as_deref(), Ok(input), "{encoder:?}");
    assert_eq!(reference(frame, input.len()).as_deref(), Some(input), "{encoder:?}");
    let mut rest = &frame[LZ4_HEAD.len()..];
    for block in input.chunks(LZ4_BLOCK_BYTES) {
        let size = u32::from_le_bytes(*rest.first_chunk().unwrap());
        let stored = usize::try_from(size & !LZ4_UNCOMPRESSED).unwrap();
        assert!(stored < block.len() || size == LZ4_UNCOMPRESSED | u32::try_from(block.len()).unwrap());
        if size & LZ4_UNCOMPRESSED == 0 {
            check_block(&rest[4..4 + stored], block.len());
        }
        rest = &rest[4 + stored..];
    }
    assert_eq!(rest, LZ4_END);
}

#[test]
fn every_way_keeps_every_column() {
    for len in
        (0..100).chain([LZ4_BLOCK_BYTES - 1, LZ4_BLOCK_BYTES, LZ4_BLOCK_BYTES + 1, 3 * LZ4_BLOCK_BYTES + 77])
    {
        for (_, mut input, _) in columns(len.next_multiple_of(16)) {
            input.truncate(len);
            encoders().for_each(|encoder| check(&encoder, &input));
        }
        for input in patterns(len) {
            encoders().for_each(|encoder| check(&encoder, &input));
        }
    }
}

/// Pieces of all kinds and lengths one after another, so that matches and literals of any length meet.
#[test]
fn every_way_keeps_any_mixture() {
    let kinds = columns(1 << 12);
    let mut state = random(8 << 12);
    let mut below = |n: usize| usize::try_from(state.next().unwrap()).unwrap() % n;
    for _ in 0..200 {
        let mut input = Vec::new();
        for _ in 0..below(12) {
            let (_, column, _) = &kinds[below(kinds.len())];
            let start = below(column.len());
            input.extend_from_slice(&column[start..][..below(column.len() - start)]);
        }
        encoders().for_each(|encoder| check(&encoder, &input));
    }
}

#[test]
fn columns_are_planned_by_what_they_hold() {
    for len in [MIN_COLUMNAR_BYTES, 300_000, 1 << 20, 2 << 20] {
        for (name, input, expected) in columns(len.next_multiple_of(16)) {
            let plan = chosen(&input);
            // Of a small input there is little to tell how often values come again.
            if len >= 1 << 20 || !["below 1,000", "prices", "views"].contains(&name) {
                assert_eq!(plan, expected, "{name}, {len}");
            }
            let small = chosen(&input[..MIN_COLUMNAR_BYTES - 1]);
            let rising = ["steps", "offsets", "timestamps", "runs"].contains(&name);
            assert_eq!(small.is_some(), rising, "{name}: too small for a sample, but for what rises");
            assert_eq!(chosen(&input[..MIN_RISING_BYTES - 1]), None, "{name}: too small");
        }
    }
}

#[test]
fn frames_are_about_as_small_as_those_of_liblz4() {
    let (mut all_own, mut all_theirs) = (0, 0);
    for len in [MIN_RISING_BYTES, 20_000, 100_000, MIN_COLUMNAR_BYTES, 300_000] {
        for (name, input, _) in columns(len) {
            let Some(plan) = chosen(&input) else { continue };
            let (mut own, mut theirs) = (Vec::new(), Vec::new());
            plan.append(&input, &mut own).unwrap();
            Liblz4.append(&input, &mut theirs).unwrap();
            assert!(
                own.len() <= theirs.len() + theirs.len() / TOLERANCE_RATIO + 50,
                "{name}, {len}: {} {}",
                own.len(),
                theirs.len()
            );
        }
    }
    for (name, input, expected) in columns(2 << 20) {
        let Some(plan) = expected else { continue };
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        plan.append(&input, &mut own).unwrap();
        Liblz4.append(&input, &mut theirs).unwrap();
        let most = match name {
            "below 1,000" | "below ten million" | "days" => theirs.len(),
            _ => theirs.len() + theirs.len() / TOLERANCE_RATIO,
        };
        assert!(own.len() <= most, "{name}: {} {}", own.len(), theirs.len());
        all_own += own.len();
        all_theirs += theirs.len();
    }
    assert!(all_own <= all_theirs + all_theirs / 100, "all: {all_own} {all_theirs}");
}
