//! The results of indexing: streams, record batches, dictionary batches.

use std::ops::Range;
use std::sync::Arc;

use floe_format::{BatchHeader, Block};

use crate::read::types::TypeOptions;
use crate::schema::ReadSchema;
use crate::statistics::BatchStatistics;

/// Which of the two formats an index is of.
///
/// ```
/// use floe_frame::{IpcIndex, IpcKind, IpcLimits, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
/// assert_eq!(IpcIndex::from_bytes(bytes, IpcLimits::default())?.kind(), IpcKind::Stream);
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcKind {
    /// Messages one after another.
    Stream,
    /// Messages between magics, with a footer.
    File,
}

/// A stream of the source: its messages are numbered on behind those of the streams before it. A file is one.
pub(super) struct StreamPlace {
    /// Its own: ids of dictionaries and byte order may differ, columns and their types not.
    pub(super) schema: Arc<ReadSchema>,
    pub(super) first_batch: usize,
    pub(super) first_dictionary: usize,
}

/// A record batch.
pub(super) struct BatchEntry {
    pub(super) block: Block,
    pub(super) rows: usize,
    /// The number of dictionary messages before it, over all streams. It may need those of its own stream.
    pub(super) dictionaries: usize,
}

/// The contents of the head of a dictionary message.
#[derive(Debug, Clone, Copy)]
pub(super) struct DictionaryId {
    pub(super) id: i64,
    pub(super) is_delta: bool,
}

/// All of it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) streams: Vec<StreamPlace>,
    pub(super) batches: Vec<BatchEntry>,
    pub(super) dictionaries: Vec<Block>,
    /// One for each dictionary message, or none: then their heads have not been read yet.
    pub(super) dictionary_ids: Vec<DictionaryId>,
    pub(super) has_statistics: bool,
    /// The batches' heads by the footer, if they need not be read.
    pub(super) layout: Option<Vec<Arc<BatchHeader>>>,
    /// The statistics by the footer, if they can be trusted.
    pub(super) trusted: Option<Vec<Option<BatchStatistics>>>,
    /// The types of columns, where there is a choice.
    pub(super) types: TypeOptions,
}

/// A run of batches that have one schema.
pub(super) struct SchemaRun {
    pub(super) schema: Arc<ReadSchema>,
    pub(super) batches: Range<usize>,
}
