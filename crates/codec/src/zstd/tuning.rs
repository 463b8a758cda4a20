//! How libzstd's level 3 is told to look for matches in a column.
//!
//! The level (strategy `dfast`) keeps two hash tables: of 8 bytes for long matches, and of a shorter length for the
//! rest. A column is of one kind:
//!
//! - Numbers repeat in pieces of some bytes: the first table may be small. A smaller one stays in the cache, which is
//!   worth up to a tenth of the time. Most columns keep their size. Columns of some thousand to 100,000 different `f64`
//!   in no order lose (up to 12% more bytes): half of their matches are no longer found.
//! - Text has many matches of 5 bytes that lead nowhere. Without them, and with the larger table for those of 6,
//!   it takes up to a fifth less time to write and is about as large, URLs smaller. The matches of 4 bytes that
//!   libzstd looks for in inputs of 128 to 256 KiB are worse still there: numbers do need them.
//!
//! - In less than [`MIN_TUNED_BY_SAMPLE_BYTES`] there is no room for a sample (`select.rs`). Numbers take one table there, of matches of 5
//!   bytes (strategy `fast`): an eighth less time, up to a quarter for integers, which become smaller, too. Values that
//!   stay the same for long do not: `dfast` finds a run as one match, `fast` as many.
//!
//! Only the input decides. `cargo bench -p floe-benches --bench stages` has the times of both beside each other, the
//! tests below the sizes.

/// The level whose tables are chosen here, and 0, libzstd's name for its default, which is that level.
const LEVELS: [i32; 2] = [3, 0];
/// Inputs up to this have small tables in any case.
const MAX_SMALL_BYTES: usize = 16 << 10;
/// From this size on a sample decides (`select.rs`).
pub(super) const MIN_TUNED_BY_SAMPLE_BYTES: usize = if cfg!(fuzzing) { 64 } else { 512 << 10 };
/// Above this size libzstd makes other choices as well: matches from further away are worth finding.
const MIN_LARGE_BYTES: usize = 256 << 10;

/// The pieces of an input that are sampled, and the bytes of each.
const PIECES: usize = 64;
const PIECE_BYTES: usize = 8;

/// The parameters given to libzstd; 0 leaves a choice to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tuning {
    /// The base-2 logarithm of how many places the table of 8 bytes has.
    pub(super) long_log: u32,
    /// The base-2 logarithm of how many places the table of `min_match` bytes has.
    pub(super) short_log: u32,
    /// How many bytes the shortest match has.
    pub(super) min_match: u32,
    /// Only the short table is there (strategy `fast`).
    pub(super) is_fast: bool,
}

impl Tuning {
    /// One table, of 128 KiB.
    pub(super) const FAST: Self = Self { long_log: 15, short_log: 0, min_match: 6, is_fast: true };

    /// Whether the tables of the level are chosen here.
    pub(super) fn chooses(level: i32) -> bool {
        LEVELS.contains(&level)
    }

    /// The choice for `input` at `level`.
    pub(super) fn of(level: i32, input: &[u8]) -> Self {
        if !Self::chooses(level) || input.len() <= MAX_SMALL_BYTES {
            return Self::default();
        }
        let is_text = is_text(input);
        if !is_text && input.len() < MIN_TUNED_BY_SAMPLE_BYTES && !has_runs(input) {
            return Self { min_match: 5, ..Self::FAST };
        }
        match (input.len() > MIN_LARGE_BYTES, is_text) {
            (false, false) => Self { long_log: 14, short_log: 16, min_match: 0, is_fast: false },
            (false, true) => Self { long_log: 14, short_log: 16, min_match: 6, is_fast: false },
            (true, false) => Self { long_log: 15, short_log: 16, min_match: 0, is_fast: false },
            (true, true) => Self { long_log: 14, short_log: 17, min_match: 6, is_fast: false },
        }
    }
}

