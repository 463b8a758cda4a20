//! How an input is compressed, told from a sample of it: once for all inputs that are like it.
//!
//! Telling takes up to a quarter of the time that compressing numbers does (`cargo bench -p floe-benches --bench stages`,
//! "each told anew"). The batches of a column mostly hold the same kind of
//! values, so that what is best for the first is best for all. Whether it still is shows in a smaller sample, which is
//! compressed in the way that was chosen, and nothing else: if that comes to about what it came to before, the choice
//! is kept, else it is made anew.

use crate::probe::{ASKED, sample, shrinks};
use crate::{Compression, Result, Run, lz4, one_by_one, zstd};

/// Bytes of a piece of the sample that shows whether an input is like another.
const PIECE: usize = 2 << 10;
/// By which part the sample may come to more or less than the other's, and by how many bytes in any case.
const TOLERANCE: usize = 32;
const SLACK: usize = 64;
/// Inputs of so many times as many bytes show more of themselves.
const LONGER: usize = 2;

/// How inputs like one are compressed.
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Choice, Compression};
///
/// let batch = |start: u64| (start..start + 100_000).flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
/// let first = Choice::of(Compression::Lz4, &batch(0))?;
/// let mut out = Vec::new();
/// for start in [100_000, 200_000] {
///     let batch = batch(start);
///     assert!(first.like(&batch)?.compress(&batch, &mut out, &|n, work| (0..n).for_each(work))?);
/// }
/// # Ok::<(), floe_codec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    compression: Compression,
    way: Way,
    /// Bytes of the input that it was made for.
    input: usize,
    /// What a small sample of that came to, if it was large enough for one.
    sampled: Option<usize>,
}

/// What is done with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is left as it is: compressing it is not worth the time.
    Leave,
    Lz4(lz4::Way),
    Zstd(zstd::Way),
}

impl Way {
    /// The way for `input`.
    pub(crate) fn of(compression: Compression, input: &[u8]) -> Result<Self> {
        let (way, shrinks) = Self::always(compression, input)?;
        Ok(if shrinks { way } else { Self::Leave })
    }

    /// The way for an input that is compressed in any case, and whether it shrinks then, as far as a sample shows.
    pub(crate) fn always(compression: Compression, input: &[u8]) -> Result<(Self, bool)> {
        compression.check()?;
        Ok(match compression {
            Compression::Lz4 => {
                let (way, shrinks) = lz4::Way::of(input)?;
                (Self::Lz4(way), shrinks)
            },
            Compression::Zstd { level } => {
                let (way, shrinks) = zstd::Way::of(level, input)?;
                (Self::Zstd(way), shrinks)
            },
        })
    }

    /// Appends the frame of `input` to `out`; `false`, with `out` as it was, if it is left as it is.
    pub(crate) fn append(&self, input: &[u8], out: &mut Vec<u8>, run: Run<'_>) -> Result<bool> {
        match self {
            Self::Leave => return Ok(false),
            Self::Lz4(way) => lz4::append(*way, input, out, run)?,
            Self::Zstd(way) => zstd::append(way, input, out, run)?,
        }
        Ok(true)
    }
}

impl Choice {
    /// The choice for `input`.
    ///
    /// # Errors
    /// If the codec's feature is not enabled, the level is out of range, or memory runs out.
    ///
    /// ```
    /// use floe_codec::{Choice, Compression};
    /// assert!(Choice::of(Compression::Zstd { level: 99 }, b"no such level").is_err());
    /// ```
    pub fn of(compression: Compression, input: &[u8]) -> Result<Self> {
        let mut choice =
            Self { compression, way: Way::of(compression, input)?, input: input.len(), sampled: None };
        if input.len() >= choice.least() {
            choice.sampled = Some(choice.comes_to(&sample(input, PIECE))?);
        }
        Ok(choice)
    }

    /// The same if `input` is like the one that this is the choice for, else one of its own. What is too small for a
    /// sample always has its own, and what is at a level of ZSTD above 3, where there is nothing to choose.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    ///
    #[cfg_attr(feature = "lz4", doc = "```")]
    #[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
    /// use floe_codec::{Choice, Compression};
    ///
    /// let numbers: Vec<u8> = (0..100_000u64).flat_map(u64::to_le_bytes).collect();
    /// let choice = Choice::of(Compression::Lz4, &numbers)?;
    /// assert_eq!(choice.like(&numbers)?, choice);
    /// assert_ne!(choice.like(&[0; 800_000])?, choice);
    /// # Ok::<(), floe_codec::Error>(())
    /// ```
    pub fn like(&self, input: &[u8]) -> Result<Self> {
        if self.fits(input)? { Ok(self.clone()) } else { Self::of(self.compression, input) }
    }

    /// Appends the frame of `input` to `out`, as [`compress_with`](crate::compress_with) does.
    ///
    /// # Errors
    /// If memory runs out; `out` is as it was.
    ///
    #[cfg_attr(feature = "zstd", doc = "```")]
    #[cfg_attr(not(feature = "zstd"), doc = "```ignore")]
    /// use floe_codec::{Choice, Compression, compress};
    ///
    /// let (compression, input) = (Compression::Zstd { level: 3 }, vec![7; 1 << 20]);
    /// let (mut one, mut other) = (Vec::new(), Vec::new());
    /// Choice::of(compression, &input)?.compress(&input, &mut one, &|n, work| (0..n).for_each(work))?;
    /// compress(compression, &input, &mut other)?;
    /// assert_eq!(one, other);
    /// # Ok::<(), floe_codec::Error>(())
    /// ```
    pub fn compress(&self, input: &[u8], out: &mut Vec<u8>, run: Run<'_>) -> Result<bool> {
        self.way.append(input, out, run)
    }

