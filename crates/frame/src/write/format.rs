//! The two formats, as types: the format of a writer is known when it is compiled.

/// The file format: a stream with a footer, in which any batch can be found.
///
/// ```
/// use floe_frame::{FileFormat, FrameWriter, IpcWriter};
/// use polars_io::SerWriter;
///
/// let writer: FrameWriter<Vec<u8>, FileFormat> = IpcWriter::new(Vec::new());
/// # let _ = writer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {}

/// The stream format: messages from start to end.
///
/// ```
/// use floe_frame::{FrameWriter, IpcStreamWriter, StreamFormat};
/// use polars_io::SerWriter;
///
/// let writer: FrameWriter<Vec<u8>, StreamFormat> = IpcStreamWriter::new(Vec::new());
/// # let _ = writer;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFormat {}

/// [`FileFormat`] or [`StreamFormat`], and nothing else. See [`FrameWriter`](super::FrameWriter) for an example.
pub trait WriteFormat: sealed::Format {}

impl WriteFormat for FileFormat {}
impl WriteFormat for StreamFormat {}

pub(super) mod sealed {
    /// The differences between the formats, for writers.
    #[doc(hidden)]
    pub trait Format {
        /// A file rather than a stream.
        const IS_FILE: bool;
        /// The name of its writer of whole frames.
        const WRITER: &'static str;
        /// The name of its writer of batches.
        const BATCHED: &'static str;
    }

    impl Format for super::FileFormat {
        const IS_FILE: bool = true;
        const WRITER: &'static str = "IpcWriter";
        const BATCHED: &'static str = "BatchedWriter";
    }

    impl Format for super::StreamFormat {
        const IS_FILE: bool = false;
        const WRITER: &'static str = "IpcStreamWriter";
        const BATCHED: &'static str = "BatchedStreamWriter";
    }
}
