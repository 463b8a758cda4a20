//! What holds for all columns of a read: how to read, and what may be claimed.

use std::sync::atomic::{AtomicU64, Ordering};

use floe_format::{Error, ErrorKind, Field, IpcLimits, Result, Version};

use crate::aligned::try_with_capacity;

/// How to read, the same for all columns of a source.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    pub(super) validate: bool,
    pub(super) unrepresentable: Unrepresentable,
    /// Buffers hold big-endian values.
    pub big_endian: bool,
    /// Metadata version of the batch.
    pub version: Version,
    /// What may be claimed.
    pub limits: IpcLimits,
}

impl DecodeOptions {
    /// Options that validate what they decode.
    #[must_use]
    pub fn new(version: Version, big_endian: bool, limits: IpcLimits) -> Self {
        Self { validate: true, unrepresentable: Unrepresentable::Error, big_endian, version, limits }
    }

    /// The metadata version of the batch.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What a field takes in a batch of this version.
    #[must_use]
    pub fn counts(&self, field: &Field) -> super::LayoutCounts {
        super::LayoutCounts::of(field, self.version)
    }

    /// What the values of a field's dictionary take in a batch of this version.
    #[must_use]
    pub fn counts_of_values(&self, field: &Field) -> super::LayoutCounts {
        super::LayoutCounts::of_values(field, self.version)
    }

    /// What becomes of values that Polars has no place for. Defaults to an error.
    #[must_use]
    pub fn with_unrepresentable(self, unrepresentable: Unrepresentable) -> Self {
        Self { unrepresentable, ..self }
    }

    /// Validates what is decoded, unless the writer is trusted.
    #[must_use]
    pub fn with_validation(self, validation: Validation) -> Self {
        Self { validate: !validation.0, ..self }
    }
}

/// What becomes of values that Polars has no place for: decimals of more than 38 digits, and seconds that overflow its
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unrepresentable {
    /// An error that names the column.
    #[default]
    Error,
    /// Null. A decimal whose scale is beyond 38 becomes one of scale 38; values that have more digits behind the
    /// point are null.
    Null,
    /// Text. The dtype says so before there are values: it is String for every column that *may* have such values, which are
    /// Decimal256, decimals with a negative scale or more than 38 digits, and Timestamp and Duration in seconds (`-0.05`,
    /// `2020-02-29T12:00:00`, with a `Z` if there is a zone, `PT90S`).
    String,
}

/// Whether the writer is trusted with what the format leaves to its honesty: offsets, UTF-8, views. Not by
/// default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validation(bool);

impl Validation {
    /// Nothing of that is validated.
    ///
    /// # Safety
    /// The bytes must be valid Arrow data. If they are not, using the arrays reads memory out of
    /// bounds.
    #[must_use]
    pub unsafe fn skip() -> Self {
        Self(true)
    }
}

/// The bytes that one read may allocate, and what is left of them. Everything that decoding allocates for results
/// is taken from here *before* it is allocated.
///
/// There are two caps, both of [`IpcLimits`]: `max_total_bytes` on all results, and `max_amplification` on how many
/// there are for each byte of input. For the second one the budget is told of input as it is
/// [seen](Self::saw): bytes that exist, not those that a header claims.
///
/// ```
/// use floe_array::decode::Budget;
/// use floe_format::IpcLimits;
///
/// let budget = Budget::new(&IpcLimits { amplification_floor: 1_000, max_amplification: 10, ..IpcLimits::default() });
/// assert!(budget.charge(1_000).is_ok());
/// assert!(budget.charge(1).is_err());
/// budget.saw(200);
/// assert!(budget.charge_values::<u64>(125).is_ok());
/// # floe_format::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Budget {
    limits: IpcLimits,
    /// Bytes of results, and how many of them have been handed over.
    spent: AtomicU64,
    total_from: AtomicU64,
    /// Bytes of input that exist.
    seen: AtomicU64,
    /// Bytes that frames were decompressed from: more than there are if buffers overlap.
    compressed: AtomicU64,
    /// Bytes that came of frames, as long as those did not overlap.
    decompressed: AtomicU64,
}

/// What reads have taken of a [`Budget`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    spent: u64,
    compressed: u64,
    decompressed: u64,
}

impl Taken {
    /// Bytes of results.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.spent
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            spent: self.spent.saturating_add(other.spent),
            compressed: self.compressed.saturating_add(other.compressed),
            decompressed: self.decompressed.saturating_add(other.decompressed),
        }
    }

    /// One of so many equal parts, rounded up.
    #[must_use]
    pub fn part(self, parts: usize) -> Self {
        let part = |bytes: u64| bytes.div_ceil((parts as u64).max(1));
        Self {
            spent: part(self.spent),
            compressed: part(self.compressed),
            decompressed: part(self.decompressed),
        }
    }

    /// This without a part of it.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self {
            spent: self.spent.saturating_sub(part.spent),
            compressed: self.compressed.saturating_sub(part.compressed),
            decompressed: self.decompressed.saturating_sub(part.decompressed),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(&IpcLimits::default())
    }
}

