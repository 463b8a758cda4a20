//! The sample of a large input that compression is planned from.

/// Pieces of a sample.
const PIECES: usize = 8;
/// A sample must shrink by at least one part in `MIN_GAIN_RATIO`, or compressing is not worth the time.
const MIN_GAIN_RATIO: usize = 64;

/// Inputs of fewer bytes are compressed without a sample, which would be too large a part of them.
pub(crate) const MIN_SAMPLED_BYTES: usize = if cfg!(fuzzing) { 256 } else { 256 << 10 };

/// Returns [`PIECES`] evenly spread pieces of `piece_bytes` each, one after another.
///
/// The pieces are compressed as one input, so that repetition at a distance shows as well. Pieces start at multiples of
/// 16 bytes, as values of every width do.
pub(crate) fn sample(input: &[u8], piece_bytes: usize) -> Vec<u8> {
    let stride = input.len().saturating_sub(piece_bytes) / (PIECES - 1);
    let mut sample = Vec::with_capacity(piece_bytes * PIECES);
    for i in 0..PIECES {
        let start = (i * stride).next_multiple_of(16).min(input.len());
        sample.extend_from_slice(&input[start..input.len().min(start + piece_bytes)]);
    }
    sample
}

/// Whether a sample of `sample_len` bytes that becomes `compressed_len` shrinks enough to be worth the time.
///
/// Data that repeats too seldom to show in a sample counts as random: 8-byte hashes of 100,000 different keys, of which
/// ZSTD 3 saves 12% at 220 MB/s.
pub(crate) fn is_worth_it(compressed_len: usize, sample_len: usize) -> bool {
    compressed_len <= sample_len - sample_len / MIN_GAIN_RATIO
}
