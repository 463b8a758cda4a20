//! Making an index: through the footer of a file, along the heads of a stream.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use floe_format::constants::{CONTINUATION, FILE_MAGIC};
use floe_format::sniff::check_stream;
use floe_format::{Block, Decoder, Error, ErrorKind, Header, IpcLimits, Message, Schema, Step};
use polars_core::prelude::*;

use super::dictionaries::DictionaryEntry;
use super::origin::{Origin, Reading};
use super::{Entry, IpcIndex, IpcKind};
use crate::error::format_error;
use crate::pool;
use crate::read::assemble::check_rows;
use crate::read::heads::Heads;
use crate::read::index::{SNIFFED, batch_at, dictionary_at, read_footer};
use crate::schema::ReadSchema;
use crate::statistics;

/// What a walk finds.
#[derive(Default)]
struct Found {
    schema: Option<Schema>,
    batches: Vec<Entry>,
    dictionaries: Vec<DictionaryEntry>,
    has_statistics: bool,
}

/// Indexes whichever format it is.
pub(super) fn index(origin: Origin, limits: IpcLimits) -> PolarsResult<IpcIndex> {
    let counter = AtomicU64::new(0);
    let (kind, found) = {
        let reading = origin.reading(&counter)?;
        let magic = reading.read(0..reading.len().min(FILE_MAGIC.len() as u64))?;
        if magic.as_slice() == FILE_MAGIC {
            (IpcKind::File, file(&reading, &limits)?)
        } else {
            if !magic.starts_with(&CONTINUATION) {
                let start = reading.read(0..reading.len().min(SNIFFED as u64))?;
                check_stream(&start).map_err(format_error)?;
            }
            (IpcKind::Stream, stream(&reading, limits)?)
        }
    };
    let Found { schema, batches, dictionaries, has_statistics } = found;
    let schema = schema.ok_or_else(
        || polars_err!(ComputeError: "the Arrow IPC stream is empty: it has no schema message"),
    )?;
    let rows = batches.iter().fold(0usize, |rows, batch| rows.saturating_add(batch.rows));
    check_rows(rows)?;
    Ok(IpcIndex {
        origin,
        kind,
        schema: Arc::new(ReadSchema::new(schema)),
        batches,
        dictionaries,
        rows,
        limits,
        has_statistics,
        bytes_read: counter,
        known: Mutex::new(VecDeque::new()),
    })
}

/// Heads of a file that one task reads.
const HEADS_A_TASK: usize = 64;

fn file(reading: &Reading<'_>, limits: &IpcLimits) -> PolarsResult<Found> {
    let (footer, footer_start) = read_footer(reading.source(), limits)?;
    reading.count(reading.len() - footer_start);
    let mut dictionaries = Vec::with_capacity(footer.dictionaries.len());
    for (i, block) in footer.dictionaries.iter().enumerate() {
        let header = reading.counted(*block, |source| dictionary_at(source, *block, i, limits))?.header;
        dictionaries.push(DictionaryEntry { block: *block, id: header.id, is_delta: header.is_delta });
    }
    let tasks = footer.batches.len().div_ceil(HEADS_A_TASK);
    let all = pool::executor(true).map(tasks, |task| {
        let start = task * HEADS_A_TASK;
        let blocks = footer.batches.iter().enumerate().skip(start).take(HEADS_A_TASK);
        let entries = blocks.map(|(i, block)| {
            let batch = reading.counted(*block, |source| batch_at(source, *block, i, limits))?;
            let has_statistics = batch.metadata.iter().any(|(key, _)| key == statistics::KEY);
            let entry = Entry { block: *block, rows: batch.header.rows, dictionaries: dictionaries.len() };
            Ok((entry, has_statistics))
        });
        entries.collect::<PolarsResult<Vec<(Entry, bool)>>>()
    });
    let mut found = Found { schema: Some(footer.schema), dictionaries, ..Found::default() };
    for entries in all {
        for (entry, has_statistics) in entries? {
            found.has_statistics |= has_statistics;
            found.batches.push(entry);
        }
    }
    Ok(found)
}

/// What is read at once of a stream whose bodies are shorter than that.
const AHEAD: u64 = 32 << 10;

fn stream(reading: &Reading<'_>, limits: IpcLimits) -> PolarsResult<Found> {
    let mut found = Found::default();
    let mut heads = Heads::default();
    let mut decoder = Decoder::new(limits);
    let (mut start, mut at) = (0u64, 0u64);
    loop {
        let message = found.batches.len() + found.dictionaries.len();
        let place =
            |e: Error| format_error(e.at(format!("message {message} after the schema, at byte {start}")));
        let need = decoder.needed() as u64;
        let have = reading.len() - at;
        if have == 0 && decoder.is_at_boundary() {
            return Ok(found);
        }
        if have < need {
            return Err(place(Error::new(ErrorKind::Truncated { need, have })));
        }
        let bytes = heads.get(at..at + need, reading.len(), |range| reading.read(range))?;
        at += need;
        match decoder.feed(&bytes).map_err(place)? {
            Step::Need(_) => {},
            Step::End => return Ok(found),
            Step::Message(message) => {
                let (need, have) = (message.body_len, reading.len() - at);
                if have < need {
                    return Err(place(Error::new(ErrorKind::Truncated { need, have }).at("body")));
                }
                let metadata_len = u32::try_from(at - start)
                    .map_err(|_| place(Error::invalid("a head of more than 4 GiB")))?;
                let block = Block { offset: start, metadata_len, body_len: need };
                found.take(message, block).map_err(place)?;
                at += need;
                start = at;
                heads.read_ahead(if need < AHEAD { AHEAD } else { 0 });
            },
        }
    }
}

impl Found {
    fn take(&mut self, message: Message, block: Block) -> floe_format::Result<()> {
        match (message.header, &self.schema) {
            (Header::Schema(schema), None) => self.schema = Some(schema),
            (Header::Schema(_), Some(_)) => {
                return Err(Error::invalid("a second schema message, without an end marker before it"));
            },
            (_, None) => return Err(Error::invalid("the stream does not start with a schema message")),
            (Header::Dictionary(header), Some(_)) => {
                self.dictionaries.push(DictionaryEntry { block, id: header.id, is_delta: header.is_delta });
            },
            (Header::Batch(header), Some(_)) => {
                self.has_statistics |= message.metadata.iter().any(|(key, _)| key == statistics::KEY);
                let dictionaries = self.dictionaries.len();
                self.batches.push(Entry { block, rows: header.rows, dictionaries });
            },
        }
        Ok(())
    }
}
