//! A file or stream on disk, described for a writer that goes on with it.
//!
//! ```text
//!   file     | ARROW1 | schema | messages | end marker | footer | ARROW1 |
//!   stream   | schema | messages | end marker, or a part of a message |
//!                                ^ end: a writer goes on here
//! ```

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use floe_array::Lookup;
use floe_array::decode::Budget;
use floe_codec::Codec;
use floe_format::constants::{END_OF_STREAM, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::{Block, Endianness, Footer, IpcLimits, KeyValues, Place, Version};
use polars_core::prelude::*;

use super::dictionary_store::Store;
use super::footer::{footer_range, read_footer};
use super::growing_file::GrowingFile;
use super::heads::{batch_at, body_start, dictionary_at};
use super::message_source::MessageSource as _;
use super::options::ReadOptions;
use super::ranged::{FileSource, RangedSource, SourceBody, read_one};
use super::stream_source::Stream;
use super::types::TypeOptions;
use crate::error::{format_error, io_error};
use crate::layout::LayoutLog;
use crate::pool;
use crate::schema::ReadSchema;

/// A file or stream that is there already.
pub(crate) struct Existing {
    pub(crate) schema: Arc<ReadSchema>,
    /// Where the next message may go: nothing but an end is behind.
    pub(crate) end: u64,
    /// Of a file.
    pub(crate) batches: Vec<Block>,
    /// Of a file, with their ids.
    pub(crate) dictionaries: Vec<(i64, Block)>,
    /// Rows of each batch; of a stream too.
    pub(crate) rows: Vec<u64>,
    /// Where buffers are, if all batches of the file lie so that a footer can say it.
    pub(crate) layout: Option<LayoutLog>,
    /// Of the footer, as it is.
    pub(crate) metadata: KeyValues,
    /// By slot: the category at each position of the dictionary, if there is one.
    pub(crate) categories: Vec<Option<Vec<Option<u32>>>>,
    /// Of the batch that was written last.
    pub(crate) codec: Option<Codec>,
    /// Whether the last batch has statistics.
    pub(crate) has_statistics: bool,
}

/// Bytes behind the last message that are read, to tell whether they are an end and nothing else.
const MAX_GAP: u64 = 4 << 10;

impl Existing {
    /// A file, with its footer.
    ///
    /// # Errors
    /// When it is none, is cut off, or is written in a way that floe cannot go on with.
    pub(crate) fn file(file: File, limits: &IpcLimits) -> PolarsResult<Self> {
        let source = FileSource::new(file).map_err(|e| io_error(e, "opening an Arrow IPC file"))?;
        let footer = read_footer(&source, limits)?;
        check_written(&footer.schema)?;
        polars_ensure!(
            footer.version == Version::V5 && footer.not_utf8.is_empty(),
            InvalidOperation: "{}", if footer.version == Version::V5 { NOT_UTF8 } else { OLD }
        );
        let schema = Arc::new(ReadSchema::new(footer.schema.clone(), &TypeOptions::default()));
        let (mut rows, mut codec, mut has_statistics) =
            (Vec::with_capacity(footer.batches.len()), None, false);
        let mut layout = Some(LayoutLog::default());
        for (i, block) in footer.batches.iter().enumerate() {
            let head = batch_at(&source, *block, i, limits)?;
            layout = layout.filter(|layout| !head.has_flags() && layout.has_room_for(&head.header));
            if let Some(layout) = &mut layout {
                layout.note(&head.header);
            }
            polars_ensure!(head.version == Version::V5, InvalidOperation: "{OLD}");
            rows.push(head.header.rows as u64);
            codec = head.header.compression;
            has_statistics = head.has_statistics();
        }
        let (dictionaries, store) = file_dictionaries(&source, &footer, &schema, limits)?;
        let end = end_of_messages(&source, &footer, limits)?;
        let categories = categories(&schema, &store);
        let Footer { batches, metadata, .. } = footer;
        Ok(Self {
            schema,
            end,
            batches,
            dictionaries,
            rows,
            layout,
            metadata,
            categories,
            codec,
            has_statistics,
        })
    }

    /// A stream, with or without its end marker. Of one that breaks off within a message, what is whole.
    ///
    /// # Errors
    /// When it is none, something follows its end, or it is written in a way that floe cannot go on with.
    pub(crate) fn stream(file: File, limits: &IpcLimits) -> PolarsResult<Self> {
        let options = ReadOptions { limits: *limits, ..ReadOptions::default() };
        let file =
            GrowingFile::of(file, Path::new("")).map_err(|e| io_error(e, "opening an Arrow IPC stream"))?;
        let mut stream = Stream::new(file);
        let schema = match stream.schema(&options) {
            Err(error) if stream.input.resumes(&error) => {
                polars_bail!(ComputeError: "it has no whole schema message: there is nothing to go on with, IpcStreamWriter::new begins a stream")
            },
            schema => schema?,
        };
        polars_ensure!(
            !stream.is_in_file(),
            InvalidOperation: "it is an Arrow IPC file, not a stream: IpcWriter::append goes on with it"
        );
        check_written(&schema.written)?;
        schema.polars().map_err(format_error)?;
        let (mut rows, mut codec, mut has_statistics) = (Vec::new(), None, false);
        loop {
            stream.hand_over();
            match stream.next_batch(&options) {
                Ok(Some(batch)) => {
                    polars_ensure!(batch.version() == Version::V5, InvalidOperation: "{OLD}");
                    rows.push(batch.rows() as u64);
                    codec = batch.header().compression;
                    has_statistics = batch.head.has_statistics();
                },
                Ok(None) => break,
                // A part of a message follows.
                Err(error) if stream.input.resumes(&error) => break,
                Err(error) => return Err(error),
            }
        }
        let end = end_of_stream(&mut stream)?;
        let categories = match stream.store() {
            Some(store) => categories(&schema, store),
            None => vec![None; schema.slot_count()],
        };
        let (batches, dictionaries, layout, metadata) = Default::default();
        Ok(Self {
            schema,
            end,
            batches,
            dictionaries,
            rows,
            layout,
            metadata,
            categories,
            codec,
            has_statistics,
        })
    }
}

/// Where a stream that has been read ends, without its end marker.
fn end_of_stream(stream: &mut Stream<GrowingFile>) -> PolarsResult<u64> {
    let end = stream.position();
    if !stream.saw_end_marker() {
        return Ok(end);
    }
    loop {
        let piece = stream.input.peek_some(MAX_PIECE)?;
        if piece.is_empty() {
            break;
        }
        polars_ensure!(
            is_nothing(&piece),
            InvalidOperation: "something follows the end marker, at byte {}: another stream, mostly. Only the last part of a \
            file is gone on with", stream.position()
        );
        stream.input.consume(piece.len());
    }
    // Before 0.15 the marker was four zeros.
    let before = end.saturating_sub(END_OF_STREAM.len() as u64);
    let is_long = stream.input.read(before, end - before)?.as_slice() == END_OF_STREAM;
    Ok(if is_long { before } else { end.saturating_sub(4) })
}

/// Whether bytes are zeros and end markers only, which writers leave behind.
fn is_nothing(bytes: &[u8]) -> bool {
    let is_end = |word: &[u8]| word == END_OF_STREAM || word.iter().all(|byte| *byte == 0);
    bytes.chunks(END_OF_STREAM.len()).all(is_end)
}

/// A multiple of 8 bytes.
const MAX_PIECE: usize = 64 << 10;
const OLD: &str = "its metadata is of version 4, from before Arrow 1.0: new batches would be of version 5, and readers take one \
    version for all of it. Write it anew";
const NOT_UTF8: &str =
    "it has custom metadata that is not UTF-8, which floe cannot write again. Write it anew without";

/// Checks that floe can write what the schema says.
fn check_written(schema: &floe_format::Schema) -> PolarsResult<()> {
    polars_ensure!(
        schema.endianness == Endianness::Little,
        InvalidOperation: "its buffers are big-endian, which floe does not write. Write it anew"
    );
    polars_ensure!(schema.not_utf8.is_empty(), InvalidOperation: "{NOT_UTF8}");
    Ok(())
}

/// The blocks of a file's dictionaries with their ids, and the dictionaries.
fn file_dictionaries(
    source: &FileSource,
    footer: &Footer,
    schema: &Arc<ReadSchema>,
    limits: &IpcLimits,
) -> PolarsResult<(Vec<(i64, Block)>, Store)> {
    schema.polars().map_err(format_error)?;
    let slots: Vec<usize> = (0..schema.slot_count()).collect();
    let mut store = Store::new(Arc::clone(schema), &slots).map_err(format_error)?;
    let (options, budget) = (ReadOptions { limits: *limits, ..ReadOptions::default() }, Budget::new(limits));
    let mut blocks = Vec::with_capacity(footer.dictionaries.len());
    for (i, block) in footer.dictionaries.iter().enumerate() {
        let (header, version) = dictionary_at(source, *block, i, limits)?;
        polars_ensure!(
            header.is_delta || !store.knows(header.id),
            ComputeError: "dictionary batch {i}: dictionary {} is replaced, which files must not do", header.id
        );
        budget.saw(block.body_len);
        let body = SourceBody { source, start: body_start(*block) };
        let decode = options.decode_options(schema, version);
        store
            .apply(&header, &body, &decode, &budget, pool::executor(true))
            .map_err(|e| format_error(e.at(Place::DictionaryBatch(i))))?;
        blocks.push((header.id, *block));
    }
    Ok((blocks, store))
}

/// By slot, the category at each position, if the dictionary has been sent.
fn categories(schema: &ReadSchema, store: &Store) -> Vec<Option<Vec<Option<u32>>>> {
    let dictionaries = store.snapshot();
    let of = |slot: usize| {
        let id = schema.slot(slot)?.dictionary.as_ref()?.id;
        match dictionaries.lookup(slot).filter(|_| store.knows(id))? {
            Lookup::Categories(categories) => Some(categories.nullable()),
            Lookup::Values(_) | Lookup::Chunks(_) => None,
        }
    };
    (0..schema.slot_count()).map(of).collect()
}

/// Where a file's messages end. An end marker and zeros behind the last block do not count; unknown bytes there are kept.
fn end_of_messages(source: &FileSource, footer: &Footer, limits: &IpcLimits) -> PolarsResult<u64> {
    let len = source.len();
    let suffix = read_one(source, len.saturating_sub(FILE_SUFFIX_LEN as u64)..len)?;
    let footer_start = footer_range(len, &suffix, limits)?.start;
    let mut last = None;
    for block in footer.dictionaries.iter().chain(&footer.batches) {
        last = last.max(Some(block.end().map_err(format_error)?));
    }
    let marker = END_OF_STREAM.len() as u64;
    if let Some(last) = last.filter(|last| footer_start.saturating_sub(*last) <= MAX_GAP)
        && is_nothing(&read_one(source, last..footer_start)?)
    {
        return Ok(last);
    }
    let before = footer_start.saturating_sub(marker).max(FILE_PREFIX.len() as u64);
    let is_marked = read_one(source, before..footer_start)?.as_slice() == END_OF_STREAM;
    Ok(if is_marked { before } else { footer_start })
}
