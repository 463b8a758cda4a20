//! How to read: the same for all columns of a source.

use floe_format::{Field, Version};

use super::layout_counts::LayoutCounts;

/// How to read, the same for all columns of a source.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    pub(super) validate: bool,
    pub(super) unrepresentable: Unrepresentable,
    /// Buffers hold big-endian values.
    pub big_endian: bool,
    /// Metadata version of the batch.
    pub version: Version,
}

impl DecodeOptions {
    /// Options that validate what they decode. The limits are those of the [`Budget`](super::Budget).
    #[must_use]
    pub fn new(version: Version, big_endian: bool) -> Self {
        Self { validate: true, unrepresentable: Unrepresentable::Error, big_endian, version }
    }

    /// The metadata version of the batch.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The nodes and buffers of a field in a batch of this version.
    #[must_use]
    pub fn counts(&self, field: &Field) -> LayoutCounts {
        LayoutCounts::of(field, self.version)
    }

    /// The nodes and buffers of a field's dictionary in a batch of this version.
    #[must_use]
    pub fn counts_of_values(&self, field: &Field) -> LayoutCounts {
        LayoutCounts::of_values(field, self.version)
    }

    /// How values that Polars cannot represent are handled. Defaults to an error.
    #[must_use]
    pub fn with_unrepresentable(self, unrepresentable: Unrepresentable) -> Self {
        Self { unrepresentable, ..self }
    }

    /// Whether offsets, UTF-8 and views are validated. They are by default.
    #[must_use]
    pub fn with_validation(self, validation: Validation) -> Self {
        Self { validate: !validation.0, ..self }
    }
}

/// How values are handled that Polars cannot represent: decimals of more than 38 digits, and seconds that overflow its
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unrepresentable {
    /// An error that names the column.
    #[default]
    Error,
    /// Null. A decimal whose scale is beyond 38 becomes one of scale 38; values that have more digits behind the
    /// point are null.
    Null,
    /// Text. The dtype is String for every column that *may* have such values, known before any value is. These are
    /// Decimal256, decimals with a negative scale or more than 38 digits, and Timestamp and Duration in seconds.
    /// Examples are `-0.05`, `2020-02-29T12:00:00`, with a `Z` if there is a zone, and `PT90S`.
    String,
}

/// Whether to validate properties that the format leaves to the writer's honesty: offsets, UTF-8, views. The default
/// validates everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validation(bool);

impl Validation {
    /// No validation.
    ///
    /// # Safety
    /// The bytes must be valid Arrow data. If they are not, using the arrays reads memory out of
    /// bounds.
    #[must_use]
    pub unsafe fn skip() -> Self {
        Self(true)
    }
}
