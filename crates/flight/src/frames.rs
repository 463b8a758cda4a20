//! Frames on their way: one with metadata, and a stream of them.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use polars_core::prelude::*;

use crate::error::{FlightError, FlightResult};
use crate::message::FlightData;

/// A frame, metadata of the application, or both.
///
/// ```
/// use floe_flight::FlightFrame;
/// use polars_core::prelude::*;
///
/// let df = DataFrame::new(1, vec![Column::new("n".into(), [7i64])])?;
/// let frame = FlightFrame::from(df).with_app_metadata("last");
/// assert!(frame.df.is_some() && frame.app_metadata == "last");
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FlightFrame {
    /// The rows of a record batch; none if the message has metadata only.
    pub df: Option<DataFrame>,
    /// Bytes of the application; empty if there are none.
    pub app_metadata: Bytes,
}

impl FlightFrame {
    /// Metadata without a frame.
    ///
    /// ```
    /// use floe_flight::FlightFrame;
    ///
    /// assert!(FlightFrame::metadata("begin").df.is_none());
    /// ```
    pub fn metadata(app_metadata: impl Into<Bytes>) -> Self {
        Self { df: None, app_metadata: app_metadata.into() }
    }

    /// The frame with this metadata. See [`FlightFrame`] for an example.
    #[must_use]
    pub fn with_app_metadata(self, app_metadata: impl Into<Bytes>) -> Self {
        Self { app_metadata: app_metadata.into(), ..self }
    }
}

impl From<DataFrame> for FlightFrame {
    fn from(df: DataFrame) -> Self {
        Self { df: Some(df), app_metadata: Bytes::new() }
    }
}

/// A stream of frames to be sent: what [`FrameService`](crate::FrameService) returns, and
/// [`FlightClient::put`](crate::FlightClient::put) takes.
///
/// It is polled when the other side wants more, and dropped when it has gone.
///
/// ```
/// use floe_flight::{FlightError, FrameStream};
/// use futures_util::stream;
/// use polars_core::prelude::*;
///
/// let one = DataFrame::new(1, vec![Column::new("n".into(), [7i64])])?;
/// let schema = one.schema().clone();
/// let twice = stream::iter([Ok::<_, FlightError>(one.clone()), Ok(one.clone())]);
/// let frames = FrameStream::new(schema, twice);
/// let whole = FrameStream::from(one);
/// # let _ = (frames, whole);
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct FrameStream {
    pub(crate) source: Source,
}

/// The contents of a stream.
pub(crate) enum Source {
    /// Frames. The schema is that of the first frame, if it is not known before.
    Frames { schema: Option<SchemaRef>, frames: Frames },
    /// Messages of tables that Polars has no types for.
    #[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "only the tables of Flight SQL are such"))]
    Messages(Vec<FlightData>),
}

/// Frames as they come.
pub(crate) type Frames = Pin<Box<dyn Stream<Item = FlightResult<FlightFrame>> + Send>>;

impl FrameStream {
    /// Frames of this schema, which is sent also if there are none. See [`FrameStream`] for an example.
    pub fn new<F, E>(schema: SchemaRef, frames: impl Stream<Item = Result<F, E>> + Send + 'static) -> Self
    where
        F: Into<FlightFrame>,
        E: Into<FlightError>,
    {
        Self { source: Source::Frames { schema: Some(schema), frames: boxed(frames) } }
    }

    /// Frames whose schema is known with the first of them. Metadata may come before it, as in an exchange.
    ///
    /// ```
    /// use floe_flight::{FlightError, FlightFrame, FrameStream};
    /// use futures_util::stream;
    ///
    /// let answer = stream::iter([Ok::<_, FlightError>(FlightFrame::metadata("understood"))]);
    /// let frames = FrameStream::without_schema(answer);
    /// # let _ = frames;
    /// ```
    pub fn without_schema<F, E>(frames: impl Stream<Item = Result<F, E>> + Send + 'static) -> Self
    where
        F: Into<FlightFrame>,
        E: Into<FlightError>,
    {
        Self { source: Source::Frames { schema: None, frames: boxed(frames) } }
    }

    /// Nothing but a schema.
    ///
    /// ```
    /// use floe_flight::FrameStream;
    /// use polars_core::prelude::SchemaRef;
    ///
    /// let frames = FrameStream::empty(SchemaRef::default());
    /// # let _ = frames;
    /// ```
    pub fn empty(schema: SchemaRef) -> Self {
        Self::new(schema, stream::empty::<FlightResult<FlightFrame>>())
    }

    #[cfg(feature = "sql")]
    pub(crate) fn messages(messages: Vec<FlightData>) -> Self {
        Self { source: Source::Messages(messages) }
    }
}

fn boxed<F, E>(frames: impl Stream<Item = Result<F, E>> + Send + 'static) -> Frames
where
    F: Into<FlightFrame>,
    E: Into<FlightError>,
{
    Box::pin(frames.map(|frame| frame.map(Into::into).map_err(Into::into)))
}

impl From<DataFrame> for FrameStream {
    fn from(df: DataFrame) -> Self {
        Self::new(df.schema().clone(), stream::iter([FlightResult::Ok(df)]))
    }
}

impl fmt::Debug for FrameStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Frames { schema, .. } => {
                f.debug_struct("FrameStream").field("schema", schema).finish_non_exhaustive()
            },
            Source::Messages(messages) => {
                f.debug_struct("FrameStream").field("messages", &messages.len()).finish_non_exhaustive()
            },
        }
    }
}