impl Budget {
    pub(super) fn limits(&self) -> &IpcLimits {
        &self.limits
    }

    /// What the limits allow, when no input has been seen yet.
    #[must_use]
    pub fn new(limits: &IpcLimits) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            limits: *limits,
            spent: zero(),
            total_from: zero(),
            seen: zero(),
            compressed: zero(),
            decompressed: zero(),
        }
    }

    /// Takes note of bytes of input that exist. Each is to be noted once.
    pub fn saw(&self, bytes: u64) {
        add(&self.seen, bytes);
    }

    /// Takes bytes that are about to be allocated, or that a result takes where it lies in the input.
    ///
    /// # Errors
    /// When there are not so many left; the budget stays as it was.
    pub fn charge(&self, bytes: u64) -> Result<()> {
        let seen = self.seen.load(Ordering::Relaxed);
        let allowed = self.limits.max_bytes_of(seen, self.decompressed.load(Ordering::Relaxed));
        let spent = add(&self.spent, bytes);
        let total = spent.saturating_sub(self.total_from.load(Ordering::Relaxed));
        let max_total = self.limits.max_total_bytes;
        if spent <= allowed && total <= max_total {
            return Ok(());
        }
        self.spent.fetch_sub(bytes.min(spent), Ordering::Relaxed);
        Err(Error::new(if total > max_total {
            ErrorKind::LimitExceeded { limit: "max_total_bytes", claimed: total, allowed: max_total }
        } else {
            ErrorKind::Amplified { input: seen, claimed: spent, allowed }
        }))
    }

    /// Has `max_total_bytes` count from here on: what has been charged so far is nobody's memory any more, or not this
    /// read's. The other cap goes on.
    pub fn restart_total(&self) {
        self.total_from.store(self.spent.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Takes what came of the same input in other reads; it counts for `max_amplification` only.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub fn take_up(&self, before: Taken) -> Result<()> {
        add(&self.compressed, before.compressed);
        add(&self.decompressed, before.decompressed);
        self.total_from.store(before.spent, Ordering::Relaxed);
        self.charge(before.spent)
    }

    /// What has been taken since [`Self::take_up`].
    #[must_use]
    pub fn taken(&self, before: Taken) -> Taken {
        let since = |sum: &AtomicU64, before: u64| sum.load(Ordering::Relaxed).saturating_sub(before);
        Taken {
            spent: since(&self.spent, before.spent),
            compressed: since(&self.compressed, before.compressed),
            decompressed: since(&self.decompressed, before.decompressed),
        }
    }

    /// As [`Self::charge`], for `count` times `width` bytes.
    ///
    /// # Errors
    /// Also when that overflows.
    pub fn charge_product(&self, count: usize, width: usize) -> Result<()> {
        let bytes = count.checked_mul(width).filter(|bytes| isize::try_from(*bytes).is_ok());
        let bytes = bytes.ok_or_else(|| {
            Error::invalid(format!("{count} values of {width} bytes overflow the address space"))
        })?;
        self.charge(bytes as u64)
    }

    /// As [`Self::charge`], for `count` values.
    ///
    /// # Errors
    /// Also when their bytes overflow.
    pub fn charge_values<T>(&self, count: usize) -> Result<()> {
        self.charge_product(count, size_of::<T>())
    }

    /// An empty vector with room for `count` values, charged and then allocated.
    ///
    /// # Errors
    /// When the budget or the allocator refuses.
    pub fn vec<T>(&self, count: usize) -> Result<Vec<T>> {
        self.charge_values::<T>(count)?;
        try_with_capacity(count)
    }

    /// Takes note of the bytes that a frame of `stored` bytes decompresses to. They are charged apart, for where they go.
    pub(super) fn note_decompressed(&self, stored: u64, bytes: u64) {
        // Where frames overlap, what came of them before does not count as input again.
        if add(&self.compressed, stored) <= self.seen.load(Ordering::Relaxed) {
            add(&self.decompressed, bytes);
        }
    }
}

/// Adds without wrapping; what it is then.
fn add(sum: &AtomicU64, bytes: u64) -> u64 {
    let before = sum.fetch_add(bytes, Ordering::Relaxed);
    before.checked_add(bytes).unwrap_or_else(|| {
        sum.store(u64::MAX, Ordering::Relaxed);
        u64::MAX
    })
}
