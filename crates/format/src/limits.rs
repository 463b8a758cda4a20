//! Caps on what untrusted input may claim. A claim is checked against these *and* against the
//! bytes that exist before anything is allocated.

/// The limits of a reader, beyond which it returns [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded). Every
/// field has a default that real data stays far below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpcLimits {
    /// Nesting depth of a schema.
    pub max_schema_depth: usize,
    /// Fields of a schema, all levels counted.
    pub max_schema_nodes: usize,
    /// Bytes of one message's metadata (or of a footer).
    pub max_metadata_bytes: usize,
    /// Buffers of one record batch.
    pub max_buffers: usize,
    /// Bytes that one buffer may decompress to.
    pub max_buffer_bytes: u64,
    /// Bytes that the results of one read may take, over all its columns and batches; of batches that are read one
    /// by one those of each.
    pub max_total_bytes: u64,
    /// Bytes of results for each byte of input that exists: of values that dictionaries, runs and views repeat, of nulls
    /// that fill up unions, of buffers and blocks that overlap.
    ///
    /// Decompressed bytes come on top, as long as frames do not overlap: up to 16 times the budget of a source without
    /// compression. A decompressed byte counts for a 32nd of an input byte. (The codecs have bounds of their own: LZ4
    /// makes 255 bytes of one, ZSTD 32,768.) Metadata, whose tables may be shared, may take a quarter of this when it
    /// is parsed.
    pub max_amplification: u64,
    /// Bytes that results may take however small the input is. Metadata may take a sixteenth of that.
    pub amplification_floor: u64,
    /// Rows of a record batch that no byte stands behind: null columns, frames without columns, empty
    /// structs, lists of width zero. They take no memory, so that their number over all batches is
    /// bounded by what Polars can count alone. Of long runs and binaries of width zero, which do take
    /// memory, as many in one read.
    pub max_unbacked_rows: usize,
}

impl Default for IpcLimits {
    fn default() -> Self {
        Self {
            max_schema_depth: 64,
            max_schema_nodes: 1 << 20,
            max_metadata_bytes: 256 << 20,
            max_buffers: 1 << 22,
            max_buffer_bytes: 1 << 36,
            max_total_bytes: 1 << 40,
            max_amplification: 1 << 8,
            amplification_floor: 1 << 28,
            max_unbacked_rows: 1 << 26,
        }
    }
}

/// Decompression may give this many times the bytes that are allowed without it.
const MAX_DECOMPRESSED_RATIO: u64 = 16;
/// This many decompressed bytes count as one byte of input.
const DECOMPRESSED_TO_INPUT_RATIO: u64 = 32;
/// Metadata may take 1 / this of the bytes of results. Real flatbuffers share strings and empty vectors, hardly more.
const RESULTS_TO_METADATA_RATIO: u64 = 4;
/// The same for the floor that holds however small the input is.
const FLOOR_TO_METADATA_RATIO: u64 = 16;

/// A length as the format counts. No address space has more than 64 bits, so nothing is cut off.
pub(crate) fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl IpcLimits {
    /// Bytes of results that may come of `input` bytes, and of the `unpacked` bytes that some of those were decompressed to.
    ///
    /// ```
    /// use floe_format::IpcLimits;
    ///
    /// let limits = IpcLimits::default();
    /// assert_eq!(limits.max_bytes_of(1_000, 0), 256 << 20);
    /// assert_eq!(limits.max_bytes_of(16 << 20, 0), 4 << 30);
    /// assert_eq!(limits.max_bytes_of(1_000, 1 << 30), (256 << 20) + 9 * (1 << 30));
    /// ```
    #[must_use]
    pub fn max_bytes_of(&self, input: u64, unpacked: u64) -> u64 {
        let most = self.max_amplification.saturating_mul(input).max(self.amplification_floor);
        let unpacked = unpacked.min(most.saturating_mul(MAX_DECOMPRESSED_RATIO));
        let repeated = (self.max_amplification / DECOMPRESSED_TO_INPUT_RATIO).saturating_mul(unpacked);
        most.saturating_add(unpacked).saturating_add(repeated)
    }

    /// Bytes that may be parsed out of metadata of `len` bytes.
    #[must_use]
    pub fn max_parsed_bytes(&self, len: usize) -> u64 {
        let len = wide(len);
        let most = (self.max_amplification / RESULTS_TO_METADATA_RATIO).saturating_mul(len);
        most.max(self.amplification_floor / FLOOR_TO_METADATA_RATIO)
    }
}
