//! Switches that turn a mechanism off, for the benchmark that says what each brings.
//!
//! Without the feature `ablation`, which only that benchmark enables, every mechanism is on, and asking costs nothing.
//! The bytes that are written may change with a switch, the values that are read never do.

/// A mechanism that floe could do without, at a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// LZ4 and ZSTD by match finders of floe's own, instead of by liblz4 and libzstd alone.
    MatchFinders,
    /// One compression plan for all batches of a column, instead of one for each buffer.
    SharedPlans,
    /// The first uncompressed batch is written while its buffers are made, instead of afterwards.
    DeferredBuffers,
    /// Loops in which the calling thread takes part, instead of a scope of the pool.
    ForkJoin,
}

/// Whether `mechanism` is on.
#[cfg(not(feature = "ablation"))]
#[inline]
#[must_use]
pub const fn is_on(_: Mechanism) -> bool {
    true
}

#[cfg(feature = "ablation")]
pub use switches::{is_on, set};

#[cfg(feature = "ablation")]
mod switches {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Mechanism;

    static OFF: AtomicU8 = AtomicU8::new(0);

    /// Whether `mechanism` is on.
    #[must_use]
    pub fn is_on(mechanism: Mechanism) -> bool {
        OFF.load(Ordering::Relaxed) & (1 << mechanism as u8) == 0
    }

    /// Turns `mechanism` on or off, for what begins afterwards.
    pub fn set(mechanism: Mechanism, on: bool) {
        let bit = 1 << mechanism as u8;
        if on {
            OFF.fetch_and(!bit, Ordering::Relaxed);
        } else {
            OFF.fetch_or(bit, Ordering::Relaxed);
        }
    }
}
