//! The bytes that one read may allocate.

use std::sync::atomic::{AtomicU64, Ordering};

use floe_format::{Error, ErrorKind, IpcLimits, Result};

/// The bytes that one read may allocate. Everything that decoding allocates for results is charged here *before* it is
/// allocated.
///
/// There are two caps, both of [`IpcLimits`]: `max_total_bytes` on all results, and `max_amplification` on how many
/// there are for each byte of input. For the second one the budget counts input as it is
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
/// assert!(budget.charge_product(125, 8).is_ok());
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
    /// Bytes that frames were decompressed to, as long as those frames did not overlap.
    decompressed: AtomicU64,
}

/// Bytes that reads have charged to a [`Budget`].
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

    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            spent: self.spent.saturating_add(other.spent),
            compressed: self.compressed.saturating_add(other.compressed),
            decompressed: self.decompressed.saturating_add(other.decompressed),
        }
    }

    /// One of `parts` equal parts, rounded up.
    #[must_use]
    pub fn part(self, parts: usize) -> Self {
        let part = |bytes: u64| bytes.div_ceil((parts as u64).max(1));
        Self {
            spent: part(self.spent),
            compressed: part(self.compressed),
            decompressed: part(self.decompressed),
        }
    }

    /// This, less a part of it.
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
    pub(crate) fn limits(&self) -> &IpcLimits {
        &self.limits
    }

    /// A budget of the limits, with no input seen yet.
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

    /// Counts bytes of input that exist. Each is to be counted once.
    pub fn saw(&self, bytes: u64) {
        add(&self.seen, bytes);
    }

    /// Charges bytes that are about to be allocated, or that a result shares with the input.
    ///
    /// # Errors
    /// When fewer are left; the budget stays as it was.
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

    /// Starts counting for `max_total_bytes` anew: the memory charged so far is free again, or belongs to another read. The
    /// other cap goes on.
    pub fn restart_total(&self) {
        self.total_from.store(self.spent.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Charges bytes that other reads have made of the same input. It counts for `max_amplification` only.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub fn take_up(&self, before: Taken) -> Result<()> {
        add(&self.compressed, before.compressed);
        add(&self.decompressed, before.decompressed);
        self.total_from.store(before.spent, Ordering::Relaxed);
        self.charge(before.spent)
    }

    /// Bytes charged since [`Self::take_up`].
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

    /// Counts the bytes that a frame of `stored` bytes decompresses to. They are charged where they are allocated.
    pub(crate) fn note_decompressed(&self, stored: u64, bytes: u64) {
        // Where frames overlap, their output does not count as input a second time.
        if add(&self.compressed, stored) <= self.seen.load(Ordering::Relaxed) {
            add(&self.decompressed, bytes);
        }
    }
}

/// Adds without wrapping; returns the sum.
fn add(sum: &AtomicU64, bytes: u64) -> u64 {
    let before = sum.fetch_add(bytes, Ordering::Relaxed);
    before.checked_add(bytes).unwrap_or_else(|| {
        sum.store(u64::MAX, Ordering::Relaxed);
        u64::MAX
    })
}