    /// Inputs below this have no choice that would suit others, too.
    fn least(&self) -> usize {
        match self.compression {
            Compression::Lz4 => ASKED,
            Compression::Zstd { level } => zstd::least(level),
        }
    }

    fn fits(&self, input: &[u8]) -> Result<bool> {
        let Some(before) = self.sampled else { return Ok(false) };
        if input.len() < self.least() || input.len() / LONGER > self.input {
            return Ok(false);
        }
        let sample = sample(input, PIECE);
        let now = self.comes_to(&sample)?;
        let is_like = now.abs_diff(before) <= before / TOLERANCE + SLACK;
        Ok(is_like && (self.way != Way::Leave || !shrinks(now, sample.len())))
    }

    /// Bytes that a sample becomes. What is left as it is, too, is compressed for that.
    fn comes_to(&self, sample: &[u8]) -> Result<usize> {
        let mut frame = Vec::new();
        if !self.way.append(sample, &mut frame, &one_by_one)? {
            let (way, _) = Way::always(self.compression, sample)?;
            way.append(sample, &mut frame, &one_by_one)?;
        }
        Ok(frame.len())
    }
}

#[cfg(all(test, feature = "lz4", feature = "zstd"))]
mod tests {
    use super::*;
    use crate::tests::{ints, letters, noise, unpack};

    const BOTH: [Compression; 2] = [Compression::Lz4, Compression::Zstd { level: 3 }];
    const LEVELS: [Compression; 3] = [BOTH[0], BOTH[1], Compression::Zstd { level: 1 }];

    fn is_left(compression: Compression, input: &[u8]) -> bool {
        Way::of(compression, input).unwrap() == Way::Leave
    }

    #[test]
    fn random_bytes_are_left_as_they_are() {
        for compression in LEVELS {
            assert!(is_left(compression, &noise(1 << 20)));
            assert!(is_left(compression, &noise(ASKED)));
            assert!(!is_left(compression, &noise(ASKED - 1)), "not asked");
            assert!(!is_left(compression, &ints(1 << 20)));
        }
        assert!(!is_left(Compression::Zstd { level: 9 }, &noise(1 << 20)), "not asked");
    }

    #[test]
    fn entropy_counts_for_zstd_only() {
        assert_eq!(LEVELS.map(|compression| is_left(compression, &letters(1 << 20))), [true, false, false]);
    }

    #[test]
    fn a_compressible_eighth_is_enough() {
        for compression in LEVELS {
            for eighth in 0..8 {
                let mut input = noise(1 << 20);
                input[eighth << 17..(eighth + 1) << 17].fill(0);
                assert!(!is_left(compression, &input), "{eighth}");
            }
        }
    }

    /// Batches of columns, each of a kind of its own.
    fn columns(seed: usize, len: usize) -> Vec<Vec<u8>> {
        let random = noise(len + seed);
        let (words, _) = random[seed..].as_chunks::<8>();
        let numbers = |number: &dyn Fn(u64) -> u64| -> Vec<u8> {
            words.iter().flat_map(|word| number(u64::from_le_bytes(*word)).to_le_bytes()).collect()
        };
        #[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
        let price = |value: u64| ((value % 100_000) as f64 / 100.0).to_bits();
        let text: String = words.iter().map(|word| format!("{} of {}; ", word[0], word[1] % 9)).collect();
        vec![
            numbers(&|value| value % 1_000),
            numbers(&|value| value % 1_000_000),
            numbers(&price),
            text.into_bytes()[..len].to_vec(),
            noise(len + seed)[seed..].to_vec(),
            vec![0; len],
        ]
    }

    #[test]
    fn what_is_like_an_input_is_compressed_as_that_is() {
        for compression in LEVELS {
            let first = columns(0, 1 << 20);
            let choices: Vec<Choice> =
                first.iter().map(|column| Choice::of(compression, column).unwrap()).collect();
            for len in [ASKED - 8, 600_000, 1 << 20, (2 << 20) - 8, 2 << 20] {
                for (i, column) in columns(77, len).iter().enumerate() {
                    for (j, choice) in choices.iter().enumerate() {
                        let own = Choice::of(compression, column).unwrap();
                        let found = choice.like(column).unwrap();
                        assert!(found == own || found == *choice, "{compression:?}: {j}, then {i}");
                        let is_large = len >= choice.least() && len / LONGER <= 1 << 20;
                        if i == j && is_large {
                            assert_eq!(found, *choice, "{compression:?}: {i} of {len}");
                        } else if !is_large || [4, 5].contains(&i) {
                            // Noise and zeros are like nothing else.
                            assert_eq!(found, own, "{compression:?}: {j}, then {i} of {len}");
                        }
                        let mut out = Vec::new();
                        if found.compress(column, &mut out, &one_by_one).unwrap() {
                            let back = unpack(compression.codec(), &out, len);
                            assert!(back.as_ref() == Ok(column), "{compression:?}: {j}, then {i}");
                        } else {
                            assert_eq!((i, out.len()), (4, 0), "{compression:?}: {j}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_left_as_it_is_is_so_only_while_it_does_not_shrink() {
        for compression in LEVELS {
            let mut input = noise(1 << 20);
            let choice = Choice::of(compression, &input).unwrap();
            assert_eq!(choice.like(&noise(1_500_000)), Ok(choice.clone()));
            // Within what is taken to be like it otherwise.
            input[..1 << 17].fill(0);
            assert_ne!(choice.like(&input), Ok(choice.clone()), "{compression:?}");
        }
    }
}
