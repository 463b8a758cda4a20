//! Along the heads of a stream, and of the streams behind it.
//!
//! ```text
//!   schema, dictionaries, batches, end marker | schema, dictionaries, batches, end marker | ..
//!   stream 1                                    stream 2: the same columns
//! ```

use std::sync::Arc;

use floe_format::sniff::check_stream;
use floe_format::{Block, Decoder, Error, ErrorKind, Header, IpcLimits, Message, Schema, Step};
use polars_core::prelude::*;

use super::dictionaries::DictionaryEntry;
use super::origin::Reading;
use super::walk::Found;
use super::{Entry, StreamPlace};
use crate::error::format_error;
use crate::read::heads::Heads;
use crate::read::index::SNIFFED;
use crate::read::types::TypeOptions;
use crate::schema::{ReadColumn, ReadSchema, TypeDifference};
use crate::statistics;

/// What is read at once of a stream whose bodies are shorter than that.
const AHEAD: u64 = 32 << 10;

/// Walks along all streams of a source.
pub(super) fn stream(reading: &Reading<'_>, limits: IpcLimits, types: &TypeOptions) -> PolarsResult<Found> {
    let mut found = Found { types: types.clone(), ..Found::default() };
    let mut heads = Heads::default();
    let mut at = 0u64;
    loop {
        let before = found.streams.len();
        match one_stream(reading, limits, &mut heads, &mut found, at) {
            Err(e) if before > 0 => return Err(behind_another(reading, e, before, at)),
            Err(e) => return Err(e),
            Ok(end) if end == reading.len() => return Ok(found),
            Ok(end) => at = end,
        }
    }
}

/// What is wrong with a stream behind others, or with what stands in its place.
fn behind_another(reading: &Reading<'_>, error: PolarsError, before: usize, at: u64) -> PolarsError {
    let begin = reading.read(at..reading.len().min(at + SNIFFED as u64));
    match begin.as_ref().map(|begin| check_stream(begin)) {
        Ok(Err(other)) => format_error(other).wrap_msg(|msg| {
            let rest = reading.len() - at;
            format!("{rest} bytes follow the end marker of stream {before}, from byte {at} on: {msg}")
        }),
        _ if matches!(error, PolarsError::SchemaMismatch(_)) => error,
        _ => error.wrap_msg(|msg| format!("stream {}, from byte {at} on: {msg}", before + 1)),
    }
}

/// Walks along one stream that starts at `from`, and says where it ends.
fn one_stream(
    reading: &Reading<'_>,
    limits: IpcLimits,
    heads: &mut Heads,
    found: &mut Found,
    from: u64,
) -> PolarsResult<u64> {
    let streams = found.streams.len();
    let mut decoder = Decoder::new(limits);
    let (mut start, mut at) = (from, from);
    loop {
        let message = found.messages();
        let place =
            |e: Error| format_error(e.at(format!("message {message} after the schema, at byte {start}")));
        let need = decoder.needed() as u64;
        let have = reading.len() - at;
        if have == 0 && decoder.is_at_boundary() {
            return Ok(at);
        }
        if have < need {
            return Err(place(Error::new(ErrorKind::Truncated { need, have })));
        }
        let bytes = heads.get(at..at + need, reading.len(), |range| reading.read(range))?;
        at += need;
        match decoder.feed(&bytes).map_err(place)? {
            Step::Need(_) => {},
            Step::End if found.streams.len() == streams => {
                return Err(place(Error::invalid("an end marker without a schema message before it")));
            },
            Step::End => return Ok(at),
            Step::Message(message) => {
                let (need, have) = (message.body_len, reading.len() - at);
                if have < need {
                    return Err(place(Error::new(ErrorKind::Truncated { need, have }).at("body")));
                }
                let metadata_len = u32::try_from(at - start)
                    .map_err(|_| place(Error::invalid("a head of more than 4 GiB")))?;
                let block = Block { offset: start, metadata_len, body_len: need };
                found.take(message, block, streams, place)?;
                at += need;
                start = at;
                heads.read_ahead(if need < AHEAD { AHEAD } else { 0 });
            },
        }
    }
}

