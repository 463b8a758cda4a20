//! Messages to frames.

use std::fmt;

use bytes::Bytes;
use floe::{IpcLimits, StreamDecoder};
use floe_format::constants::CONTINUATION;
use floe_format::message_body_len;
use polars_core::prelude::*;

use crate::frames::FlightFrame;
use crate::message::FlightData;

/// Makes frames out of the messages of a Flight stream, as they come. Bodies are checked, and not copied where the memory
/// of the message is fit for a column.
///
/// See [`FlightEncoder`](crate::FlightEncoder) for an example.
///
/// # Errors
/// Each error names the number of the message, counted from 1. After an error every later call fails.
#[must_use]
pub struct FlightDecoder {
    decoder: StreamDecoder,
    /// The schema, once it has come.
    schema: Option<SchemaRef>,
    /// Messages that have been pushed.
    messages: u64,
    has_failed: bool,
}

impl Default for FlightDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FlightDecoder {
    /// A decoder at the start of a stream.
    ///
    /// See [`FlightEncoder`](crate::FlightEncoder) for an example.
    pub fn new() -> Self {
        Self { decoder: StreamDecoder::new(), schema: None, messages: 0, has_failed: false }
    }

    /// Caps on what the messages may claim.
    ///
    /// ```
    /// use floe::IpcLimits;
    /// use floe_flight::FlightDecoder;
    ///
    /// let mut limits = IpcLimits::default();
    /// limits.max_total_bytes = 64 << 20;
    /// let decoder = FlightDecoder::new().with_limits(limits);
    /// # let _ = decoder;
    /// ```
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.decoder = self.decoder.with_limits(limits);
        self
    }

    /// Takes the next message. Returns its frame if it is a record batch, and the application's metadata if it has some;
    /// nothing for a schema or a dictionary.
    ///
    /// See [`FlightEncoder`](crate::FlightEncoder) for an example.
    ///
    /// # Errors
    /// When the message is not valid, or not one that may come next.
    pub fn push(&mut self, data: FlightData) -> PolarsResult<Option<FlightFrame>> {
        self.messages += 1;
        let number = self.messages;
        polars_ensure!(!self.has_failed, ComputeError: "message {number}: an earlier message of the Flight stream is not valid");
        self.decode(data).map_err(|error| {
            self.has_failed = true;
            error.wrap_msg(|text| format!("message {number} of the Flight stream: {text}"))
        })
    }

    fn decode(&mut self, data: FlightData) -> PolarsResult<Option<FlightFrame>> {
        // The descriptor is the caller's.
        let FlightData { flight_descriptor: _, data_header, app_metadata, data_body } = data;
        let body = data_body.into_bytes();
        let mut frame = None;
        if data_header.is_empty() {
            polars_ensure!(body.is_empty(), ComputeError: "it has a body of {} bytes and no header", body.len());
        } else {
            self.check_body(&data_header, &body)?;
            frame = self.push_message(&data_header, body)?;
        }
        if frame.is_none() && app_metadata.is_empty() {
            return Ok(None);
        }
        Ok(Some(FlightFrame { df: frame, app_metadata }))
    }

    fn check_body(&self, header: &[u8], body: &[u8]) -> PolarsResult<()> {
        let claimed = message_body_len(header)
            .map_err(|error| polars_err!(ComputeError: "its header is not valid: {error}"))?;
        polars_ensure!(
            u64::try_from(body.len()) == Ok(claimed),
            ComputeError: "its header says that the body has {claimed} bytes, and it has {}", body.len()
        );
        Ok(())
    }

    /// Hands over a message as a stream has it: with marker and length. The body stays as it is.
    fn push_message(&mut self, header: &[u8], body: Bytes) -> PolarsResult<Option<DataFrame>> {
        let padded = header.len().next_multiple_of(8);
        let Ok(len) = i32::try_from(padded) else {
            polars_bail!(ComputeError: "its header has {padded} bytes, and the format allows 2 GiB");
        };
        let mut head = Vec::with_capacity(8 + padded);
        head.extend_from_slice(&CONTINUATION);
        head.extend_from_slice(&len.to_le_bytes());
        head.extend_from_slice(header);
        head.resize(8 + padded, 0);
        let mut frames = self.decoder.push(head)?;
        if !body.is_empty() {
            frames.extend(self.decoder.push(body)?);
        }
        if self.schema.is_none() {
            // Columns that Polars cannot hold are told now, rather than with the first batch.
            self.schema = self.decoder.schema()?.map(SchemaRef::new);
        }
        Ok(frames.pop())
    }

    /// The schema, if it has come.
    ///
    /// ```
    /// assert!(floe_flight::FlightDecoder::new().schema().is_none());
    /// ```
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// Messages that have been pushed.
    ///
    /// ```
    /// assert_eq!(floe_flight::FlightDecoder::new().messages(), 0);
    /// ```
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }
}

impl fmt::Debug for FlightDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightDecoder").field("messages", &self.messages).finish_non_exhaustive()
    }
}
