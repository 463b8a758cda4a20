//! Frames to messages.
//!
//! ```text
//!   frame -> slices of 2 MiB -> encoded on Polars' pool, a window at a time -> FlightData, in order
//! ```

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use floe::{IpcMessage, IpcMessageEncoder, IpcMessageKind};
use polars_core::prelude::*;

use crate::message::{FlightBody, FlightData};
use crate::options::FlightOptions;
use crate::protocol::FlightDescriptor;
use crate::split::split;

/// Messages on their way to the pool: enough for its threads, and about 16 MiB.
const WINDOW: usize = 8;

/// Makes the messages of a Flight stream out of frames: the schema, then each frame as one record batch or several.
///
/// A body is the memory of the frame's columns where that is the form of the wire; nothing is copied before the gRPC frame.
/// Dictionaries of categoricals come in front of the first batch that needs them.
///
/// ```
/// use floe_flight::{FlightDecoder, FlightEncoder, FlightOptions};
/// use polars_core::prelude::*;
///
/// let df = DataFrame::new(2, vec![Column::new("day".into(), [1i64, 2])])?;
/// let mut encoder = FlightEncoder::new(df.schema(), &FlightOptions::new())?;
/// let mut messages = vec![encoder.schema(None)?];
/// messages.extend(encoder.encode(&df)?);
///
/// let mut decoder = FlightDecoder::new();
/// let frames: Vec<_> = messages.into_iter().filter_map(|data| decoder.push(data).transpose()).collect();
/// assert!(frames.into_iter().all(|frame| frame.is_ok_and(|frame| frame.df == Some(df.clone()))));
/// # PolarsResult::Ok(())
/// ```
pub struct FlightEncoder {
    encoder: IpcMessageEncoder,
    max_message_bytes: usize,
    /// The schema message, until it has been taken.
    schema: Option<FlightData>,
    /// Slices that have not been given to the encoder, and the metadata that goes with each.
    waiting: VecDeque<(DataFrame, Bytes)>,
    /// The metadata of each slice that has, and whose message has not come.
    submitted: VecDeque<Bytes>,
    ready: VecDeque<FlightData>,
}

impl FlightEncoder {
    /// An encoder of frames of this schema.
    ///
    /// See [`FlightEncoder`] for an example.
    ///
    /// # Errors
    /// When a dtype cannot be written, or the codec is not there.
    pub fn new(schema: &Schema, options: &FlightOptions) -> PolarsResult<Self> {
        let mut encoder = options.message_encoder(schema)?;
        let mut messages = encoder.take().into_iter();
        let schema = messages.next().map(|message| flight_data(message, Bytes::new()));
        Ok(Self {
            encoder,
            max_message_bytes: options.max_message_bytes(),
            schema,
            waiting: VecDeque::new(),
            submitted: VecDeque::new(),
            ready: VecDeque::new(),
        })
    }

    /// The first message: the schema, with the descriptor that a put or an exchange begins with.
    ///
    /// See [`FlightEncoder`] for an example.
    ///
    /// # Errors
    /// When it has been taken before.
    pub fn schema(&mut self, descriptor: Option<FlightDescriptor>) -> PolarsResult<FlightData> {
        match self.schema.take() {
            Some(data) => Ok(FlightData { flight_descriptor: descriptor, ..data }),
            None => {
                polars_bail!(ComputeError: "the schema message of this Flight stream has been taken before")
            },
        }
    }

    /// The messages of a frame. One without rows has none.
    ///
    /// See [`FlightEncoder`] for an example.
    ///
    /// # Errors
    /// When the columns' names, order or dtypes differ from the schema's (the encoder can go on then), or a column cannot
    /// be encoded (every later call fails then).
    pub fn encode(&mut self, df: &DataFrame) -> PolarsResult<Vec<FlightData>> {
        self.encode_with_metadata(df, Bytes::new())
    }

    /// As [`encode`](Self::encode), with metadata of the application in the first message of a record batch. Without rows
    /// the metadata is a message of its own.
    ///
    /// ```
    /// use floe_flight::{FlightEncoder, FlightOptions};
    /// use polars_core::prelude::*;
    ///
    /// let df = DataFrame::new(2, vec![Column::new("day".into(), [1i64, 2])])?;
    /// let mut encoder = FlightEncoder::new(df.schema(), &FlightOptions::new())?;
    /// let messages = encoder.encode_with_metadata(&df, "part 1".into())?;
    /// assert_eq!(messages[0].app_metadata, "part 1");
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_metadata(
        &mut self,
        df: &DataFrame,
        app_metadata: Bytes,
    ) -> PolarsResult<Vec<FlightData>> {
        self.push(df, app_metadata)?;
        let mut messages = Vec::new();
        while let Some(data) = self.next()? {
            messages.push(data);
        }
        Ok(messages)
    }

    /// Takes a frame, whose messages come from [`next`](Self::next).
    pub(crate) fn push(&mut self, df: &DataFrame, app_metadata: Bytes) -> PolarsResult<()> {
        self.encoder.note(df)?;
        if df.height() == 0 {
            if !app_metadata.is_empty() {
                self.push_metadata(app_metadata);
            }
            return Ok(());
        }
        let slices = split(df, self.max_message_bytes).into_iter();
        let metadata = std::iter::once(app_metadata).chain(std::iter::repeat(Bytes::new()));
        self.waiting.extend(slices.zip(metadata));
        Ok(())
    }

    /// Takes metadata without a frame. The frames before it have to be taken first.
    pub(crate) fn push_metadata(&mut self, app_metadata: Bytes) {
        debug_assert!(self.waiting.is_empty() && self.submitted.is_empty());
        self.ready.push_back(FlightData { app_metadata, ..FlightData::default() });
    }

    /// The next message; none if all frames have been encoded.
    pub(crate) fn next(&mut self) -> PolarsResult<Option<FlightData>> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                return Ok(Some(data));
            }
            while self.submitted.len() < WINDOW
                && let Some((slice, app_metadata)) = self.waiting.pop_front()
            {
                self.encoder.submit(&slice)?;
                self.submitted.push_back(app_metadata);
            }
            self.collect();
            if self.ready.is_empty() {
                if !self.encoder.write_submitted()? {
                    return Ok(None);
                }
                self.collect();
            }
        }
    }

    /// Takes the messages that are done.
    fn collect(&mut self) {
        for message in self.encoder.take() {
            let app_metadata = match message.kind() {
                IpcMessageKind::RecordBatch { .. } => self.submitted.pop_front().unwrap_or_default(),
                _ => Bytes::new(),
            };
            self.ready.push_back(flight_data(message, app_metadata));
        }
    }
}

impl fmt::Debug for FlightEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightEncoder").field("encoder", &self.encoder).finish_non_exhaustive()
    }
}

/// A message as Flight sends it. Its bytes stay where they are.
fn flight_data(message: IpcMessage, app_metadata: Bytes) -> FlightData {
    let metadata_len = message.metadata().len();
    let (head, body) = message.into_parts();
    // Behind the marker and the length.
    let start = head.len().min(8);
    let end = head.len().min(start + metadata_len);
    let data_body: FlightBody = body.into_iter().map(Bytes::from_owner).collect();
    FlightData {
        flight_descriptor: None,
        data_header: Bytes::from_owner(head.sliced(start..end)),
        app_metadata,
        data_body,
    }
}
