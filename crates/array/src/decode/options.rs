//! What holds for all columns of a read: how to read, and what may be claimed.

use std::sync::atomic::{AtomicU64, Ordering};

use floe_format::{Error, ErrorKind, Field, IpcLimits, Result, Version};

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

/// What one read has decompressed or expanded so far, of what it may.
#[derive(Debug, Default)]
pub struct Budget(AtomicU64);

impl Budget {
    pub(super) fn charge(&self, bytes: u64, limits: &IpcLimits) -> Result<()> {
        let used = self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > limits.max_total_bytes {
            return Err(Error::new(ErrorKind::Limit {
                limit: "max_total_bytes",
                claimed: used,
                allowed: limits.max_total_bytes,
            }));
        }
        Ok(())
    }
}
