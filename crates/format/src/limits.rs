//! Caps on what untrusted input may claim. A claim is checked against these *and* against the
//! bytes that exist before anything is allocated.

/// What a reader accepts before it says "too much". Every field has a default that real data
/// stays far below.
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
    /// Bytes that the results of one read may take, over all its columns and batches.
    pub max_total_bytes: u64,
    /// Bytes of results, and of parsed metadata, for each byte of input. What decompression gives is not counted
    /// as long as no two buffers share their stored bytes: codecs have bounds of their own (LZ4 255, ZSTD 32,768).
    /// Everything else is: values of dictionaries, of runs and of views that are repeated, nulls that fill
    /// up unions, buffers and blocks that overlap, tables of a flatbuffer that are used twice.
    ///
    /// Decompressed bytes count as a sixteenth of input, since it is they that are looked up and repeated.
    pub max_amplification: u64,
    /// Bytes that results may take however small the input is, before `max_amplification` counts. Metadata has a
    /// sixteenth of that, and a quarter of `max_amplification`.
    pub amplification_floor: u64,
    /// Rows of a batch that no byte stands behind: null columns, frames without columns, empty
    /// structs, lists of width zero, long runs.
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

/// How much less a decompressed byte counts than one of input; also how much less metadata may take than results.
const PART: u64 = 16;
/// Real flatbuffers share strings and empty vectors, hardly more.
const METADATA_PART: u64 = 4;

impl IpcLimits {
    /// Bytes that may come of `input` bytes, of which `unpacked` bytes have been decompressed: those beyond are an error.
    ///
    /// ```
    /// use floe_format::IpcLimits;
    ///
    /// let limits = IpcLimits::default();
    /// assert_eq!(limits.max_bytes_of(1_000, 0), 256 << 20);
    /// assert_eq!(limits.max_bytes_of(16 << 20, 0), 4 << 30);
    /// ```
    #[must_use]
    pub fn max_bytes_of(&self, input: u64, unpacked: u64) -> u64 {
        let repeated = (self.max_amplification / PART).saturating_mul(unpacked);
        let of_input = self.max_amplification.saturating_mul(input);
        let most = of_input.saturating_add(unpacked).saturating_add(repeated);
        most.max(self.amplification_floor).min(self.max_total_bytes)
    }

    /// Bytes that may be parsed out of metadata of `len` bytes.
    #[must_use]
    pub fn max_parsed_bytes(&self, len: usize) -> u64 {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        (self.max_amplification / METADATA_PART).saturating_mul(len).max(self.amplification_floor / PART)
    }
}
