//! The compression plan of a buffer, and whether the plan of one buffer suits another.
//!
//! Planning compresses samples in several ways and takes up to a quarter of the time that compressing numbers does
//! (`cargo bench -p floe-benches --bench stages`, "each told anew"). The batches of a column mostly hold the same kind
//! of values, so the plan of the first batch suits the others. Whether it still does shows in a smaller sample,
//! compressed with the planned strategy only. The plan is reused if that sample's compressed size is close to the one
//! the plan was made with. Otherwise it is made anew.

use floe_runtime::{Executor, Serial};

use crate::sample::{MIN_SAMPLED_BYTES, is_worth_it, sample};
use crate::strategy::Strategy;
use crate::{Compression, Result, zstd};

/// Bytes of each piece of the sample that decides about reuse.
const PIECE_BYTES: usize = 2 << 10;
/// A plan is reused if the new sample's compressed size is within one part in `TOLERANCE_RATIO`, plus
/// `TOLERANCE_BYTES`, of the old one's.
const TOLERANCE_RATIO: usize = 32;
const TOLERANCE_BYTES: usize = 64;
/// A plan is made anew for an input that is more than this many times as long as the plan's: a longer input shows
/// more of what repeats.
const MAX_LONGER_RATIO: usize = 2;

/// How an input, and inputs like it, are compressed.
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Compression, CompressionPlan};
/// use floe_runtime::Serial;
///
/// let batch = |start: u64| (start..start + 100_000).flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
/// let first = CompressionPlan::new(Compression::Lz4, &batch(0))?;
/// let mut out = Vec::new();
/// for start in [100_000, 200_000] {
///     let batch = batch(start);
///     let plan = first.reuse_or_replan(&batch)?;
///     assert!(plan.compress(&batch, &mut out, &Serial)?);
/// }
/// # Ok::<(), floe_codec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionPlan {
    compression: Compression,
    strategy: Strategy,
    /// Bytes of the input that the plan was made for.
    input_len: usize,
    /// The compressed bytes of that input's small sample, if the input was large enough for one.
    sampled_len: Option<usize>,
}

impl CompressionPlan {
    /// The plan for `input`.
    ///
    /// # Errors
    /// If the codec's feature is not enabled, the level is out of range, or memory runs out.
    ///
    /// ```
    /// use floe_codec::{Compression, CompressionPlan};
    /// assert!(CompressionPlan::new(Compression::Zstd { level: 99 }, b"no such level").is_err());
    /// ```
    pub fn new(compression: Compression, input: &[u8]) -> Result<Self> {
        let mut plan = Self::for_one(compression, input)?;
        if input.len() >= plan.min_reusable_bytes() {
            plan.sampled_len = Some(plan.compressed_len(&sample(input, PIECE_BYTES))?);
        }
        Ok(plan)
    }

    /// The plan for `input` alone, which is never reused: that saves the sample that would decide about it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use floe_codec::{Compression, CompressionPlan};
    /// assert!(CompressionPlan::for_one(Compression::Zstd { level: 99 }, b"no such level").is_err());
    /// ```
    pub fn for_one(compression: Compression, input: &[u8]) -> Result<Self> {
        let strategy = Strategy::choose(compression, input)?;
        Ok(Self { compression, strategy, input_len: input.len(), sampled_len: None })
    }

    /// This plan if `input` is like the input that the plan was made for, and else a plan of its own.
    ///
    /// An input that is too small for a sample always gets its own, and so does any input at a ZSTD level above 3,
    /// which has one strategy only.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    #[cfg_attr(feature = "lz4", doc = "```")]
    #[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
    /// use floe_codec::{Compression, CompressionPlan};
    ///
    /// let numbers: Vec<u8> = (0..100_000u64).flat_map(u64::to_le_bytes).collect();
    /// let plan = CompressionPlan::new(Compression::Lz4, &numbers)?;
    /// assert_eq!(plan.reuse_or_replan(&numbers)?, plan);
    /// assert_ne!(plan.reuse_or_replan(&[0; 800_000])?, plan);
    /// # Ok::<(), floe_codec::Error>(())
    /// ```
    pub fn reuse_or_replan(&self, input: &[u8]) -> Result<Self> {
        if self.suits(input)? { Ok(self.clone()) } else { Self::new(self.compression, input) }
    }

