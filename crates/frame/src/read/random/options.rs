//! How an index is made and read.

use floe_format::IpcLimits;

use crate::read::types::TypeOptions;

/// How an [`IpcIndex`](crate::IpcIndex) is made and read: limits, types, and how much is read at once of a source where
/// each read is a request.
///
/// ```
/// use floe_frame::{IpcIndexOptions, IpcLimits};
///
/// let limits = IpcLimits { max_total_bytes: 1 << 30, ..IpcLimits::default() };
/// let options = IpcIndexOptions::default().with_limits(limits).with_tail_bytes(64 << 10).with_gap_bytes(0);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct IpcIndexOptions {
    pub(super) limits: IpcLimits,
    pub(super) types: TypeOptions,
    pub(super) tail_bytes: u64,
    pub(super) gap_bytes: u64,
    pub(super) trusted_statistics: bool,
}

impl Default for IpcIndexOptions {
    fn default() -> Self {
        let (limits, types) = (IpcLimits::default(), TypeOptions::default());
        Self { limits, types, tail_bytes: 256 << 10, gap_bytes: 64 << 10, trusted_statistics: false }
    }
}

impl IpcIndexOptions {
    /// Caps on what the source may claim.
    ///
    /// See [`IpcIndexOptions`] for an example.
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The types of columns, where there is a choice.
    ///
    /// ```
    /// use floe_frame::{IpcIndexOptions, TypeOptions};
    ///
    /// let options = IpcIndexOptions::default().with_types(TypeOptions::default().with_text_as_binary(true));
    /// assert_ne!(options, IpcIndexOptions::default());
    /// ```
    pub fn with_types(mut self, types: TypeOptions) -> Self {
        self.types = types;
        self
    }

    /// Bytes at the end of the source that are read at once, to find the footer of a file in them. Defaults to 256 KiB. A
    /// source that is no longer is read as a whole.
    ///
    /// See [`IpcIndexOptions`] for an example.
    pub fn with_tail_bytes(mut self, tail_bytes: u64) -> Self {
        self.tail_bytes = tail_bytes;
        self
    }

    /// Ranges with at most this many bytes between them are read by one request. Defaults to 64 KiB: about the bytes
    /// that a store sends in the time of another request.
    ///
    /// See [`IpcIndexOptions`] for an example.
    pub fn with_gap_bytes(mut self, gap_bytes: u64) -> Self {
        self.gap_bytes = gap_bytes;
        self
    }

    /// Whether the statistics in a file's footer are taken by their word. Otherwise they are held against the head and
    /// samples of the columns of each batch, which are requests of their own. Statistics that are wrong leave rows out
    /// of what a predicate finds. Defaults to false.
    ///
    /// ```
    /// use floe_frame::IpcIndexOptions;
    ///
    /// let options = IpcIndexOptions::default().with_trusted_statistics(true);
    /// # let _ = options;
    /// ```
    pub fn with_trusted_statistics(mut self, trusted: bool) -> Self {
        self.trusted_statistics = trusted;
        self
    }

    /// Bytes at the end of the source that are read at once.
    ///
    /// ```
    /// let options = floe_frame::IpcIndexOptions::default();
    /// assert_eq!((options.tail_bytes(), options.gap_bytes()), (256 << 10, 64 << 10));
    /// ```
    #[must_use]
    pub fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    /// The longest gap between ranges that are read by one request, in bytes.
    ///
    /// See [`tail_bytes`](Self::tail_bytes) for an example.
    #[must_use]
    pub fn gap_bytes(&self) -> u64 {
        self.gap_bytes
    }
}

/// How a source is indexed, which depends on the cost of a read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// Bytes at the end that are read first.
    pub(super) tail_bytes: u64,
    /// A source of up to this many bytes is read as a whole.
    pub(super) whole_bytes: u64,
    /// Bytes between ranges that are read along.
    pub(super) gap_bytes: u64,
    /// Whether the first bytes are read in any case. Otherwise a file is recognised by its last ones.
    pub(super) sees_start: bool,
    /// Of files of up to this many batches all heads are read. Of others the rows may come from the footer, if the
    /// heads of three batches agree; of `None` they come from the footer without a look at heads.
    pub(super) checked_batches: Option<usize>,
    /// Whether statistics in the footer are believed.
    pub(super) trusts_statistics: bool,
    /// Whether heads that have been read are kept for the reads to come.
    pub(super) keeps_heads: bool,
}

impl Profile {
    /// For memory: only the bytes needed are read.
    pub(super) const MEMORY: Self = Self {
        tail_bytes: 16,
        whole_bytes: 0,
        gap_bytes: 0,
        sees_start: true,
        checked_batches: Some(1024),
        trusts_statistics: false,
        keeps_heads: false,
    };

    /// For files on disk. A file that is small is read at once, as fast as any part of it: of thousands of them each takes
    /// one read.
    pub(super) const DISK: Self = Self {
        tail_bytes: 4 << 10,
        whole_bytes: 32 << 10,
        gap_bytes: 0,
        sees_start: true,
        checked_batches: Some(16),
        trusts_statistics: false,
        keeps_heads: false,
    };

    /// For sources where each read is a request, and for callers that read themselves.
    pub(super) fn requests(options: &IpcIndexOptions) -> Self {
        Self {
            tail_bytes: options.tail_bytes.max(16),
            whole_bytes: options.tail_bytes,
            gap_bytes: options.gap_bytes,
            sees_start: false,
            checked_batches: None,
            trusts_statistics: options.trusted_statistics,
            keeps_heads: true,
        }
    }
}
