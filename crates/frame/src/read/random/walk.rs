//! Making an index: through the footer of a file, or along a stream (see [`super::streams`]).

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use floe_format::constants::{CONTINUATION, FILE_MAGIC};
use floe_format::sniff::check_stream;
use floe_format::{Footer, IpcLimits};
use polars_core::prelude::*;

use super::dictionaries::DictionaryEntry;
use super::origin::{Origin, Reading};
use super::streams::stream;
use super::{Entry, IpcIndex, IpcKind, StreamPlace};
use crate::cumulative;
use crate::error::format_error;
use crate::pool;
use crate::read::assemble::check_rows;
use crate::read::index::{SNIFFED, batch_at, dictionary_at, read_footer};
use crate::read::ledger::Ledger;
use crate::read::types::TypeOptions;
use crate::schema::ReadSchema;
use crate::statistics;

/// What a walk finds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) streams: Vec<StreamPlace>,
    pub(super) batches: Vec<Entry>,
    pub(super) dictionaries: Vec<DictionaryEntry>,
    pub(super) has_statistics: bool,
    /// What columns become.
    pub(super) types: TypeOptions,
}

/// Indexes whichever format it is.
pub(super) fn index(origin: Origin, limits: IpcLimits, types: &TypeOptions) -> PolarsResult<IpcIndex> {
    let counter = AtomicU64::new(0);
    let (kind, found) = {
        let reading = origin.reading_for_index(&counter)?;
        let magic = reading.read(0..reading.len().min(FILE_MAGIC.len() as u64))?;
        if magic.as_slice() == FILE_MAGIC {
            (IpcKind::File, file(&reading, &limits, types)?)
        } else {
            if !magic.starts_with(&CONTINUATION) {
                let start = reading.read(0..reading.len().min(SNIFFED as u64))?;
                check_stream(&start).map_err(format_error)?;
            }
            (IpcKind::Stream, stream(&reading, limits, types)?)
        }
    };
    let Found { streams, batches, dictionaries, has_statistics, types: _ } = found;
    let Some(first) = streams.first() else {
        polars_bail!(ComputeError: "the Arrow IPC stream is empty: it has no schema message");
    };
    let rows = batches.iter().fold(0usize, |rows, batch| rows.saturating_add(batch.rows));
    check_rows(rows)?;
    Ok(IpcIndex {
        origin,
        kind,
        schema: Arc::clone(&first.schema),
        streams,
        batches,
        dictionaries,
        rows,
        limits,
        has_statistics,
        bytes_read: counter,
        known: Mutex::new(VecDeque::new()),
        ledger: Ledger::default(),
    })
}

/// Heads of a file that one task reads.
const HEADS_A_TASK: usize = 64;
/// Heads of a file that are read in any case. Of more batches the rows may come from the footer.
const HEADS_READ: usize = 16;
/// The same for files in memory, where heads cost no reads.
const HEADS_LOOKED_AT: usize = 1024;

fn file(reading: &Reading<'_>, limits: &IpcLimits, types: &TypeOptions) -> PolarsResult<Found> {
    let (footer, footer_start) = read_footer(reading.source(), limits)?;
    reading.count(reading.len() - footer_start);
    let mut dictionaries = Vec::with_capacity(footer.dictionaries.len());
    for (i, block) in footer.dictionaries.iter().enumerate() {
        let header = reading.counted(*block, |source| dictionary_at(source, *block, i, limits))?.header;
        dictionaries.push(DictionaryEntry { block: *block, id: header.id, is_delta: header.is_delta });
    }
    let (batches, has_statistics) = match by_footer(reading, &footer, dictionaries.len(), limits)? {
        Some(known) => known,
        None => by_heads(reading, &footer, dictionaries.len(), limits)?,
    };
    let schema = Arc::new(ReadSchema::new(footer.schema, types));
    let streams = vec![StreamPlace { schema, first_batch: 0, first_dictionary: 0 }];
    Ok(Found { streams, batches, dictionaries, has_statistics, types: types.clone() })
}

/// The rows of a batch, and whether it has statistics.
fn head(
    reading: &Reading<'_>,
    footer: &Footer,
    batch: usize,
    limits: &IpcLimits,
) -> PolarsResult<(usize, bool)> {
    let block = footer.batches.get(batch).copied().unwrap_or_default();
    let located = reading.counted(block, |source| batch_at(source, block, batch, limits))?;
    Ok((located.header.rows, located.metadata.iter().any(|(key, _)| key == statistics::KEY)))
}

/// The batches as their heads say, which are read on all cores.
fn by_heads(
    reading: &Reading<'_>,
    footer: &Footer,
    dictionaries: usize,
    limits: &IpcLimits,
) -> PolarsResult<(Vec<Entry>, bool)> {
    let tasks = footer.batches.len().div_ceil(HEADS_A_TASK);
    let all = pool::executor(true).map(tasks, |task| {
        let start = task * HEADS_A_TASK;
        let blocks = footer.batches.iter().enumerate().skip(start).take(HEADS_A_TASK);
        let entries = blocks.map(|(i, block)| {
            let (rows, has_statistics) = head(reading, footer, i, limits)?;
            Ok((Entry { block: *block, rows, dictionaries }, has_statistics))
        });
        entries.collect::<PolarsResult<Vec<(Entry, bool)>>>()
    });
    let mut batches = Vec::with_capacity(footer.batches.len());
    let mut has_statistics = false;
    for entries in all {
        for (entry, has) in entries? {
            has_statistics |= has;
            batches.push(entry);
        }
    }
    Ok((batches, has_statistics))
}

/// The batches as the footer says, if there are many and it says so, and the first one, the last one and
/// one in between agree. A batch that has other rows is an error when it is read.
fn by_footer(
    reading: &Reading<'_>,
    footer: &Footer,
    dictionaries: usize,
    limits: &IpcLimits,
) -> PolarsResult<Option<(Vec<Entry>, bool)>> {
    let count = footer.batches.len();
    if count <= if reading.is_in_memory() { HEADS_LOOKED_AT } else { HEADS_READ } {
        return Ok(None);
    }
    let Some(ends) = cumulative::find(&footer.metadata, count) else { return Ok(None) };
    let mut batches = Vec::with_capacity(count);
    let mut start = 0;
    for (block, end) in footer.batches.iter().zip(ends) {
        let Ok(rows) = usize::try_from(end - start) else { return Ok(None) };
        batches.push(Entry { block: *block, rows, dictionaries });
        start = end;
    }
    let mut has_statistics = footer.metadata.iter().any(|(key, _)| key == statistics::KEY);
    for batch in [0, count / 2, count - 1] {
        let (rows, has) = head(reading, footer, batch, limits)?;
        has_statistics |= has;
        if batches.get(batch).is_none_or(|entry| entry.rows != rows) {
            return Ok(None);
        }
    }
    Ok(Some((batches, has_statistics)))
}
