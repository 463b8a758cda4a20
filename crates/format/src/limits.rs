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
    /// Bytes that one read may decompress or expand to, over all its buffers.
    pub max_total_bytes: u64,
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
            max_unbacked_rows: 1 << 26,
        }
    }
}
