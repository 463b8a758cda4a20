//! A message as a head and the pieces of its body.

use floe_format::constants::CONTINUATION;
use polars_buffer::Buffer;

/// One message of a stream or file, or what stands before and behind the messages. Made by
/// [`IpcMessageEncoder`](crate::IpcMessageEncoder), where there is an example.
///
/// ```text
///   | FF FF FF FF | i32 length | flatbuffer | zeros | piece | piece | piece |
///   |                          |<-metadata->|
///   |<-------------------- head ------------------->|<------- body -------->|
/// ```
#[derive(Debug, Clone)]
pub struct IpcMessage {
    pub(super) kind: IpcMessageKind,
    pub(super) head: Buffer<u8>,
    /// Bytes of the flatbuffer.
    pub(super) metadata_len: usize,
    pub(super) body: Vec<Buffer<u8>>,
    pub(super) body_len: u64,
}

/// The kind of an [`IpcMessage`].
///
/// ```
/// use floe_frame::{IpcMessageEncoder, IpcMessageKind};
/// use polars_core::prelude::*;
///
/// let mut encoder = IpcMessageEncoder::new(&Schema::default())?;
/// assert_eq!(encoder.take()[0].kind(), IpcMessageKind::Schema);
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IpcMessageKind {
    /// The magic at the start of a file. Streams have none.
    Start,
    /// The schema.
    Schema,
    /// Values of a dictionary.
    Dictionary {
        /// The id by which fields refer to it.
        id: i64,
        /// Whether they are added to those that are known.
        is_delta: bool,
    },
    /// A record batch.
    RecordBatch {
        /// Its rows.
        rows: u64,
    },
    /// The end marker; of a file also the footer.
    End,
}

impl IpcMessage {
    /// Its kind. See [`IpcMessageEncoder`](crate::IpcMessageEncoder) for an example.
    #[must_use]
    pub fn kind(&self) -> IpcMessageKind {
        self.kind
    }

    /// All that stands in front of the body: marker, length, flatbuffer and padding. See
    /// [`IpcMessageEncoder`](crate::IpcMessageEncoder) for an example.
    #[must_use]
    pub fn head(&self) -> &Buffer<u8> {
        &self.head
    }

    /// The flatbuffer `Message` alone, which Flight calls the data header. Empty for [`IpcMessageKind::Start`] and
    /// [`IpcMessageKind::End`].
    ///
    /// ```
    /// use floe_format::{IpcLimits, decode_message};
    /// use floe_frame::IpcMessageEncoder;
    /// use polars_core::prelude::*;
    ///
    /// let schema = IpcMessageEncoder::new(&Schema::default())?.take().remove(0);
    /// let message = decode_message(schema.metadata(), &IpcLimits::default());
    /// assert_eq!(message.map(|message| message.body_len), Ok(schema.body_len()));
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        let start = 2 * CONTINUATION.len();
        self.head.get(start..start + self.metadata_len).unwrap_or_default()
    }

    /// The body in pieces, padding included. They share the memory of the frame's columns where a writer would write it
    /// from where it lies. Pieces below 4 KiB are copied together.
    /// See [`IpcMessageEncoder`](crate::IpcMessageEncoder) for an example.
    #[must_use]
    pub fn body(&self) -> &[Buffer<u8>] {
        &self.body
    }

    /// Bytes of the body: the sum of its pieces, and a multiple of 64. See [`metadata`](Self::metadata) for an example.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.body_len
    }

    /// Bytes of head and body. See [`pieces`](Self::pieces) for an example.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.head.len() as u64 + self.body_len
    }

    /// Head and body one behind another, as they are in a stream.
    ///
    /// ```
    /// use floe_frame::IpcMessageEncoder;
    /// use polars_core::prelude::*;
    ///
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [1i64, 2])])?;
    /// for message in IpcMessageEncoder::new(df.schema())?.encode(&df)? {
    ///     let len: usize = message.pieces().map(|piece| piece.len()).sum();
    ///     assert_eq!(len as u64, message.total_len());
    /// }
    /// # PolarsResult::Ok(())
    /// ```
    pub fn pieces(&self) -> impl Iterator<Item = &Buffer<u8>> {
        std::iter::once(&self.head).chain(&self.body)
    }

    /// The head, and the pieces of the body. See [`IpcMessageEncoder`](crate::IpcMessageEncoder) for an example.
    #[must_use]
    pub fn into_parts(self) -> (Buffer<u8>, Vec<Buffer<u8>>) {
        (self.head, self.body)
    }
}
