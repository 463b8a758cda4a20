//! Which strategy makes a frame of level 3, selected from a sample of its input.
//!
//! ```text
//!   Libzstd            libzstd looks for matches, in two tables (strategy `dfast`, as the level says) or in one (`fast`)
//!   Columnar, a key    one key of each value is looked for, see `columnar.rs`
//!   Columnar, no key   Huffman codes alone: nothing repeats, and looking for it takes time
//! ```
//!
//! The sample is compressed in both of libzstd's ways, and with the key that an estimate (`estimate.rs`) says is best.
//! The faster strategy wins unless its sample is larger by more than one part in [`FAST_TOLERANCE_RATIO`] or
//! [`COLUMNAR_TOLERANCE_RATIO`]. Most frames become smaller than libzstd's. `cargo bench -p floe-benches --bench
//! stages` has the times beside libzstd's, and sizes of files beside Polars'.

use super::tuning::{MIN_TUNED_BY_SAMPLE_BYTES, Tuning, is_text};
use super::{Columnar, Libzstd, estimate};
use crate::Result;
use crate::sample::{is_worth_it, sample};
use crate::strategy::{Encoder, Library, Strategy};

/// Each piece of the sample is one part in `PIECE_RATIO` of the input, or `MAX_PIECE_BYTES`, whichever is less.
const PIECE_RATIO: usize = 64;
const MAX_PIECE_BYTES: usize = 4 << 10;
/// If that does not show how often values repeat, a longer piece is sampled: one part in `LONG_PIECE_RATIO` of the
/// input, or `MAX_LONG_PIECE_BYTES`, whichever is less.
const LONG_PIECE_RATIO: usize = 16;
const MAX_LONG_PIECE_BYTES: usize = 256 << 10;
/// The sample may become larger by one part in these without libzstd's second table, and without libzstd's search.
const FAST_TOLERANCE_RATIO: usize = 20;
const COLUMNAR_TOLERANCE_RATIO: usize = 12;
/// A key is not tried if its estimate is larger than libzstd's sample by more than one part in this.
const MAX_ESTIMATE_RATIO: usize = 4;
/// libzstd is fastest at inputs that shrink more than this many times.
const MAX_SHRINK_RATIO: usize = 32;

/// The strategy for `input`, and whether its sample is worth compressing, if there is a sample.
pub(super) fn strategy(input: &[u8], level: i32) -> Result<(Strategy, Option<bool>)> {
    let library = |tuning: Tuning| Libzstd { level, tuning };
    let by_level = library(Tuning::of(level, input));
    if input.len() < MIN_TUNED_BY_SAMPLE_BYTES || !Tuning::chooses(level) {
        return Ok((by_libzstd(by_level), None));
    }
    let sample = sample(input, (input.len() / PIECE_RATIO).next_multiple_of(16).min(MAX_PIECE_BYTES));
    let two_tables = by_level.compressed_len(&sample)?;
    let is_worth_it = |len: usize| Some(is_worth_it(len, sample.len()));
    if two_tables < sample.len() / MAX_SHRINK_RATIO {
        return Ok((by_libzstd(by_level), is_worth_it(two_tables)));
    }
    let fast = library(Tuning::FAST);
    let one_table = fast.compressed_len(&sample)?;
    let (library, library_len) = if one_table <= two_tables + two_tables / FAST_TOLERANCE_RATIO {
        (fast, one_table)
    } else {
        (by_level, two_tables)
    };
    let (key, estimate) = estimate::best_key(&sample, input.len(), is_text(&sample));
    if estimate > library_len + library_len / MAX_ESTIMATE_RATIO {
        return Ok((by_libzstd(library), is_worth_it(library_len)));
    }
    let columnar = Columnar { level, key };
    let max_len = |library_len: usize| library_len + library_len / COLUMNAR_TOLERANCE_RATIO;
    let columnar_len = columnar.compressed_len(&sample)?;
    if columnar_len <= max_len(library_len) {
        return Ok((Strategy::ColumnarZstd(columnar), is_worth_it(columnar_len.min(library_len))));
    }
    // Repetition at a distance shows in a longer piece only.
    let len = (input.len() / LONG_PIECE_RATIO).min(MAX_LONG_PIECE_BYTES);
    if len > sample.len() && columnar.uses_hash_table() {
        let start = (input.len() / 2).next_multiple_of(16);
        // A sixteenth of the input fits behind its middle.
        let piece = input.get(start..start + len).unwrap_or_default();
        debug_assert_eq!(piece.len(), len, "the longer piece lies within the input");
        if columnar.compressed_len(piece)? <= max_len(library.compressed_len(piece)?) {
            return Ok((Strategy::ColumnarZstd(columnar), is_worth_it(library_len)));
        }
    }
    Ok((by_libzstd(library), is_worth_it(library_len)))
}

fn by_libzstd(library: Libzstd) -> Strategy {
    Strategy::Library(Library::Zstd(library))
}
