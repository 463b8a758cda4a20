//! Columns of each kind: the strategy selected, the size beside libzstd's, and that every decoder reads the frame.

use super::tests::append_at;
use super::tuning::Tuning;
use super::{Columnar, Libzstd, select};
use crate::Codec;
use crate::match_key::{MatchKey, MatchSource};
use crate::strategy::{Encoder, Library, Strategy};
use crate::tests::{letters, noise, patterns, unpack};

const SOURCES: [MatchSource; 2] = [MatchSource::FixedOffset, MatchSource::HashTable];

/// Bytes of a column.
const LEN: usize = 2 << 20;

fn random(values: usize) -> impl Iterator<Item = u64> {
    let bytes = noise(values * 8);
    (0..values).map(move |i| u64::from_le_bytes(*bytes[i * 8..].first_chunk().unwrap()))
}

fn of(values: impl Iterator<Item = u64>) -> Vec<u8> {
    values.flat_map(u64::to_le_bytes).collect()
}

fn fixed(width: usize, bytes: std::ops::Range<usize>) -> Strategy {
    columnar(Some(MatchKey::spanning(width, bytes.start, bytes.end, MatchSource::FixedOffset)))
}

fn columnar(key: Option<MatchKey>) -> Strategy {
    Strategy::ColumnarZstd(Columnar { level: 3, key })
}

fn by_libzstd(level: i32, tuning: Tuning) -> Strategy {
    Strategy::Library(Library::Zstd(Libzstd { level, tuning }))
}

#[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
fn hundredths(value: u64) -> u64 {
    (value as f64 / 100.0).to_bits()
}

/// A view of a string of 2 letters and 5 digits, as Arrow's `Utf8View` has it.
fn view(value: u64) -> [u8; 16] {
    let mut view = [0; 16];
    let text = format!("id{:05}", value % 100_000);
    view[0] = u8::try_from(text.len()).unwrap();
    view[4..4 + text.len()].copy_from_slice(text.as_bytes());
    view
}