/// Whether nearly all of a spread sample is ASCII that can be printed.
pub(super) fn is_text(input: &[u8]) -> bool {
    let stride = input.len() / PIECES;
    let sample = input.chunks(stride.max(PIECE_BYTES)).flat_map(|chunk| chunk.iter().take(PIECE_BYTES));
    let is_odd = |byte: &&u8| !(byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    sample.filter(is_odd).count() <= PIECES * PIECE_BYTES / 16
}

/// Whether values of 4, 8 or 16 bytes are often those before them.
fn has_runs(input: &[u8]) -> bool {
    let again = |chunk: &&[u8]| {
        let again = |len: usize| chunk.get(..len).is_some_and(|bytes| chunk.get(len..2 * len) == Some(bytes));
        again(8) || again(16)
    };
    input.chunks((input.len() / PIECES).max(PIECE_BYTES)).filter(again).count() > PIECES / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ints, letters, noise};

    #[test]
    fn text_is_told_from_numbers() {
        assert!(is_text(&letters(20_000)));
        assert!(is_text("id=17\tname=\"x y\"\n".repeat(2_000).as_bytes()));
        assert!(!is_text(&ints(20_000)));
        assert!(!is_text(&noise(20_000)));
        assert!(!is_text(&vec![0; 20_000]));
    }

    #[test]
    fn other_levels_and_small_inputs_are_left_alone() {
        let text = letters(MIN_LARGE_BYTES + 1);
        for level in [-1, 1, 2, 4, 19] {
            assert_eq!(Tuning::of(level, &text), Tuning::default());
        }
        assert_eq!(Tuning::of(3, &text[..MAX_SMALL_BYTES]), Tuning::default());
        assert_eq!(Tuning::of(3, &text), Tuning::of(0, &text));
        assert_ne!(Tuning::of(3, &text), Tuning::default());
        assert_ne!(Tuning::of(3, &text[..MIN_LARGE_BYTES]), Tuning::of(3, &text));
    }

    #[test]
    fn numbers_of_which_there_is_no_sample_take_one_table_unless_they_come_in_runs() {
        let fast = |input: &[u8]| Tuning::of(3, input).is_fast;
        assert!(fast(&ints(MAX_SMALL_BYTES + 1)) && fast(&ints(MIN_TUNED_BY_SAMPLE_BYTES - 1)));
        assert!(
            !fast(&ints(MIN_TUNED_BY_SAMPLE_BYTES))
                && !fast(&ints(MAX_SMALL_BYTES))
                && !fast(&letters(100_000))
        );
        for width in [4, 8, 16] {
            let runs: Vec<u8> = (0..100_000u32)
                .flat_map(|i| std::iter::repeat_n(0, width - 4).chain((i / 100).to_le_bytes()))
                .collect();
            assert!(!fast(&runs[..100_000]), "{width}");
        }
        let below: Vec<u8> = noise(100_000)
            .chunks_exact(8)
            .flat_map(|value| [value[0], value[1] % 40, 0, 0, 0, 0, 0, 0])
            .collect();
        let len = |tuning: Tuning| {
            let mut frame = Vec::new();
            super::super::search(&below, 3, tuning, &mut frame).unwrap();
            frame.len()
        };
        assert!(len(Tuning::of(3, &below)) < len(Tuning::default()));
    }

    /// The sizes that the module docs state, on columns of each kind.
    #[test]
    fn columns_become_as_small_as_with_the_tables_of_libzstd() {
        let below = |n: u64| {
            let random = noise(8 * 100_000);
            let (words, _) = random.as_chunks::<8>();
            words.iter().map(|word| u64::from_le_bytes(*word) % n).collect::<Vec<_>>()
        };
        let bytes = |values: Vec<u64>| values.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
        let different = noise(8 * 20_000);
        let (different, _) = different.as_chunks::<8>();
        #[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
        let unit =
            |word: &[u8; 8]| ((u64::from_le_bytes(*word) >> 11) as f64 / (1u64 << 53) as f64).to_bits();
        let pick = |i: u64| unit(&different[usize::try_from(i).unwrap()]);
        let repeated = below(20_000).into_iter().map(pick).collect();
        let urls = below(5_000).into_iter().zip(below(1_000_000_007));
        let urls: String = urls.map(|(page, visit)| format!("https://example.com/{page}/{visit}")).collect();
        for (what, input, most) in [
            ("small integers", bytes(below(1_000)), 1.01),
            ("integers", bytes(below(1_000_000)), 1.01),
            ("steps", bytes((0..100_000).collect()), 1.01),
            ("20,000 different f64", bytes(repeated), 1.12),
            ("URLs", urls.clone().into_bytes(), 0.96),
            ("URLs, 200 KB", urls.into_bytes()[..200_000].to_vec(), 0.90),
        ] {
            let mut own = Vec::new();
            super::super::tests::append_at(3, &input, &mut own, &floe_runtime::Serial);
            let mut theirs = vec![0; zstd_safe::compress_bound(input.len())];
            let len = zstd_safe::compress(&mut theirs[..], &input, 3).unwrap();
            #[expect(clippy::cast_precision_loss, reason = "a ratio")]
            let ratio = own.len() as f64 / len as f64;
            assert!(ratio < most, "{what}: {ratio} of libzstd's size");
        }
    }
}
