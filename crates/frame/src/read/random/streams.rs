//! Along the heads of a stream, and of the streams behind it.
//!
//! ```text
//!   schema, dictionaries, batches, end marker | schema, dictionaries, batches, end marker | ..
//!   stream 1                                    stream 2: the same columns
//! ```

use std::ops::Range;
use std::sync::Arc;

use floe_format::sniff::check_stream;
use floe_format::{Block, Decoder, Error, ErrorKind, Header, IpcLimits, Message, Schema, Step};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::found::{BatchEntry, DictionaryId, Found, StreamPlace};
use crate::error::format_error;
use crate::read::footer::SNIFFED_BYTES;
use crate::read::read_ahead::ReadAhead;
use crate::read::types::TypeOptions;
use crate::schema::{ReadColumn, ReadSchema, TypeDifference};
use crate::statistics;

/// Bodies of fewer bytes are read along with the heads, this many bytes at once.
const SHORT_BODY_BYTES: u64 = 32 << 10;

/// A walk that says which bytes it needs next.
pub(super) struct StreamWalk {
    len: u64,
    limits: IpcLimits,
    decoder: Decoder,
    heads: ReadAhead,
    found: Found,
    /// Streams that have been passed.
    passed: usize,
    /// Where the current stream and its current message start.
    from: u64,
    start: u64,
    at: u64,
    failed: Option<PolarsError>,
}

/// The result of a step of a walk.
pub(super) enum WalkStep {
    /// These bytes are needed.
    Needs(Range<u64>),
    /// The end of the source.
    Done(Found),
}

impl StreamWalk {
    /// Along a source of `len` bytes.
    pub(super) fn new(len: u64, limits: IpcLimits, types: &TypeOptions) -> Self {
        let found = Found { types: types.clone(), ..Found::default() };
        let (decoder, heads) = (Decoder::new(limits), ReadAhead::default());
        Self { len, limits, decoder, heads, found, passed: 0, from: 0, start: 0, at: 0, failed: None }
    }

    /// Takes bytes that were needed, or happen to be there.
    pub(super) fn put(&mut self, start: u64, bytes: Buffer<u8>) {
        self.heads.put(start, bytes);
    }

    /// Goes on as far as the bytes reach.
    pub(super) fn walk(&mut self) -> PolarsResult<WalkStep> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(self.behind_another(error));
            }
            match self.one_stream() {
                Err(error) if self.passed > 0 => {
                    // Bytes there that are no stream are examined for the message of the error.
                    self.failed = Some(error);
                    let sniffed = self.from..self.len.min(self.from + SNIFFED_BYTES as u64);
                    if let Some(missing) = self.heads.missing(&sniffed, self.len) {
                        return Ok(WalkStep::Needs(missing));
                    }
                },
                Err(error) => return Err(error),
                Ok(Some(needed)) => return Ok(WalkStep::Needs(needed)),
                Ok(None) if self.at == self.len => {
                    return Ok(WalkStep::Done(std::mem::take(&mut self.found)));
                },
                Ok(None) => {
                    self.passed = self.found.streams.len();
                    (self.from, self.start) = (self.at, self.at);
                    self.decoder = Decoder::new(self.limits);
                },
            }
        }
    }

    /// The error of a stream behind others, or of the bytes in its place.
    fn behind_another(&mut self, error: PolarsError) -> PolarsError {
        let (at, before) = (self.from, self.passed);
        let sniffed = at..self.len.min(at + SNIFFED_BYTES as u64);
        let missing = |_| Ok(Buffer::default());
        let begin = self.heads.get(sniffed, self.len, missing);
        match begin.as_ref().map(|begin| check_stream(begin)) {
            Ok(Err(other)) => format_error(other).wrap_msg(|msg| {
                let rest = self.len - at;
                format!("{rest} bytes follow the end marker of stream {before}, from byte {at} on: {msg}")
            }),
            _ if matches!(error, PolarsError::SchemaMismatch(_)) => error,
            _ => error.wrap_msg(|msg| format!("stream {}, from byte {at} on: {msg}", before + 1)),
        }
    }

    /// Walks along one stream: to its end, or to where bytes are needed.
    fn one_stream(&mut self) -> PolarsResult<Option<Range<u64>>> {
        loop {
            let (message, start) = (self.found.messages(), self.start);
            let place =
                |e: Error| format_error(e.at(format!("message {message} after the schema, at byte {start}")));
            let need = self.decoder.needed() as u64;
            let have = self.len - self.at;
            if have == 0 && self.decoder.is_at_boundary() {
                return Ok(None);
            }
            if have < need {
                return Err(place(Error::new(ErrorKind::Truncated { need, have })));
            }
            let wanted = self.at..self.at + need;
            if let Some(missing) = self.heads.missing(&wanted, self.len) {
                return Ok(Some(missing));
            }
            let bytes = self.heads.get(wanted, self.len, |_| Ok(Buffer::default()))?;
            self.at += need;
            match self.decoder.feed(&bytes).map_err(place)? {
                Step::Need(_) => {},
                Step::End if self.found.streams.len() == self.passed => {
                    return Err(place(Error::invalid("an end marker without a schema message before it")));
                },
                Step::End => return Ok(None),
                Step::Message(message) => self.message(message, place)?,
            }
        }
    }

    /// Takes in a message, whose body comes next and is passed over.
    fn message(&mut self, message: Message, place: impl Fn(Error) -> PolarsError) -> PolarsResult<()> {
        let (need, have) = (message.body_len, self.len - self.at);
        if have < need {
            return Err(place(Error::new(ErrorKind::Truncated { need, have }).at("body")));
        }
        let metadata_len = u32::try_from(self.at - self.start)
            .map_err(|_| place(Error::invalid("a head of more than 4 GiB")))?;
        let block = Block { offset: self.start, metadata_len, body_len: need };
        self.found.take(message, block, self.passed, place)?;
        self.at += need;
        self.start = self.at;
        self.heads.read_ahead(if need < SHORT_BODY_BYTES { SHORT_BODY_BYTES } else { 0 });
        Ok(())
    }
}

impl Found {
    /// Messages of the last stream behind its schema.
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
                self.dictionaries.push(block);
                self.dictionary_ids.push(DictionaryId { id: header.id, is_delta: header.is_delta });
            },
            Header::Batch(header) => {
                self.has_statistics |= message.metadata.iter().any(|(key, _)| key == statistics::KEY);
                let dictionaries = self.dictionaries.len();
                self.batches.push(BatchEntry { block, rows: header.rows, dictionaries });
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

/// Whether batches of both can be read alike. Differences of the schema as a whole do not matter.
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
            // A type that Polars cannot hold is an error only where the column is wanted.
            (Err(_), Err(_)) => {},
            (Ok(dtype), Err(_)) => return told(TypeDifference::missing_on_the_right(dtype), &left.name),
            (Err(_), Ok(dtype)) => return told(TypeDifference::missing_on_the_left(dtype), &left.name),
        }
    }
    Ok(())
}