/// Name, bytes, the plan if it is one of a kind, and the size of the frame beside libzstd's at the most.
type Column = (&'static str, Vec<u8>, Option<Strategy>, f64);

fn columns() -> Vec<Column> {
    let n = LEN / 8;
    let below = |most: u64| of(random(n).map(move |value| value % most));
    let start = 1_600_000_000_000_000;
    let times = (0..).zip(random(n)).map(|(i, value)| start + i * 1_000_000 + value % 1_000_000);
    let decimals = random(n / 2).flat_map(|value| u128::from(value % 10_000_000).to_le_bytes());
    let keys = |most: u64| of(random(n).map(move |value| (value % most) | ((value >> 32) % most) << 32));
    let exponent = 1023 << 52;
    let mut offset = 0;
    let offsets = random(n).map(|value| {
        offset += value % 20;
        offset
    });
    vec![
        ("below 1,000", below(1_000), Some(fixed(8, 2..8)), 0.85),
        ("below a million", below(1_000_000), Some(fixed(8, 3..8)), 0.90),
        ("below 2^30", below(1 << 30), Some(fixed(8, 4..8)), 0.95),
        ("times", of(times), None, 1.09),
        ("decimals", decimals.collect(), Some(fixed(16, 3..16)), 0.90),
        ("views", random(n / 2).flat_map(view).collect(), Some(fixed(16, 11..22)), 1.0),
        ("few views", random(n / 2).flat_map(|value| view(value % 4_000)).collect(), None, 1.0),
        ("prices", of(random(n).map(|value| hundredths(value % 100_000))), None, 1.0),
        ("few prices", of(random(n).map(|value| hundredths(value % 2_000))), None, 0.95),
        ("keys below 100,000", keys(100_000), Some(columnar(None)), 1.01),
        ("floats", of(random(n).map(|value| (value >> 12) | exponent)), Some(columnar(None)), 1.0),
        ("letters", letters(LEN), Some(columnar(None)), 1.01),
        ("offsets", of(offsets), None, 1.05),
        ("steps", of(0..n as u64), None, 1.05),
        ("runs", of((0..n as u64).map(|i| i / 1_000)), None, 1.05),
        ("zeros", vec![0; LEN], None, 1.05),
        ("noise", noise(LEN), None, 1.0),
    ]
}

fn frame_of(input: &[u8], level: i32) -> Vec<u8> {
    let mut frame = Vec::new();
    append_at(level, input, &mut frame, &floe_runtime::Serial);
    frame
}

fn assert_is(frame: &[u8], input: &[u8], what: &str) {
    assert!(unpack(Codec::Zstd, frame, input.len()).is_ok_and(|found| found == input), "{what}");
    let mut theirs = vec![0; input.len()];
    assert_eq!(zstd_safe::decompress(&mut theirs[..], frame), Ok(input.len()), "{what}");
    assert!(theirs == input, "{what}");
}

fn selected(input: &[u8], level: i32) -> Strategy {
    select::strategy(input, level).unwrap().0
}

#[test]
fn columns_are_made_as_suits_them() {
    for (what, input, plan, most) in columns() {
        let found = selected(&input, 3);
        assert!(plan.is_none_or(|plan| plan == found), "{what}: {found:?}");
        let frame = frame_of(&input, 3);
        assert_is(&frame, &input, what);
        let mut theirs = vec![0; zstd_safe::compress_bound(input.len())];
        let len = zstd_safe::compress(&mut theirs[..], &input, 3).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = frame.len() as f64 / len as f64;
        assert!(ratio <= most, "{what}: {ratio} of libzstd's size");
        assert_eq!(frame, frame_of(&input, 0), "{what}: level 0 is level 3");
    }
}

#[test]
fn prices_are_looked_for_in_all_that_was_there() {
    let prices = of(random(LEN / 8).map(|value| hundredths(value % 2_000)));
    assert!(
        matches!(selected(&prices, 3), Strategy::ColumnarZstd(columnar) if columnar.uses_hash_table()),
        "{:?}",
        selected(&prices, 3)
    );
}

#[test]
fn other_levels_and_small_inputs_are_left_to_libzstd() {
    let input = of(random(LEN / 8).map(|value| value % 1_000));
    for level in [-5, 1, 2, 4, 9] {
        assert_eq!(selected(&input, level), by_libzstd(level, Tuning::default()), "{level}");
    }
    let small = &input[..(512 << 10) - 8];
    assert_eq!(selected(small, 3), by_libzstd(3, Tuning::of(3, small)));
    assert_ne!(selected(&input, 3), by_libzstd(3, Tuning::of(3, &input)));
}

/// Every plan there can be, on inputs that it was never meant for.
#[test]
fn every_plan_keeps_every_input() {
    let widths =
        [(4, 0..4), (4, 1..4), (8, 0..8), (8, 2..8), (8, 0..6), (8, 7..11), (16, 0..16), (16, 11..22)];
    let keys = widths.into_iter().flat_map(|(width, bytes)| {
        SOURCES.map(|source| MatchKey::spanning(width, bytes.start, bytes.end, source))
    });
    let keys: Vec<Option<MatchKey>> = keys.map(Some).chain([None]).collect();
    for len in
        [0, 1, 3, 7, 15, 16, 17, 31, 33, 100, 4_097, (128 << 10) - 1, 128 << 10, (128 << 10) + 9, 400_003]
    {
        for input in patterns(len) {
            for key in &keys {
                let mut frame = b"before".to_vec();
                Columnar { level: 3, key: *key }.append(&input, &mut frame).unwrap();
                assert_is(&frame[6..], &input, &format!("{key:?} of {len}"));
            }
        }
    }
}

/// Values that are at times as before, at times as some value long ago, and at times new.
#[test]
fn every_plan_keeps_mixtures() {
    let mut history: Vec<u64> = vec![0];
    let values = random(100_000).map(|value| {
        let next = match value % 5 {
            0 => value,
            1 => history[history.len() - 1] ^ (value >> 56),
            2 => history[usize::try_from(value >> 20).unwrap() % history.len()],
            3 => history[history.len().saturating_sub(4)] ^ ((value >> 48) << 48),
            _ => history[history.len() - 1],
        };
        history.push(next);
        next
    });
    let input = of(values);
    for width in [4, 8, 16] {
        for start in 0..width {
            for len in 3..=width {
                for source in SOURCES {
                    let key = MatchKey::spanning(width, start, start + len, source);
                    let mut frame = Vec::new();
                    Columnar { level: 3, key: Some(key) }.append(&input[..150_000], &mut frame).unwrap();
                    assert_is(&frame, &input[..150_000], &format!("{key:?}"));
                }
            }
        }
    }
}