impl Found {
    /// Messages of the current stream behind its schema.
    fn messages(&self) -> usize {
        let (batches, dictionaries) =
            self.streams.last().map_or((0, 0), |stream| (stream.first_batch, stream.first_dictionary));
        self.batches.len() - batches + self.dictionaries.len() - dictionaries
    }

    /// Takes in a message of a stream that has `before` streams before it; `place` says where errors are.
    fn take(
        &mut self,
        message: Message,
        block: Block,
        before: usize,
        place: impl Fn(Error) -> PolarsError,
    ) -> PolarsResult<()> {
        let has_schema = self.streams.len() > before;
        match message.header {
            Header::Schema(schema) if !has_schema => self.begin(schema, block.offset)?,
            Header::Schema(_) => {
                return Err(place(Error::invalid(
                    "a second schema message, without an end marker before it",
                )));
            },
            _ if !has_schema => {
                return Err(place(Error::invalid("the stream does not start with a schema message")));
            },
            Header::Dictionary(header) => {
                self.dictionaries.push(DictionaryEntry { block, id: header.id, is_delta: header.is_delta });
            },
            Header::Batch(header) => {
                self.has_statistics |= message.metadata.iter().any(|(key, _)| key == statistics::KEY);
                let dictionaries = self.dictionaries.len();
                self.batches.push(Entry { block, rows: header.rows, dictionaries });
            },
        }
        Ok(())
    }

    /// Begins a stream, whose columns must be those of the first one.
    fn begin(&mut self, schema: Schema, at: u64) -> PolarsResult<()> {
        let schema = match (self.streams.first(), self.streams.last()) {
            (Some(_), Some(last)) if written_alike(&last.schema.written, &schema) => Arc::clone(&last.schema),
            (Some(first), _) => {
                let schema = ReadSchema::new(schema, &self.types);
                let place = format!("stream {}, which starts at byte {at}", self.streams.len() + 1);
                let differ =
                    |msg: String| polars_err!(SchemaMismatch: "streams with other columns follow: {msg}");
                same_columns(&first.schema, &schema, &place).map_err(differ)?;
                Arc::new(schema)
            },
            _ => Arc::new(ReadSchema::new(schema, &self.types)),
        };
        self.streams.push(StreamPlace {
            schema,
            first_batch: self.batches.len(),
            first_dictionary: self.dictionaries.len(),
        });
        Ok(())
    }
}

/// Whether batches of both can be read alike. What is said about the schema as a whole does not matter.
fn written_alike(left: &Schema, right: &Schema) -> bool {
    left.fields == right.fields && left.endianness == right.endianness
}

/// Says where the columns of the first stream and another differ, if they do.
fn same_columns(first: &ReadSchema, other: &ReadSchema, place: &str) -> Result<(), String> {
    let told = |difference: TypeDifference, name: &str| {
        Err(difference.told(&format!("column \"{name}\""), "stream 1", place))
    };
    let name = |column: Option<&ReadColumn>| match column {
        Some(column) => format!("\"{}\"", column.name),
        None => "missing".to_owned(),
    };
    for i in 0..first.columns.len().max(other.columns.len()) {
        let (left, right) = match (first.columns.get(i), other.columns.get(i)) {
            (Some(left), Some(right)) if left.name == right.name => (left, right),
            (left, right) => {
                return Err(format!(
                    "column {i} is {} in stream 1, and {} in {place}",
                    name(left),
                    name(right)
                ));
            },
        };
        match (&left.dtype, &right.dtype) {
            (Ok(a), Ok(b)) => match TypeDifference::between(a, b) {
                Some(difference) => return told(difference, &left.name),
                None if a == b => {},
                None => {
                    let column = &left.name;
                    return Err(format!(
                        "the fields of column \"{column}\" stand in another order in {place}"
                    ));
                },
            },
            // What Polars cannot hold is an error where the column is wanted.
            (Err(_), Err(_)) => {},
            (Ok(dtype), Err(_)) => return told(TypeDifference::missing_on_the_right(dtype), &left.name),
            (Err(_), Ok(dtype)) => return told(TypeDifference::missing_on_the_left(dtype), &left.name),
        }
    }
    Ok(())
}
