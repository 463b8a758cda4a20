//! A stream as its reader's methods want it: batch by batch, all at once, and the next stream of the source.

use std::sync::Arc;

use floe_format::{KeyValues, NotUtf8};
use polars_core::prelude::*;

use super::begin::{Begin, begin, skip_padding};
use super::message_source::{MessageSource, SourceKind};
use super::options::ReadOptions;
use super::stream_source::{Current, Stream};
use crate::error::is_io;
use crate::schema::ReadSchema;

/// The custom metadata of a batch: text, and entries that are not UTF-8.
pub(crate) type BatchMetadata = (KeyValues, Vec<NotUtf8>);

impl<S: MessageSource> Stream<S> {
    /// The schema, which is read once.
    pub(crate) fn schema(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        self.again(|stream| stream.read_schema(options))
    }

    /// How many streams of the source came before this one.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Checks that the columns wanted are there. If not, they can be chosen anew.
    pub(crate) fn check_projection(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        self.schema(options)?;
        self.plan(options).map(|_| ())
    }

    /// The next record batch, and its custom metadata.
    pub(crate) fn next_frame(
        &mut self,
        options: &ReadOptions,
    ) -> PolarsResult<Option<(DataFrame, BatchMetadata)>> {
        self.check_projection(options)?;
        self.again(|stream| {
            let before = stream.current.rows;
            let Some(batch) = stream.next_batch(options)? else { return Ok(None) };
            let metadata = (batch.head.metadata.clone(), batch.head.not_utf8.clone());
            let df = stream.decode(vec![batch], options, before)?;
            Ok(Some((df, metadata)))
        })
    }

    /// The rest of the stream, which has to be all that is left of its source if nobody else can read on.
    pub(crate) fn finish(&mut self, options: &ReadOptions) -> PolarsResult<DataFrame> {
        self.check_projection(options)?;
        self.once(|stream| {
            let df = stream.read_all(options)?;
            stream.check_nothing_follows(options)?;
            Ok(df)
        })
    }

    /// Goes to the next stream: the first one, if nothing has been taken of it. False at the end of the source.
    pub(crate) fn advance(&mut self, options: &ReadOptions) -> PolarsResult<bool> {
        self.again(|stream| {
            if !stream.current.entered {
                if stream.begin()? {
                    stream.read_schema(options)?;
                    stream.current.entered = true;
                }
                return Ok(stream.current.entered);
            }
            stream.skip_rest(options)?;
            if stream.current.ended != Some(true) {
                return Ok(false);
            }
            skip_padding(&mut stream.input)?;
            let start = stream.input.position();
            let found = begin(&mut stream.input).map_err(|e| follows(start, e))?;
            if found == Begin::End {
                return Ok(false);
            }
            stream.input.restart(options.limits);
            stream.number += 1;
            stream.current = Current::begun(found, start);
            stream.read_schema(options)?;
            stream.current.entered = true;
            Ok(true)
        })
    }

    /// The next stream in one frame.
    pub(crate) fn next_stream(&mut self, options: &ReadOptions) -> PolarsResult<Option<DataFrame>> {
        if !self.advance(options)? {
            return Ok(None);
        }
        self.check_projection(options)?;
        self.once(|stream| stream.read_all(options)).map(Some)
    }

    /// Checks that nothing is left behind a stream of which all has been read.
    pub(super) fn check_end(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        self.once(|stream| stream.check_nothing_follows(options))
    }

    /// Where the end is known and nobody can read on behind it, nothing may be left without a word.
    fn check_nothing_follows(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        if options.trailing_data_allowed || !self.saw_end_marker() || !self.input.is_sole_owner() {
            return Ok(());
        }
        skip_padding(&mut self.input)?;
        let start = self.input.position();
        let what = match begin(&mut self.input) {
            Ok(Begin::End) => return Ok(()),
            Ok(Begin::Stream | Begin::File) => "another stream follows",
            // A slice's or cursor's owner may have put anything there.
            Err(_) if self.input.kind() == SourceKind::Reader => return Ok(()),
            Err(_) => "bytes that are no Arrow IPC stream follow",
        };
        polars_bail!(
            ComputeError: "{what} the end marker of the Arrow IPC stream, at byte {start} of its source: \
            `next_stream` reads one stream after the other, `with_trailing_data_allowed(true)` leaves what follows unread"
        )
    }
}

/// An error of the bytes behind a stream.
fn follows(start: u64, error: PolarsError) -> PolarsError {
    if is_io(&error) {
        return error;
    }
    error.wrap_msg(|msg| format!("behind the end of a stream, at byte {start}: {msg}"))
}
