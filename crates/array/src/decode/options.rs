//! What holds for all columns of a read: how to read, and what may be claimed.

use std::sync::atomic::{AtomicU64, Ordering};

use floe_format::{Error, ErrorKind, Field, IpcLimits, Result, Version};

use crate::aligned::try_with_capacity;

/// How to read, the same for all columns of a source.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    pub(super) validate: bool,
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
        Self { validate: true, big_endian, version, limits }
    }

    /// The metadata version of the batch.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What a field takes in a batch of this version.
    #[must_use]
    pub fn counts(&self, field: &Field) -> super::Counts {
        super::Counts::of(field, self.version)
    }

    /// Validates what is decoded, unless the writer is trusted.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { validate: !trust.0, ..self }
    }
}

/// Whether the writer is trusted with what the format leaves to its honesty: offsets, UTF-8, views. Not by
/// default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust(bool);

impl Trust {
    /// Nothing of that is validated.
    ///
    /// # Safety
    /// The bytes must be valid Arrow data. If they are not, using the arrays reads memory out of
    /// bounds.
    #[must_use]
    pub unsafe fn in_writer() -> Self {
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
    /// Bytes of results.
    spent: AtomicU64,
    /// Bytes of input that exist.
    seen: AtomicU64,
    /// Bytes that frames were decompressed from: more than there are if buffers overlap.
    packed: AtomicU64,
    /// Bytes that came of frames, as long as those did not overlap.
    unpacked: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(&IpcLimits::default())
    }
}

impl Budget {
    /// What the limits allow, when no input has been seen yet.
    #[must_use]
    pub fn new(limits: &IpcLimits) -> Self {
        let zero = || AtomicU64::new(0);
        Self { limits: *limits, spent: zero(), seen: zero(), packed: zero(), unpacked: zero() }
    }

    /// Takes note of bytes of input that exist. Each is to be noted once.
    pub fn saw(&self, bytes: u64) {
        add(&self.seen, bytes);
    }

    /// Bytes charged so far.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Takes bytes that are about to be allocated, or that a result takes where it lies in the input.
    ///
    /// # Errors
    /// When there are not so many left; the budget stays as it was.
    pub fn charge(&self, bytes: u64) -> Result<()> {
        let seen = self.seen.load(Ordering::Relaxed);
        let allowed = self.limits.max_bytes_of(seen, self.unpacked.load(Ordering::Relaxed));
        let spent = add(&self.spent, bytes);
        if spent <= allowed {
            return Ok(());
        }
        self.spent.fetch_sub(bytes.min(spent), Ordering::Relaxed);
        let max_total = self.limits.max_total_bytes;
        Err(Error::new(if spent > max_total {
            ErrorKind::Limit { limit: "max_total_bytes", claimed: spent, allowed: max_total }
        } else {
            ErrorKind::Amplified { input: seen, claimed: spent, allowed }
        }))
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

    /// Takes the bytes that a frame of `stored` bytes decompresses to.
    pub(super) fn unpack(&self, stored: u64, bytes: u64) -> Result<()> {
        // Where frames overlap, what came of them before does not count as input again.
        if add(&self.packed, stored) <= self.seen.load(Ordering::Relaxed) {
            add(&self.unpacked, bytes);
        }
        self.charge(bytes)
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