    /// Appends the frame of `input` to `out`, as [`compress_with`](crate::compress_with) does.
    ///
    /// # Errors
    /// If memory runs out; `out` is as it was.
    ///
    #[cfg_attr(feature = "zstd", doc = "```")]
    #[cfg_attr(not(feature = "zstd"), doc = "```ignore")]
    /// use floe_codec::{Compression, CompressionPlan, compress};
    /// use floe_runtime::Serial;
    ///
    /// let (compression, input) = (Compression::Zstd { level: 3 }, vec![7; 1 << 20]);
    /// let (mut one, mut other) = (Vec::new(), Vec::new());
    /// CompressionPlan::new(compression, &input)?.compress(&input, &mut one, &Serial)?;
    /// compress(compression, &input, &mut other)?;
    /// assert_eq!(one, other);
    /// # Ok::<(), floe_codec::Error>(())
    /// ```
    pub fn compress(&self, input: &[u8], out: &mut Vec<u8>, executor: &dyn Executor) -> Result<bool> {
        self.strategy.append(input, out, executor)
    }

    /// The name of the strategy, for tracing: `uncompressed`, `liblz4`, `libzstd`, `columnar-lz4` or
    /// `columnar-zstd`.
    ///
    /// ```
    /// use floe_codec::{Compression, CompressionPlan};
    /// if let Ok(plan) = CompressionPlan::new(Compression::Lz4, b"short") {
    ///     assert_eq!(plan.strategy(), "liblz4");
    /// }
    /// ```
    #[must_use]
    pub fn strategy(&self) -> &'static str {
        self.strategy.name()
    }

    /// The bytes that an input of `len` bytes is estimated to come to, by the plan's sample: for tracing. `None` if
    /// the plan was made without a sample.
    ///
    /// ```
    /// use floe_codec::{Compression, CompressionPlan};
    /// if let Ok(plan) = CompressionPlan::new(Compression::Lz4, &[7; 1 << 20]) {
    ///     assert!(plan.estimate(1 << 20).is_some_and(|bytes| bytes < 100_000));
    /// }
    /// ```
    #[must_use]
    pub fn estimate(&self, len: usize) -> Option<usize> {
        let sample_len = self.input_len.clamp(1, PIECE_BYTES * 8) as u128;
        let estimate = len as u128 * self.sampled_len? as u128 / sample_len;
        usize::try_from(estimate).ok()
    }

    /// Inputs of fewer bytes have no plan that would suit others.
    fn min_reusable_bytes(&self) -> usize {
        match self.compression {
            Compression::Lz4 => MIN_SAMPLED_BYTES,
            Compression::Zstd { level } => zstd::min_reusable_bytes(level),
        }
    }

    /// Whether `input` is like the input that the plan was made for.
    fn suits(&self, input: &[u8]) -> Result<bool> {
        // A plan without a sample is for one input only.
        let Some(sampled_len) = self.sampled_len else { return Ok(false) };
        if input.len() < self.min_reusable_bytes() || input.len() / MAX_LONGER_RATIO > self.input_len {
            return Ok(false);
        }
        let sample = sample(input, PIECE_BYTES);
        let len = self.compressed_len(&sample)?;
        let is_close = len.abs_diff(sampled_len) <= sampled_len / TOLERANCE_RATIO + TOLERANCE_BYTES;
        Ok(is_close && (self.strategy != Strategy::Uncompressed || !is_worth_it(len, sample.len())))
    }

    /// Bytes that a sample comes to. An uncompressed plan compresses its sample too, to see whether that would shrink
    /// now.
    fn compressed_len(&self, sample: &[u8]) -> Result<usize> {
        let mut frame = Vec::new();
        if !self.strategy.append(sample, &mut frame, &Serial)? {
            let (strategy, _) = Strategy::choose_compressed(self.compression, sample)?;
            strategy.append(sample, &mut frame, &Serial)?;
        }
        Ok(frame.len())
    }
}

#[cfg(all(test, feature = "lz4", feature = "zstd"))]
#[path = "plan_tests.rs"]
mod tests;
