//! The record batches of a stream, one by one.

use std::io::Read;

use floe_format::NotUtf8;
use polars_core::prelude::*;

use super::options::ReadOptions;
use super::several::BatchMetadata;
use super::stream_state::{Shared, State, lock, with_stream};
use crate::options::{Metadata, MetadataBytes};
use crate::schema::metadata_map;

/// The record batches of a stream, read and decoded one at a time.
///
/// ```
/// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
/// # use polars_core::prelude::*;
/// # use polars_io::{SerReader, SerWriter};
/// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
/// # let mut bytes = Vec::new();
/// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
/// let reader = IpcStreamReader::new(bytes.as_slice());
/// let mut batches = reader.batches()?;
/// assert_eq!(batches.next().unwrap()?.height(), 2);
/// # PolarsResult::Ok(())
/// ```
pub struct StreamBatches<R> {
    pub(super) state: Shared<R>,
    pub(super) options: ReadOptions,
    /// Of the stream that it is of.
    pub(super) number: usize,
    pub(super) done: bool,
    pub(super) metadata: Metadata,
    pub(super) stored: BatchMetadata,
}

impl<R> StreamBatches<R> {
    /// The custom metadata of the batch that came last, with floe's statistics if it has any. Metadata that is not UTF-8 is
    /// in [`metadata_bytes`](Self::metadata_bytes) only.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcStreamReader::new(bytes.as_slice());
    /// let mut batches = reader.batches()?;
    /// batches.next().unwrap()?;
    /// assert!(batches.metadata().is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same as bytes, in its order, including entries that are not UTF-8, which are missing there.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcStreamReader::new(bytes.as_slice());
    /// let mut batches = reader.batches()?;
    /// batches.next().unwrap()?;
    /// assert!(batches.metadata_bytes().is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn metadata_bytes(&self) -> MetadataBytes {
        NotUtf8::merged(&self.stored.0, &self.stored.1)
    }
}

impl<R: Read> Iterator for StreamBatches<R> {
    type Item = PolarsResult<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let (options, number) = (&self.options, self.number);
        let next = with_stream!(&self.state, options, |s| {
            if s.number() == number {
                s.hand_over();
                s.next_frame(options)
            } else {
                Err(polars_err!(
                    ComputeError: "these are the batches of stream {} of the source; its reader has gone on to stream {}",
                    number + 1, s.number() + 1
                ))
            }
        });
        self.done = !matches!(next, Ok(Some(_)));
        match next {
            Ok(Some((df, metadata))) => {
                self.metadata = metadata_map(&metadata.0);
                self.stored = metadata;
                Some(Ok(df))
            },
            Ok(None) => None,
            Err(e) => Some(Err(e)),
        }
    }
}

impl<R> std::fmt::Debug for StreamBatches<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamBatches")
            .field("stream", &self.number)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
